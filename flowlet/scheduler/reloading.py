"""What the file did not take: a run whose rows somebody else changed is read again, for the file is right (law 4).

The run stays the same object, so whoever waits for it goes on waiting; its instances are new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.errors import RunExists
from flowlet.runs import plan
from flowlet.runs.hydrate import run_from_rows
from flowlet.runs.states import FAILED, QUEUED, RUNNING
from flowlet.scheduler import backfilling, editing, registration

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.requests import Reload


def reload(brain: Brain, request: Reload, turn: Turn) -> None:
    """Take over what the file says of a run; bodies that were under way are stopped, and start again as
    tries that do not count."""
    run, entry = request.run, brain.entries[request.run.dag_id]
    _let_go(brain, run, turn)
    entry.closing.pop(run.run_id, None)
    turn.event("conflict", "its rows were changed by somebody else; it was read again from the file", run=run)
    if request.row is None:
        return _vanish(brain, run, turn)
    fresh = run_from_rows(entry.spec, request.row, request.tasks, request.lengths)
    run.tasks, run.gone, run.unfinished, run.released = fresh.tasks, fresh.gone, fresh.unfinished, fresh.released
    run.is_expanded, run.recalled = fresh.is_expanded, False
    run.state, run.started_at, run.ended_at, run.reason = fresh.state, fresh.started_at, fresh.ended_at, fresh.reason
    run.past_waiting.clear()
    for ti in (*run.instances, *run.gone.values()):
        ti.run = run
    return _go_on(brain, run, turn)


def _let_go(brain: Brain, run: ActiveRun, turn: Turn) -> None:
    for ti in run.instances:
        if ti.holds:
            brain.admission.release(ti)
        brain.admission.let_go(ti)
        if ti.work is not None:
            turn.stop.append(ti.work)
            ti.work = None
        if ti.deferral is not None:
            turn.drop.append(ti.deferral)
            ti.deferral = None
        ti.released = False


def _vanish(brain: Brain, run: ActiveRun, turn: Turn) -> None:
    """The run's row is gone."""
    brain.entries[run.dag_id].let_go(run)
    run.state, run.reason, run.ended_at = "failed", "its row was deleted by somebody else", turn.now
    turn.over.append(run)


def _go_on(brain: Brain, run: ActiveRun, turn: Turn) -> None:
    entry = brain.entries[run.dag_id]
    if run.state not in (QUEUED, RUNNING):
        entry.let_go(run)
        turn.over.append(run)
        return
    editing.fit(run, turn)
    entry.take(run)
    if run.state == QUEUED:
        brain.begin_queued(entry, turn)
        return
    for ti in registration.go_on(brain, entry, run, turn):
        reason = "its row was changed by somebody else"
        plan.interrupt(ti, reason, turn, crashed=True, deed="what it left could not be written")


def forget(brain: Brain, run: ActiveRun, turn: Turn) -> None:
    """A new run whose run_id or date is taken never was."""
    entry = brain.entries[run.dag_id]
    backfilling.turn_down(entry, run, turn)
    entry.let_go(run)
    entry.closing.pop(run.run_id, None)
    for ti in run.instances:
        if ti.holds:
            brain.admission.release(ti)
        ti.released = False
    run.state = FAILED
    brain.at(turn.now, "begin", entry)
    error = RunExists(f"DAG {run.dag_id!r} has a run {run.run_id!r}, or one with its logical date, already")
    turn.replies = [(reply, error if answer is run else answer) for reply, answer in turn.replies]
    turn.over = [other for other in turn.over if other is not run]
