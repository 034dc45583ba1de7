"""What a step of the wall clock means to what is under way.

Schedules follow the wall clock. What is an amount of time does not: a timeout is not over because somebody
set the clock, and a retry that is due in five minutes is due in five minutes. Nothing on file is rewritten;
what a restart finds there is put right when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.runs.states import RUNNING, UP_FOR_RESCHEDULE
from flowlet.scheduler import schedules

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain


def follow(brain: Brain, moved: int, turn: Turn) -> None:
    """The wall clock moved by so many microseconds without that much time having passed."""
    for entry in brain.entries.values():
        for run in entry.active.values():
            _shift(brain, run, moved, turn)
        schedules.plan(brain, entry, turn)


def _shift(brain: Brain, run: ActiveRun, moved: int, turn: Turn) -> None:
    if run.times_out_at is not None:
        run.times_out_at += moved
        brain.at(run.times_out_at, "timeout", run)
    for ti in run.instances:
        if ti.state == UP_FOR_RESCHEDULE and ti.started_at is not None:
            ti.started_at += moved
        elif ti.state == RUNNING and ti.work is not None:
            ti.work.started_at += moved
        if ti.deferral is not None:
            _shift_wait(ti, moved, turn)
        elif moved < 0 and ti.wake_at is not None:  # a clock that went ahead lets it look sooner, which harms nobody
            ti.wake_at += moved
            turn.wake.append(ti)


def _shift_wait(ti: TaskInstance, moved: int, turn: Turn) -> None:
    """A deferred task waits for a moment, which is where it was, or for an amount of time."""
    ti.deferral.shift(moved)
    if ti.wake_at is not None:
        ti.wake_at = ti.deferral.due_at
        turn.wake.append(ti)


def put_right(ti: TaskInstance, now: int) -> None:
    """Of an instance just read: if the clock went back since it was written, it waits as long as it was to wait."""
    ahead = max(ti.ended_at or 0, ti.queued_at or 0) - now
    if ahead > 0:
        ti.wake_at = None if ti.wake_at is None else ti.wake_at - ahead
        if ti.state == UP_FOR_RESCHEDULE and ti.started_at is not None:
            ti.started_at -= ahead
