"""Mark tasks or runs: as `flowlet.runs.marking` says, in runs that go on and in runs that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.runs import marking, plan
from flowlet.runs.ending import end_run
from flowlet.runs.following import tell_followers
from flowlet.runs.instances import is_active
from flowlet.runs.states import QUEUED, RUNNING
from flowlet.scheduler import clearing
from flowlet.scheduler.handling import Handled

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.clearing import Key
    from flowlet.scheduler.requests import Found, SetRunState, SetTaskState


def mark_tasks(brain: Brain, request: SetTaskState, turn: Turn) -> list[Key]:
    """Mark what was asked for; what had failed after it starts anew. The answer names what was marked."""
    wanted = [(found, marking.find(clearing.current(brain, found), request.which, request.state)) for found in request.runs]
    if not request.dry_run:
        for found, tis in wanted:
            if tis:
                _mark(brain, found, tis, request, turn)
    everything = [ti for _, tis in wanted for ti in tis]
    return Handled([clearing.key_of(ti, ti.run.dag_id) for ti in everything], () if request.dry_run else everything)


def _mark(brain: Brain, found: Found, tis: list[TaskInstance], request: SetTaskState, turn: Turn) -> None:
    run = clearing.current(brain, found)
    for ti in tis:
        marking.mark(ti, request.state, turn)
    turn.event("marked", f"{request.state}: {clearing.some(tis)}", run=run)
    marked = set(tis)
    again = [ti for ti in marking.failed_after(run, request.which) if ti not in marked]
    if again:
        run = clearing.clear(brain, found, again, turn)
    elif is_active(run):
        clearing.go_on(brain, run, turn)
    else:
        run = _take_over(brain, found)
        marking.judge(run, turn)
        _remember(brain, run, turn)
    for ti in tis if run.followers else ():
        tell_followers(ti, turn)


def mark_run(brain: Brain, request: SetRunState, turn: Turn) -> ActiveRun:
    """success, failed: what is open ends so, or skipped; teardowns run still, and then the run ends by its tasks."""
    found, state = request.found, request.state
    run = clearing.current(brain, found)
    if state == QUEUED:
        return run if is_active(run) else clearing.clear(brain, found, [], turn)
    if not is_active(run):
        run = _take_over(brain, found)
        marking.judge(run, turn, state=state)
        turn.event("run_marked", state, run=run)
        return run
    turn.event("run_marked", state, run=run)
    if marking.mark_open(run, state, turn):
        run.past_waiting.clear()
        end_run(run, state, f"marked {state}", turn)
        for ti in run.instances if run.followers else ():
            tell_followers(ti, turn)
    else:
        clearing.go_on(brain, run, turn)
    return run


def _take_over(brain: Brain, found: Found) -> ActiveRun:
    run = clearing.current(brain, found)
    return run if run is not found.run else clearing.take_over(found)


def _remember(brain: Brain, run: ActiveRun, turn: Turn) -> None:
    """Runs after it that wait for what it did look again."""
    entry = brain.entry(run.dag_id)
    if not entry.has_past:
        return
    entry.past.remember(run)
    entry.past.link_all(entry.active.values())
    for other in list(entry.active.values()):
        if other.state == RUNNING and other.past_waiting:
            plan.resume(other, turn)
