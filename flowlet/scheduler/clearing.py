"""Clear and rerun: what is asked of runs that go on, and of runs that have ended, which then go on again.

A run that had ended is queued anew: it begins within max_active_runs, its dagrun_timeout counts from there, and
it goes on with the DAG as it is now. All that a request clears, in however many runs, is one transaction.
Source: Airflow's `clear_task_instances` (models/taskinstance.py, 3.3.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.errors import FlowletError
from flowlet.runs import clearing
from flowlet.runs.clearing import Which
from flowlet.runs.instances import is_active
from flowlet.runs.moves import ReopenRun
from flowlet.runs.rows import settle
from flowlet.runs.states import FAILED, NONE, QUEUED, REMOVED, RUNNING
from flowlet.scheduler import editing
from flowlet.scheduler.handling import Handled

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.entry import Entry
    from flowlet.scheduler.requests import Clear, Found

Key = tuple[str, str, int]
"""Run, task and map index."""


def apply(brain: Brain, request: Clear, turn: Turn) -> list[Key]:
    """Clear what was asked for; the answer names it. Nothing is cleared if one of the runs lacks a task."""
    wanted: dict[int, tuple[Found, dict[TaskInstance, None]]] = {}
    for found, which in request.parts:  # several may be of one run
        tis = clearing.find(current(brain, found), which)
        wanted.setdefault(id(found), (found, {}))[1].update(dict.fromkeys(tis))
    everything = [ti for _, tis in wanted.values() for ti in tis]
    named = Handled([key_of(ti, request.dag_id) for ti in everything], () if request.dry_run else everything)
    for found, tis_of_run in wanted.values() if not request.dry_run else ():
        if tis_of_run:
            clear(brain, found, list(tis_of_run), turn)
    return named


def rerun(brain: Brain, found: Found, turn: Turn) -> ActiveRun:
    """Clear the whole run: it begins again, from its first task on."""
    return clear(brain, found, clearing.find(current(brain, found), Which()), turn)


def clear(brain: Brain, found: Found, tis: list[TaskInstance], turn: Turn) -> ActiveRun:
    """Clear these instances of a run; a run that has ended is queued again."""
    run = current(brain, found)
    entry = brain.entry(run.dag_id)
    waits = {id(ti) for ti in brain.admission.pokes}
    for ti in tis:
        executing = ti.work is not None and ti.wake_at is None and id(ti) not in waits
        clearing.clear(ti, turn, is_executing=executing)
    clearing.skip_again(tis, found.skips, turn)
    turn.event("cleared", some(tis), run=run)
    if not is_active(run):
        run = _reopen(brain, entry, found, turn)
    go_on(brain, run, turn)
    return run


def go_on(brain: Brain, run: ActiveRun, turn: Turn) -> None:
    """Instances of the run were moved by hand: everything is counted anew, and what may run now does."""
    turn.ready[:] = [ti for ti in turn.ready if ti.run is not run]
    run.past_waiting.clear()
    editing.fit(run, turn)
    if run.state == RUNNING:
        editing.go_on(brain, run, turn)
    else:
        brain.begin_queued(brain.entry(run.dag_id), turn)


def current(brain: Brain, found: Found) -> ActiveRun:
    """The run as it lives, if it does, else as the file has it."""
    entry = brain.entry(found.run.dag_id)
    if found.run.run_id in entry.closing:
        raise FlowletError(f"the run {found.run.run_id!r} of DAG {found.run.dag_id!r} is being read again: try again")
    return entry.active.get(found.run.run_id) or found.run


def _reopen(brain: Brain, entry: Entry, found: Found, turn: Turn) -> ActiveRun:
    """A run that has ended is queued; one that ended in this very turn, of which the file does not know, goes on."""
    run, had_failed = found.run, current(brain, found).state == FAILED
    if entry.active.get(run.run_id) is not None:
        return _end_not(entry, entry.active[run.run_id], turn)
    turn.moves.reopen_run.append(ReopenRun(run.id))
    run = take_over(found)
    run.state, run.started_at, run.ended_at, run.reason = QUEUED, None, None, None
    run.facts = run.times_out_at = None
    entry.failures = max(0, entry.failures - had_failed)
    brain.adopt(entry, run, found.past)
    if run.spec is not entry.spec:
        editing.rehouse(run, entry)
    for ti in run.gone.values():
        if ti.state not in (NONE, REMOVED):
            settle(ti, NONE, None, turn)
    turn.reopened.append(run)
    return run


def _end_not(entry: Entry, run: ActiveRun, turn: Turn) -> ActiveRun:
    turn.over.remove(run)
    turn.moves.end_run = [move for move in turn.moves.end_run if move.id != run.id]
    run.state = QUEUED if run.started_at is None else RUNNING
    run.ended_at = run.reason = None
    entry.take(run)
    return run


def take_over(found: Found) -> ActiveRun:
    """Somebody may hold the run since it ended: it stays the same object for him, with what the file has of it."""
    fresh, run = found.run, found.held
    if run is None or run is fresh:
        return fresh
    run.past = run.past_date = None
    run.spec, run.tasks, run.gone, run.is_expanded = fresh.spec, fresh.tasks, fresh.gone, fresh.is_expanded
    run.recalled = False
    for ti in (*run.instances, *run.gone.values()):
        ti.run = run
    return run


def key_of(ti: TaskInstance, dag_id: str) -> Key:
    """Of a run of another DAG the DAG is named, too."""
    run = ti.run
    return run.run_id if run.dag_id == dag_id else f"{run.dag_id}/{run.run_id}", ti.spec.task_id, ti.map_index


def some(tis: list[TaskInstance]) -> str:
    """A few of many, for a sentence."""
    names = ", ".join(ti.key for ti in tis[:5])
    return names + (f" and {len(tis) - 5} more" if len(tis) > 5 else "")
