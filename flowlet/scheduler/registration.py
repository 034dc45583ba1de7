"""A DAG becomes known: its spec goes on file, its active runs go on, what a crash interrupted is recovered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowlet.authoring.spec import DagSpec
from flowlet.runs import plan
from flowlet.runs.hydrate import run_from_rows
from flowlet.runs.moves import AddTask, PutDag
from flowlet.runs.states import NONE, QUEUED, RUNNING, SCHEDULED, UP_FOR_RESCHEDULE, UP_FOR_RETRY
from flowlet.scheduler import schedules, ticks
from flowlet.scheduler.entry import Entry
from flowlet.scheduler.jumps import put_right

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.requests import Register


def register(brain: Brain, request: Register, turn: Turn) -> None:
    """Enter (or replace) a DAG."""
    entry = Entry(request.dag, request.spec)
    before = brain.entries.get(request.spec.dag_id)
    brain.entries[request.spec.dag_id] = entry
    entry.newest_date, entry.failures = request.newest_date, request.failures
    entry.past.learn(request.past)
    _take_over_row(entry, request.row, turn)
    if before is not None:
        _replace(before, entry)
    for run_row, task_rows in request.runs:
        _recover(brain, entry, run_row, task_rows, request.lengths, turn)
    if not brain.executing:
        return
    _warn_of_pools(brain, entry, turn)
    brain.begin_queued(entry, turn)
    schedules.plan(brain, entry, turn)


def _take_over_row(entry: Entry, row: Any, turn: Turn) -> None:
    """What the file knows: paused, the cursor, the schedule as it was."""
    spec = entry.spec
    cursor = None
    if row is None:
        entry.paused = spec.is_paused_upon_creation
    else:
        _, hash_, old, paused, entry.cursor, _ = row
        entry.paused = bool(paused)
        if hash_ == spec.hash:
            entry.gate.set_open(not entry.paused)
            return
        cursor = _edited_schedule(entry, ticks.Schedule.of(DagSpec.from_json(old)), turn)
    entry.gate.set_open(not entry.paused)
    turn.moves.put_dag.append(
        PutDag(spec.dag_id, spec.to_json(), spec.hash, spec.file, int(entry.paused), cursor, turn.now)
    )


def _edited_schedule(entry: Entry, old: ticks.Schedule, turn: Turn) -> int | None:
    """An edited schedule makes no run for the past: the span is recorded and the cursor moves to now."""
    if old == entry.schedule or entry.cursor is None:
        return entry.cursor
    moved = ticks.change_schedule(old, entry.schedule, entry.cursor, turn.now)
    for span in moved.spans:
        turn.moves.add_tick.append(schedules.span_row(entry.spec.dag_id, span))
    entry.cursor = moved.cursor
    return entry.cursor


def _replace(before: Entry, entry: Entry) -> None:
    """The same DAG again (a cell run twice): its active runs go on with the code they began with."""
    entry.active, entry.queue, entry.running = before.active, before.queue, before.running
    entry.closing = before.closing
    entry.gate, entry.paused, entry.cursor = before.gate, before.paused, before.cursor
    entry.last_now = before.last_now
    entry.past, entry.newest_date, entry.failures = before.past, before.newest_date, before.failures
    before.next_due = None


def _recover(
    brain: Brain, entry: Entry, run_row: Any, task_rows: Any, lengths: Mapping[int, int], turn: Turn
) -> None:
    run, vanished = run_from_rows(entry.spec, run_row, task_rows, lengths)
    brain.adopt(entry, run)
    for row in vanished:
        _remove(row, turn)
    add_new_tasks(brain, run, turn)
    if not brain.executing or run.state == QUEUED:
        return
    interrupted = [ti for ti in run.instances if ti.state == RUNNING]
    for ti in interrupted:
        plan.interrupt(ti, "the process that ran it went away", turn, crashed=True)
        turn.event("recovered", f"try {ti.try_number} was interrupted by the end of its process; now {ti.state}", ti=ti)
    if run.state == RUNNING:
        go_on(brain, entry, run, set(interrupted), turn)


def go_on(brain: Brain, entry: Entry, run: ActiveRun, interrupted: set[TaskInstance], turn: Turn) -> None:
    """What the file says was on its way goes on."""
    for ti in run.instances:
        if ti in interrupted:
            continue
        put_right(ti, turn.now)
        if ti.state in (SCHEDULED, QUEUED):
            turn.ready.append(ti)
        elif ti.state in (UP_FOR_RETRY, UP_FOR_RESCHEDULE):
            turn.wake.append(ti)
    if entry.spec.dagrun_timeout is not None and run.started_at is not None:
        brain.limit_time(run, min(run.started_at, turn.now) + entry.spec.dagrun_timeout)
    plan.resume(run, turn)


def _remove(row: Any, turn: Turn) -> None:
    """A task that the DAG no longer has (Airflow: removed)."""
    from flowlet.runs.moves import SettleTask
    from flowlet.runs.states import REMOVED, TERMINAL

    if row[4] not in TERMINAL:
        turn.moves.settle_task.append(SettleTask(row[0], row[4], REMOVED, "the DAG no longer has this task", None, turn.now))


def add_new_tasks(brain: Brain, run: ActiveRun, turn: Turn) -> None:
    """A task that the DAG did not have when the run was made."""
    for ti in run.tasks:
        if ti.id == 0:
            ti.id = brain._task_id
            brain._task_id += 1
            spec = ti.spec
            turn.moves.add_task.append(
                AddTask(ti.id, run.id, spec.task_id, -1, NONE, 0, spec.retries, spec.operator, spec.pool, None, None, None)
            )


def _warn_of_pools(brain: Brain, entry: Entry, turn: Turn) -> None:
    """An unknown pool is a warning; the task's `why` says it too."""
    for name in {task.pool for task in entry.spec.tasks} - brain.admission.pools.keys():
        turn.event("unknown_pool", f"DAG {entry.spec.dag_id!r}: {brain.admission.pool(name)}", dag_id=entry.spec.dag_id)
