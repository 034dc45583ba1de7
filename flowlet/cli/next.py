"""`flowlet next`: when a DAG is due, from the spec and the cursor on file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flowlet.cli import exits, reading, render
from flowlet.clock import SystemClock

if TYPE_CHECKING:
    from flowlet.authoring.spec import DagSpec


def next_(args: argparse.Namespace) -> int:
    """The next due moments and the intervals of their runs."""
    with reading.reading(args) as reader:
        dag = reading.dag(reader, args.dag_id)
    spec = dag.spec
    after = max(dag.cursor or 0, SystemClock().now())
    shapes = upcoming(spec, after, args.limit)
    if args.json:
        render.json_(shapes)
        return exits.OK
    partition = ("PARTITION",) if any("partition_key" in shape for shape in shapes) else ()
    render.table(
        ("DUE", "LOGICAL DATE", "INTERVAL START", "INTERVAL END", *partition),
        [(shape["due_at"], *list(shape.values())[1:]) for shape in shapes],
        empty=f"{dag.dag_id} is {_why_never(spec)}",
    )
    if shapes and dag.paused:
        render.note(f"{dag.dag_id} is paused: nothing runs until `flowlet dags unpause {dag.dag_id}`")
    return exits.OK


def upcoming(spec: DagSpec, after: int, limit: int) -> list[dict[str, Any]]:
    """The first `limit` ticks after a moment."""
    from flowlet.scheduler.ticks import Schedule

    schedule = Schedule.of(spec)
    shapes: list[dict[str, Any]] = []
    due = schedule.next_after(after)
    while due is not None and len(shapes) < limit:
        interval, partition = schedule.interval_of(due), schedule.timetable.partition_of(due)
        shapes.append(
            {
                "due_at": reading.moment(due),
                "logical_date": reading.moment(interval.logical_date),
                "data_interval_start": reading.moment(interval.start),
                "data_interval_end": reading.moment(interval.end),
                **({} if partition is None else {"partition_key": partition[0]}),
            }
        )
        due = schedule.next_after(due)
    return shapes


def _why_never(spec: DagSpec) -> str:
    from flowlet.cli.dags import schedule_of

    described = schedule_of(spec)
    if described is None:
        return "never due: it has no schedule (flowlet trigger, flowlet run)"
    if spec.end_date is not None:
        return f"not due any more: its schedule {described} ends at {reading.moment(spec.end_date)}"
    return f"not due any more: its schedule is {described}"
