"""`flowlet tasks logs|why`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowlet.cli import arguments, exits, render
from flowlet.cli.exits import CommandError
from flowlet.cli.log_files import log_path
from flowlet.cli.owner import owner_of
from flowlet.cli.stored import dag_row, reader, run_row, spec_of


def logs(args: argparse.Namespace) -> int:
    path = arguments.existing_database(args)
    task_id, map_index = arguments.task(args.task_id)
    with reader(args) as db:
        row = run_row(db, args.dag_id, args.run_id)
        task = _task(db, row, task_id, map_index)
        file = log_path(path, args.dag_id, row[2], task_id, map_index, args.try_number or task[5])
        for line in _lines(file):
            _tell(args, line)
        while args.follow and _task(db, row, task_id, map_index)[4] == "running":
            time.sleep(0.2)  # noqa: TID251  a person waits at a terminal
    if not file.exists():
        import sys

        print(f"{args.task_id} has logged nothing (try {args.try_number or task[5]}, {task[4]})", file=sys.stderr)
    return exits.OK


def why(args: argparse.Namespace) -> int:
    path = arguments.existing_database(args)
    task_id, map_index = arguments.task(args.task_id)
    with reader(args) as db:
        row = run_row(db, args.dag_id, args.run_id)
        state = _task(db, row, task_id, map_index)[4]
        given = {"dag_id": args.dag_id, "run_id": row[2], "task_id": task_id, "map_index": map_index}
        text = _from_owner(path, given) or _from_file(db, row, task_id)
    if args.json:
        render.json_({**given, "state": state, "why": text})
    else:
        print(text)
    return exits.OK


def _from_owner(path: str, given: dict[str, Any]) -> str | None:
    """The owner knows the limits as they are now."""
    from flowlet.engine.control import request
    from flowlet.errors import FlowletError

    owner = owner_of(path)
    if owner is None or not owner.get("control"):
        return None
    try:
        return str(request(owner["control"], "why", given))
    except FlowletError:
        return None


def _from_file(db: Any, row: Any, task_id: str) -> str:
    """The same sentence, from the stored description and the rows."""
    from flowlet.runs.hydrate import run_from_rows
    from flowlet.runs.why import why as sentence

    run, _ = run_from_rows(spec_of(dag_row(db, row[1])), row, db.fetch("tasks_of_run", run=row[0]))
    run.held = "no scheduler owns the database now"
    ti = run.find(task_id)
    return f"{task_id} is no task of the DAG any more" if ti is None else sentence(ti)


def _task(db: Any, run: Any, task_id: str, map_index: int) -> Any:
    rows = db.fetch("task", dag_id=run[1], run_id=run[2], task_id=task_id, map_index=map_index)
    if not rows:
        raise CommandError(f"the run {run[2]!r} of DAG {run[1]!r} has no task {task_id!r}: `flowlet runs show` names them")
    return rows[0]


def _lines(file: Path) -> Iterator[str]:
    """Line by line, in constant memory."""
    if file.exists():
        with file.open(encoding="utf-8", errors="replace") as text:
            for line in text:
                yield line.rstrip("\n")


def _tell(args: argparse.Namespace, line: str) -> None:
    if args.json:
        render.json_line({"line": line})
    else:
        print(line)
