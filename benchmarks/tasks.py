"""Microseconds per no-op task, everything on disk, beside the limit: `python benchmarks/tasks.py [--json]`.

chain 100 in a line; fanout 1 -> 1000 -> 1; layered 10 x 100, each task on three of the layer before;
many_runs 100 runs of a chain of 10 at once; io_sleep 1000 sleeps of 0.1 s (seconds in all).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import limit

from flowlet import DAG, Engine, task

WIDE = 100_000


def chain(length: int) -> list[list[int]]:
    return [[i - 1] if i else [] for i in range(length)]


def fanout(width: int) -> list[list[int]]:
    return [[], *([[0]] * width), list(range(1, width + 1))]


def layered(layers: int, width: int) -> list[list[int]]:
    return [
        [] if layer == 0 else [(layer - 1) * width + (i + k) % width for k in range(3)]
        for layer in range(layers)
        for i in range(width)
    ]


WORKLOADS: dict[str, tuple[list[list[int]], int, float]] = {
    "chain": (chain(100), 1, 0.0),
    "fanout": (fanout(1000), 1, 0.0),
    "layered": (layered(10, 100), 1, 0.0),
    "many_runs": (chain(10), 100, 0.0),
    "io_sleep": ([[]] * 1000, 1, 0.1),
}


def make_dag(upstream: list[list[int]], sleep: float, kind: str) -> DAG:
    with DAG("bench", max_active_tasks=WIDE, max_active_runs=WIDE) as dag:

        @task
        async def on_loop(value: int = 0) -> int:
            if sleep:
                await asyncio.sleep(sleep)
            return value + 1

        @task
        def in_thread(value: int = 0) -> int:
            return value + 1

        made: list[Any] = []
        for index, ups in enumerate(upstream):
            body = (on_loop if kind == "async" else in_thread).override(task_id=f"t{index}")
            made.append(body(made[ups[0]]) if ups else body())
            for up in ups[1:]:
                made[up] >> made[-1]
    return dag


async def flowlet(path: str, dag: DAG, count: int, durability: str) -> float:
    options: dict[str, Any] = {"parallelism": WIDE, "pools": {"default_pool": WIDE}, "schedules": False}
    async with Engine(path, dags=[dag], durability=durability, **options) as engine:
        begun = time.perf_counter()
        runs = await asyncio.gather(*(engine.trigger("bench") for _ in range(count)))
        for run in runs:
            await run.wait()
        seconds = time.perf_counter() - begun
        assert all(run.state == "success" for run in runs)
        return seconds


def measure(name: str, durability: str, kind: str, rounds: int) -> dict[str, Any]:
    upstream, count, sleep = WORKLOADS[name]
    ours, theirs = [], []
    dag = make_dag(upstream, sleep, kind)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            theirs.append(asyncio.run(limit.execute(f"{folder}/limit.db", upstream, count, durability, sleep)))
            ours.append(asyncio.run(flowlet(f"{folder}/flowlet.db", dag, count, durability)))
    tasks = len(upstream) * count
    scale = 1.0 if sleep else 1e6 / tasks
    return {
        "workload": name, "bodies": kind, "durability": durability, "unit": "s" if sleep else "us per task",
        "flowlet": round(statistics.median(ours) * scale, 3), "limit": round(statistics.median(theirs) * scale, 3),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=sorted(WORKLOADS))
    given = parser.parse_args()
    found = []
    for durability in ("full", "process"):
        for name in [given.only] if given.only else WORKLOADS:
            for kind in ("async",) if name == "io_sleep" else ("async", "def"):
                found.append(measure(name, durability, kind, given.rounds))
                if not given.json:
                    print("{workload:<10} {bodies:<6} {durability:<8} {flowlet:>9} {unit} (limit {limit}): {ratio} x".format(**found[-1]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if given.json:
        print(json.dumps({"figures": found, "peak_mb": round(peak, 1)}, indent=1))
    else:
        print(f"peak memory of this process: {peak:.0f} MB")


if __name__ == "__main__":
    main()
