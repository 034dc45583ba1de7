"""The nouns of these tests: a DAG whose first body waits, and what an engine says."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, task
from flowlet.events import EventAdded


class Work:
    """A DAG of two tasks; the first waits for the gate. Remembers what ran and what was told."""

    def __init__(self) -> None:
        self.begun, self.gate, self.told = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.bodies: list[str] = []
        self.heard: list[tuple[str, str]] = []

    def dag(self, size: int = 10) -> DAG:
        with DAG("work") as dag:

            @task
            async def first() -> str:
                self.bodies.append("first")
                self.begun.set()
                await self.gate.wait()
                return "x" * size

            @task
            async def second(value: str) -> int:
                self.bodies.append("second")
                return len(value)

            second(first())
        return dag

    def listen(self, event: Any) -> None:
        if isinstance(event, EventAdded):
            self.heard.append((event.kind, event.text))
            self.told.set()

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.heard]


@pytest.fixture
def work(anyio_backend: str) -> Work:
    return Work()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flowlet.db"


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


@pytest.fixture
def read() -> Any:
    """Rows of a file, as anybody reads them."""
    return rows
