"""100 schedules, each due every second, for 10 seconds: how many fired, and how late each body began.

`python benchmarks/punctual.py [--schedules N] [--seconds N] [--durability NAME,NAME] [--json]`
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from figures import Figure, arguments, beside, in_a_process, percentile, show


def measure_flowlet(schedules: int, seconds: int, durability: str) -> list[float]:
    """Milliseconds between a tick and the start of its body, of every tick of the time."""
    from flowlet import DAG, Engine, task

    late: dict[tuple[str, datetime], float] = {}

    def make(number: int, first: datetime) -> Any:
        last = first.timestamp() + seconds - 1
        dates = {"start_date": first, "end_date": datetime.fromtimestamp(last, UTC)}
        with DAG(f"each_second_{number}", schedule="* * * * * *", catchup=True, **dates) as dag:

            @task
            async def body(dag_run: Any) -> None:
                due = dag_run.run_after
                late[dag_run.dag_id, due] = time.time() * 1000 - due.timestamp() * 1000

            body()
        return dag

    async def live(path: str) -> None:
        first = datetime.fromtimestamp(int(time.time()) + 2, UTC)
        dags = [make(number, first) for number in range(schedules)]
        options: dict[str, Any] = {"parallelism": 10 * schedules, "pools": {"default_pool": 10 * schedules}}
        async with Engine(path, dags=dags, durability=durability, **options):
            await asyncio.sleep(first.timestamp() + seconds - time.time() + 0.5)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(f"{folder}/flowlet.db"))
    return list(late.values())


def measure_limit(schedules: int, seconds: int, durability: str) -> list[float]:
    import limit

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(limit.fire(f"{folder}/limit.db", schedules, seconds, durability))


def figures(schedules: int, seconds: int, durabilities: list[str], rounds: int) -> Iterator[Figure]:
    for durability in durabilities:
        size = {"schedules": schedules, "seconds": seconds, "durability": durability}
        ours, theirs = [], []
        for _ in range(rounds):
            theirs.append(in_a_process("punctual", "measure_limit", **size))
            ours.append(in_a_process("punctual", "measure_flowlet", **size))
        what, wanted = f"{schedules} schedules each second, {durability}", schedules * seconds
        fired = min(map(len, ours)), min(map(len, theirs))
        yield beside(f"{what}: fired", "", *fired, target=f"{wanted} of {wanted}")
        for name, share, target in (("p50", 0.5, "<= 1.25 x"), ("p99", 0.99, "<= 2 x")):
            late, least = (statistics.median(percentile(one, share) for one in many) for many in (ours, theirs))
            yield beside(f"{what}: late by, {name}", "ms", late, least, target)


def main() -> None:
    given = arguments(__doc__, rounds=1, schedules=100, seconds=10, durability="full,process")
    show(figures(given.schedules, given.seconds, given.durability.split(","), given.rounds), as_json=given.json)


if __name__ == "__main__":
    main()
