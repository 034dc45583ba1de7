"""`flowlet daemon FILE...`: the scheduler in the foreground, until a signal ends it."""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import TYPE_CHECKING, Any

from flowlet.cli import arguments, exits, files, render
from flowlet.cli.exits import CommandError
from flowlet.cli.writing import Writer
from flowlet.clock import SystemClock, iso
from flowlet.events import Event, EventAdded, RunEnded, RunStarted, TaskEnded, TaskStarted

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.engine import Engine

_GRACE = 30.0
#: Seconds for the reader of our output, at the end.
_LAST_WORDS = 5.0


def daemon(args: argparse.Namespace) -> int:
    """Run what the files describe. A file with problems is reported; the others run."""
    journal = _Journal(as_json=args.json)
    try:
        dags = _load(args.files, journal)
        if not dags:
            raise CommandError("no file gives a DAG: nothing to do")
        return asyncio.run(_serve(args, dags, journal))
    finally:
        journal.close()


def _load(paths: list[str], journal: _Journal) -> list[DAG]:
    from flowlet.engine.loading import register
    from flowlet.registry.registry import Registry

    registry = Registry()
    for path in paths:
        loaded = files.load(path)
        for problem in (*loaded.problems, *register(loaded, registry)):
            journal.problem(str(problem), file=problem.file, line=problem.line, kind=problem.kind)
    return [entry.dag for entry in registry.list_()]


async def _serve(args: argparse.Namespace, dags: list[DAG], journal: _Journal) -> int:
    from flowlet.cli.stopping import two_step
    from flowlet.engine import Engine

    db, stop = arguments.database(args), asyncio.Event()
    engine = Engine(
        db,
        dags=dags,
        executor=args.executor,
        parallelism=args.parallelism,
        durability=args.durability or "full",
        capture="all",
        grace=_GRACE if args.grace is None else args.grace,
    )
    engine.listeners.subscribe(journal.tell)
    with two_step(stop.set, saying="stopping: bodies that run may end") as stopped:
        async with engine:
            journal.started(db, len(args.files), engine)
            await _until(stop, engine)
            engine.check()
    journal.stopped(stopped.signal)
    return exits.OK


async def _until(stop: asyncio.Event, engine: Engine) -> None:
    """Until a signal, or the engine's own end (of which `engine.check` tells the reason)."""
    async with asyncio.TaskGroup() as group:
        ended = group.create_task(_set_after(engine.ended, stop), name="flowlet daemon: engine's end")
        await stop.wait()
        ended.cancel()


async def _set_after(first: Any, then: asyncio.Event) -> None:
    await first.wait()
    then.set()


class _Journal:
    """What the daemon says: lines for people, or a line of JSON per event."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._out = Writer(alone=as_json)
        self._began: dict[tuple[str, str], int] = {}
        self._early: list[Event] | None = []
        """What happens while the engine opens is told after its first word; None from then on."""

    def problem(self, text: str, **facts: Any) -> None:
        if self._as_json:
            self._write(None, "problem", text=text, **facts)
        else:
            render.note(" ".join(text.split()))

    def started(self, db: str, count: int, engine: Engine) -> None:
        """Its first word, and what has happened so far."""
        self._say_started(db, count, engine)
        early, self._early = self._early or (), None
        for event in early:
            self.tell(event)

    def _say_started(self, db: str, count: int, engine: Engine) -> None:
        ids, due = engine.dags(), engine.next_due()
        if self._as_json:
            next_due = None if due is None else iso(due)
            self._write(None, "started", pid=os.getpid(), db=db, files=count, dags=ids, next_due=next_due)
            return
        next_due = "nothing is due" if due is None else f"next due {_clock(due)}"
        self._say(f"{render.plural(count, 'file')}, {render.plural(len(ids), 'DAG')} on {db}; {next_due}")

    def stopped(self, signal: int | None) -> None:
        if self._as_json:
            self._write(None, "stopped", signal=signal)
        else:
            self._say("stopped")

    def tell(self, event: Event) -> None:
        """An event of the engine."""
        if self._early is not None:
            self._early.append(event)
        elif self._as_json:
            self._write(event.at, _NAMES[type(event)], **_rest(event))
        elif isinstance(event, RunStarted):
            self._began[event.dag_id, event.run_id] = event.at
        elif isinstance(event, RunEnded):
            self._say_run(event)
        elif isinstance(event, EventAdded):
            self._say(f"{_clock(event.at)}  {_named(event)}{event.kind}: {render.printable(event.text)}")
        elif isinstance(event, TaskEnded) and event.state in {"failed", "up_for_retry"}:
            reason = render.printable(event.reason or "")
            self._say(f"{_clock(event.at)}  {_named(event)}try {event.try_number} {event.state}: {reason}")

    def _say_run(self, event: RunEnded) -> None:
        began = self._began.pop((event.dag_id, event.run_id), None)
        took = "" if began is None else f" in {render.seconds(event.at - began)}"
        reason = f": {render.printable(event.reason)}" if event.reason and event.state != "success" else ""
        self._say(f"{_clock(event.at)}  {event.dag_id} {event.run_id} {event.state}{took}{reason}")

    def _write(self, at: int | None, name: str, **facts: Any) -> None:
        import json

        at = SystemClock().now() if at is None else at
        self._say(
            json.dumps({"at": iso(at), "event": name, **facts}, separators=(",", ":"), ensure_ascii=False)
        )

    def close(self) -> None:
        """What is not read soon is not waited for."""
        self._out.close(within=_LAST_WORDS)

    def _say(self, line: str) -> None:
        """Whoever reads slowly, or has left, does not hold up the scheduler."""
        self._out.say(line)


_NAMES: dict[type, str] = {
    RunStarted: "run_started",
    RunEnded: "run_ended",
    TaskStarted: "task_started",
    TaskEnded: "task_ended",
    EventAdded: "event",
}


def _rest(event: Event) -> dict[str, Any]:
    facts = event._asdict()
    del facts["at"]
    if facts.get("started_at") is not None:
        facts["started_at"] = iso(facts["started_at"])
    return facts


def _named(event: TaskEnded | EventAdded) -> str:
    """`etl manual__... load[3] `: whom it concerns."""
    task = event.task_id or ""
    if task and event.map_index is not None and event.map_index >= 0:
        task = f"{task}[{event.map_index}]"
    return "".join(f"{name} " for name in (event.dag_id, event.run_id, task) if name)


def _clock(moment: int) -> str:
    return f"{iso(moment)[:19].replace('T', ' ')}Z"
