"""`flowlet tasks`: what an attempt printed and was given, and why a task stands where it stands."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from flowlet.cli import arguments, exits, log_files, owner, reading, render
from flowlet.cli.exits import CommandError
from flowlet.cli.following import Following
from flowlet.cli.waiting import Waiting

# -- logs ------------------------------------------------------------------------------------------------


def logs(args: argparse.Namespace) -> int:
    """Print the log of one attempt, by default of the last try."""
    with reading.reading(args) as reader:
        run = reading.run(reader, args.dag_id, args.run_id)
        task = reading.task(reader, run, args.task_id)
        if args.follow:
            return Following(reader, run, args.task_id, as_json=args.json).show(args.try_number)
        try_number = args.try_number or task.try_number
        if try_number > task.try_number:
            raise CommandError(f"{task.key} of run {run.run_id} {_tries(task.try_number)}")
        path = log_files.log_path(
            reader.path, run.dag_id, run.run_id, task.task_id, task.map_index, try_number
        )
    if args.json:
        render.json_(_shape(run, task, try_number, path))
    elif path.exists():
        _print(path)
    else:
        render.note(_why_no_log(run, task, try_number))
    return exits.OK


def _tries(count: int) -> str:
    return f"has had {count} of its tries" if count else "has not been tried yet"


def _shape(run: reading.Run, task: reading.Task, try_number: int, path: Path) -> dict[str, Any]:
    lines = list(log_files.lines(path)) if path.exists() else []
    return {**_names(run, task), "try_number": try_number, "state": task.state, "lines": lines}


def _print(path: Path) -> None:
    show = log_files.harmless if render.is_terminal() else str
    for piece in log_files.pieces(path):
        sys.stdout.write(show(piece))


def _why_no_log(run: reading.Run, task: reading.Task, try_number: int) -> str:
    if not try_number:
        return f"{task.key} of run {run.run_id} is {task.state}: it has not been tried"
    return f"try {try_number} of {task.key} in run {run.run_id} logged nothing (it is {task.state})"


# -- why -------------------------------------------------------------------------------------------------


def why(args: argparse.Namespace) -> int:
    """A sentence: the owner's own, or the same rules on what is on file."""
    with reading.reading(args) as reader:
        run = reading.run(reader, args.dag_id, args.run_id)
        task = reading.task(reader, run, args.task_id)
        sentence = Waiting(reader).of_task(run, task)
    if args.json:
        render.json_({**_names(run, task), "state": task.state, "why": sentence})
    else:
        print(sentence)
    return exits.OK


# -- render ----------------------------------------------------------------------------------------------


def render_(args: argparse.Namespace) -> int:
    """What the templates of a task became, as it is on file."""
    with reading.reading(args) as reader:
        run = reading.run(reader, args.dag_id, args.run_id)
        task = reading.task(reader, run, args.task_id)
        found = reader.fetch("rendered", ti=task.id)
    text, label = found[0] if found else (None, None)
    fields: dict[str, Any] = {} if text is None else json.loads(text)
    if args.json:
        render.json_({**_names(run, task), "state": task.state, "label": label, "rendered": fields})
        return exits.OK
    if label is not None:
        print(f"# {log_files.harmless(label)}")
    for field, value in fields.items():
        if value in (None, "", [], {}):
            continue
        render.heading(field)
        print(log_files.harmless(value) if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))
    if not fields:
        render.note(_why_nothing_rendered(run, task))
    return exits.OK


def _why_nothing_rendered(run: reading.Run, task: reading.Task) -> str:
    if not task.try_number:
        return f"{task.key} of run {run.run_id} is {task.state}: it has not been tried"
    return f"{task.key} of run {run.run_id} has no template that was rendered: its fields are as they stand in its DAG, or what others returned"


# -- answer ----------------------------------------------------------------------------------------------


def answer(args: argparse.Namespace) -> int:
    """Answer a task that is awaiting input: the engine that asks takes it, nobody else."""
    task_id, map_index = arguments.task(args.task_id)
    names = {"dag_id": args.dag_id, "run_id": args.run_id, "task_id": task_id, "map_index": map_index}
    asked = {**names, "options": args.options, "params": arguments.conf(args.params) or {}, "by": args.by}
    owner.ask(arguments.existing_database(args), "answer", asked, lambda engine: engine.answer(**asked))
    if args.json:
        shape = {"chosen_options": args.options, "params_input": asked["params"], "responded_by": args.by}
        render.json_({**names, **shape})
    else:
        print(f"{args.task_id} of {args.run_id} is answered: {', '.join(args.options)}")
    return exits.OK


def _names(run: reading.Run, task: reading.Task) -> dict[str, Any]:
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "task_id": task.task_id,
        "map_index": task.map_index,
    }
