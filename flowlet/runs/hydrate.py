"""A run rebuilt from its rows: after a restart, for another process, when the DAG's code has changed.

Row shapes are those of the store's statements `active_runs` and `active_tasks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowlet.authoring.spec import TaskSpec
from flowlet.runs.counting import count_all
from flowlet.runs.instances import ActiveRun, TaskInstance
from flowlet.runs.resizing import is_surplus

if TYPE_CHECKING:
    from flowlet.authoring.spec import DagSpec

Row = Sequence[Any]


def run_from_rows(
    spec: DagSpec, run_row: Row, task_rows: Iterable[Row], lengths: Mapping[int, int] | None = None
) -> ActiveRun:
    """The run as it stands on file.

    Tasks that the DAG has and the file has not get the id 0 (they are to be added, if the run goes on), those
    that the file has and the DAG has not are `gone`. `lengths` says of a row how many items it returned, for
    those that others are mapped over.
    """
    run = _run(spec, run_row)
    run.tasks = [TaskInstance(run, task, 0) for task in spec.tasks]
    for row in sorted(task_rows, key=_by_index):
        ti = _place_of(run, row) or _gone(run, row)
        _fill(ti, row)
        if lengths:
            ti.length = lengths.get(ti.id)
    count_all(run)
    return run


def _gone(run: ActiveRun, row: Row) -> TaskInstance:
    """The instance of a task that the DAG no longer has."""
    ti = TaskInstance(run, TaskSpec(task_id=row[2], index=-1, operator=row[7], pool=row[8]), 0, row[3])
    run.gone[ti.key] = ti
    return ti


def _by_index(row: Row) -> int:
    index: int = row[3]
    return index


def _place_of(run: ActiveRun, row: Row) -> TaskInstance | None:
    """The instance that a row is of; of a mapped task, the first or one more. None if the DAG has none such."""
    task = run.spec.by_id.get(row[2])
    if task is None or (row[3] >= 0) > (task.mapping is not None) or is_surplus(row[4], row[13], row[18]):
        return None
    first = run.tasks[task.index]
    if row[3] < 0:
        return first
    run.is_expanded = True
    if first.instances is None:
        if first.id:  # it has a row without an index too, of a time when the DAG did not map it
            run.gone[first.key] = first
            first = run.tasks[task.index] = TaskInstance(run, task, 0)
        first.instances = [first]
        return first
    twin = TaskInstance(run, task, 0, row[3])
    first.instances.append(twin)
    return twin


def _run(spec: DagSpec, row: Row) -> ActiveRun:
    (id_, _, run_id, run_type, state, logical, start, end, run_after, due, queued, started, ended, reason, conf) = row
    run = ActiveRun(
        id=id_, spec=spec, run_id=run_id, run_type=run_type, logical_date=logical, interval_start=start,
        interval_end=end, run_after=run_after, queued_at=queued, conf=conf, due_at=due,
    )  # fmt: skip
    run.state = run.shown = state
    run.started_at, run.ended_at, run.reason = started, ended, reason
    run.saved, run.recalled = True, False
    return run


def _fill(ti: TaskInstance, row: Row) -> None:
    (
        ti.id, _, _, ti.map_index, state, ti.try_number, ti.max_tries, _, _, ti.queued_at, ti.started_at,
        ti.ended_at, ti.outcome, ti.reason, _, ti.crashes, ti.wake_at, _, because,
    ) = row  # fmt: skip
    ti.state = ti.shown = state
    ti.reason = ti.reason or because
    ti.xcoms = None if ti.try_number else ()
