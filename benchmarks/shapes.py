"""The limit's graphs as DAGs of flowlet, and how both run them: the tasks hand a small int on."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import limit

from flowlet import DAG, Engine, task

WIDE = 1_000_000
"""Limits that hold nothing back: they are raised in the open, as the limit has none."""
OPEN: dict[str, Any] = {"parallelism": WIDE, "pools": {"default_pool": WIDE}, "schedules": False}


def make_dag(graph: limit.Graph, *, sleep: float = 0.0, kind: str = "async", dag_id: str = "bench") -> DAG:
    with DAG(dag_id, max_active_tasks=WIDE, max_active_runs=WIDE) as dag:

        @task
        async def on_loop(value: int = 0) -> int:
            if sleep:
                await asyncio.sleep(sleep)
            return value + 1

        @task
        def in_thread(value: int = 0) -> int:
            return value + 1

        made: list[Any] = []
        for index, ups in enumerate(graph):
            body = (on_loop if kind == "async" else in_thread).override(task_id=f"t{index}")
            made.append(body(made[ups[0]]) if ups else body())
            for up in ups[1:]:
                made[up] >> made[-1]
    return dag


async def execute(path: str, dags: Iterable[DAG], runs: int, durability: str) -> float:
    """Seconds for all runs of `bench`, triggered at once, from the trigger to the last commit."""
    async with Engine(path, dags=dags, durability=durability, **OPEN) as engine:
        begun = time.perf_counter()
        made = await asyncio.gather(*(engine.trigger("bench") for _ in range(runs)))
        for run in made:
            await run.wait()
        seconds = time.perf_counter() - begun
        assert all(run.state == "success" for run in made)
        return seconds


def seconds_of_flowlet(dag: DAG, runs: int, durability: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(execute(f"{folder}/flowlet.db", [dag], runs, durability))


def seconds_of_limit(graph: limit.Graph, runs: int, durability: str, sleep: float = 0.0) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(limit.execute(str(Path(folder) / "limit.db"), graph, runs, durability, sleep))
