"""A DAG becomes known: its spec goes on file, its active runs go on, what a crash interrupted is recovered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowlet.authoring.spec import DagSpec
from flowlet.runs import plan
from flowlet.runs.hydrate import run_from_rows
from flowlet.runs.moves import PutDag
from flowlet.runs.states import (
    AWAITING_INPUT,
    DEFERRED,
    QUEUED,
    RESTARTING,
    RUNNING,
    SCHEDULED,
    UP_FOR_RESCHEDULE,
    UP_FOR_RETRY,
)
from flowlet.scheduler import backfilling, editing, schedules, ticks
from flowlet.scheduler.entry import Entry
from flowlet.scheduler.jumps import put_right

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.requests import Register


def register(brain: Brain, request: Register, turn: Turn) -> None:
    """Enter a DAG, or put what is known of it over to the code of today."""
    entry = brain.entries.get(request.spec.dag_id)
    if entry is None:
        entry = _enter(brain, request, turn)
    else:
        _describe_again(brain, entry, request, turn)
    if not brain.executing:
        return
    _warn_of_pools(brain, entry, turn)
    brain.begin_queued(entry, turn)
    schedules.plan(brain, entry, turn)
    backfilling.advance(brain, entry, turn)


def _enter(brain: Brain, request: Register, turn: Turn) -> Entry:
    entry = brain.entries[request.spec.dag_id] = Entry(request.dag, request.spec)
    entry.newest_date, entry.failures = request.newest_date, request.failures
    entry.past.learn(request.past)
    if request.last is not None:
        entry.schedule.learn(*request.last)
    _take_over_row(brain, entry, request.row, turn)
    backfilling.take_over(brain, entry, request.backfill)
    for run_row, task_rows in request.runs:
        _recover(brain, entry, run_row, task_rows, request.lengths, turn)
    return entry


def _describe_again(brain: Brain, entry: Entry, request: Register, turn: Turn) -> None:
    """What is known here is newer than what was read from the file before this turn."""
    hash_, schedule = entry.spec.hash, entry.schedule
    entry.describe(request.dag, request.spec)
    entry.past.learn(request.past)
    if request.last is not None:
        entry.schedule.learn(*request.last)
    if hash_ != request.spec.hash:
        _put_dag(entry, _edited_schedule(brain, entry, schedule, turn), turn)
    editing.edit(brain, entry, turn)


def _take_over_row(brain: Brain, entry: Entry, row: Any, turn: Turn) -> None:
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
        cursor = _edited_schedule(brain, entry, ticks.Schedule.of(DagSpec.from_json(old)), turn)
    entry.gate.set_open(not entry.paused)
    _put_dag(entry, cursor, turn)


def _put_dag(entry: Entry, cursor: int | None, turn: Turn) -> None:
    spec = entry.spec
    turn.moves.put_dag.append(
        PutDag(spec.dag_id, spec.to_json(), spec.hash, spec.file, int(entry.paused), cursor, turn.now)
    )


def _edited_schedule(brain: Brain, entry: Entry, old: ticks.Schedule, turn: Turn) -> int | None:
    """An edited schedule makes no run for the past: the span is recorded and the cursor moves to now."""
    if old != entry.schedule and entry.cursor is not None:
        entry.cursor, before = turn.now, entry.cursor
        schedules.change(brain, entry, old, before, turn)
    return entry.cursor


def _recover(
    brain: Brain, entry: Entry, run_row: Any, task_rows: Any, lengths: Mapping[int, int], turn: Turn
) -> None:
    run = run_from_rows(entry.spec, run_row, task_rows, lengths)
    brain.adopt(entry, run)
    editing.fit(run, turn)
    for ti in go_on(brain, entry, run, turn) if brain.executing and run.state == RUNNING else ():
        plan.interrupt(ti, "the process that ran it went away", turn, crashed=True)
        turn.event("recovered", f"try {ti.try_number} was interrupted by the end of its process; now {ti.state}", ti=ti)


def go_on(brain: Brain, entry: Entry, run: ActiveRun, turn: Turn) -> Iterator[TaskInstance]:
    """What the file says was on its way goes on. Gives what was executing, to be interrupted: last, for what
    that ends is judged by what else of the run is on its way."""
    executing = []
    for ti in run.instances:
        if ti.state == RUNNING:
            executing.append(ti)
            continue
        put_right(ti, turn.now)
        if ti.state in (SCHEDULED, QUEUED):
            turn.ready.append(ti)
        elif ti.state == RESTARTING:
            plan.hold_back(ti, turn)
        elif ti.state in (UP_FOR_RETRY, UP_FOR_RESCHEDULE):
            turn.wake.append(ti)
        elif ti.state in (DEFERRED, AWAITING_INPUT):
            plan.begin_again(ti, f"it was {ti.state} when the process that knew for what went away", turn)
    if entry.spec.dagrun_timeout is not None and run.started_at is not None:
        brain.limit_time(run, min(run.started_at, turn.now) + entry.spec.dagrun_timeout)
    plan.resume(run, turn)
    for ti in executing:
        if ti.state == RUNNING:
            yield ti


def _warn_of_pools(brain: Brain, entry: Entry, turn: Turn) -> None:
    """An unknown pool is a warning; the task's `why` says it too."""
    for name in {task.pool for task in entry.spec.tasks} - brain.admission.pools.keys():
        turn.event("unknown_pool", f"DAG {entry.spec.dag_id!r}: {brain.admission.pool(name)}", dag_id=entry.spec.dag_id)
