"""`flowlet run FILE`: one run of one DAG, in this process, from its first task to its last."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from flowlet.cli import arguments, exits, files
from flowlet.cli.exits import CommandError
from flowlet.errors import StoreOwned

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.cli.watching import View


def run(args: argparse.Namespace) -> int:
    """Run it, show it, and give 0 only if it succeeded."""
    request = what_to_run(args)
    dag = files.dag_of(args.file, args.dag_id)
    try:
        return asyncio.run(_run(args, dag, request))
    except StoreOwned as owned:
        raise CommandError(
            f"{owned.path} is owned by process {owned.pid} on {owned.host} since {owned.since}: ask it with"
            f" `flowlet trigger {dag.dag_id}`, or use another file (--db)",
            exits.OWNED,
        ) from None


def what_to_run(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `trigger` that were given."""
    given = {
        "conf": arguments.conf(args.conf),
        "logical_date": arguments.logical_date(args.logical_date),
        "run_id": args.run_id,
    }
    if given["logical_date"] is arguments.UNSET:
        del given["logical_date"]
    return given


async def _run(args: argparse.Namespace, dag: DAG, request: dict[str, Any]) -> int:
    from flowlet.cli.stopping import two_step
    from flowlet.engine import Engine

    db = arguments.database(args)
    view = _view(args, dag, db)
    engine = Engine(
        db,
        dags=[dag],
        executor=args.executor,
        parallelism=args.parallelism,
        durability=args.durability or "full",
        schedules=False,
        capture="all",
    )
    async with engine:
        leave = engine.listeners.subscribe(view.tell)
        cancel = asyncio.Event()
        with two_step(cancel.set, saying="cancelling the run"), view:
            run = await engine.trigger(dag.dag_id, **request)
            view.begin(run)
            await _until_over(run, cancel)
            leave()
            shape = run.as_dict()
        stopped = cancel.is_set()
    view.end(shape)
    if stopped:
        return exits.INTERRUPTED
    return exits.OK if shape["state"] == "success" else exits.FAILED


async def _until_over(run: Any, cancel: asyncio.Event) -> None:
    """Wait for the run's end; bring it about when asked."""
    async with asyncio.TaskGroup() as group:
        canceller = group.create_task(_cancel_when(run, cancel), name="flowlet cancel on signal")
        await run.wait()
        canceller.cancel()


async def _cancel_when(run: Any, cancel: asyncio.Event) -> None:
    await cancel.wait()
    await run.cancel()


def _view(args: argparse.Namespace, dag: DAG, db: str) -> View:
    from flowlet.cli import render, watching

    if args.json:
        return watching.JsonView(dag, db)
    if render.is_terminal():
        from flowlet.cli.live import LiveView

        return LiveView(dag, db)
    return watching.PlainView(dag, db)
