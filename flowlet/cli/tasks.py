"""`flowlet tasks`: what an attempt printed, and why a task stands where it stands."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flowlet.cli import arguments, exits, log_files, reading, render
from flowlet.cli.exits import CommandError

if TYPE_CHECKING:
    from flowlet.store import Reader

#: How often `--follow` looks whether something was added: the only way across processes.
_LOOK_EVERY = 0.25
_OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


# -- logs ------------------------------------------------------------------------------------------------


def logs(args: argparse.Namespace) -> int:
    """Print the log of one attempt, by default of the last try."""
    with reading.reading(args) as reader:
        run = reading.run(reader, args.dag_id, args.run_id)
        task = reading.task(reader, run, args.task_id)
        try_number = args.try_number or task.try_number
        if args.try_number is not None and args.try_number > task.try_number:
            raise CommandError(
                f"{task.key} of run {run.run_id} has had {render.plural(task.try_number, 'try')}"
            )
        path = log_files.log_path(
            reader.path, run.dag_id, run.run_id, task.task_id, task.map_index, try_number
        )
        if args.follow:
            return _follow(args, path, lambda: _is_over(reader, run, args.task_id, try_number))
    if not path.exists():
        render.note(_why_no_log(run, task, try_number))
        return exits.OK
    _print(args, path)
    return exits.OK


def _print(args: argparse.Namespace, path: Path) -> None:
    if args.json:
        for line in log_files.lines(path):
            render.json_line({"line": line})
        return
    show = log_files.harmless if render.is_terminal() else str
    for piece in log_files.pieces(path):
        sys.stdout.write(show(piece))


def _why_no_log(run: reading.Run, task: reading.Task, try_number: int) -> str:
    if not try_number:
        return f"{task.key} of run {run.run_id} is {task.state}: it has not been tried"
    return f"try {try_number} of {task.key} in run {run.run_id} logged nothing (it is {task.state})"


def _is_over(reader: Reader, run: reading.Run, name: str, try_number: int) -> bool:
    task = reading.task(reader, run, name)
    return task.state in _OVER or task.state == "up_for_retry" or task.try_number > try_number


def _follow(args: argparse.Namespace, path: Path, is_over: Callable[[], bool]) -> int:
    """Print what is there and what is added, until the attempt is over."""
    pause = threading.Event()
    while not path.exists():
        if is_over() and not path.exists():
            return exits.OK
        pause.wait(_LOOK_EVERY)
    with log_files.open_log(path) as file:
        over = False
        while True:
            while line := file.readline(64 * 1024):
                _print_line(args, line)
            sys.stdout.flush()
            if over:
                return exits.OK
            over = is_over()  # asked first, so that what was written before is still read
            if not over:
                pause.wait(_LOOK_EVERY)


def _print_line(args: argparse.Namespace, line: str) -> None:
    if args.json:
        render.json_line({"line": line.removesuffix("\n")})
    else:
        sys.stdout.write(log_files.harmless(line) if render.is_terminal() else line)


# -- why -------------------------------------------------------------------------------------------------


def why(args: argparse.Namespace) -> int:
    """A sentence: the owner's own, or the same rules on what is on file."""
    arguments.existing_database(args)
    with reading.reading(args) as reader:
        run = reading.run(reader, args.dag_id, args.run_id)
        task = reading.task(reader, run, args.task_id)
        sentence = _ask_owner(reader, run, task) or _explain(reader, run, task)
    shape = {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "task_id": task.task_id,
        "map_index": task.map_index,
        "state": task.state,
        "why": sentence,
    }
    if args.json:
        render.json_(shape)
    else:
        print(sentence)
    return exits.OK


def _ask_owner(reader: Reader, run: reading.Run, task: reading.Task) -> str | None:
    """What the scheduler that has the run in memory says; None if there is none to ask."""
    control = (reader.owner() or {}).get("control")
    if control is None or task.state in _OVER:
        return None
    from flowlet.engine.control import ControlError, request

    asked = {"dag_id": run.dag_id, "run_id": run.run_id, "task_id": task.task_id, "map_index": task.map_index}
    try:
        return str(request(control, "why", asked, timeout=10))
    except ControlError:
        return None


def _explain(reader: Reader, run: reading.Run, task: reading.Task) -> str:
    """The run rebuilt from its rows, and the rules asked."""
    from flowlet.runs.hydrate import run_from_rows
    from flowlet.runs.why import why as explain

    dag = reading.dag(reader, run.dag_id)
    active, _ = run_from_rows(dag.spec, run, reading.tasks(reader, run))
    ti = active.find(task.task_id, task.map_index)
    if ti is None:
        return f"{task.key} is {task.state}; the DAG has no such task any more"
    sentence = explain(ti)
    if task.state in _OVER:
        return sentence
    if dag.paused:
        sentence += f"; the DAG is paused (flowlet dags unpause {dag.dag_id})"
    if reader.owner() is None:
        sentence += "; no scheduler runs on this database (flowlet daemon FILE)"
    return sentence
