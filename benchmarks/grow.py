"""Does a task cost the same in a large DAG, with a long history, beside many DAGs?

The cost per task of one layered DAG (layers of 100, each task on three of the layer before) of 1k, 10k and
100k tasks; with so many finished task instances in the file already; with so many registered DAGs. Each
measurement is a process of its own; the targets are ratios to the first line of each table.
`python benchmarks/grow.py [--largest N] [--history N] [--dags N] [--rounds N] [--json]`
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import limit
from figures import Figure, arguments, in_a_process, show

DURABILITY = "process"
WIDTH = 100


def measure_flowlet(tasks: int, history: int = 0, dags: int = 1) -> dict[str, float]:
    """Microseconds per task, and seconds to open the engine with its DAGs."""
    from shapes import execute, make_dag

    from flowlet import Engine

    graph = limit.layered(max(tasks // WIDTH, 1), min(WIDTH, tasks))
    every = [make_dag(graph), *(make_dag([[]], dag_id=f"other_{number}") for number in range(1, dags))]

    async def open_it(path: str, dags: list[Any]) -> float:
        begun = time.perf_counter()
        async with Engine(path, dags=dags, schedules=False):
            return time.perf_counter() - begun

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/flowlet.db"
        asyncio.run(open_it(f"{folder}/imported.db", []))
        first = asyncio.run(open_it(path, every))
        fill(path, "task_instance", history)
        again = asyncio.run(open_it(path, every))
        seconds = asyncio.run(execute(path, every, 1, DURABILITY))
    return {"us": seconds * 1e6 / len(graph), "first_open": first, "open": again}


def measure_limit(tasks: int, history: int = 0) -> dict[str, float]:
    graph = limit.layered(max(tasks // WIDTH, 1), min(WIDTH, tasks))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/limit.db"
        with closing(sqlite3.connect(path)) as db:
            db.executescript(limit.SCHEMA)
        fill(path, "ti", history)
        seconds = asyncio.run(limit.execute(path, graph, 1, DURABILITY, first=history + 1))
    return {"us": seconds * 1e6 / len(graph)}


def fill(path: str, table: str, count: int) -> None:
    """So many finished task instances with a value each, in runs of 1000, as they would stand in the file."""
    if not count:
        return
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            f"""{numbers} INSERT INTO run (id, dag_id, run_id, run_type, state, logical_date, interval_start,
            interval_end, run_after, due_at, queued_at, started_at, ended_at, conf)
            SELECT i, 'bench', 'past_' || i, 'manual', 'success', i, i, i, i, NULL, i, i, i, '{{}}' FROM n""",
            ((count + 999) // 1000,),
        )
        db.execute(
            f"""{numbers} INSERT INTO {table} (id, run, task_id, map_index, state, try_number, max_tries, operator,
            pool, queued_at, started_at, ended_at, outcome)
            SELECT i, (i + 999) / 1000, 't' || (i % 1000), -1, 'success', 1, 0, '@task', 'default_pool', i, i, i,
            'succeeded' FROM n""",
            (count,),
        )
        db.execute(f"{numbers} INSERT INTO xcom SELECT i, 'return_value', '1' FROM n", (count,))


def figures(largest: int, history: int, dags: int, rounds: int) -> Iterator[Figure]:
    base: list[float] = []
    for tasks in (largest // 100, largest // 10, largest):
        yield _figure(f"{tasks:,} tasks", {"tasks": tasks}, {"tasks": tasks}, base, rounds)
    base.clear()
    for past in (0, history):
        sizes = {"tasks": largest // 10, "history": past}
        yield _figure(f"{largest // 10:,} tasks after {past:,} finished ones", sizes, sizes, base, rounds)
    base.clear()
    for count in (max(dags // 1000, 1), dags // 10, dags):
        sizes = {"tasks": largest // 100, "dags": count}
        found: list[dict[str, float]] = []
        yield _figure(f"{largest // 100:,} tasks beside {count:,} DAGs", sizes, {"tasks": largest // 100}, base, rounds, found)
        for name, kind in (("first_open", "a new file"), ("open", "its own file")):
            seconds = statistics.median(one[name] for one in found)
            yield Figure(f"  engine opened on {kind}", "us per DAG", round(seconds * 1e6 / count, 1))


def _figure(
    what: str, ours: dict[str, Any], theirs: dict[str, Any], base: list[float], rounds: int, keep: list[Any] | None = None
) -> Figure:  # fmt: skip
    found, limits = [], []
    for _ in range(rounds):
        limits.append(in_a_process("grow", "measure_limit", **theirs)["us"])
        found.append(in_a_process("grow", "measure_flowlet", **ours))
    if keep is not None:
        keep += found
    cost = statistics.median(one["us"] for one in found)
    base.append(cost)
    target = f"{cost / base[0]:.2f} x of the first (<= 1.3 x)"
    ratio = statistics.median(one["us"] / least for one, least in zip(found, limits, strict=True))
    return Figure(what, "us per task", round(cost, 1), round(statistics.median(limits), 1), target, round(ratio, 2))


def main() -> None:
    given = arguments(__doc__, rounds=3, largest=100_000, history=1_000_000, dags=10_000)
    show(figures(given.largest, given.history, given.dags, given.rounds), as_json=given.json)


if __name__ == "__main__":
    main()
