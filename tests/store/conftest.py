"""The store's nouns."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flowlet.clock import SystemClock
from flowlet.runs.moves import (
    AddRun,
    AddTask,
    AddTick,
    ArchiveAttempt,
    EndRun,
    EndTask,
    Moves,
    PutDag,
    PutRendered,
    PutXCom,
    SettleTask,
    StartTask,
)
from flowlet.store import Store, sqlite, watch

NOON = 1_767_268_800_000_000  # 2026-01-01T12:00Z


class Writing:
    """Moves with the dull parameters filled in."""

    def __init__(self) -> None:
        self.moves = Moves()

    def dag(self, dag_id: str = "etl", *, cursor: int | None = None, paused: int = 0) -> Writing:
        self.moves.put_dag.append(PutDag(dag_id, '{"tasks":[]}', "hash", "etl.py", paused, cursor, NOON))
        return self

    def run(
        self, row: int = 1, run_id: str | None = None, *, dag_id: str = "etl", run_type: str = "manual",
        state: str = "running", date: int | None = None, due_at: int | None = None, queued_at: int = NOON,
    ) -> Writing:  # fmt: skip
        started = queued_at if state == "running" else None
        name = run_id or f"run_{row}"
        self.moves.add_run.append(
            AddRun(row, dag_id, name, run_type, state, date, date, date, queued_at, due_at, queued_at, started, "{}")
        )
        return self

    def task(
        self, row: int = 1, run: int = 1, task_id: str | None = None, *, map_index: int = -1, state: str = "none"
    ) -> Writing:
        name, operator, pool = task_id or f"task_{row}", "PythonOperator", "default_pool"
        self.moves.add_task.append(AddTask(row, run, name, map_index, state, 0, 0, operator, pool, None, None, None))
        return self

    def start(self, row: int = 1, *, try_number: int = 1, expected: str = "none", at: int = NOON) -> Writing:
        self.moves.start_task.append(StartTask(row, expected, try_number - 1, try_number, at, at))
        return self

    def end(
        self, row: int = 1, state: str = "success", outcome: str = "succeeded", *, try_number: int = 1,
        reason: str | None = None, error: str | None = None, at: int = NOON + 5_000_000,
    ) -> Writing:  # fmt: skip
        self.moves.end_task.append(EndTask(row, try_number, state, outcome, reason, error, at, None, 1, 0))
        return self

    def rendered(self, ti: int = 1, fields: str | None = "{}", label: str | None = None) -> Writing:
        self.moves.put_rendered.append(PutRendered(ti, fields, label))
        return self

    def xcom(self, ti: int = 1, value: str = "1", key: str = "return_value") -> Writing:
        self.moves.put_xcom.append(PutXCom(ti, key, value))
        return self

    def settle(
        self, row: int, state: str, *, expected: str = "none", reason: str | None = None, at: int | None = None
    ) -> Writing:
        self.moves.settle_task.append(SettleTask(row, expected, state, reason, None, at))
        return self

    def archive(self, row: int = 1, try_number: int = 1) -> Writing:
        self.moves.archive_attempt.append(ArchiveAttempt(row, try_number))
        return self

    def end_run(self, row: int = 1, state: str = "success", *, at: int = NOON + 9_000_000) -> Writing:
        self.moves.end_run.append(EndRun(state, None, at, row))
        return self

    def tick(
        self, due_at: int, until: int | None = None, count: int = 1, outcome: str = "skipped", reason: str = "paused", *,
        dag_id: str = "etl", run: int | None = None,
    ) -> Writing:  # fmt: skip
        last = due_at if until is None else until
        self.moves.add_tick.append(AddTick(dag_id, due_at, last, count, outcome, reason, run))
        return self


@pytest.fixture(scope="session")
def writing() -> type[Writing]:
    return Writing


@pytest.fixture(autouse=True)
def looks_at_every_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the store looks at now and then it looks at each time: no test waits for it."""
    monkeypatch.setattr(watch, "DATABASE_EVERY", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flowlet.db"


@pytest.fixture(params=["memory", "file"])
async def store(request: Any, path: Path, anyio_backend: str) -> AsyncIterator[Store]:
    """An open store, in memory and in a file."""
    place = ":memory:" if request.param == "memory" else path
    async with await Store.open(place, durability="process", clock=SystemClock()) as opened:
        yield opened


@pytest.fixture
async def file_store(path: Path, anyio_backend: str) -> AsyncIterator[Store]:
    async with await Store.open(path, durability="process", clock=SystemClock()) as opened:
        yield opened


class Trouble:
    """Fails the `at`-th statement from now on, `times` times; `late`: the statement is carried out first."""

    def __init__(self) -> None:
        self.seen = self.at = self.times = self.code = 0
        self.late = False
        self.only = ""

    def arm(self, at: int, code: int, *, times: int = 1, late: bool = False, only: str = "") -> None:
        self.seen, self.at, self.code, self.times, self.late, self.only = 0, at, code, times, late, only

    def strikes(self, sql: str) -> bool:
        if not sql.startswith(self.only):
            return False
        self.seen += 1
        if self.times and self.seen >= self.at:
            self.times -= 1
            return True
        return False

    def error(self) -> sqlite3.OperationalError:
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode, error.sqlite_errorname = self.code, "INJECTED"
        return error


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Trouble:
    """Every statement of every connection goes past it."""
    trouble = Trouble()

    class Troubled(sqlite3.Connection):
        def _past(self, function: Any, *args: Any) -> Any:
            if not trouble.strikes(args[0]):
                return function(*args)
            if trouble.late:
                function(*args)
            raise trouble.error()

        def execute(self, *args: Any) -> Any:
            return self._past(super().execute, *args)

        def executemany(self, *args: Any) -> Any:
            return self._past(super().executemany, *args)

    def connect(database: str, *, uri: bool = False) -> sqlite3.Connection:
        return sqlite3.connect(
            database, uri=uri, timeout=0.05, isolation_level=None, check_same_thread=False, factory=Troubled
        )

    monkeypatch.setattr(sqlite, "_connect", connect)
    return trouble
