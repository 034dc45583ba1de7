"""Why a task does not start, or how it stands: one sentence, the same everywhere it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowlet.clock import iso
from flowlet.runs.following import date_is_met, past_is_met
from flowlet.runs.mapping import parents
from flowlet.runs.states import (
    AWAITING_INPUT,
    DEFERRED,
    FAILED,
    QUEUED,
    REMOVED,
    RESTARTING,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    SUCCESS,
    TERMINAL,
    UP_FOR_RESCHEDULE,
    UP_FOR_RETRY,
    UPSTREAM_FAILED,
)

if TYPE_CHECKING:
    from flowlet.runs.instances import TaskInstance

#: What each trigger rule asks for, in words (`flowlet.runs.rules`).
NEEDS: Final[dict[str, str]] = {
    "all_success": "every upstream to succeed",
    "all_failed": "every upstream to fail",
    "all_done": "every upstream to end",
    "all_done_min_one_success": "every upstream to end, none skipped, and one to succeed",
    "all_done_setup_success": "every upstream to end and one setup to succeed",
    "all_skipped": "every upstream to be skipped",
    "one_success": "one upstream to succeed",
    "one_failed": "one upstream to fail",
    "one_done": "one upstream to succeed or fail",
    "none_failed": "no upstream to fail",
    "none_failed_min_one_success": "no upstream to fail and one to succeed",
    "none_skipped": "no upstream to be skipped",
    "always": "nothing",
}

_BROKEN = (FAILED, UPSTREAM_FAILED)

#: Which upstreams spoke against a task that its rule ended in a state; where nothing stands here, all
#: that did not succeed.
_AGAINST: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("all_success", UPSTREAM_FAILED): _BROKEN,
    ("all_success", SKIPPED): (SKIPPED,),
    ("all_failed", SKIPPED): (SUCCESS, SKIPPED),
    ("all_skipped", SKIPPED): (SUCCESS, *_BROKEN),
    ("all_done_min_one_success", SKIPPED): (SKIPPED,),
    ("one_failed", SKIPPED): (SUCCESS, SKIPPED, REMOVED),
    ("none_failed", UPSTREAM_FAILED): _BROKEN,
    ("none_skipped", SKIPPED): (SKIPPED,),
}


def why(ti: TaskInstance) -> str:
    """A sentence about one task instance, from what its run knows."""
    state = ti.state
    if state in TERMINAL:
        reason = because(ti)
        return f"{ti.key} is {state}" + (f": {reason}" if reason else "")
    if ti.run.state == QUEUED:
        return f"the run waits to begin: {ti.run.held or 'it is queued'}"
    if state == RUNNING:
        return _running(ti)
    if state == UP_FOR_RETRY:
        return f"waiting for try {ti.try_number + 1} of {ti.max_tries + 1}, due at {_at(ti.wake_at)}"
    if state == UP_FOR_RESCHEDULE:
        return f"the sensor looks again at {_at(ti.wake_at)}"
    if state == RESTARTING:
        return f"restarting: it was cleared, and its try {ti.try_number} is being stopped"
    if state in (DEFERRED, AWAITING_INPUT):
        return _deferred(ti)
    if state == SCHEDULED or ti.released:
        return "waiting for a slot: " + str(ti.blocker) if ti.blocker is not None else "ready to start"
    return date_is_met(ti) or (past_is_met(ti) if _rule_has_spoken(ti) else None) or _upstreams(ti)


def because(ti: TaskInstance) -> str | None:
    """Why an instance ended as it did: its own reason, else the upstreams by which its trigger rule ended it."""
    if ti.reason or ti.state not in (SKIPPED, UPSTREAM_FAILED):
        return ti.reason
    against = _against(ti)
    if not against:
        return None
    rule = ti.spec.trigger_rule
    told = _some([_told(up) for up in against])
    return f"{told}{_beginning(ti, against)}; trigger rule {rule} needs {NEEDS[rule]}"


def _against(ti: TaskInstance) -> list[TaskInstance]:
    """The direct upstreams by which the rule ended it."""
    ups = parents(ti)
    states = _AGAINST.get((ti.spec.trigger_rule, ti.state))
    if states is not None:
        return [up for up in ups if up.state in states]
    broken = [up for up in ups if up.state in _BROKEN]
    return broken if ti.state == UPSTREAM_FAILED and broken else [up for up in ups if up.state != SUCCESS]


def _told(up: TaskInstance) -> str:
    """`load failed (ValueError: bad row)`, `large was skipped (skipped by branch)`."""
    verb = {SUCCESS: "succeeded", FAILED: "failed", SKIPPED: "was skipped"}.get(up.state, f"is {up.state}")
    return f"{up.key} {verb}" + (f" ({up.reason})" if up.reason else "")


def _beginning(ti: TaskInstance, against: list[TaskInstance]) -> str:
    """Where it began, if not with a direct upstream: ` because extract failed (...)`."""
    root = _root(against)
    return "" if root is None or root in against or root is ti else f" because {_told(root)}"


def _root(against: list[TaskInstance]) -> TaskInstance | None:
    """The first instance, upwards, that a rule did not end."""
    seen, look = set(against), list(against)
    for ti in look:
        if ti.reason or ti.state not in (SKIPPED, UPSTREAM_FAILED):
            return ti
        further = [up for up in _against(ti) if up not in seen]
        seen.update(further)
        look += further
    return None


def _running(ti: TaskInstance) -> str:
    if ti.wake_at is not None:
        return f"running (try {ti.try_number}): the sensor looks again at {_at(ti.wake_at)}"
    return f"running (try {ti.try_number}) since {_at(ti.started_at)}"


def _deferred(ti: TaskInstance) -> str:
    """What it waits for is known to the process that runs it only."""
    what = str(ti.deferral or ("its trigger" if ti.state == DEFERRED else "an answer"))
    at_the_latest = "" if ti.wake_at is None else f", until {_at(ti.wake_at)} at the latest"
    return f"{ti.state} (try {ti.try_number}): waiting for {what}{at_the_latest}"


def _rule_has_spoken(ti: TaskInstance) -> bool:
    return ti in ti.run.past_waiting or _open(ti) == []


def _open(ti: TaskInstance) -> list[TaskInstance]:
    return [up for up in parents(ti) if up.state not in TERMINAL]


def _upstreams(ti: TaskInstance) -> str:
    waiting = _open(ti)
    done = ti.total - len(waiting)
    return (
        f"waiting for {_some([up.key for up in waiting])} ({done} of {ti.total} upstreams done,"
        f" trigger rule {ti.spec.trigger_rule})"
    )


def _some(texts: list[str]) -> str:
    """The first five of many."""
    return ", ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")


def _at(moment: int | None) -> str:
    return "an unknown time" if moment is None else iso(moment)
