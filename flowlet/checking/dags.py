"""What a DAG itself says: no tasks, dates that exclude each other, more runs than anybody means, pools."""

from __future__ import annotations

from collections.abc import Container, Iterator

from flowlet.authoring.dag import DAG
from flowlet.authoring.dates import micros
from flowlet.checking.findings import ERROR, HINT, WARNING, Finding, about_dag, about_task
from flowlet.clock import DAY, HOUR
from flowlet.errors import FlowletError

_YEAR = 365 * DAY


def check_dag(dag: DAG, now: int, pools: Container[str]) -> Iterator[Finding]:
    """All that one DAG says; `now` is a moment, `pools` are those that exist."""
    if not dag.tasks:
        yield about_dag(WARNING, "no-tasks", dag, "has no tasks", "create them inside `with DAG(...)`, or remove the DAG")
    yield from _task_dates(dag)
    yield from _never_fires(dag)
    yield from _catchup(dag, now)
    yield from _pools(dag, pools)


def _task_dates(dag: DAG) -> Iterator[Finding]:
    """A task runs from the later of both starts to the earlier of both ends, its own and the DAG's."""
    for task in dag.tasks:
        start = max((date for date in (task.start_date, dag.start_date) if date), default=None)
        end = min((date for date in (task.end_date, dag.end_date) if date), default=None)
        if start and end and end < start and (task.start_date or task.end_date):
            yield about_task(
                ERROR, "dates", task, f"end_date {end} is before start_date {start}: it never runs", "exchange or remove them",
            )  # fmt: skip


def _never_fires(dag: DAG) -> Iterator[Finding]:
    """Between its start and its end the schedule has no tick."""
    start, end, timetable = micros(dag.start_date), micros(dag.end_date), dag.timetable
    if timetable is None or not timetable.periodic or start is None or end is None:
        return
    try:
        timetable = timetable.anchored(start)
        due = timetable.next_after(timetable.first_due(start) - 1)
        is_never = due is None or due > timetable.last_due(end)
    except FlowletError:
        return  # their timetable does not say
    if is_never:
        yield about_dag(
            ERROR, "never-fires", dag, f"the schedule {dag.schedule!r} has no moment from {dag.start_date} to {dag.end_date}",
            "move a date, or change the schedule",
        )  # fmt: skip


def _catchup(dag: DAG, now: int) -> Iterator[Finding]:
    """Years of a schedule of minutes are made up for, run by run."""
    start, timetable = micros(dag.start_date), dag.timetable
    if not dag.catchup or timetable is None or not timetable.periodic or start is None or now - start < _YEAR:
        return
    until = min(now, micros(dag.end_date) or now)
    try:
        timetable = timetable.anchored(start)
        first = timetable.next_after(start)
        second = None if first is None else timetable.next_after(first)
        if first is None or second is None or second - first >= HOUR:
            return
        day = timetable.count_between(start, start + DAY)
    except FlowletError:
        return  # their timetable does not say
    runs = day * (until - start) // DAY
    yield about_dag(
        HINT, "catchup", dag, f"catchup=True from {dag.start_date:%Y-%m-%d} makes about {runs:,} runs before the first new one",
        "set catchup=False or a later start_date",
    )  # fmt: skip


def _pools(dag: DAG, pools: Container[str]) -> Iterator[Finding]:
    told: set[str] = set()
    for task in dag.tasks:
        if task.pool == "default_pool" or task.pool in pools or task.pool in told:
            continue
        told.add(task.pool)
        yield about_task(
            HINT, "pool", task, f"the pool {task.pool!r} is not in the database", f"flowlet pools set {task.pool} SLOTS",
        )  # fmt: skip
