"""Why a task does not start, or how it stands: one sentence, the same everywhere it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.clock import iso
from flowlet.runs.plan import date_is_met, past_is_met
from flowlet.runs.states import (
    QUEUED,
    RUNNING,
    SCHEDULED,
    TERMINAL,
    UP_FOR_RESCHEDULE,
    UP_FOR_RETRY,
)

if TYPE_CHECKING:
    from flowlet.runs.instances import TaskInstance


def why(ti: TaskInstance) -> str:
    """A sentence about one task instance, from what its run knows."""
    state = ti.state
    if state in TERMINAL:
        return f"{ti.key} is {state}" + (f": {ti.reason}" if ti.reason else "")
    if ti.run.state == QUEUED:
        return f"the run waits to begin: {ti.run.held or 'it is queued'}"
    if state == RUNNING:
        return _running(ti)
    if state == UP_FOR_RETRY:
        return f"waiting for try {ti.try_number + 1} of {ti.max_tries + 1}, due at {_at(ti.wake_at)}"
    if state == UP_FOR_RESCHEDULE:
        return f"the sensor looks again at {_at(ti.wake_at)}"
    if state == SCHEDULED or ti.released:
        return "waiting for a slot: " + str(ti.blocker) if ti.blocker is not None else "ready to start"
    return date_is_met(ti) or (past_is_met(ti) if _rule_has_spoken(ti) else None) or _upstreams(ti)


def _running(ti: TaskInstance) -> str:
    if ti.wake_at is not None:
        return f"running (try {ti.try_number}): the sensor looks again at {_at(ti.wake_at)}"
    return f"running (try {ti.try_number}) since {_at(ti.started_at)}"


def _rule_has_spoken(ti: TaskInstance) -> bool:
    return ti in ti.run.past_waiting or _open(ti) == []


def _open(ti: TaskInstance) -> list[TaskInstance]:
    return [up for index in ti.spec.upstream if (up := ti.run.tasks[index]).state not in TERMINAL]


def _upstreams(ti: TaskInstance) -> str:
    waiting = _open(ti)
    names = ", ".join(up.key for up in waiting[:5])
    more = f" and {len(waiting) - 5} more" if len(waiting) > 5 else ""
    done = ti.total - len(waiting)
    return f"waiting for {names}{more} ({done} of {ti.total} upstreams done, trigger rule {ti.spec.trigger_rule})"


def _at(moment: int | None) -> str:
    return "an unknown time" if moment is None else iso(moment)


