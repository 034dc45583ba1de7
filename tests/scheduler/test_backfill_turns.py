"""What reaches the brain between the question what stands at a date and its answer."""

from __future__ import annotations

from typing import Any

import pytest

from flowlet.runs.clearing import Which
from flowlet.scheduler import past, requests
from flowlet.scheduler.backfills import Plan
from flowlet.timetables import CronTriggerTimetable
from tests.scheduler.brain_world import NEW_YEAR, SECOND, a_task, dag_of, drive, failed, succeeded
from tests.scheduler.test_backfill_properties import LAWS, Desk, Filling

HOUR = 3600 * SECOND


def filling(*tasks: Any, most: int = 2, hours: int = 4, reprocess: str = "failed", began: bool = False) -> Filling:
    """A backfill of the last hours of which the first dates are being looked up, or (`began`) have begun."""
    world = Filling(laws=LAWS)
    timetable = CronTriggerTimetable("0 * * * *", timezone="UTC").to_spec()
    world.add(dag_of("dag", *(tasks or (a_task("a"),)), timetable=timetable, end_date=NEW_YEAR - 1, max_active_runs=400))
    world.backfill(Plan("dag", NEW_YEAR - hours * HOUR, NEW_YEAR - HOUR, False, reprocess, most, None))
    if began:
        world.turn()
    return world


def fates(world: Filling) -> list[str | None]:
    return [reason or (None if run_id is None else "run") for _, run_id, reason in world.dates()]


def test_dates_that_were_asked_about_when_it_was_paused_come_first_when_it_goes_on() -> None:
    world = filling()
    world.asked.insert(0, requests.PauseBackfill(1))
    world.turn()
    assert fates(world) == [None] * 4
    world.ask(requests.UnpauseBackfill(1))
    world.turn()
    assert fates(world) == ["run", "run", None, None]
    assert [run.logical_date for run in world.active()] == [NEW_YEAR - 4 * HOUR, NEW_YEAR - 3 * HOUR]
    world.finish(succeeded)
    assert fates(world) == ["run"] * 4


def test_a_date_that_is_taken_in_the_very_turn_is_in_flight() -> None:
    world = filling()
    world.asked.insert(0, requests.Trigger("dag", "mine", NEW_YEAR - 4 * HOUR, "{}", ()))
    world.turn()
    assert fates(world) == ["in flight", "run", None, None]
    world.finish(succeeded)
    assert fates(world) == ["in flight", "run", "run", "run"]


def test_what_was_asked_for_a_backfill_that_was_cancelled_meanwhile_is_forgotten() -> None:
    world = filling()
    world.asked.insert(0, requests.CancelBackfill(1))
    world.turn()
    assert (fates(world), world.active()) == (["the backfill was cancelled"] * 4, [])


def test_a_queued_run_of_a_cancelled_backfill_fails_and_a_running_one_counts_for_the_dag() -> None:
    """Airflow: `cancel_backfill` fails those that are queued."""
    world = filling(most=2, began=True)
    ended, running = (work.key.run for work in world.works)
    world.end(world.works[0], succeeded())
    world.asked.append(requests.Pause("dag", True))
    world.turn()
    world.ask(requests.Clear("dag", [(drive(Desk(world).find_run("dag", ended.run_id)), Which())]))
    (queued,) = [run for run in world.active() if run.state == "queued"]
    entry = world.brain.entries["dag"]
    assert (queued.run_id, entry.lane.active) == (ended.run_id, 0)
    world.ask(requests.CancelBackfill(1))
    assert [(run.run_id, run.state) for run in world.active()] == [(running.run_id, "running")]
    assert (queued.state, queued.reason, entry.lane.active) == ("failed", "backfill 1 was cancelled", 1)


def test_a_run_that_comes_before_the_first_of_a_backfill_does_not_hold_it() -> None:
    world = filling(a_task("a"), a_task("b", 0, depends_on_past=True), most=1, began=True)
    world.trigger("dag", "before", date=NEW_YEAR - 9 * HOUR)
    (before,) = [work for work in world.works if work.key.run.run_id == "before"]
    world.end(before, failed())
    world.finish(succeeded)
    assert fates(world) == ["run"] * 4
    assert world.states_of_backfills() == ["completed"]


@pytest.mark.parametrize("remembered", [1, 2, 5])
def test_the_run_before_is_known_however_many_later_ones_have_ended(remembered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "REMEMBERED", remembered)
    world = Filling(laws=LAWS)
    timetable = CronTriggerTimetable("0 * * * *", timezone="UTC").to_spec()
    world.add(dag_of("dag", a_task("a", depends_on_past=True), timetable=timetable, end_date=NEW_YEAR - 1))
    for number in range(30):
        world.trigger("dag", date=NEW_YEAR - 30 * SECOND + number * SECOND)
        world.finish_works(succeeded())
    world.backfill(Plan("dag", NEW_YEAR - 40 * HOUR, NEW_YEAR - HOUR, False, "failed", 1, None))
    for _ in range(10):
        world.turn()
        world.finish_works(succeeded())
    world.turn()
    world.finish_works(failed())
    world.turn()
    (run,) = world.active()
    assert (world.works, world.why(run.tasks[0])) == ([], "depends_on_past: a is failed in the previous run")
