"""What the engine reads from the file: what a DAG left there when it is registered, and finished runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowlet.errors import TimetableError
from flowlet.runs.hydrate import run_from_rows
from flowlet.runs.states import RUNNING, SKIPPED, SUCCESS
from flowlet.scheduler.requests import Register
from flowlet.scheduler.ticks import Schedule
from flowlet.timetables import Interval

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.spec import DagSpec
    from flowlet.runs.instances import ActiveRun
    from flowlet.scheduler.past import Known
    from flowlet.store import Store

Active = Sequence[tuple[Any, list[Any]]]
"""Rows of runs that are not over, each with the rows of its tasks."""


async def active_runs(store: Store) -> dict[str, list[tuple[Any, list[Any]]]]:
    """dag_id to its active runs."""
    tasks: dict[int, list[Any]] = {}
    for row in await store.fetch("active_tasks"):
        tasks.setdefault(row[1], []).append(row)
    by_dag: dict[str, list[tuple[Any, list[Any]]]] = {}
    for row in await store.fetch("active_runs"):
        by_dag.setdefault(row[1], []).append((row, tasks.get(row[0], [])))
    return by_dag


def was_interrupted(runs: Mapping[str, Active]) -> bool:
    """Some body was executing when the last owner ended."""
    return any(task[4] == RUNNING for active in runs.values() for _, tasks in active for task in tasks)


async def of_dag(store: Store, dag_id: str) -> Any:
    """The row of a DAG, or None."""
    found = await store.fetch("dag", dag_id=dag_id)
    return found[0] if found else None


async def newest_date(store: Store, dag_id: str) -> int | None:
    """The latest logical date that a run of the DAG has."""
    ((newest,),) = await store.fetch("newest_logical_date", dag_id=dag_id)
    return newest  # type: ignore[no-any-return]  # a column


async def newest_dates(store: Store) -> dict[str, int | None]:
    """The same of every DAG at once: ten thousand DAGs are not ten thousand questions."""
    return dict(await store.fetch("newest_logical_dates"))


async def registration(
    store: Store, dag: DAG | None, spec: DagSpec, row: Any, active: Active, newest: int | None,
    dates: Iterable[int | None] = (),
) -> Register:  # fmt: skip
    """A DAG together with all that the file knows of it. `dates`: those of its runs that are live already."""
    past: list[Known] = []
    schedule = Schedule.of(spec, dag)
    last = await _last_tick(store, spec) if schedule.is_asked and dag is not None else None
    if last is not None:
        schedule.learn(*last)
    if newest is not None and any(task.depends_on_past or task.wait_for_downstream for task in spec.tasks):
        befores = {newest + 1, _date_of_next_tick(schedule, row and row[4]), *(run[5] for run, _ in active), *dates}
        for date in sorted(befores - {None}):
            past += await run_before(store, spec, date)
    lengths: dict[int, int] = {}
    for run, _ in active if spec.expansions else ():
        lengths |= await lengths_of(store, run[0])
    return Register(dag, spec, row, active, newest, past, await failures_in_a_row(store, spec), lengths, last)


async def lengths_of(store: Store, run: int) -> dict[int, int]:
    """Row of a task instance to how many items its value has, for those over which others may be mapped."""
    return {ti: length for ti, length in await store.fetch("lengths_of_run", run=run) if length is not None}


async def failures_in_a_row(store: Store, spec: DagSpec) -> int:
    """How many of a DAG's latest runs failed, as far as anybody asks (max_consecutive_failed_dag_runs)."""
    limit = spec.max_consecutive_failed_dag_runs
    if not limit:
        return 0
    states = [state for (state,) in await store.fetch("last_ended_states", dag_id=spec.dag_id, limit=limit)]
    return states.index("success") if "success" in states else len(states)


async def _last_tick(store: Store, spec: DagSpec) -> tuple[int, Interval] | None:
    """The latest run that the schedule made: when it was due, and its interval."""
    found = await store.fetch("last_due_run", dag_id=spec.dag_id)
    if not found:
        return None
    logical_date, start, end, run_after, due = found[0][5:10]
    return (run_after if due is None else due), Interval(logical_date, start, end)


def _date_of_next_tick(schedule: Schedule, cursor: int | None) -> int | None:
    """Manual runs may have later dates than the next scheduled one."""
    try:
        due = None if cursor is None else schedule.next_after(cursor)
        return None if due is None else schedule.interval_of(due).logical_date
    except TimetableError:  # the scheduler will hear it, too, and say so
        return None


async def run_before(store: Store, spec: DagSpec, date: int) -> list[Known]:
    """The run before a date, if there is one: for depends_on_past."""
    name = "previous_scheduled_run" if spec.catchup else "previous_run"
    found = await store.fetch(name, dag_id=spec.dag_id, logical_date=date)
    if not found:
        return []
    states = await store.fetch("task_states", run=found[0][0])
    return [(found[0][5], _states(states))]


def _states(rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    """task_id to its state; of a mapped task, one that is not good if there is one."""
    found: dict[str, str] = {}
    for task_id, _, state in rows:
        if found.get(task_id, SUCCESS) in (SUCCESS, SKIPPED):
            found[task_id] = state
    return found


async def find_run(store: Store, spec: DagSpec, run_id: str) -> ActiveRun | None:
    """A run as it stands on file, with its values and the errors of its attempts; None if there is none."""
    found = await store.fetch("run", dag_id=spec.dag_id, run_id=run_id)
    if not found:
        return None
    run = run_from_rows(spec, found[0], await store.fetch("tasks_of_run", run=found[0][0]))
    await recall(store, run)
    return run


async def ended_run(store: Store, spec: DagSpec, run_id: str) -> ActiveRun | None:
    """A run that may go on: with the lengths of what others are mapped over; what else its attempts left stays in the file."""
    found = await store.fetch("run", dag_id=spec.dag_id, run_id=run_id)
    if not found:
        return None
    lengths = await lengths_of(store, found[0][0]) if spec.expansions else {}
    return run_from_rows(spec, found[0], await store.fetch("tasks_of_run", run=found[0][0]), lengths)


async def recall(store: Store, run: ActiveRun) -> None:
    """Bring back what its attempts left and only the file knows: values, errors, rendered fields, labels.

    The run may go on in the meantime: what is in memory is newer.
    """
    run.recalled = True
    try:
        found = [await store.fetch(name, run=run.id) for name in ("xcoms_of_run", "attempts_of_run", "rendered_of_run")]
    except BaseException:
        run.recalled = False
        raise
    values, errors, rendered = _values(found[0]), _errors(found[1]), {ti: rest for ti, *rest in found[2]}
    for ti in run.known_instances:
        key = (ti.spec.task_id, ti.map_index)
        if ti.xcoms is None:
            ti.xcoms = tuple(values.get(key, ()))
        if key in errors:
            ti.errors = {**errors[key], **(ti.errors or {})}
        if ti.rendered is None and ti.label is None:
            ti.rendered, ti.label = rendered.get(ti.id, (None, None))


def _values(rows: Iterable[Any]) -> dict[tuple[str, int], list[tuple[str, str]]]:
    values: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for task_id, map_index, key, value in rows:
        values.setdefault((task_id, map_index), []).append((key, value))
    return values


def _errors(rows: Iterable[Any]) -> dict[tuple[str, int], dict[int, str]]:
    """By instance, of each attempt that failed or timed out: try number to class name."""
    errors: dict[tuple[str, int], dict[int, str]] = {}
    for task_id, map_index, try_number, outcome, _, error, _, _ in rows:
        if outcome in ("failed", "timed_out"):
            errors.setdefault((task_id, map_index), {})[try_number] = error or outcome
    return errors
