"""Random DAGs through the whole engine, in memory and on a file, across stops: limits hold while bodies execute, a
task starts by its rule, every run ends, and a stop changes nothing of how."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import anyio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet import DAG, Engine, SkipTask, task
from flowlet.testing import VirtualClock
from tests.scheduler import rule_oracle

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
POOLS = {"default_pool": 8, "one": 1, "two": 2}
ANY_ORDER = ("all_success", "all_done", "one_success", "none_failed", "always", "one_done")
"""Rules by which, when nothing is skipped, the order in which upstreams end makes no difference."""


class Nature:
    """Random DAGs, and bodies that count themselves while they execute. Everything follows from the seed."""

    def __init__(self, seed: int, *, rules: tuple[str, ...] = rule_oracle.RULES, skips: bool = True) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.rules, self.skips = rules, skips
        self.executing: Counter[tuple[str, ...]] = Counter()
        self.exceeded: list[tuple[str, ...]] = []
        self.parallelism = self.rng.choice((1, 2, 8))
        self.shapes = [self.shape(f"dag{number}") for number in range(self.rng.randint(1, 3))]

    def shape(self, dag_id: str) -> dict[str, Any]:
        rng = self.rng
        tasks = [
            {
                "up": sorted(rng.sample(range(number), min(number, rng.choice((0, 1, 1, 2, 3))))),
                "trigger_rule": rng.choice(self.rules), "retries": rng.randint(0, 2), "pool": rng.choice(list(POOLS)),
                "max_active_tis_per_dag": rng.choice((None, None, None, 1)),
            }
            for number in range(rng.randint(1, 7))
        ]  # fmt: skip
        return {"dag_id": dag_id, "tasks": tasks, "max_active_tasks": rng.randint(1, 4), "max_active_runs": rng.randint(1, 3)}

    def dags(self) -> list[DAG]:
        return [self._dag(shape) for shape in self.shapes]

    def _dag(self, shape: dict[str, Any]) -> DAG:
        limits = {name: shape[name] for name in ("max_active_tasks", "max_active_runs")}
        with DAG(shape["dag_id"], **limits) as dag:
            made: list[Any] = []
            for number, of in enumerate(shape["tasks"]):
                made.append(self._task(shape, f"t{number}", of))
                for up in of["up"]:
                    made[up] >> made[-1]
        return dag

    def _task(self, shape: dict[str, Any], name: str, of: dict[str, Any]) -> Any:
        arguments = {key: value for key, value in of.items() if key != "up"}

        @task(task_id=name, retry_delay=timedelta(minutes=1), **arguments)
        async def body(ti: Any) -> str:
            with self._counted(shape, ti, of):
                for _ in range(random.Random(f"{self.seed}{ti.run_id}{name}").randint(0, 3)):
                    await anyio.lowlevel.checkpoint()
                failures = ti.try_number - 1 - (ti.max_tries - of["retries"])
                luck = random.Random(f"{self.seed} {ti.dag_id} {ti.run_id} {name} {failures}").random()
                if luck < 0.3:
                    raise ValueError("as it should")
                if luck > 0.85 and self.skips:
                    raise SkipTask("as it should")
                return f"{ti.run_id}/{name}"

        return body()

    @contextmanager
    def _counted(self, shape: dict[str, Any], ti: Any, of: dict[str, Any]) -> Iterator[None]:
        limits = {
            ("all",): self.parallelism, ("pool", of["pool"]): POOLS[of["pool"]],
            ("run", ti.dag_id, ti.run_id): shape["max_active_tasks"],
        }  # fmt: skip
        if of["max_active_tis_per_dag"] is not None:
            limits["task", ti.dag_id, ti.task_id] = of["max_active_tis_per_dag"]
        for key, most in limits.items():
            self.executing[key] += 1
            if self.executing[key] > most:
                self.exceeded.append(key)  # an assertion in a body would only be its failure
        try:
            yield
        finally:
            self.executing.subtract(limits.keys())


def engine_of(nature: Nature, path: Path | str) -> Engine:
    return Engine(
        path, dags=nature.dags(), pools=POOLS, parallelism=nature.parallelism, durability="process", control=False,
        clock=VirtualClock(NEW_YEAR, auto=True), grace=0.0,
    )  # fmt: skip


async def states_on_file(engine: Engine) -> dict[tuple[str, str], Any]:
    """(DAG, run) to its state and those of its tasks."""
    found: dict[tuple[str, str], Any] = {}
    fetch = engine._parts()[1].fetch
    for row in await fetch("last_runs_of_all", limit=1000):
        tasks = {name: state for name, _, state in await fetch("task_states", run=row[0])}
        found[row[1], row[2]] = row[4], tasks
    return found


async def whole_life(nature: Nature, path: Path | str, stops: list[int]) -> dict[tuple[str, str], Any]:
    """Two runs of every DAG; before the end the engine is stopped after so many turns of the loop, each time."""
    wanted = [(shape["dag_id"], f"run{number}") for shape in nature.shapes for number in range(2)]
    for stop in stops:
        async with engine_of(nature, path) as engine:
            for dag_id, run_id in wanted:
                await engine.trigger(dag_id, run_id=run_id)
            for _ in range(stop):
                await anyio.lowlevel.checkpoint()
    async with engine_of(nature, path) as engine, asyncio.timeout(30):
        for dag_id, run_id in wanted:
            await (await engine.trigger(dag_id, run_id=run_id)).wait()
        return await states_on_file(engine)


def rules_hold(nature: Nature, states: dict[tuple[str, str], Any]) -> None:
    """Each final state is one that the task's rule may give when its upstreams end in some order; no limit was
    exceeded."""
    assert nature.exceeded == []
    shapes = {shape["dag_id"]: shape["tasks"] for shape in nature.shapes}
    for (dag_id, _), (run_state, tasks) in states.items():
        leaves = set(tasks)
        for number, of in enumerate(shapes[dag_id]):
            above = [f"t{up}" for up in of["up"]]
            leaves -= set(above)
            ups = rule_oracle.letters([tasks[up] for up in above])
            may = rule_oracle.verdicts_on_the_way(of["trigger_rule"], ups, list(range(len(ups))))
            state = tasks[f"t{number}"]
            assert state in may or (state in ("success", "failed", "skipped") and "run" in may), (dag_id, number, ups)
        bad = {tasks[leaf] for leaf in leaves} & {"failed", "upstream_failed"}
        assert run_state == ("failed" if bad else "success")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_in_memory_limits_and_rules_hold_and_every_run_ends(seed: int) -> None:
    nature = Nature(seed)
    rules_hold(nature, asyncio.run(whole_life(nature, ":memory:", [])))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 60), min_size=1, max_size=3))
def test_stopped_anywhere_on_a_file_all_ends_as_without_the_stop(seed: int, stops: list[int]) -> None:
    smooth, rough = (Nature(seed, rules=ANY_ORDER, skips=False) for _ in range(2))
    with TemporaryDirectory() as folder:
        expected = asyncio.run(whole_life(smooth, Path(folder) / "smooth.db", []))
        assert asyncio.run(whole_life(rough, Path(folder) / "rough.db", stops)) == expected
    rules_hold(smooth, expected)
