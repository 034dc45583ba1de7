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
    yield from _catchup(dag, now)
    yield from _pools(dag, pools)


def _task_dates(dag: DAG) -> Iterator[Finding]:
    for task in dag.tasks:
        if task.start_date and task.end_date and task.end_date < task.start_date:
            yield about_task(
                ERROR, "dates", task, f"end_date {task.end_date} is before start_date {task.start_date}: it never runs",
                "exchange them",
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
