"""The limit: the same facts on disk by a hand-written loop, with nothing of flowlet in it.

    python benchmarks/limit.py [--only WORKLOAD] [--json]

aiosqlite, one writer, group commit in one hop of its thread, a body starts only after its start is
committed; a contextvar and a timeout around each body, a pool counter, a priority heap. No DAG API, no
rules, no logs. It writes what flowlet writes for the same DAG: a run row; a task instance row, made with
the run and updated at its start and at its end; a row for each value; the cursor of a schedule; the
guarded sequence in every transaction; and keeps the same indexes. Who makes flowlet write more or less
does the same here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextvars
import heapq
import json
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiosqlite

SCHEMA = """
CREATE TABLE owner (id INTEGER PRIMARY KEY, epoch INTEGER, seq INTEGER) STRICT;
INSERT INTO owner VALUES (1, 1, 0);
CREATE TABLE dag (dag_id TEXT PRIMARY KEY, cursor INTEGER) STRICT;
CREATE TABLE run (id INTEGER PRIMARY KEY, dag_id TEXT NOT NULL, run_id TEXT NOT NULL, run_type TEXT, state TEXT,
    logical_date INTEGER, interval_start INTEGER, interval_end INTEGER, run_after INTEGER, due_at INTEGER,
    queued_at INTEGER, started_at INTEGER, ended_at INTEGER, reason TEXT, conf TEXT,
    UNIQUE (dag_id, run_id), UNIQUE (dag_id, logical_date)) STRICT;
CREATE INDEX run_active ON run (id) WHERE state IN ('queued', 'running');
CREATE INDEX run_of_dag ON run (dag_id);
CREATE INDEX run_due ON run (dag_id, due_at) WHERE due_at IS NOT NULL;
CREATE TABLE ti (id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (id), task_id TEXT, map_index INTEGER,
    state TEXT, try_number INTEGER, max_tries INTEGER, operator TEXT, pool TEXT, queued_at INTEGER, started_at INTEGER,
    ended_at INTEGER, outcome TEXT, reason TEXT, error TEXT, crashes INTEGER NOT NULL DEFAULT 0, wake_at INTEGER,
    settled_at INTEGER, settled_because TEXT, UNIQUE (run, task_id, map_index)) STRICT;
CREATE TABLE xcom (ti INTEGER NOT NULL REFERENCES ti (id), key TEXT, value TEXT, PRIMARY KEY (ti, key)) STRICT, WITHOUT ROWID;
"""
ADD_RUN = "INSERT INTO run VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, NULL, NULL, '{}')"
ADD_TASK = """INSERT INTO ti (id, run, task_id, map_index, state, try_number, max_tries, operator, pool)
    VALUES (?, ?, ?, -1, 'none', 0, 0, '@task', 'default_pool')"""
START = """UPDATE ti SET state = 'running', try_number = 1, queued_at = ?, started_at = ?
    WHERE id = ? AND state = 'none' AND try_number = 0"""
END = """UPDATE ti SET state = 'success', outcome = 'succeeded', ended_at = ?
    WHERE id = ? AND state = 'running' AND try_number = 1"""
PUSH = "INSERT INTO xcom VALUES (?, 'return_value', ?)"
END_RUN = "UPDATE run SET state = 'success', ended_at = ? WHERE id = ? AND state = 'running'"
CURSOR = "UPDATE dag SET cursor = ? WHERE dag_id = ?"

CURRENT: contextvars.ContextVar[int] = contextvars.ContextVar("current")
SLOTS = 100_000
Graph = list[list[int]]
"""For each task of a DAG, in topological order, the tasks before it."""


def now() -> int:
    return time.time_ns() // 1000


class Connection(aiosqlite.Connection):
    def write(self, groups: list[tuple[str, list[Any]]]) -> Any:
        return self._execute(partial(_write, self._conn, groups))


def _write(db: sqlite3.Connection, groups: list[tuple[str, list[Any]]]) -> None:
    db.execute("BEGIN IMMEDIATE")
    if db.execute("UPDATE owner SET seq = seq + 1 WHERE epoch = 1").rowcount != 1:
        raise RuntimeError("another owner")
    for sql, rows in groups:
        if rows and db.executemany(sql, rows).rowcount != len(rows):
            raise RuntimeError("a row was not in the state that was expected")
    db.execute("COMMIT")


class Loop:
    """Runs DAGs of one shape; a task's row is run * size + its place."""

    def __init__(self, db: Connection, graph: Graph, sleep: float = 0.0) -> None:
        self.db, self.graph, self.sleep = db, graph, sleep
        self.downstream: Graph = [[] for _ in graph]
        for index, ups in enumerate(graph):
            for up in ups:
                self.downstream[up].append(index)
        self.names = [f"t{index}" for index in range(len(graph))]
        self.waiting: dict[int, list[int]] = {}
        self.left: dict[int, int] = {}
        self.values: dict[int, int] = {}
        self.ready: list[tuple[int, int, int]] = []
        self.done: list[tuple[int, int]] = []
        self.news = asyncio.Event()
        self.free = SLOTS
        self.started: Callable[[int], None] | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def body(self, value: int) -> int:
        if self.sleep:
            await asyncio.sleep(self.sleep)
        return value + 1

    async def attempt(self, row: int, value: int) -> None:
        CURRENT.set(row)
        if self.started is not None:
            self.started(row // len(self.graph))
        async with asyncio.timeout(3600):
            result = await self.body(value)
        self.done.append((row, result))
        self.news.set()

    def add(self, made: list[tuple[Any, ...]]) -> list[tuple[str, list[Any]]]:
        """(run, dag_id, run_id, run_type, logical date, due at): the rows of new runs, and what is ready of them."""
        size, t, tasks = len(self.graph), now(), []
        for run, *_ in made:
            self.waiting[run], self.left[run] = [len(ups) for ups in self.graph], size
            tasks += [(run * size + index, run, name) for index, name in enumerate(self.names)]
            for index, ups in enumerate(self.graph):
                if not ups:
                    heapq.heappush(self.ready, (0, run, index))
        runs = [(run, dag, name, kind, date, date, date, t, due, t, t) for run, dag, name, kind, date, due in made]
        return [(ADD_RUN, runs), (ADD_TASK, tasks)]

    def settle(self) -> list[tuple[str, list[Any]]]:
        """What ended since the last commit, and what that makes ready."""
        done, self.done = self.done, []
        size, t, over = len(self.graph), now(), []
        for row, value in done:
            run, index = divmod(row, size)
            self.values[row] = value
            self.free += 1
            self.left[run] -= 1
            if not self.left[run]:
                over.append((t, run))
                del self.left[run], self.waiting[run]
                continue
            waiting = self.waiting[run]
            for child in self.downstream[index]:
                waiting[child] -= 1
                if not waiting[child]:
                    heapq.heappush(self.ready, (0, run, child))
        return [(END, [(t, row) for row, _ in done]), (PUSH, [(row, str(value)) for row, value in done]), (END_RUN, over)]

    async def turn(self, groups: list[tuple[str, list[Any]]]) -> None:
        """Choose, commit, and only then start."""
        size, t, starting = len(self.graph), now(), []
        while self.ready and self.free:
            _, run, index = heapq.heappop(self.ready)
            self.free -= 1
            starting.append((run * size + index, run, index))
        await self.db.write([*groups, (START, [(t, t, row) for row, _, _ in starting])])
        loop = asyncio.get_running_loop()
        for row, run, index in starting:
            ups = self.graph[index]
            value = self.values[run * size + ups[0]] if ups else 0
            task = loop.create_task(self.attempt(row, value))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def finish(self) -> None:
        while self.left:
            await self.news.wait()
            self.news.clear()
            await self.turn(self.settle())


def chain(length: int) -> Graph:
    return [[index - 1] if index else [] for index in range(length)]


def fanout(width: int) -> Graph:
    return [[], *([[0]] * width), list(range(1, width + 1))]


def layered(layers: int, width: int) -> Graph:
    return [
        [(layer - 1) * width + (index + k) % width for k in range(3)] if layer else []
        for layer in range(layers)
        for index in range(width)
    ]


SIZES: dict[str, dict[str, Any]] = {
    "chain": {"length": 100},
    "fanout": {"width": 1000},
    "layered": {"layers": 10, "width": 100},
    "many_runs": {"runs": 100, "length": 10},
    "io_sleep": {"width": 1000, "sleep": 0.1},
    "punctual": {"schedules": 100, "seconds": 10},
}


def _shape(workload: str, size: dict[str, Any]) -> tuple[Graph, int, float]:
    """(graph, runs, seconds that a body sleeps)."""
    match workload:
        case "chain":
            return chain(size["length"]), 1, 0.0
        case "fanout":
            return fanout(size["width"]), 1, 0.0
        case "layered":
            return layered(size["layers"], size["width"]), 1, 0.0
        case "many_runs":
            return chain(size["length"]), size["runs"], 0.0
    return [[] for _ in range(size["width"])], 1, size["sleep"]


async def execute(path: str, graph: Graph, runs: int, durability: str, sleep: float = 0.0, first: int = 0) -> float:
    """Seconds for all runs, numbered from `first`, triggered at once, from the trigger to the last commit."""
    async with _open(path, durability) as db:
        loop = Loop(db, graph, sleep)
        begun, t = time.perf_counter(), now()
        await loop.turn(loop.add([(run, "dag", f"r{run}", "manual", t + run, None) for run in range(first, first + runs)]))
        await loop.finish()
        return time.perf_counter() - begun


async def fire(path: str, schedules: int, seconds: int, durability: str) -> list[float]:
    """Every schedule once a second: how late each body started, in milliseconds."""
    async with _open(path, durability) as db:
        loop, late, row = Loop(db, [[]]), [], 0
        await db.write([("INSERT INTO dag VALUES (?, NULL)", [(f"d{k}",) for k in range(schedules)])])
        due = first = (now() // 1_000_000 + 1) * 1_000_000
        due_of: dict[int, int] = {}
        loop.started = lambda run: late.append((now() - due_of[run]) / 1000)
        while due < first + seconds * 1_000_000 or loop.left:
            timer = asyncio.get_running_loop().call_later(max(due - now(), 0) / 1e6, loop.news.set)
            await loop.news.wait()
            timer.cancel()
            loop.news.clear()
            groups, made = loop.settle(), []
            if due <= now() and due < first + seconds * 1_000_000:
                for k in range(schedules):
                    due_of[row] = due
                    made.append((row, f"d{k}", f"scheduled__{due}", "scheduled", due, due))
                    row += 1
                groups += [*loop.add(made), (CURSOR, [(due, f"d{k}") for k in range(schedules)])]
                due += 1_000_000
            await loop.turn(groups)
        return sorted(late)


@asynccontextmanager
async def _open(path: str, durability: str) -> AsyncIterator[Connection]:
    synchronous = "FULL" if durability == "full" else "NORMAL"
    async with Connection(lambda: sqlite3.connect(path, isolation_level=None, cached_statements=256), 64) as db:
        for pragma in ("journal_mode = WAL", f"synchronous = {synchronous}", "foreign_keys = ON", "cache_size = -16384"):
            await db.execute(f"PRAGMA {pragma}")
        if not await db.execute_fetchall("SELECT 1 FROM sqlite_master"):
            await db.executescript(SCHEMA)
        yield db


def run(workload: str, durability: str, **sizes: Any) -> dict[str, Any]:
    """Measure one workload in a new file ("full", "process") or in memory ("memory"); `sizes` as in SIZES."""
    size = {**SIZES[workload], **sizes}
    with tempfile.TemporaryDirectory() as folder:
        path = ":memory:" if durability == "memory" else f"{folder}/limit.db"
        if workload == "punctual":
            late = asyncio.run(fire(path, size["schedules"], size["seconds"], durability))
            figures: dict[str, Any] = {"fired": len(late), "p50_ms": late[len(late) // 2], "p99_ms": late[len(late) * 99 // 100]}
        else:
            graph, runs, sleep = _shape(workload, size)
            seconds, tasks = asyncio.run(execute(path, graph, runs, durability, sleep)), len(graph) * runs
            figures = {"tasks": tasks, "seconds": seconds, "seconds_per_task": seconds / tasks}
    return {"workload": workload, "durability": durability, **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=sorted(SIZES))
    parser.add_argument("--durability", choices=("full", "process", "memory"))
    parser.add_argument("--rounds", type=int, default=5, help="the median of so many (punctual: one)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = []
    for durability in (given.durability,) if given.durability else ("full", "process", "memory"):
        for workload in (given.only,) if given.only else SIZES:
            rounds = 1 if workload == "punctual" else given.rounds
            figures = sorted((run(workload, durability) for _ in range(rounds)), key=lambda f: f.get("seconds", 0))
            found.append(figures[rounds // 2])
            if not given.json:
                print(_line(found[-1]))
    if given.json:
        print(json.dumps(found, indent=1))


def _line(figures: dict[str, Any]) -> str:
    head = f"{figures['workload']:<10} {figures['durability']:<8}"
    if "fired" in figures:
        return f"{head} {figures['fired']} fired, late by {figures['p50_ms']:.1f} ms (p50), {figures['p99_ms']:.1f} ms (p99)"
    return f"{head} {figures['seconds_per_task'] * 1e6:8.1f} us per task, {figures['seconds']:.3f} s"


if __name__ == "__main__":
    main()
