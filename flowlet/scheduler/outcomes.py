"""What attempts left: outcomes, waits, and what became of waits, as they reach the brain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlet.errors import FlowletError
from flowlet.runs import clearing, plan
from flowlet.runs.instances import TaskInstance
from flowlet.runs.moves import PutRendered
from flowlet.runs.states import AWAITING_INPUT, DEFERRED, RESTARTING, RUNNING
from flowlet.scheduler import requests, state_keeping

if TYPE_CHECKING:
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain


def ended(brain: Brain, request: requests.Ended, turn: Turn) -> None:
    """An executor delivered an outcome: what it means for the run, if the attempt is still the one that counts."""
    work, outcome = request
    ti: TaskInstance = work.key
    brain.in_flight -= 1
    brain.admission.parallel.used -= 1
    for note, text in outcome.notes:
        turn.event(note, text, ti=ti)
    if ti.work is not work or ti.state != RUNNING:
        _came_late(brain, ti, request, turn)
        return
    if outcome.rendered is not None or outcome.label is not None:
        show(ti, outcome, turn)
    if outcome.kind == "waiting":
        wait(ti, outcome, turn)
        return
    ti.work = None
    kind = outcome.kind
    if kind == "succeeded":
        succeeded(brain, request, turn)
        return
    if kind == "skipped":
        plan.skip(ti, outcome.reason, outcome.xcoms, turn)
        called = "skipped"
    elif kind in ("failed", "timed_out"):
        again = plan.fail(
            ti, kind, outcome.reason, outcome.error, turn, retry=outcome.retry, delay=outcome.delay, xcoms=outcome.xcoms
        )
        called = "retry" if again else "failure"
    elif kind == "deferred":
        defer(ti, outcome, turn)
        return
    else:
        plan.interrupt(ti, outcome.reason or "the engine stopped", turn, crashed=False)
        return
    if getattr(work.task, f"on_{called}_callback"):
        turn.callbacks.append((work, called, outcome))


def show(ti: TaskInstance, outcome: Any, turn: Turn) -> None:
    """What people may see of the attempt, where that is news."""
    before = (ti.rendered, ti.label)
    ti.rendered = outcome.rendered or ti.rendered
    ti.label = ti.label if outcome.label is None else outcome.label
    if before != (ti.rendered, ti.label):
        turn.moves.put_rendered.append(PutRendered(ti.id, ti.rendered, ti.label))


def _came_late(brain: Brain, ti: TaskInstance, request: requests.Ended, turn: Turn) -> None:
    """The attempt had been given up; one that was cleared meanwhile may start anew now."""
    if request.outcome.kind != "cancelled":
        discarded(brain, requests.Discarded(*request), turn)
    if ti.work is request.work and ti.state == RESTARTING:
        clearing.restart(ti, turn)


def succeeded(brain: Brain, request: requests.Ended, turn: Turn) -> None:
    """The attempt did what it is for: its values are there, what hangs on it may start."""
    work, outcome = request
    ti: TaskInstance = work.key
    if brain.clears_state:
        state_keeping.forget(turn.moves, ti.id)
    plan.succeed(ti, outcome.xcoms, outcome.skip, turn, length=outcome.length)
    if work.task.on_success_callback:
        turn.callbacks.append((work, "success", outcome))


def wait(ti: TaskInstance, outcome: Any, turn: Turn) -> None:
    """A sensor between two pokes: it keeps its slots in poke mode, and nothing in reschedule mode."""
    if outcome.mode == "reschedule":
        ti.work = None
        plan.put_off(ti, outcome.until, turn)
        return
    ti.work.resume = outcome.resume
    ti.wake_at = outcome.until
    turn.wake.append(ti)


def defer(ti: TaskInstance, outcome: Any, turn: Turn) -> None:
    """It holds nothing until its trigger fires; one that waits for a moment only is a timer here."""
    ti.deferral = outcome.resume
    asks = ti.deferral.waits_for_input
    plan.put_off(ti, outcome.until, turn, state=AWAITING_INPUT if asks else DEFERRED)
    if ti.deferral.moment is None and not asks:
        turn.defer.append(ti)


def answer(brain: Brain, request: requests.Answer, turn: Turn) -> None:
    """A person answers a task that is awaiting input."""
    ti = request.ti
    if ti.deferral is None or ti.state != AWAITING_INPUT:
        raise FlowletError(f"{ti.key} of the run {ti.run.run_id!r} asks nothing (any more): it is {ti.state}")
    if ti.deferral.event is not None:
        raise FlowletError(f"{ti.key} of the run {ti.run.run_id!r} has its answer already")
    ti.deferral.event = ti.deferral.trigger.answer(request.options, request.params, request.by, turn.now)
    turn.event("answered", f"{', '.join(request.options)} by {request.by or 'somebody'}", ti=ti)
    go_on(brain, ti, turn)


def fired(brain: Brain, request: requests.Fired, turn: Turn) -> None:
    """A trigger has fired, or failed."""
    deferral = request.deferral
    ti: TaskInstance = deferral.work.key
    if ti.deferral is deferral and ti.state == DEFERRED:
        go_on(brain, ti, turn)


def go_on(brain: Brain, ti: TaskInstance, turn: Turn) -> None:
    """A deferred task knows what became of its wait: from here on it stands in line like any other."""
    brain.admission.let_go(ti)
    ti.wake_at = None
    turn.ready.append(ti)


def discarded(_: Brain, request: requests.Discarded, turn: Turn) -> None:
    """An outcome came after its attempt had been given up: it is told, and changes nothing."""
    work, outcome = request
    turn.event("late_result_discarded", f"try {work.try_number} came back as {outcome.kind} after it had been given up", ti=work.key)


def interrupt(_: Brain, request: requests.Interrupt, turn: Turn) -> None:
    """The engine stops while a sensor waits between two looks."""
    ti = request.ti
    if ti.state == RUNNING and ti.wake_at is not None:
        ti.work = ti.wake_at = None
        plan.interrupt(ti, "the engine stopped", turn, crashed=False)
