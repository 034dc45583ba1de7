"""Clears at any moment, by any choice: the laws hold, mapped tasks have as many instances as items, skips are made again."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowlet.runs.instances import TaskInstance
from flowlet.runs.turn import Turn
from flowlet.scheduler import requests
from flowlet.worker.workload import Outcome
from tests.scheduler.brain_world import SECOND, World, a_task, dag_of, failed, succeeded
from tests.scheduler.laws import LAWS
from tests.scheduler.random_dags import Chance


def as_many_instances_as_items(world: World, turn: Turn) -> None:
    """Whatever starts anew of a mapped task: it has as many instances as what it is mapped over has items by now."""
    first = {move.id for move in turn.moves.start_task if not move.expected_try or move.id in world.anew}
    for ti in turn.start:
        if ti.map_index >= 0 and ti.id in first:
            assert ti.spec.mapping is not None
            (length,) = ti.spec.mapping
            expected = length if isinstance(length, int) else _items(world, ti.run.tasks[length[1]])
            assert len(ti.run.tasks[ti.spec.index].instances or ()) == expected, ti


def _items(world: World, source: TaskInstance) -> int:
    """From the file: the items of a value; of a mapped source, how many returned something."""
    sql = (
        "SELECT x.map_index, x.value FROM xcoms AS x JOIN tasks USING (dag_id, run_id, task_id, map_index)"
        " WHERE dag_id = :dag AND run_id = :run AND task_id = :task AND key = 'return_value' AND state <> 'removed'"
    )
    values = world.file.select(sql, dag=source.run.dag_id, run=source.run.run_id, task=source.spec.task_id)
    return len(json.loads(values[0][1])) if values and values[0][0] < 0 else len(values)


def mapped_dag(rng: random.Random) -> Any:
    """A source, what is mapped over it, what is mapped over that, and what comes after, by any rule."""
    def rule() -> str:
        return rng.choice(("all_success", "all_done", "none_failed", "one_success", "always"))

    tasks = [
        a_task("source", retries=1),
        a_task("beside"),
        a_task("mapped", 0, *((1,) if rng.random() < 0.5 else ()), mapping=(["xcom", 0],), retries=rng.choice((0, 1))),
        a_task("again", 2, mapping=(["xcom", 2],), trigger_rule=rng.choice(("all_success", "all_done"))),
        a_task("after", 2, *((1,) if rng.random() < 0.5 else ()), trigger_rule=rule()),
        a_task("last", 3, 4, trigger_rule=rule()),
    ]
    return dag_of("mapped", *tasks, max_active_tasks=rng.choice((1, 3, 16)))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_mapped_tasks_that_are_cleared_at_any_moment_have_an_instance_for_each_item(seed: int) -> None:
    rng = random.Random(seed)
    world = World(laws=[as_many_instances_as_items, *LAWS])
    world.add(mapped_dag(rng))
    chance = Chance(world, seed, ["mapped"])
    world.trigger("mapped", "again")
    for _ in range(40):
        act = rng.random()
        if act < 0.2:
            chance.clear()
        elif act < 0.25:
            world.crash()
        elif world.works:
            world.end(rng.choice(world.works), _ends(rng))
            world.turn()
        elif not world.pass_time():
            chance.clear()
    chance.end_all()
    assert world.active() == []


def _ends(rng: random.Random) -> Outcome:
    if rng.random() < 0.2:
        return rng.choice((failed(), Outcome("skipped"), Outcome("succeeded")))
    return succeeded(length=rng.randint(0, 4))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 50))
@example(1000, 50)
def test_the_laws_hold_when_runs_are_cleared_across_crashes(seed: int, steps: int) -> None:
    from tests.scheduler.random_dags import a_world, waits_for_the_past

    world, chance = a_world(seed)
    for _ in range(steps):
        kind = chance.rng.random()
        if kind < 0.25:
            chance.clear()
        elif kind < 0.35:
            world.crash()
        elif kind < 0.4:
            world.crash_before_commit()
        else:
            chance.act()
    chance.end_all()
    assert [run for run in world.active() if not waits_for_the_past(world, run)] == []


def chain(**more: Any) -> World:
    world = World(laws=LAWS)
    world.add(dag_of("d", a_task("a"), a_task("b", 0), a_task("c", 1), **more))
    return world


def test_a_running_body_is_stopped_before_its_task_starts_anew() -> None:
    world = chain()
    run = world.trigger("d", "r")
    (work,) = world.works
    world.works = []  # it takes its time to end
    world.clear("d", "r")
    assert (run.tasks[0].state, world.works) == ("restarting", [])
    world.works = [work]
    world.end(work, Outcome("cancelled"))
    world.turn()
    assert (run.tasks[0].state, run.tasks[0].try_number) == ("running", 2)


def test_what_a_stopped_body_returned_after_all_is_told_and_worth_nothing() -> None:
    world = chain()
    run = world.trigger("d", "r")
    (work,) = world.works
    world.works = []
    world.clear("d", "r")
    world.works = [work]
    world.end(work, succeeded())
    world.turn()
    assert [run.tasks[0].state, run.tasks[1].state] == ["running", "none"]
    assert world.file.select("SELECT kind FROM events WHERE kind = 'late_result_discarded'") != []
    assert world.file.select("SELECT try_number, outcome, reason FROM attempts ORDER BY try_number") == [
        (1, "cancelled", "cleared"), (2, None, None),
    ]  # fmt: skip


def test_a_restarting_task_of_a_process_that_went_away_starts_anew() -> None:
    world = chain()
    world.trigger("d", "r")
    world.works = []
    world.clear("d", "r")
    world.crash()
    assert world.file.states()["d", "r", "a"] == "running"
    world.finish(succeeded)
    assert world.file.runs() == {("d", "r"): "success"}
    assert world.file.select("SELECT DISTINCT outcome FROM attempts WHERE task_id = 'a' ORDER BY 1") == [("cancelled",), ("succeeded",)]


def test_a_sensor_between_two_looks_a_retry_and_a_deferred_task_start_anew() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("d", a_task("poke", sensor="poke"), a_task("later", sensor="reschedule"), a_task("retry", retries=1)))
    world.trigger("d", "r")
    left = {
        "poke": Outcome("waiting", until=world.now + SECOND, mode="poke"),
        "later": Outcome("waiting", until=world.now + SECOND, mode="reschedule"),
        "retry": failed(),
    }
    for work in list(world.works):
        world.end(work, left[work.key.spec.task_id])
    world.turn()
    assert sorted(world.file.states().values()) == ["running", "up_for_reschedule", "up_for_retry"]
    world.clear("d", "r")
    assert [(work.key.spec.task_id, work.try_number) for work in world.works] == [("poke", 2), ("later", 2), ("retry", 2)]
    assert world.file.select("SELECT task_id, outcome FROM attempts WHERE try_number = 1 AND ended_at IS NOT NULL ORDER BY 1") == [
        ("later", "cancelled"), ("poke", "cancelled"), ("retry", "failed"),
    ]  # fmt: skip
    world.finish(succeeded)
    assert world.file.runs() == {("d", "r"): "success"}


def test_a_run_that_ends_in_the_turn_in_which_it_is_cleared_goes_on() -> None:
    world = chain()
    run = world.trigger("d", "r")
    world.finish_works(succeeded())
    world.finish_works(succeeded())
    (work,) = world.works
    world.end(work, succeeded())
    world.clear("d", "r", task_ids=("a",))
    assert world.file.runs() == {("d", "r"): "running"}
    assert run.tasks[0].try_number == 2
    world.finish(succeeded)
    assert world.file.runs() == {("d", "r"): "success"}


def test_a_cleared_task_that_waits_for_a_slot_waits_for_an_upstream_that_is_cleared_too() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("d", a_task("a"), a_task("b", 0, pool="one")))
    world.ask(requests.SetPool("one", 1))
    world.trigger("d", "r")
    world.finish(succeeded)
    world.ask(requests.SetPool("one", 0))
    world.clear("d", "r", task_ids=("b",))
    assert world.file.states()["d", "r", "b"] == "scheduled"
    world.clear("d", "r", task_ids=("a",))
    world.ask(requests.SetPool("one", 1))
    assert world.file.states()["d", "r", "b"] == "none"
    world.finish(succeeded)
    assert world.file.runs() == {("d", "r"): "success"}


def test_the_timeout_of_a_cleared_run_counts_from_its_new_beginning() -> None:
    world = chain(dagrun_timeout=10 * SECOND)
    world.trigger("d", "r")
    world.finish(succeeded)
    world.now += 100 * SECOND
    world.clear("d", "r")
    assert world.file.runs() == {("d", "r"): "running"}
    world.now += 11 * SECOND
    world.turn()
    assert world.file.runs() == {("d", "r"): "failed"}


def test_a_run_that_failed_again_after_a_clear_is_one_failure_in_a_row() -> None:
    world = chain(max_consecutive_failed_dag_runs=2)
    world.trigger("d", "r")
    world.finish(failed)
    world.clear("d", "r")
    world.finish(failed)
    assert not world.brain.entries["d"].paused
    world.trigger("d", "other")
    world.finish(failed)
    assert world.brain.entries["d"].paused


def test_the_next_run_waits_for_the_one_before_that_is_cleared() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("d", a_task("a", depends_on_past=True)))
    world.trigger("d", "first", date=world.now)
    world.finish(succeeded)
    world.clear("d", "first")
    world.trigger("d", "second", date=world.now + SECOND)
    world.now += 2 * SECOND
    world.turn()
    assert world.file.states()["d", "second", "a"] == "none"
    world.finish(succeeded)
    assert world.file.runs() == {("d", "first"): "success", ("d", "second"): "success"}


def test_all_runs_of_a_request_are_cleared_or_none() -> None:
    world = chain()
    for name in ("one", "two"):
        world.trigger("d", name)
        world.finish(succeeded)
    assert len(world.clear("d", "one", "two", dry_run=True)) == 6
    assert set(world.file.runs().values()) == {"success"}
    assert len(world.clear("d", "one", "two", task_ids=("c",))) == 2
    assert set(world.file.runs().values()) == {"running"}


def test_what_is_surplus_stays_removed_across_a_crash() -> None:
    world = World(laws=LAWS)
    world.add(dag_of("d", a_task("source"), a_task("mapped", 0, mapping=(["xcom", 0],)), a_task("after", 1)))
    world.trigger("d", "r")
    world.finish(lambda _: succeeded(length=3))
    world.clear("d", "r")
    (work,) = world.works
    world.end(work, succeeded(length=1))
    world.turn()
    world.crash()
    assert [world.file.states()["d", "r", f"mapped[{index}]"] for index in range(3)] == ["running", "removed", "removed"]
    world.finish(succeeded)
    assert world.file.runs() == {("d", "r"): "success"}
