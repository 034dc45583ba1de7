"""`flowlet runs`: what ran, how it went, and ending what still runs."""

from __future__ import annotations

import argparse
from typing import Any

from flowlet.cli import arguments, exits, owner, reading, render
from flowlet.cli.waiting import Waiting
from flowlet.clock import SystemClock

_ATTEMPT = ("task_id", "map_index", "try_number", "outcome", "reason", "error", "started_at", "ended_at")
_EVENT = ("at", "kind", "dag_id", "run_id", "task_id", "map_index", "try_number", "text")


def list_(args: argparse.Namespace) -> int:
    """The newest runs of a DAG, or of all."""
    with reading.reading(args) as reader:
        if args.dag_id is not None:
            reading.dag(reader, args.dag_id)
        runs = reading.last_runs(reader, args.dag_id, args.limit)
        waiting = Waiting(reader)
        waits = [waiting.of_run(run) for run in runs]
    if args.json:
        render.json_([{**run.shape(), "waits": wait} for run, wait in zip(runs, waits, strict=True)])
        return exits.OK
    render.table(
        ("DAG", "RUN", "STATE", "LOGICAL DATE", "STARTED", "TOOK", "REASON"),
        [
            (
                run.dag_id,
                run.run_id,
                run.state,
                reading.short(run.logical_date),
                reading.short(run.started_at),
                _took(run.started_at, run.ended_at),
                run.reason if wait is None else f"waits: {wait}",
            )
            for run, wait in zip(runs, waits, strict=True)
        ],
        empty="no runs yet",
    )
    return exits.OK


def show(args: argparse.Namespace) -> int:
    """One run: its tasks, the attempts that did not succeed, its events."""
    with reading.reading(args) as reader:
        run = reading.run(reader, args.dag_id, args.run_id)
        waiting = Waiting(reader)
        waits = waiting.of_run(run)
        tasks = _explained(waiting, run, reading.tasks(reader, run))
        attempts = reader.fetch("attempts_of_run", run=run.id)
        events = reader.fetch("events_of_run", dag_id=run.dag_id, run_id=run.run_id)
        labels = {ti: label for ti, _, label in reader.fetch("rendered_of_run", run=run.id)}
    shape = {**run.shape(), "waits": waits}
    shape["tasks"] = [{**task.shape(), "label": labels.get(task.id)} for task in tasks]
    shape["attempts"] = [_dated(dict(zip(_ATTEMPT, row, strict=True))) for row in attempts]
    shape["events"] = [_dated(dict(zip(_EVENT, row, strict=True))) for row in events]
    if args.json:
        render.json_(shape)
    else:
        _show(run, tasks, shape, labels)
    return exits.OK


def _show(run: reading.Run, tasks: list[reading.Task], shape: dict[str, Any], labels: dict[int, str | None]) -> None:
    render.pairs(
        {
            "dag_id": run.dag_id,
            "run_id": run.run_id,
            "state": run.state,
            "reason": run.reason,
            "waits": shape["waits"],
            "type": run.run_type,
            "logical date": reading.short(run.logical_date),
            "interval": _interval(run),
            "started": reading.short(run.started_at),
            "took": _took(run.started_at, run.ended_at),
            "conf": run.conf if run.conf != "{}" else None,
        }
    )
    render.heading(render.plural(len(tasks), "task"))
    render.table(
        ("TASK", "STATE", "TRY", "TOOK", "REASON"),
        [
            (
                f"{task.key} {labels[task.id]}" if labels.get(task.id) else task.key,
                task.state,
                task.try_number or None,
                _took(task.started_at, task.ended_at),
                task.because,
            )
            for task in tasks
        ],
    )
    _show_attempts(shape["attempts"])
    if shape["events"]:
        render.heading("events")
        render.table(
            ("AT", "KIND", "TEXT"), [(row["at"], row["kind"], row["text"]) for row in shape["events"]]
        )


def _explained(waiting: Waiting, run: reading.Run, tasks: list[reading.Task]) -> list[reading.Task]:
    """With the upstreams named by which a trigger rule ended a task."""
    settled = {"skipped", "upstream_failed"}
    if not any(task.state in settled and task.because is None for task in tasks):
        return tasks
    from flowlet.runs.why import because

    rebuilt = waiting.rebuilt(run)
    found = [rebuilt.find(task.task_id, task.map_index) for task in tasks]
    return [
        task if ti is None or task.because else task._replace(settled_because=because(ti))
        for task, ti in zip(tasks, found, strict=True)
    ]


def _show_attempts(attempts: list[dict[str, Any]]) -> None:
    failed = [row for row in attempts if row["outcome"] not in {None, "succeeded", "skipped"}]
    if not failed:
        return
    render.heading("attempts that did not succeed")
    render.table(
        ("TASK", "TRY", "OUTCOME", "ENDED", "REASON"),
        [(_key(row), row["try_number"], row["outcome"], row["ended_at"], row["reason"]) for row in failed],
    )


def _key(row: dict[str, Any]) -> str:
    return row["task_id"] if row["map_index"] < 0 else f"{row['task_id']}[{row['map_index']}]"


def cancel(args: argparse.Namespace) -> int:
    """End a run before its time."""

    async def act(engine: Any) -> Any:
        return (await engine.cancel(args.dag_id, args.run_id)).as_dict()

    asked = {"dag_id": args.dag_id, "run_id": args.run_id}
    shape, _ = owner.ask(arguments.existing_database(args), "cancel", asked, act)
    if args.json:
        render.json_(shape)
    else:
        print(
            f"{args.run_id} of {args.dag_id} is {shape['state']}"
            + (f": {shape['reason']}" if shape["reason"] else "")
        )
    return exits.OK


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: reading.moment(value) if name in {"at", "started_at", "ended_at"} else value
        for name, value in row.items()
    }


def _interval(run: reading.Run) -> str | None:
    if run.interval_start is None or run.interval_start == run.interval_end:
        return None
    return f"{reading.short(run.interval_start)} to {reading.short(run.interval_end)}"


def _took(start: int | None, end: int | None) -> str | None:
    """How long; of what goes on still, until now."""
    if start is None:
        return None
    if end is None or end < start:
        return f"{render.seconds(SystemClock().now() - start)} so far"
    return render.seconds(end - start)
