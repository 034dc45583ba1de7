"""Sensors that wait for a run of another DAG at a logical date which that DAG never has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flowlet.authoring.dag import DAG
from flowlet.authoring.dates import micros
from flowlet.checking.findings import ERROR, WARNING, Finding, about_task
from flowlet.clock import DAY
from flowlet.errors import FlowletError
from flowlet.operators.external_task import ExternalTaskSensor
from flowlet.timetables.assets import AssetTriggeredTimetable

if TYPE_CHECKING:
    from flowlet.timetables.base import Timetable

_LOOK_AHEAD = 800 * DAY
_MOST = 1_000  # dates of a schedule that are looked at
_LATER = 30  # ticks between a logical date and the end of its data interval


def check_dates(dags: Sequence[DAG], now: int) -> Iterator[Finding]:
    """Sensors of these DAGs that wait for their own run, or for dates that are none of the other DAG's."""
    known = {dag.dag_id: dag for dag in dags}
    for dag in dags:
        for task in dag.tasks:
            if not isinstance(task, ExternalTaskSensor) or task.is_mapped or task.execution_date_fn is not None:
                continue
            other = known.get(task.external_dag_id) if isinstance(task.external_dag_id, str) else None
            if other is dag and not task.execution_delta:
                yield from _own_run(task)
            elif other is not None and _never_meet(dag, other, task, now):
                yield about_task(
                    WARNING, "never-matches", task,
                    f"waits for a run of {other.dag_id!r} at {_whose_date(task)}, and none of its scheduled runs has such a date"
                    f" ({dag.schedule!r} beside {other.schedule!r})",
                    "give execution_delta or execution_date_fn, so that the two dates are one",
                )  # fmt: skip


def _own_run(task: ExternalTaskSensor) -> Iterator[Finding]:
    """It waits for what comes after it, or for the end of the run that it is part of."""
    after = {task.task_id, *task.get_flat_relative_ids(upstream=False)}
    named = task.external_task_ids or ([task.external_task_id] if task.external_task_id else [])
    if task.external_task_group_id is None and (not named or after & set(named)):
        yield about_task(
            ERROR, "never-matches", task, "waits for its own run to get past it: it never will",
            "give execution_delta to wait for an earlier run",
        )  # fmt: skip


def _whose_date(task: ExternalTaskSensor) -> str:
    return f"its own logical date minus {task.execution_delta}" if task.execution_delta else "its own logical date"


def _never_meet(dag: DAG, other: DAG, task: ExternalTaskSensor, now: int) -> bool:
    """Whether none of the dates that one asks for is one of the other's; False where that cannot be told."""
    if isinstance(other.timetable, AssetTriggeredTimetable):
        return True  # its runs have no logical date
    ours, theirs = _timetable(dag), _timetable(other)
    if ours is None or theirs is None:
        return False
    shift = 0 if task.execution_delta is None else round(task.execution_delta.total_seconds() * 1_000_000)
    try:
        asked = [date - shift for date in _logical_dates(ours, now)]
        given = _logical_dates(theirs, now)
        if not asked or not given:
            return False
        if asked[-1] >= given[-1]:  # of the rarer ones the list goes further
            return not any(_has(theirs, date) for date in asked)
        return not any(_has(ours, date + shift) for date in given)
    except FlowletError:
        return False  # their timetable does not say


def _timetable(dag: DAG) -> Timetable | None:
    """The schedule; None if its dates cannot be known beforehand."""
    timetable, start = dag.timetable, micros(dag.start_date)
    if timetable is None or not timetable.periodic or not timetable.can_be_scheduled or (timetable.floats and start is None):
        return None
    return timetable if start is None else timetable.anchored(start)


def _logical_dates(timetable: Timetable, since: int) -> list[int]:
    dates: list[int] = []
    due = timetable.next_after(since)
    while due is not None and len(dates) < _MOST and due < since + _LOOK_AHEAD:
        dates.append(timetable.interval_of(due).logical_date)
        due = timetable.next_after(due)
    return dates


def _has(timetable: Timetable, date: int) -> bool:
    """Whether a run has this logical date: it is due then, or some ticks later."""
    due = timetable.next_after(date - 1)
    for _ in range(_LATER):
        if due is None:
            return False
        if timetable.interval_of(due).logical_date == date:
            return True
        due = timetable.next_after(due)
    return False
