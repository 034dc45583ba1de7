"""Verbs at the same moment, in either order and however they interleave: one history, the same in memory and on file."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import product
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet import DAG, DagRun, Engine, task
from flowlet.errors import FlowletError
from flowlet.scheduler import requests
from flowlet.testing import VirtualClock

Verb = Callable[["House"], Awaitable[Any]]


class House:
    """An engine, two DAGs, and a door that bodies wait behind."""

    def __init__(self) -> None:
        self.door = asyncio.Event()
        self.held: list[DagRun] = []
        """Runs that somebody was given."""
        self.engine = Engine(dags=[self.dag("one"), self.dag("two")], pools={"db": 1}, clock=VirtualClock(auto=True))

    def dag(self, dag_id: str, *, tasks: int = 3) -> DAG:
        with DAG(dag_id, max_active_runs=2, max_active_tasks=2) as dag:
            above = None
            for number in range(tasks):
                made = self._task(f"t{number}", pool="db" if number == 1 else "default_pool")
                if number == 2:
                    above >> made
                above = made
        return dag

    def _task(self, task_id: str, pool: str) -> Any:
        @task(task_id=task_id, pool=pool, retries=1)
        async def body(ti: Any) -> None:
            await self.door.wait()
            if ti.try_number == 1 and random.Random(f"{ti.run_id}{task_id}").random() < 0.3:
                raise ValueError("the first time")

        return body()

    async def agrees(self) -> None:
        """What the engine holds is what the file has, as soon as nothing moves."""
        for _ in range(100):
            with suppress(AssertionError):
                return await self._agrees_now()
            await self.engine._parts()[0].ask(requests.Flush)
        return await self._agrees_now()

    async def _agrees_now(self) -> None:
        brain, fetch = self.engine.brain, self.engine._parts()[1].fetch
        for dag_id, _, spec, paused, _, _ in await fetch("dags"):
            entry = brain.entries[dag_id]
            assert (spec, bool(paused)) == (entry.spec.to_json(), entry.paused)
            for run in list(entry.active.values()):
                (row,) = await fetch("run", dag_id=dag_id, run_id=run.run_id)
                assert row[4] == run.state
                states = {(name, index): state for name, index, state in await fetch("task_states", run=run.id)}
                assert states == {(ti.spec.task_id, ti.map_index): ti.state for ti in run.known_instances}
        slots = {name: pool.size for name, pool in brain.admission.pools.items() if brain.admission.has_pool(name)}
        on_file = {name: size for name, size, _, _ in await fetch("pools")}
        assert on_file.items() <= slots.items()
        assert slots.keys() <= on_file.keys() | {"default_pool"}

    async def ends(self) -> None:
        """Let everything go: all runs end, and no slot is left taken."""
        self.door.set()
        await self.engine.set_pool("db", 3)
        for dag_id in self.engine.dags():
            await self.engine.unpause(dag_id)
        async with asyncio.timeout(20):
            for entry in list(self.engine.brain.entries.values()):
                for run_id in list(entry.active):
                    await (await self.engine.run(entry.spec.dag_id, run_id)).wait()
            for run in self.held:
                await run.wait()
                (row,) = await self.engine._parts()[1].fetch("run", dag_id=run.dag_id, run_id=run.run_id)
                assert row[4] == run.state
        await self.agrees()
        admission = self.engine.brain.admission
        assert {pool.used for pool in admission.pools.values()} == {0}
        assert (admission.parallel.used, self.engine.brain.in_flight) == (0, 0)


async def _open(house: House) -> None:
    house.door.set()


VERBS: dict[str, Verb] = {
    "trigger": lambda house: house.engine.trigger("one"),
    "trigger_again": lambda house: house.engine.trigger("one", run_id="mine"),
    "trigger_fresh": lambda house: house.engine.trigger("one", run_id="fresh"),
    "cancel_fresh": lambda house: house.engine.cancel("one", "fresh"),
    "cancel": lambda house: house.engine.cancel("one", "mine"),
    "pause": lambda house: house.engine.pause("one"),
    "unpause": lambda house: house.engine.unpause("one"),
    "set_pool": lambda house: house.engine.set_pool("db", 2),
    "shut_pool": lambda house: house.engine.set_pool("db", 0),
    "delete_pool": lambda house: house.engine.delete_pool("db"),
    "add_edited": lambda house: house.engine.add(house.dag("one", tasks=2)),
    "add_grown": lambda house: house.engine.add(house.dag("one", tasks=4)),
    "add_new": lambda house: house.engine.add(house.dag("three")),
    "open_door": _open,
    "clear": lambda house: house.engine.clear("one", "mine"),
    "clear_some": lambda house: house.engine.clear("one", task_ids="t1", downstream=True),
    "mark_task": lambda house: house.engine.set_task_state("one", "mine", "t0", "success"),
    "fail_task": lambda house: house.engine.set_task_state("one", "mine", "t1", "failed", downstream=True),
    "mark_run": lambda house: house.engine.set_run_state("one", "mine", "success"),
    "queue_run": lambda house: house.engine.set_run_state("one", "mine", "queued"),
}


async def delayed(house: House, name: str, steps: int) -> None:
    """After so many turns of the loop; what the engine refuses is an answer."""
    for _ in range(steps):
        await anyio.lowlevel.checkpoint()
    with suppress(FlowletError):
        given = await VERBS[name](house)
        if isinstance(given, DagRun):
            house.held.append(given)


async def play(verbs: list[tuple[str, int]]) -> None:
    house = House()
    async with house.engine:
        await house.engine.trigger("one", run_id="mine")
        await house.engine.trigger("two")
        async with asyncio.timeout(20):
            await asyncio.gather(*(delayed(house, name, steps) for name, steps in verbs))
        await house.agrees()
        await house.ends()


@pytest.mark.anyio
@pytest.mark.parametrize("delay", [0, 1, 4])
@pytest.mark.parametrize("first", sorted(VERBS))
async def test_two_verbs_at_once_leave_one_history(first: str, delay: int) -> None:
    for second in VERBS:
        await play([(first, 0), (second, delay)])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(VERBS)), st.integers(0, 12)), min_size=3, max_size=9))
def test_any_verbs_however_they_interleave_leave_one_history(verbs: list[tuple[str, int]]) -> None:
    asyncio.run(play(verbs))


class SlowReading:
    """The first question of a name is answered late; all others at once."""

    def __init__(self, engine: Engine, name: str) -> None:
        store, self.now, late = engine._parts()[1], anyio.Event(), iter([True])
        fetch = store.fetch

        async def slow(asked: str, **where: Any) -> Any:
            if asked == name and next(late, False):
                await self.now.wait()
            return await fetch(asked, **where)

        store.fetch = slow


@pytest.mark.anyio
async def test_of_two_descriptions_of_a_dag_at_once_the_later_one_stands() -> None:
    for sizes in product((2, 3, 4), repeat=2):
        house = House()
        async with house.engine as engine, asyncio.timeout(20):
            slow = SlowReading(engine, "dag")
            async with asyncio.TaskGroup() as group:
                group.create_task(engine.add(house.dag("new", tasks=sizes[0])))
                await anyio.lowlevel.checkpoint()
                await engine.add(house.dag("new", tasks=sizes[1]))
                slow.now.set()
            assert len(engine.brain.entries["new"].spec.tasks) == sizes[1]
            await house.agrees()


@pytest.mark.anyio
@pytest.mark.parametrize("verb", ["run", "cancel", "trigger"])
async def test_a_run_that_begins_while_the_file_is_read_is_given_as_the_one_that_lives(verb: str) -> None:
    house = House()
    async with house.engine as engine, asyncio.timeout(20):
        slow = SlowReading(engine, "run")
        async with asyncio.TaskGroup() as group:
            act = getattr(engine, verb)
            given = group.create_task(act("one", run_id="fresh"))
            await anyio.lowlevel.checkpoint()
            live = await engine.trigger("one", run_id="fresh")
            slow.now.set()
        assert given.result()._run is live._run
        await house.ends()
        assert live.state == ("failed" if verb == "cancel" else "success")


@pytest.mark.anyio
async def test_whoever_asks_for_a_run_that_is_being_written_is_answered_when_it_is_on_file() -> None:
    house = House()
    async with house.engine as engine, asyncio.timeout(20):
        store, written = engine._parts()[1], anyio.Event()
        commit = store.commit

        async def slow(moves: Any) -> Any:
            await written.wait()
            return await commit(moves)

        store.commit = slow
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(engine.trigger("one", run_id="fresh"))]
            while engine.brain.entries["one"].find("fresh") is None:
                await anyio.lowlevel.checkpoint()
            asked.append(group.create_task(engine.trigger("one", run_id="fresh")))
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            answered = [task.done() for task in asked]
            written.set()
        assert answered == [False, False]
        assert asked[0].result()._run is asked[1].result()._run
        await house.ends()
