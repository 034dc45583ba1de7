"""Whole engines whose users do their worst, and what stands on file afterwards."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, Engine
from flowlet.testing import VirtualClock
from flowlet.worker.logs import log_path


class Book:
    """A file as its readers see it: the documented views, and the logs beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, sql: str) -> list[Any]:
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as db:
            found = db.execute(sql).fetchall()
        db.close()
        return found

    def attempts(self) -> list[tuple[str, int, str, str | None]]:
        """(task_id, try_number, outcome, reason)."""
        return self.rows("SELECT task_id, try_number, outcome, reason FROM attempts ORDER BY task_id, try_number")

    def events(self) -> list[tuple[str, str | None, str]]:
        """(kind, task_id, text); without stalls, of which a busy machine has its own."""
        return self.rows("SELECT kind, task_id, text FROM events WHERE kind <> 'stalled'")

    def stalls(self) -> list[tuple[str | None, str]]:
        """(task_id, text)."""
        return self.rows("SELECT task_id, text FROM events WHERE kind = 'stalled'")

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.events()]

    def log(self, run: Any, task_id: str, try_number: int = 1) -> str:
        """What the attempt's log says; nothing if there is none."""
        path = log_path(Path(f"{self.path}.logs"), run.dag_id, run.run_id, task_id, -1, try_number)
        return path.read_text() if path.exists() else ""


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "flowlet.db")


@pytest.fixture
def engine_of(book: Book) -> Callable[..., Engine]:
    """An engine on that file, with these DAGs; its waits take no time."""

    def make(*dags: DAG, **options: Any) -> Engine:
        options = {"durability": "process", "schedules": False, "control": False, "grace": 5.0, **options}
        options.setdefault("clock", VirtualClock(auto=True))
        return Engine(book.path, dags=dags, **options)

    return make


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds a body in its thread; opened at the latest when the test is over."""
    gate = threading.Event()
    yield gate
    gate.set()
