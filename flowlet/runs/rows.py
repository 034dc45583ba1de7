"""What a move of one task instance writes, and how its run counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.runs.instances import TaskInstance
from flowlet.runs.moves import EndTask, PutXCom, SettleTask
from flowlet.runs.states import NONE, REMOVED, RUNNING, TERMINAL

if TYPE_CHECKING:
    from flowlet.runs.turn import Turn

row = tuple.__new__
"""Makes a move from its fields in a third of the time: there are four of them for each task."""


def settle(ti: TaskInstance, state: str, reason: str | None, turn: Turn) -> None:
    """A move that no attempt made."""
    expected, ti.state, ti.reason = ti.state, state, reason
    ended_at = None
    if state == NONE:
        ended_at = _end_wait(ti, turn)
    elif state in TERMINAL:
        ended_at = ti.ended_at = max(turn.now, ti.started_at or 0)
        ti.run.past_waiting.discard(ti)
        _end_wait(ti, turn)
        leave(ti)
    turn.moves.settle_task.append(SettleTask(ti.id, expected, state, reason, ti.queued_at, ended_at))
    turn.touched.append(ti)


def _end_wait(ti: TaskInstance, turn: Turn) -> int | None:
    """As settle_task has it: the attempt of a sensor between two looks, or of a deferred task, is cancelled. When it was, if so."""
    ti.wake_at = None
    if not ti.try_number or ti.outcome is not None:
        return None
    ti.outcome = "cancelled"
    if ti.deferral is not None:
        turn.drop.append(ti.deferral)
        ti.deferral = None
    return max(turn.now, ti.started_at or 0)


def end_row(ti: TaskInstance, state: str, outcome: str, reason: str | None, error: str | None, turn: Turn) -> None:
    """running -> `state`, with what the attempt left."""
    now = turn.now
    if ti.started_at is not None and ti.started_at > now:  # the clock was put back
        now = ti.started_at
    ti.state, ti.outcome, ti.reason, ti.ended_at = state, outcome, reason, now
    turn.moves.end_task.append(
        row(EndTask, (ti.id, ti.try_number, state, outcome, reason, error, now, ti.wake_at, ti.max_tries, ti.crashes))
    )
    turn.touched.append(ti)


def remove(ti: TaskInstance, reason: str, turn: Turn) -> None:
    """There is no such instance any more; what executes is stopped."""
    if ti.state != RUNNING:
        return settle(ti, REMOVED, reason, turn)
    turn.stop.append(ti.work)
    ti.work = None
    end_row(ti, REMOVED, "cancelled", reason, None, turn)
    return leave(ti)


def push(ti: TaskInstance, xcoms: tuple[tuple[str, str], ...], turn: Turn) -> None:
    if xcoms:
        ti.xcoms = xcoms
        for key, value in xcoms:
            turn.moves.put_xcom.append(row(PutXCom, (ti.id, key, value)))


def leave(ti: TaskInstance) -> None:
    """The instance has ended: the run counts one less."""
    run = ti.run
    run.unfinished -= 1
    if ti.released:
        ti.released = False
        run.released -= 1

