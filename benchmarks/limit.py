"""The limit: what a hand-written loop needs to put the same facts on disk. Not part of flowlet.

aiosqlite, one writer, group commit in one hop of its thread, a body starts only after its start is
committed; a contextvar and a timeout around each body, a pool counter, a priority heap. No DAG API, no
rules, no logs. It writes what flowlet writes: a run row, a row per task (inserted with the run, updated
when it starts and when it ends), a row per value, and a guarded sequence number per transaction.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import sqlite3
import time
from functools import partial
from typing import Any

import aiosqlite

SCHEMA = """
CREATE TABLE owner (id INTEGER PRIMARY KEY, epoch INTEGER, seq INTEGER) STRICT;
INSERT INTO owner VALUES (1, 1, 0);
CREATE TABLE run (id INTEGER PRIMARY KEY, dag_id TEXT, run_id TEXT, state TEXT, logical_date INTEGER, queued_at INTEGER,
    started_at INTEGER, ended_at INTEGER, conf TEXT, UNIQUE (dag_id, run_id), UNIQUE (dag_id, logical_date)) STRICT;
CREATE TABLE task (id INTEGER PRIMARY KEY, run INTEGER REFERENCES run (id), task_id TEXT, map_index INTEGER, state TEXT,
    try_number INTEGER, max_tries INTEGER, operator TEXT, pool TEXT, queued_at INTEGER, started_at INTEGER,
    ended_at INTEGER, outcome TEXT, UNIQUE (run, task_id, map_index)) STRICT;
CREATE TABLE xcom (ti INTEGER, key TEXT, value TEXT, PRIMARY KEY (ti, key)) STRICT, WITHOUT ROWID;
"""
ADD_RUN = "INSERT INTO run VALUES (?, 'd', ?, 'running', ?, ?, ?, NULL, '{}')"
ADD_TASK = "INSERT INTO task VALUES (?, ?, ?, -1, 'none', 0, 0, '@task', 'default_pool', NULL, NULL, NULL, NULL)"
END = "UPDATE task SET state = 'success', outcome = 'succeeded', ended_at = ? WHERE id = ? AND state = 'running' AND try_number = 1"
PUSH = "INSERT INTO xcom VALUES (?, 'return_value', ?)"
START = "UPDATE task SET state = 'running', try_number = 1, queued_at = ?, started_at = ? WHERE id = ? AND state = 'none'"
END_RUN = "UPDATE run SET state = 'success', ended_at = ? WHERE id = ? AND state = 'running'"
CURRENT: contextvars.ContextVar[int] = contextvars.ContextVar("current")


def now() -> int:
    return time.time_ns() // 1000


class Hop(aiosqlite.Connection):
    async def hop(self, function: Any, *args: Any) -> Any:
        return await self._execute(partial(function, *args))


def write(db: sqlite3.Connection, groups: list[tuple[str, list[Any]]]) -> None:
    db.execute("BEGIN IMMEDIATE")
    if db.execute("UPDATE owner SET seq = seq + 1 WHERE epoch = 1").rowcount != 1:
        raise RuntimeError("lost")
    for sql, rows in groups:
        if rows and db.executemany(sql, rows).rowcount != len(rows):
            raise RuntimeError("guard")
    db.execute("COMMIT")


async def body(value: int) -> int:
    return value + 1


class Loop:
    """Runs `count` runs of one graph: lists of upstream indexes, in topological order."""

    def __init__(self, db: Hop, upstream: list[list[int]], sleep: float = 0.0) -> None:
        self.db, self.upstream, self.sleep = db, upstream, sleep
        self.downstream: list[list[int]] = [[] for _ in upstream]
        for index, ups in enumerate(upstream):
            for up in ups:
                self.downstream[up].append(index)
        self.done: list[tuple[int, int, int]] = []
        self.news = asyncio.Event()
        self.pool = 0

    async def attempt(self, run: int, index: int, value: int) -> None:
        CURRENT.set(index)
        async with asyncio.timeout(3600):
            result = await body(value)
            if self.sleep:
                await asyncio.sleep(self.sleep)
        self.done.append((run, index, result))
        self.news.set()

    async def run(self, count: int) -> None:
        size, t = len(self.upstream), now()
        waiting = [[len(ups) for ups in self.upstream] for _ in range(count)]
        left = [size] * count
        values: dict[tuple[int, int], int] = {}
        ready = [(0, r, i) for r in range(count) for i in range(size) if not self.upstream[i]]
        rows = [(r * size + i, r, f"t{i}") for r in range(count) for i in range(size)]
        groups = [(ADD_RUN, [(r, f"r{r}", t + r, t, t) for r in range(count)]), (ADD_TASK, rows)]
        tasks: set[asyncio.Task[None]] = set()
        while True:
            starting = []
            while ready:
                _, r, i = heapq.heappop(ready)
                self.pool += 1
                starting.append((r, i))
            t = now()
            groups.append((START, [(t, t, r * size + i) for r, i in starting]))
            await self.db.hop(write, self.db._conn, groups)
            if not any(left):
                return
            for r, i in starting:
                value = values[r, self.upstream[i][0]] if self.upstream[i] else 0
                task = asyncio.get_running_loop().create_task(self.attempt(r, i, value))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await self.news.wait()
            self.news.clear()
            done, self.done = self.done, []
            t, ended = now(), []
            for r, i, result in done:
                values[r, i] = result
                self.pool -= 1
                left[r] -= 1
                if not left[r]:
                    ended.append((t, r))
                for child in self.downstream[i]:
                    waiting[r][child] -= 1
                    if not waiting[r][child]:
                        heapq.heappush(ready, (0, r, child))
            groups = [
                (END, [(t, r * size + i) for r, i, _ in done]),
                (PUSH, [(r * size + i, str(v)) for r, i, v in done]),
                (END_RUN, ended),
            ]


async def run(path: str, upstream: list[list[int]], count: int, *, full: bool, sleep: float = 0.0) -> float:
    """Seconds for all runs."""
    async with Hop(lambda: sqlite3.connect(path, isolation_level=None, cached_statements=256), 64) as db:
        for pragma in ("journal_mode = WAL", f"synchronous = {'FULL' if full else 'NORMAL'}"):
            await db.execute(f"PRAGMA {pragma}")
        await db.executescript(SCHEMA)
        begun = time.perf_counter()
        await Loop(db, upstream, sleep).run(count)
        return time.perf_counter() - begun
