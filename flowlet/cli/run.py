"""`flowlet run FILE`: one run of one DAG, in this process, from its first task to its last."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flowlet.cli import arguments, exits, files
from flowlet.cli.exits import CommandError
from flowlet.errors import StoreOwned, TaskNotFound

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.cli.watching import View
    from flowlet.engine import DagRun

#: Seconds between two looks at what bodies print.
_LOOK_EVERY = 0.25

#: So many looks at which nothing ran, and it is said why.
_IDLE_LOOKS = 4
_MOST_WAITS = 5
_UNDER_WAY = frozenset({"scheduled", "queued", "up_for_retry", "up_for_reschedule"})


def run(args: argparse.Namespace) -> int:
    """Run it, show it, and give 0 only if it succeeded."""
    request = what_to_run(args)
    dag = files.dag_of(args.file, args.dag_id)
    try:
        with _view(args, dag) as view:
            status = asyncio.run(_run(args, dag, view, request))
        if view.out.trouble is not None:
            raise exits.output_lost(view.out.trouble)
        return status
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


async def _run(args: argparse.Namespace, dag: DAG, view: View, request: dict[str, Any]) -> int:
    from flowlet.cli.stopping import two_step
    from flowlet.engine import Engine

    engine = Engine(
        view.db,
        dags=[dag],
        executor=args.executor,
        parallelism=args.parallelism,
        durability=args.durability or "full",
        schedules=False,
        capture="all",
    )
    cancel = asyncio.Event()
    leave = engine.listeners.subscribe(view.tell)
    with two_step(cancel.set, saying="cancelling the run") as stop:
        async with engine:
            run = await engine.trigger(dag.dag_id, **request)
            view.begin(run, engine.logs)
            await _until_over(run, cancel, view)
            leave()
            shape = run.as_dict()
        view.end(shape)
    if stop.signal is not None:
        return exits.ended_by(stop.signal)
    return exits.OK if shape["state"] == "success" else exits.FAILED


async def _until_over(run: DagRun, cancel: asyncio.Event, view: View) -> None:
    """Wait for the run's end; bring it about when asked."""
    try:
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(_attend(run, cancel, view), name="flowlet run: prints and signals")
            await run.wait()
            watcher.cancel()
    except ExceptionGroup as group_of_one:  # what fails here is the engine, whoever notices it first
        raise group_of_one.exceptions[0] from None


async def _attend(run: DagRun, cancel: asyncio.Event, view: View) -> None:
    """Show what bodies print while they run, and what a run waits for in which nothing runs, until it is to be cancelled."""
    idle = 0
    while not cancel.is_set():
        await _look_out(cancel)
        view.look()
        idle = 0 if view.is_running else idle + 1
        if idle == _IDLE_LOOKS:
            view.show_waits(await _waits(run))
    await run.cancel()


async def _look_out(cancel: asyncio.Event) -> None:
    """Until it is set, or time for another look. (By asyncio alone: anyio costs a tenth of the start.)"""
    try:
        async with asyncio.timeout(_LOOK_EVERY):
            await cancel.wait()
    except TimeoutError:
        pass


async def _waits(run: DagRun) -> dict[str, str]:
    """Why the first tasks that could go on do not."""
    ready = [key for key, state in run.task_states.items() if state in _UNDER_WAY]
    asked = ready or [key for key, state in run.task_states.items() if state == "none"]
    whys = {}
    for key in asked[:_MOST_WAITS]:
        with suppress(TaskNotFound):  # it was mapped over meanwhile: its instances stand for it now
            whys[key] = await run.why(*arguments.task(key))
    return whys


def _view(args: argparse.Namespace, dag: DAG) -> View:
    from flowlet.cli import render, watching

    db = arguments.database(args)
    if args.json:
        return watching.JsonView(dag, db)
    if render.is_terminal():
        from flowlet.cli.live import LiveView

        return LiveView(dag, db, quiet=args.quiet)
    return watching.PlainView(dag, db, quiet=args.quiet)
