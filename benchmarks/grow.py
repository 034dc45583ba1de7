"""Does a task cost the same in a large DAG, with a long history, beside many DAGs?

The cost per task of one layered DAG (layers of 100, each task on three of the layer before) of 1k, 10k and
100k tasks; with so many finished task instances in the file already; with so many registered DAGs. Each
measurement is a process of its own, the best of the rounds counts; the targets are ratios to the first line
of each table.
`python benchmarks/grow.py [--largest N] [--history N] [--dags N] [--rounds N] [--json]`
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import limit
from figures import Figure, arguments, beside, in_a_process, show

DURABILITY = "process"
WIDTH = 100


def measure_flowlet(tasks: int, history: int = 0, dags: int = 1) -> dict[str, float]:
    """Microseconds per task, and seconds to open an engine that knows the small DAGs beside it."""
    from shapes import execute, make_dag

    from flowlet import Engine

    graph = limit.layered(max(tasks // WIDTH, 1), min(WIDTH, tasks))
    others = [make_dag([[]], dag_id=f"other_{number}") for number in range(dags)]

    async def open_it(path: str, dags: list[Any]) -> float:
        begun = time.perf_counter()
        async with Engine(path, dags=dags, schedules=False):
            return time.perf_counter() - begun

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/flowlet.db"
        asyncio.run(open_it(f"{folder}/imported.db", []))
        first = asyncio.run(open_it(path, others))
        fill(path, "task_instance", history)
        again = asyncio.run(open_it(path, others))
        seconds = asyncio.run(execute(path, [make_dag(graph), *others], 1, DURABILITY))
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
    small, middle = largest // 100, largest // 10
    yield from _table([(f"{tasks:,} tasks", {"tasks": tasks}) for tasks in (small, middle, largest)], rounds)
    pasts = [(f"{middle:,} tasks after {past:,} finished ones", {"tasks": middle, "history": past}) for past in (0, history)]
    yield from _table(pasts, rounds, opened=True)
    counts = (max(dags // 1000, 1), max(dags // 10, 1), dags)
    among = [(f"{middle:,} tasks beside {count:,} DAGs", {"tasks": middle, "dags": count}) for count in counts]
    yield from _table(among, rounds, opened=True)


def _table(lines: list[tuple[str, dict[str, int]]], rounds: int, *, opened: bool = False) -> Iterator[Figure]:
    """The first line is what the others are compared with."""
    first: float | None = None
    for what, sizes in lines:
        found, limits = [], []
        for _ in range(rounds):
            limits.append(in_a_process("grow", "measure_limit", **{k: v for k, v in sizes.items() if k != "dags"})["us"])
            found.append(in_a_process("grow", "measure_flowlet", **sizes))
        cost, least = min(one["us"] for one in found), min(limits)
        first = first or cost
        target = f"{cost / first:.2f} x of the first (<= 1.3 x)"
        yield beside(what, "us per task", round(cost, 1), round(least, 1), target)
        if opened:
            for name, kind in (("first_open", "a new"), ("open", "this")):
                seconds = min(one[name] for one in found)
                yield Figure(f"  an engine opens {kind} file", "ms", round(seconds * 1e3, 1))


def main() -> None:
    given = arguments(__doc__, rounds=3, largest=100_000, history=1_000_000, dags=10_000)
    show(figures(given.largest, given.history, given.dags, given.rounds), as_json=given.json)


if __name__ == "__main__":
    main()
