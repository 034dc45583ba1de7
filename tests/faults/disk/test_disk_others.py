"""Other programs have the database open: one that keeps reading, one that keeps writing."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlet import Engine
from flowlet.store import sqlite
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)

HOLD = float(os.environ.get("FLOWLET_FAULT_SECONDS", "0.3"))
"""How long the lock is held; a long campaign sets 30 and more."""

SHELL = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    for row in db.execute(line).fetchall():
        print(*row, sep="|", flush=True)
"""


class Tool:
    """The sqlite3 tool (or, where it is not installed, a Python that does the same), spoken to line by line."""

    def __init__(self, path: Path) -> None:
        tool = shutil.which("sqlite3")
        command = [tool, str(path)] if tool else [sys.executable, "-c", SHELL, str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, *statements: str) -> str:
        """Carried out when this returns; gives the last row."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for statement in (*statements, "SELECT 'done';"):
            self._process.stdin.write(statement + "\n")
        self._process.stdin.flush()
        last = ""
        while (line := self._process.stdout.readline()) not in ("done\n", ""):
            last = line.strip()
        return last

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture
def tools() -> Iterator[list[Tool]]:
    """Ended whatever happens."""
    opened: list[Tool] = []
    yield opened
    for tool in opened:
        tool.end()


async def test_a_reader_that_lingers_is_told_of_and_the_log_is_cut_when_it_has_ended(
    path: Path, work: Any, tools: list[Tool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLET__STORE__LOG_ALARM_MIB", "1")
    clock = VirtualClock(NEW_YEAR)
    work.gate.set()
    async with Engine(path, dags=[work.dag(300_000)], clock=clock, durability="process", control=False) as engine:
        engine.listeners.subscribe(work.listen)
        tools.append(Tool(path))
        tools[0].say("BEGIN;", "SELECT count(*) FROM runs;")
        for _ in range(6):
            await (await engine.trigger("work")).wait()
        await clock.run_until(NEW_YEAR + timedelta(minutes=2))
        clock.advance(61)
        await work.told.wait()
        ((kind, text),) = work.heard
        assert kind == "log_large"
        assert text.startswith(f"{path}-wal has grown to ")
        assert "another program has been reading" in text
        assert tools[0].say("SELECT count(*) FROM runs;") == "0"  # it sees the file as it was
        work.told.clear()
        tools[0].say("COMMIT;")
        clock.advance(61)
        await work.told.wait()
        assert work.kinds() == ["log_large", "log_recovered"]
        assert engine._parts()[1].log_size < 100_000
        assert tools[0].say("SELECT count(*) FROM runs;") == "6"
        assert await engine._parts()[1].check() == []


async def test_a_short_reader_is_no_alarm(
    path: Path, work: Any, tools: list[Tool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the log ever kept from being brought home by it for longer than it reads."""
    monkeypatch.setenv("FLOWLET__STORE__LOG_ALARM_MIB", "1")
    clock = VirtualClock(NEW_YEAR)
    work.gate.set()
    async with Engine(path, dags=[work.dag()], clock=clock, durability="process", control=False) as engine:
        engine.listeners.subscribe(work.listen)
        tools.append(Tool(path))
        for minute in range(1, 4):
            await (await engine.trigger("work")).wait()
            tools[0].say("SELECT count(*) FROM runs;")
            await clock.run_until(NEW_YEAR + timedelta(minutes=2 * minute))
            assert engine._parts()[1].log_size == 0
        assert work.heard == []


async def test_a_writer_that_lingers_makes_the_store_busy_and_costs_nothing(
    path: Path, work: Any, tools: list[Tool], monkeypatch: pytest.MonkeyPatch, read: Any
) -> None:
    monkeypatch.setattr(sqlite, "_EVERY", sqlite._EVERY.replace("5000", "50"))
    async with Engine(path, dags=[work.dag()], durability="process", control=False) as engine:
        engine.listeners.subscribe(work.listen)
        run = await engine.trigger("work")
        await work.begun.wait()
        tools.append(Tool(path))
        tools[0].say("BEGIN IMMEDIATE;")
        work.gate.set()
        await work.told.wait()
        assert work.heard[0][0] == "store_busy"
        assert f"{path}: database is locked (SQLITE_BUSY); another program holds a lock on it" in work.heard[0][1]
        await asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, HOLD)
        assert work.bodies == ["first"]
        tools[0].say("ROLLBACK;")
        await run.wait()
        assert (run.state, work.bodies) == ("success", ["first", "second"])
        assert engine.trouble is None
    assert read(path, "SELECT kind FROM events") == [("store_busy",)]
    assert read(path, "SELECT task_id, outcome FROM attempts") == [("first", "succeeded"), ("second", "succeeded")]


async def test_a_start_waits_for_a_writer_and_says_so_when_it_has_waited_long_enough(
    path: Path, work: Any, tools: list[Tool], monkeypatch: pytest.MonkeyPatch
) -> None:
    from flowlet.errors import StoreBusy

    async with Engine(path, durability="process", control=False):
        pass
    monkeypatch.setattr(sqlite, "_EVERY", sqlite._EVERY.replace("5000", "50"))
    tools.append(Tool(path))
    tools[0].say("BEGIN IMMEDIATE;")
    with pytest.raises(StoreBusy, match="end that program's transaction"):
        await Engine(path, durability="process", control=False).__aenter__()
    tools[0].say("ROLLBACK;")
    async with Engine(path, durability="process", control=False):
        pass
