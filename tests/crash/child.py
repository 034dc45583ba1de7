"""A scheduler to be killed: runs DAGs on a file and journals what it was told is durable."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from flowlet import DAG, Engine, task


def journal(path: str) -> Any:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return lambda *words: os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())


def make_dags(note: Any) -> list[DAG]:
    with DAG("seconds", schedule="* * * * * *", max_active_runs=100) as seconds:

        @task
        async def tick() -> int:
            return 1

        tick()
    with DAG("work", max_active_runs=100) as work:

        @task
        async def first(ti: Any) -> int:
            note("body", ti.run_id, ti.task_id, ti.try_number)
            return 1

        @task
        def second(x: int, ti: Any) -> int:
            note("body", ti.run_id, ti.task_id, ti.try_number)
            return x + 1

        @task(retries=1, retry_delay=0.01)
        async def third(x: int, ti: Any) -> int:
            note("body", ti.run_id, ti.task_id, ti.try_number)
            if ti.try_number == 1:
                raise ValueError("once")
            return x + 1

        third(second(first()))
    return [seconds, work]


async def main(db: str, log: str, triggers: int) -> None:
    note = journal(log)
    async with Engine(db, dags=make_dags(note), schedules=triggers > 0) as engine:
        open_runs = [await engine.run("work", r) for r in list(engine.brain.entries["work"].active)]

        async def one(number: int) -> None:
            run = await engine.trigger("work", run_id=f"{os.getpid()}-{number}")
            note("triggered", run.run_id)
            await run.wait()
            note("ended", run.run_id, run.state)

        await asyncio.gather(*(one(number) for number in range(triggers)), *(run.wait() for run in open_runs))
        scheduled = [await engine.run("seconds", r) for r in list(engine.brain.entries["seconds"].active)]
        await asyncio.gather(*(run.wait() for run in scheduled))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
