"""Who starts, when not all can: nobody stands in another's way, and no backlog keeps the rest waiting."""

from __future__ import annotations

import pytest

from flowlet.errors import PoolNotFound
from flowlet.runs.instances import TaskInstance
from flowlet.scheduler import requests
from flowlet.worker.workload import Outcome
from tests.scheduler.brain_world import SECOND, World, a_task, dag_of, succeeded
from tests.scheduler.laws import LAWS


def running(world: World) -> list[str]:
    return [ti.key for ti in world.instances() if ti.state == "running"]


def end_of(world: World, task_id: str, outcome: Outcome | None = None) -> None:
    work = next(work for work in world.works if work.key.spec.task_id == task_id)
    world.end(work, outcome or succeeded())
    world.turn()


def wide(dag_id: str, count: int, **task: object) -> object:
    return dag_of(dag_id, *(a_task(f"t{n}", **task) for n in range(count)), max_active_tasks=100_000)


def test_ten_thousand_that_wait_for_a_pool_do_not_stand_before_one_that_is_free_to_go() -> None:
    world = World()
    world.ask(requests.SetPool("narrow", 1))
    world.add(wide("blocked", 10_000, pool="narrow", priority_weight=100))
    world.add(dag_of("free", a_task("free")))
    world.trigger("blocked")
    assert running(world) == ["t0"]
    world.trigger("free")
    assert running(world) == ["t0", "free"]


def test_of_ten_thousand_that_wait_for_a_pool_the_next_starts_when_a_slot_is_freed() -> None:
    world = World()
    world.ask(requests.SetPool("narrow", 1))
    world.add(wide("blocked", 10_000, pool="narrow"))
    world.trigger("blocked")
    for number in range(3):
        end_of(world, f"t{number}")
    assert running(world) == ["t3"]


def test_a_dag_starts_at_once_beside_the_backlog_of_another() -> None:
    world = World(parallelism=4)
    world.add(dag_of("backlog", *(a_task(f"b{n}") for n in range(3)), max_active_runs=2, max_active_tasks=1))
    world.add(dag_of("other", a_task("other")))
    for _ in range(2_000):
        world.trigger("backlog")
        world.now += 1
    world.trigger("other")
    assert running(world) == ["b0", "b0", "other"]


def test_the_higher_weight_goes_first_wherever_those_who_wait_are_parked() -> None:
    """Two pools get room in one turn; parallelism lets two of three go: the two of the highest weight."""
    world = World(parallelism=3, laws=LAWS)
    world.ask(requests.SetPool("a", 0))
    world.ask(requests.SetPool("b", 0))
    world.add(
        dag_of(
            "dag", a_task("holder"), a_task("a1", pool="a", priority_weight=10),
            a_task("a2", pool="a", priority_weight=9), a_task("b1", pool="b", priority_weight=1),
        )
    )  # fmt: skip
    world.trigger("dag")
    world.asked += [requests.SetPool("a", 2), requests.SetPool("b", 2)]
    world.turn()
    assert running(world) == ["holder", "a1", "a2"]


def test_a_big_task_that_does_not_fit_lets_smaller_ones_pass() -> None:
    world = World(laws=LAWS)
    world.ask(requests.SetPool("db", 3))
    big, small = a_task("big", pool="db", pool_slots=3, priority_weight=9), a_task("small", pool="db")
    world.add(dag_of("first", a_task("holder", pool="db")))
    world.add(dag_of("dag", big, small))
    world.trigger("first")
    run = world.trigger("dag")
    assert running(world) == ["holder", "small"]
    assert world.why(run.tasks[0]) == "waiting for a slot: pool 'db' (2 of 3 taken)"


def test_every_run_behind_a_full_dag_says_so() -> None:
    world = World()
    world.add(dag_of("dag", a_task("t"), max_active_runs=1))
    waiting = [world.trigger("dag") for _ in range(3)][1:]
    said = {world.why(run.tasks[0]) for run in waiting}
    assert said == {"the run waits to begin: max_active_runs (1 of 1 active)"}


# -- pools that come and go ------------------------------------------------------------------------------


def test_a_pool_that_is_deleted_while_others_wait_for_it_keeps_them_waiting_and_made_again_lets_them_go() -> None:
    world = World(laws=LAWS)
    world.ask(requests.SetPool("db", 1))
    world.add(dag_of("dag", a_task("one", pool="db"), a_task("two", pool="db")))
    run = world.trigger("dag")
    world.asked += [requests.SetPool("db", 2), requests.DeletePool("db")]
    world.turn()
    assert running(world) == ["one"]
    assert world.why(run.tasks[1]).startswith("waiting for a slot: pool 'db' does not exist")
    world.ask(requests.SetPool("db", 2))
    assert running(world) == ["one", "two"]


def test_a_pool_can_be_deleted_once() -> None:
    world = World()
    world.ask(requests.SetPool("db", 1))
    world.ask(requests.DeletePool("db"))
    with pytest.raises(PoolNotFound):
        world.ask(requests.DeletePool("db"))


def test_a_pool_that_a_task_names_and_nobody_made_cannot_be_deleted() -> None:
    world = World()
    world.add(dag_of("dag", a_task("t", pool="nowhere")))
    world.trigger("dag")
    with pytest.raises(PoolNotFound):
        world.ask(requests.DeletePool("nowhere"))


# -- sensors ---------------------------------------------------------------------------------------------


def sensor_that_waits_for_its_slot() -> tuple[World, TaskInstance]:
    """A sensor in reschedule mode that is due while another holds the only slot."""
    world = World(laws=LAWS)
    world.ask(requests.SetPool("db", 1))
    world.add(dag_of("dag", a_task("sensor", pool="db", sensor="reschedule", priority_weight=9), a_task("other", pool="db")))
    sensor = world.trigger("dag").tasks[0]
    end_of(world, "sensor", Outcome("waiting", until=world.now + 60 * SECOND, mode="reschedule"))
    assert running(world) == ["other"]
    world.now += 61 * SECOND
    world.turn()
    return world, sensor


def test_a_rescheduled_sensor_that_is_due_waits_for_its_slot_and_goes_on_with_the_try_it_had() -> None:
    world, sensor = sensor_that_waits_for_its_slot()
    assert world.why(sensor) == "waiting for a slot: pool 'db' (1 of 1 taken)"
    end_of(world, "other")
    assert (sensor.state, sensor.try_number) == ("running", 1)


def test_a_rescheduled_sensor_keeps_its_try_across_a_crash_too() -> None:
    world, _ = sensor_that_waits_for_its_slot()
    world.crash()
    world.finish(succeeded)
    tries = world.file.select("SELECT task_id, try_number, outcome FROM attempts ORDER BY task_id, try_number")
    assert tries == [("other", 1, "interrupted"), ("other", 2, "succeeded"), ("sensor", 1, "succeeded")]
