"""`flowlet daemon FILE...`: the scheduler in the foreground, until SIGINT or SIGTERM; twice: at once."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from flowlet.cli import arguments, exits, files, render
from flowlet.cli.exits import CommandError
from flowlet.clock import iso
from flowlet.events import EventAdded, RunEnded


def daemon(args: argparse.Namespace) -> int:
    dags, problems = _load(args.files)
    for file, line, kind, text in problems:
        print(f"flowlet: {file}:{line}: {kind}: {text}", file=sys.stderr)
    if not dags:
        raise CommandError("none of the files has a DAG that loads")
    return asyncio.run(_serve(args, dags))


def _load(paths: list[str]) -> tuple[list[Any], list[Any]]:
    """All DAGs that load, and what is wrong with the rest."""
    from flowlet.errors import DuplicateDagId
    from flowlet.registry.registry import Registry

    registry = Registry()
    dags: list[Any] = []
    problems: list[Any] = []
    for path in paths:
        loaded = files.load(path)
        problems += loaded.problems
        for dag in loaded.dags:
            try:
                registry.add(dag)
                dags.append(dag)
            except DuplicateDagId as error:
                problems.append((path, 1, "DuplicateDagId", str(error)))
    return dags, problems


async def _serve(args: argparse.Namespace, dags: list[Any]) -> int:
    from flowlet.cli.stopping import two_step
    from flowlet.engine import Engine

    stop = asyncio.Event()
    engine = Engine(
        arguments.database(args), dags=dags, executor=args.executor, parallelism=args.parallelism,
        durability=args.durability or "full", capture="all", grace=30.0 if args.grace is None else args.grace,
    )  # fmt: skip
    with two_step(stop.set, saying="stopping"):
        async with engine:
            _announce(args, engine)
            engine.listeners.subscribe(lambda event: _tell(args, event))
            await _either(stop, engine)
    return exits.OK


async def _either(stop: asyncio.Event, engine: Any) -> None:
    """Until a signal, or until the scheduler has failed (which leaving the engine raises)."""
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(engine.ended.wait())]  # noqa: TID251  ended below
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _announce(args: argparse.Namespace, engine: Any) -> None:
    due = engine.next_due()
    if args.json:
        render.json_line({"event": "started", "db": arguments.database(args), "dags": engine.dags(), "next_due": due and iso(due)})
        return
    names = ", ".join(engine.dags()[:10])
    print(f"flowlet: {len(engine.dags())} DAGs ({names}) on {arguments.database(args)}; next due {iso(due) if due else 'never'}", flush=True)


def _tell(args: argparse.Namespace, event: Any) -> None:
    if args.json:
        render.json_line({"event": type(event).__name__, **event._asdict(), "at": iso(event.at)})
    elif isinstance(event, RunEnded):
        print(f"{iso(event.at)} {event.dag_id} {event.run_id} {event.state} {event.reason or ''}".rstrip(), flush=True)
    elif isinstance(event, EventAdded):
        print(f"{iso(event.at)} {event.kind}: {event.dag_id or ''} {event.text}", flush=True)
