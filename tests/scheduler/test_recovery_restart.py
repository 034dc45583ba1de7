"""A process may end between any two turns, or with a turn that was decided and not written: nothing comes out different."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet.scheduler import requests
from flowlet.timetables import CronTriggerTimetable
from flowlet.worker.workload import Outcome
from tests.scheduler.brain_world import SECOND, Work, World, a_task, dag_of, failed, succeeded
from tests.scheduler.laws import LAWS
from tests.scheduler.random_dags import a_world, random_dag, waits_for_the_past

_SAME_IN_ANY_ORDER = (
    "all_success", "all_done", "one_success", "none_failed", "none_failed_min_one_success",
    "all_done_min_one_success", "one_done", "always",
)  # fmt: skip
"""Rules by which, when nothing is skipped, the order in which upstreams end makes no difference."""


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 40))
def test_the_laws_hold_across_crashes_too_and_every_run_ends(seed: int, steps: int) -> None:
    world, chance = a_world(seed)
    for _ in range(steps):
        if chance.rng.random() < 0.1:
            chance.rng.choice((world.crash, world.crash_before_commit))()
        chance.act()
    chance.end_all()
    assert [run for run in world.active() if not waits_for_the_past(world, run)] == []


class Fate:
    """What bodies do is given by run, task and how often it failed, so that a life can be lived twice."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)

    def of(self, work: Work) -> Outcome:
        ti = work.key
        luck = random.Random(f"{self.seed} {ti.run.run_id} {ti.key} {work.failures}").random()
        return failed() if luck < 0.35 else succeeded()

    def world(self) -> World:
        world = World(parallelism=self.rng.choice((1, 2, 32)), laws=LAWS)
        for name in ("one", "two"):
            world.ask(requests.SetPool(name, 4))
        for number in range(2):
            world.add(self._dag(f"dag{number}"))
        return world

    def _dag(self, dag_id: str) -> object:
        dag = random_dag(self.rng, dag_id, sensor=None, pool_slots=1, on_crash="requeue")
        for task in dag.tasks:
            task.trigger_rule = self.rng.choice(_SAME_IN_ANY_ORDER)
        dag.fail_fast, dag.dagrun_timeout = False, None
        return dag


def life(seed: int, stops: list[int]) -> World:
    """Three runs of each of two DAGs, begun out of the order of their dates; the process ends before some turns."""
    fate = Fate(seed)
    world = fate.world()
    for number in (2, 0, 1):
        for dag_id in ("dag0", "dag1"):
            world.trigger(dag_id, f"r{number}", date=world.now - (9 - number) * SECOND)
    for step in range(2_000):
        if step in stops:
            world.crash()
        if world.works:
            work = fate.rng.choice(world.works)
            world.end(work, fate.of(work))
            world.turn()
        elif not world.pass_time():
            return world
    raise AssertionError("it does not come to an end")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_stopped_anywhere_and_started_again_all_ends_as_without_the_stop(seed: int, stops: list[int]) -> None:
    smooth, rough = life(seed, []), life(seed, [stop for stop in set(stops) if stops.count(stop) < 3])
    took_down = rough.file.select("SELECT count(*) FROM attempts WHERE reason LIKE 'took the process down%'")
    if took_down == [(0,)]:
        assert rough.file.states() == smooth.file.states()
        assert rough.file.runs() == smooth.file.runs()


# -- the run before, found again -------------------------------------------------------------------------


def blocked_by_a_failure(*, others: int = 0) -> World:
    """Run 1 failed; run 2 waits for it, and `others` wait behind."""
    world = World(laws=LAWS)
    world.add(dag_of("dag", a_task("t", depends_on_past=True)))
    for number in range(2 + others):
        world.trigger("dag", f"run{number + 1}", date=world.now - (99 - number) * SECOND)
    world.end(world.works[0], failed())
    world.turn()
    assert world.works == []
    return world


def test_a_task_that_waits_for_a_failed_past_waits_after_a_restart_too() -> None:
    world = blocked_by_a_failure()
    world.crash()
    assert world.works == []
    assert world.why(world.active()[0].tasks[0]) == "depends_on_past: t is failed in the previous run"


def test_the_run_before_is_found_after_a_restart_though_newer_ones_are_active() -> None:
    world = blocked_by_a_failure(others=3)
    world.crash()
    assert world.works == []


def test_a_manual_run_with_a_later_date_does_not_hide_the_run_before_a_scheduled_one() -> None:
    """A data interval begins before the manual runs that are made while it lasts."""
    world = World(laws=LAWS)
    world.now += SECOND
    every_hour = CronTriggerTimetable("0 * * * *", timezone="UTC", interval=timedelta(hours=1)).to_spec()
    world.add(dag_of("dag", a_task("t", depends_on_past=True), timetable=every_hour))
    world.now += 45 * 60 * SECOND
    world.trigger("dag", "at a quarter to one")
    world.finish_works(failed())
    world.now += 45 * 60 * SECOND
    world.turn()
    world.finish_works(succeeded())  # of the run for 00:00, the first of all
    world.ask(requests.Cancel(world.trigger("dag", "at half past one"), "cancelled"))
    world.now += 30 * 60 * SECOND
    world.turn()
    assert world.works == []
    assert world.why(world.active()[0].tasks[0]) == "depends_on_past: t is failed in the previous run"


def test_a_cancelled_run_lets_the_next_one_go() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("dag", a_task("before"), a_task("t", 0, depends_on_past=True)))
    first = world.trigger("dag", "first")
    world.now += SECOND
    second = world.trigger("dag", "second")
    world.end(world.works[1], succeeded())
    world.turn()
    assert world.why(second.tasks[1]) == "depends_on_past: t is none in the previous run"
    world.ask(requests.Cancel(first, "cancelled"))
    assert [work.key for work in world.works] == [second.tasks[1]]


def test_a_run_that_comes_between_two_is_the_one_before_the_later() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("dag", a_task("t", depends_on_past=True)))
    world.trigger("dag", "first", date=world.now - 9 * SECOND)
    third = world.trigger("dag", "third", date=world.now - 5 * SECOND)
    second = world.trigger("dag", "second", date=world.now - 7 * SECOND)
    world.end(world.works[0], succeeded())
    world.turn()
    assert [work.key.run for work in world.works] == [second]
    assert world.why(third.tasks[0]) == "depends_on_past: t is running in the previous run"


# -- crashes ---------------------------------------------------------------------------------------------


def outcomes(world: World) -> list[tuple[int, str]]:
    return world.file.select("SELECT try_number, outcome FROM attempts ORDER BY try_number")


def test_a_crash_is_no_try_and_the_retries_are_all_left() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("dag", a_task("t", retries=1, retry_delay=0)))
    world.trigger("dag")
    world.crash()
    world.finish(failed)
    assert outcomes(world) == [(1, "interrupted"), (2, "failed"), (3, "failed")]


def test_the_third_crash_in_a_tasks_place_is_the_last() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("dag", a_task("t")))
    world.trigger("dag")
    for _ in range(3):
        assert len(world.works) == 1
        world.crash()
    assert world.works == []
    assert outcomes(world) == [(1, "interrupted"), (2, "interrupted"), (3, "interrupted")]
    assert world.file.runs() == {("dag", "manual__2026-01-01T00:00:00+00:00"): "failed"}


def test_a_recovered_attempt_is_told_as_an_event() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("dag", a_task("t")))
    world.trigger("dag")
    world.crash()
    told = world.file.select("SELECT kind, task_id, try_number FROM events WHERE kind = 'recovered'")
    assert told == [("recovered", "t", 1)]


def test_failures_in_a_row_are_counted_across_a_restart() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("dag", a_task("t"), max_consecutive_failed_dag_runs=2))
    for number in range(2):
        world.now += SECOND
        world.trigger("dag", f"run{number}")
        world.finish(failed)
        world.crash()
    assert world.brain.entries["dag"].paused


def test_a_task_that_a_crash_fails_is_no_deadlock_for_what_has_not_been_looked_at_yet() -> None:
    """The engine was stopping: the end of `a` was written, and nothing was let go any more; then it was killed."""
    world = World(laws=LAWS)
    world.add(dag_of("dag", a_task("a"), a_task("b", on_crash="fail"), a_task("c", 0)))
    world.trigger("dag", "run")
    world.brain.draining = True
    world.laws = ()
    world.end(world.works[0], succeeded())
    world.turn()
    world.crash()
    world.finish(succeeded)
    assert {task: state for (_, _, task), state in world.file.states().items()} == {"a": "success", "b": "failed", "c": "success"}


def test_a_task_that_was_skipped_while_it_waited_for_the_past_stays_skipped_when_the_past_is_met() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("dag", a_task("a"), a_task("b", 0, trigger_rule="always", depends_on_past=True), a_task("c", 0)))
    world.trigger("dag", "first")
    world.now += SECOND
    second = world.trigger("dag", "second")
    choosing = next(work for work in world.works if work.key is second.tasks[0])
    world.end(choosing, Outcome("succeeded", skip=("b",)))
    world.turn()
    world.finish(succeeded)
    assert second.tasks[1].state == "skipped"
    assert not second.tasks[1].released
