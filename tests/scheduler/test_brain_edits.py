"""A DAG that is edited while its runs are active: they go on with the tasks, edges, rules and limits of today."""

from __future__ import annotations

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowlet.authoring.spec import DagSpec, TaskSpec
from flowlet.runs.states import TERMINAL
from flowlet.scheduler import requests
from flowlet.worker.workload import Outcome
from tests.scheduler.brain_world import SECOND, World, a_task, dag_of, failed, succeeded
from tests.scheduler.laws import LAWS
from tests.scheduler.random_dags import Chance, a_world, random_dag, waits_for_the_past


def edited(rng: random.Random, dag: DagSpec) -> DagSpec:
    """Another random DAG under the same id: same names in other places, with other rules, kinds and limits."""
    more = random_dag(rng, dag.dag_id, mapped=False)
    kept = [task.task_id for task in dag.tasks if rng.random() < 0.8]
    names = [*kept, *(name for number in range(9) if (name := f"new{number}") not in kept)][: len(more.tasks)]
    rng.shuffle(names)
    for task, name in zip(more.tasks, names, strict=True):
        task.task_id = name
    return more


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 40))
@example(4697, 17)  # a task is ready and gone in one turn
def test_the_laws_hold_while_dags_are_edited_and_every_run_ends(seed: int, steps: int) -> None:
    world, chance = a_world(seed, mapped=False)
    for _ in range(steps):
        if chance.rng.random() < 0.2:
            edit_some(world, chance)
        chance.act()
    chance.end_all()
    assert [run for run in world.active() if not waits_for_the_past(world, run)] == []
    assert all(ti.state in TERMINAL for run in world.active() for ti in run.gone.values())


def edit_some(world: World, chance: Chance) -> None:
    """While it lives, in the very turn of other news, or across a crash."""
    dag = edited(chance.rng, world.dags[chance.rng.choice(chance.dag_ids)])
    if chance.rng.random() < 0.3:
        world.dags[dag.dag_id] = dag
        world.crash()
        return
    for work in chance.rng.sample(world.works, min(2, len(world.works))):
        world.end(work, succeeded())
    world.add(dag)


# -- one by one ------------------------------------------------------------------------------------------


def chain(*tasks: TaskSpec, **more: object) -> World:
    world = World(laws=LAWS)
    world.add(dag_of("dag", *tasks, **more))
    world.trigger("dag", "run")
    return world


def states(world: World) -> dict[str, str]:
    return {task: state for (_, _, task), state in world.file.states().items()}


def test_a_task_that_vanished_is_removed_and_a_new_one_runs() -> None:
    world = chain(a_task("a"), a_task("old", 0), a_task("c", 1))
    world.add(dag_of("dag", a_task("a"), a_task("new", 0), a_task("c", 1)))
    world.finish(succeeded)
    assert states(world) == {"a": "success", "old": "removed", "new": "success", "c": "success"}
    assert world.file.runs() == {("dag", "run"): "success"}


def test_what_executes_of_a_vanished_task_is_cancelled() -> None:
    world = chain(a_task("a"), a_task("b"))
    world.add(dag_of("dag", a_task("b")))
    assert [work.key.key for work in world.works] == ["b"]
    attempts = world.file.select("SELECT task_id, outcome FROM attempts ORDER BY task_id")
    assert attempts == [("a", "cancelled"), ("b", None)]


def test_a_vanished_task_is_no_leaf_and_no_upstream_any_more() -> None:
    world = chain(a_task("bad"), a_task("good"), a_task("end", 0, 1))
    world.end(world.works[0], failed())
    world.turn()
    world.add(dag_of("dag", a_task("good"), a_task("other", 0)))
    world.finish(succeeded)
    assert states(world) == {
        "bad": "failed", "good": "success", "end": "upstream_failed", "other": "success",
    }  # fmt: skip
    assert world.file.runs() == {("dag", "run"): "success"}


def test_a_task_that_comes_back_starts_anew_and_one_that_had_ended_stays_as_it_was() -> None:
    dag = ("ended", "running")
    world = chain(*(a_task(name) for name in dag))
    world.end(world.works[0], succeeded())
    world.turn()
    world.add(dag_of("dag", a_task("waits", sensor="poke"), max_active_tasks=1))
    world.add(dag_of("dag", *(a_task(name) for name in dag)))
    world.finish(succeeded)
    assert states(world) == {"ended": "success", "running": "success", "waits": "removed"}
    tries = world.file.select("SELECT try_number, outcome FROM attempts WHERE task_id = 'running'")
    assert tries == [(1, "cancelled"), (2, "succeeded")]


def test_a_task_that_comes_back_after_a_restart_without_it_starts_anew() -> None:
    world = chain(a_task("a"), a_task("b", 0))
    world.dags["dag"] = dag_of("dag", a_task("a"))
    world.crash()
    assert states(world) == {"a": "running", "b": "removed"}
    world.add(dag_of("dag", a_task("a"), a_task("b", 0)))
    world.finish(succeeded)
    assert states(world) == {"a": "success", "b": "success"}


def test_what_had_been_let_go_and_waits_for_a_slot_waits_for_its_new_upstream() -> None:
    world = chain(a_task("a"), a_task("b"), max_active_tasks=1)
    run = world.active()[0]
    assert world.why(run.tasks[1]).startswith("waiting for a slot")
    world.add(dag_of("dag", a_task("a"), a_task("b", 0), max_active_tasks=16))
    assert world.why(run.tasks[1]).startswith("waiting for a (0 of 1 upstreams done")


def test_an_edge_that_is_taken_away_lets_go_at_once() -> None:
    world = chain(a_task("a"), a_task("b", 0))
    world.add(dag_of("dag", a_task("a"), a_task("b")))
    assert [work.key.key for work in world.works] == ["a", "b"]


def test_a_larger_limit_lets_more_start_at_once_and_slots_move_to_the_new_pool() -> None:
    world = World(laws=LAWS)
    world.ask(requests.SetPool("db", 1))
    world.add(dag_of("dag", a_task("a"), a_task("b"), max_active_tasks=1))
    world.trigger("dag", "run")
    world.add(dag_of("dag", a_task("a", pool="db"), a_task("b", pool="db"), max_active_tasks=2))
    assert world.brain.admission.pools["db"].used == 1
    assert world.brain.admission.pools["default_pool"].used == 0
    world.end(world.works[0], succeeded())
    world.turn()
    assert [work.key.key for work in world.works] == ["b"]


def test_a_task_that_loses_its_body_is_a_success_at_once_and_one_that_gets_a_body_runs() -> None:
    world = chain(a_task("a"), a_task("b", 0), a_task("c", 1, bodyless=True))
    world.add(dag_of("dag", a_task("a"), a_task("b", 0, bodyless=True), a_task("c", 1)))
    world.finish(succeeded)
    assert [task for (task,) in world.file.select("SELECT task_id FROM attempts ORDER BY task_id")] == ["a", "c"]


def test_a_run_whose_dag_is_gone_after_a_restart_waits_and_goes_on_when_the_dag_is_there_again() -> None:
    world = chain(a_task("a"), a_task("b", 0))
    dag = world.dags.pop("dag")
    world.crash()
    assert states(world) == {"a": "running", "b": "none"}
    world.add(dag)
    world.finish(succeeded)
    assert states(world) == {"a": "success", "b": "success"}
    assert world.file.select("SELECT outcome FROM attempts WHERE task_id = 'a'") == [("interrupted",), ("succeeded",)]


def test_an_edited_timeout_of_the_run_counts_from_its_start() -> None:
    world = chain(a_task("a"), dagrun_timeout=900 * SECOND)
    world.now += 100 * SECOND
    world.add(dag_of("dag", a_task("a"), dagrun_timeout=60 * SECOND))
    world.turn()
    assert world.file.runs() == {("dag", "run"): "failed"}


def test_without_its_timeout_a_run_goes_on() -> None:
    world = chain(a_task("a"), dagrun_timeout=60 * SECOND)
    world.add(dag_of("dag", a_task("a")))
    world.now += 100 * SECOND
    world.turn()
    assert world.file.runs() == {("dag", "run"): "running"}


def test_a_sensor_between_two_looks_goes_on_after_an_edit_with_the_try_it_has() -> None:
    for mode in ("poke", "reschedule"):
        world = chain(a_task("s", sensor=mode))
        world.end(world.works[0], Outcome("waiting", until=world.now + SECOND, mode=mode))
        world.turn()
        world.add(dag_of("dag", a_task("s", sensor=mode), a_task("t")))
        world.finish(succeeded)
        tries = world.file.select("SELECT task_id, try_number FROM attempts ORDER BY task_id")
        assert tries == [("s", 1), ("t", 1)]


def test_an_edited_schedule_makes_no_run_for_the_past_in_a_living_engine_either() -> None:
    def every(seconds: int) -> DagSpec:
        return dag_of("dag", a_task("a", bodyless=True), timetable={"type": "delta", "delta": seconds * SECOND})

    world = World(laws=LAWS)
    world.add(every(1000))
    world.now += 500 * SECOND
    world.add(every(100))
    world.now += 99 * SECOND
    world.turn()
    assert len(world.file.runs()) == 1
    world.now += SECOND
    world.turn()
    assert len(world.file.runs()) == 2


def test_a_pause_that_came_between_the_reading_of_the_file_and_the_edit_stands() -> None:
    world = chain(a_task("a"))
    late = world._registration(dag_of("dag", a_task("a"), a_task("b")), ())
    world.ask(requests.Pause("dag", True))
    world.ask(late)
    assert world.file.select("SELECT paused FROM dag") == [(1,)]
    assert world.brain.entries["dag"].paused


def test_a_mapped_task_keeps_its_instances_across_an_edit_and_an_unmapped_one_gets_a_place_of_its_own() -> None:
    def dag(mapped: bool) -> DagSpec:
        return dag_of("dag", a_task("source"), a_task("t", 0, mapping=(["xcom", 0],) if mapped else None))

    world = World(laws=LAWS)
    world.add(dag(mapped=True))
    world.trigger("dag", "run")
    world.finish_works(succeeded())
    assert states(world) == {"source": "success", "t[0]": "running", "t[1]": "running"}
    world.add(dag(mapped=False))
    assert states(world) == {"source": "success", "t": "running", "t[0]": "removed", "t[1]": "removed"}
    world.add(dag(mapped=True))
    world.finish(succeeded)
    assert states(world) == {"source": "success", "t": "removed", "t[0]": "success", "t[1]": "success"}
