"""From a trigger to the start of the run's first body, in an engine that has nothing else to do.

`python benchmarks/trigger.py [--triggers N] [--json]`
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator

import limit
from figures import Figure, arguments, beside, in_a_process, percentile, show

PAUSE = 0.01
"""Seconds between two triggers: the engine is asleep again."""


def measure_flowlet(triggers: int, durability: str) -> list[float]:
    from flowlet import DAG, Engine, task

    started: list[float] = []
    with DAG("bench") as dag:

        @task
        async def body() -> None:
            started.append(time.perf_counter())

        body()

    async def live(path: str) -> list[float]:
        waits = []
        async with Engine(path, dags=[dag], durability=durability) as engine:
            for _ in range(triggers):
                await asyncio.sleep(PAUSE)
                asked = time.perf_counter()
                run = await engine.trigger("bench")
                await run.wait()
                waits.append((started[-1] - asked) * 1000)
        return waits

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(live(f"{folder}/flowlet.db"))


def measure_limit(triggers: int, durability: str) -> list[float]:
    started: list[float] = []

    async def live(path: str) -> list[float]:
        waits = []
        async with limit._open(path, durability) as db:
            loop = limit.Loop(db, [[]])
            loop.started = lambda _: started.append(time.perf_counter())
            for run in range(triggers):
                await asyncio.sleep(PAUSE)
                asked = time.perf_counter()
                await loop.turn(loop.add([(run, "dag", f"r{run}", "manual", run, None)]))
                await loop.finish()
                waits.append((started[-1] - asked) * 1000)
        return waits

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(live(f"{folder}/limit.db"))


def figures(triggers: int) -> Iterator[Figure]:
    for durability in ("process", "full"):
        theirs = in_a_process("trigger", "measure_limit", triggers=triggers, durability=durability)
        ours = in_a_process("trigger", "measure_flowlet", triggers=triggers, durability=durability)
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            target = "<= 5 ms" if (name, durability) == ("p99", "process") else ""
            what = f"trigger to first body, {durability}: {name}"
            yield beside(what, "ms", percentile(ours, share), percentile(theirs, share), target)


def main() -> None:
    given = arguments(__doc__, triggers=500)
    show(figures(given.triggers), as_json=given.json)


if __name__ == "__main__":
    main()
