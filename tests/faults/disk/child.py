"""An engine in a process of its own whose disk fails: `python -m tests.faults.disk.child FOLDER SCENARIO...`.

Runs each scenario on a file of its own with the shim preloaded and prints what was seen as a line of JSON.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from flowlet import DAG, Engine, task
from flowlet.errors import FlowletError
from flowlet.events import EventAdded
from flowlet.scheduler import loop
from tests.crash import shim
from tests.crash.shim import READ, SYNC, WRITE

FOREVER = -1

#: calls, error, how often, on what beside the file's name
FAULTS: dict[str, tuple[int, int, int, str]] = {
    "full": (WRITE, errno.ENOSPC, FOREVER, ""),
    "full once": (WRITE, errno.ENOSPC, 1, ""),
    "quota": (WRITE, errno.EDQUOT, FOREVER, ""),
    "write": (WRITE, errno.EIO, FOREVER, ""),
    "write once": (WRITE, errno.EIO, 1, ""),
    "sync": (SYNC, errno.EIO, FOREVER, ""),
    "sync once": (SYNC, errno.EIO, 1, ""),
    "read and write": (READ | WRITE | SYNC, errno.EIO, FOREVER, ""),
    "read-only": (WRITE, errno.EROFS, FOREVER, ""),
    "logs full": (WRITE, errno.ENOSPC, FOREVER, ".logs"),
}


class Story:
    """Three tasks in a row; the first one ends when the disk has begun to fail."""

    def __init__(self, db: Path) -> None:
        self.db = db
        self.begun, self.gate, self.told = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.bodies: list[str] = []
        self.heard: list[Any] = []

    def dag(self) -> DAG:
        with DAG("work") as dag:

            @task
            async def first() -> str:
                self.bodies.append("first")
                self.begun.set()
                await self.gate.wait()
                logging.getLogger("work").info("a line for the log")
                return "x" * 20_000

            @task
            async def second(value: str) -> int:
                self.bodies.append("second")
                return len(value)

            @task
            async def third(value: int) -> int:
                self.bodies.append("third")
                return value + 1

            third(second(first()))
        return dag

    def listen(self, event: Any) -> None:
        if isinstance(event, EventAdded):
            self.heard.append([event.kind, event.text])
            self.told.set()

    def seen(self) -> dict[str, Any]:
        with closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as db:
            return {
                "bodies": self.bodies,
                "heard": self.heard,
                "run": db.execute("SELECT state FROM runs").fetchall(),
                "xcoms": db.execute("SELECT task_id, length(value) FROM xcoms ORDER BY 1").fetchall(),
                "attempts": db.execute("SELECT task_id, try_number, outcome FROM attempts ORDER BY 1, 2").fetchall(),
                "events": db.execute("SELECT kind, text FROM events ORDER BY at").fetchall(),
                "integrity": db.execute("PRAGMA integrity_check").fetchall() + db.execute("PRAGMA foreign_key_check").fetchall(),
            }


async def a_while(turns: int = 20) -> None:
    """Long enough for anything to start that would start."""
    for _ in range(turns):
        await asyncio.sleep(0.005)  # noqa: TID251  the world outside: nothing tells that nothing happens


async def heals(db: Path, fault: str) -> dict[str, Any]:
    """The disk fails when the first body ends, and works again a little later."""
    calls, error, times, beside = FAULTS[fault]
    story = Story(db)
    async with Engine(db, dags=[story.dag()], control=False) as engine:
        engine.listeners.subscribe(story.listen)
        run = await engine.trigger("work", run_id="r")
        await story.begun.wait()
        shim.fail(Path(f"{db}{beside}"), calls, error, times)
        story.gate.set()
        await story.told.wait()
        await a_while()
        meanwhile = list(story.bodies)
        trouble = engine.trouble
        shim.heal()
        await run.wait()
        await a_while(5)  # the event about it comes with the next commit
    return {"meanwhile": meanwhile, "trouble": trouble, **story.seen()}


async def stays(db: Path, fault: str) -> dict[str, Any]:
    """The disk never works again: the engine ends all the same, and the next one goes on where the file stands."""
    calls, error, _, _ = FAULTS[fault]
    story = Story(db)
    ended = ""
    try:
        async with Engine(db, dags=[story.dag()], control=False, grace=0.1) as engine:
            engine.listeners.subscribe(story.listen)
            await engine.trigger("work", run_id="r")
            await story.begun.wait()
            shim.fail(db, calls, error)
            story.gate.set()
            await story.told.wait()
    except* FlowletError as group:
        ended = "; ".join(f"{type(one).__name__}: {one}" for one in group.exceptions)
    shim.heal()
    async with Engine(db, dags=[story.dag()], control=False) as engine:
        await (await engine.run("work", "r")).wait()
    return {"ended": ended, **story.seen()}


async def starts(db: Path, fault: str) -> dict[str, Any]:
    """The disk fails when the engine is opened, on a new file and on one that exists."""
    calls, error, _, _ = FAULTS[fault]
    said: list[str] = []
    for _ in range(2):
        shim.fail(db, calls, error)
        try:
            async with Engine(db, control=False):
                said.append("opened")
        except FlowletError as refused:
            said.append(f"{type(refused).__name__}: {refused}")
        shim.heal()
        async with Engine(db, control=False):
            pass
    return {"said": said}


async def reads(db: Path, fault: str) -> dict[str, Any]:
    """What is asked of the file cannot be read: whoever asks is told, and the loop lives."""
    story = Story(db)
    story.gate.set()
    async with Engine(db, dags=[story.dag()], control=False) as engine:
        await (await engine.trigger("work", run_id="r")).wait()
        await engine._parts()[1].checkpoint()
        shim.fail(db, READ, errno.EIO)
        said = []
        for run_id in ("r", "unknown"):
            try:
                await engine.run("work", run_id)
            except FlowletError as error:
                said.append(f"{type(error).__name__}: {error}")
        shim.heal()
        again = await (await engine.trigger("work", run_id="again")).wait()
    return {"said": said, "again": str(again.state), **story.seen()}


async def main(folder: Path, names: list[str]) -> None:
    logging.getLogger("work").setLevel(logging.INFO)
    loop._PAUSES = tuple(pause / 20 for pause in loop._PAUSES)
    for number, name in enumerate(names):
        how, _, fault = name.partition(":")
        db = folder / f"{number}.db"
        found = await asyncio.wait_for(HOW[how](db, fault), 20)
        print(json.dumps({"name": name, "db": str(db), **found}), flush=True)


HOW = {"heals": heals, "stays": stays, "starts": starts, "reads": reads}

if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
