"""The states, and the one table of legal moves (Airflow: airflow/utils/state.py; semantics 4.8)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class TaskState(StrEnum):
    """Where a task instance stands. `none` is Airflow's None (decisions 4)."""

    NONE = "none"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    UPSTREAM_FAILED = "upstream_failed"
    REMOVED = "removed"
    UP_FOR_RETRY = "up_for_retry"
    UP_FOR_RESCHEDULE = "up_for_reschedule"
    DEFERRED = "deferred"
    AWAITING_INPUT = "awaiting_input"
    RESTARTING = "restarting"


class RunState(StrEnum):
    """Where a DagRun stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


class RunType(StrEnum):
    """Why a DagRun exists."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"
    ASSET_TRIGGERED = "asset_triggered"
    OPERATOR_TRIGGERED = "operator_triggered"


class AttemptOutcome(StrEnum):
    """What an attempt left (decisions 7)."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


#: The same words as plain strings: rows and comparisons on hot paths use these (SQLite binds an exact
#: `str` without looking for an adapter).
NONE: Final = TaskState.NONE.value
SCHEDULED: Final = TaskState.SCHEDULED.value
QUEUED: Final = TaskState.QUEUED.value
RUNNING: Final = TaskState.RUNNING.value
SUCCESS: Final = TaskState.SUCCESS.value
FAILED: Final = TaskState.FAILED.value
SKIPPED: Final = TaskState.SKIPPED.value
UPSTREAM_FAILED: Final = TaskState.UPSTREAM_FAILED.value
REMOVED: Final = TaskState.REMOVED.value
UP_FOR_RETRY: Final = TaskState.UP_FOR_RETRY.value
UP_FOR_RESCHEDULE: Final = TaskState.UP_FOR_RESCHEDULE.value
DEFERRED: Final = TaskState.DEFERRED.value
AWAITING_INPUT: Final = TaskState.AWAITING_INPUT.value
RESTARTING: Final = TaskState.RESTARTING.value

_T = TaskState

TERMINAL: Final = frozenset({SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED, REMOVED})

#: From a state, where a task instance may go. Clearing (any state back to none) is the only way out of a
#: terminal state.
TASK_MOVES: Final[dict[TaskState, frozenset[TaskState]]] = {
    _T.NONE: frozenset({_T.SCHEDULED, _T.RUNNING, _T.SUCCESS, _T.SKIPPED, _T.UPSTREAM_FAILED, _T.FAILED, _T.REMOVED}),
    _T.SCHEDULED: frozenset({_T.NONE, _T.QUEUED, _T.RUNNING, _T.SKIPPED, _T.UPSTREAM_FAILED, _T.FAILED, _T.REMOVED, _T.SUCCESS}),
    _T.QUEUED: frozenset({_T.SUCCESS, _T.NONE, _T.RUNNING, _T.SCHEDULED, _T.FAILED, _T.SKIPPED, _T.REMOVED}),
    _T.RUNNING: frozenset({
        _T.SUCCESS, _T.FAILED, _T.SKIPPED, _T.UP_FOR_RETRY, _T.UP_FOR_RESCHEDULE, _T.DEFERRED,
        _T.AWAITING_INPUT, _T.SCHEDULED, _T.RESTARTING, _T.REMOVED,
    }),
    _T.UP_FOR_RETRY: frozenset({_T.SUCCESS, _T.NONE, _T.SCHEDULED, _T.RUNNING, _T.FAILED, _T.SKIPPED, _T.REMOVED}),
    _T.UP_FOR_RESCHEDULE: frozenset({_T.SUCCESS, _T.NONE, _T.SCHEDULED, _T.RUNNING, _T.FAILED, _T.SKIPPED, _T.REMOVED}),
    _T.DEFERRED: frozenset({_T.NONE, _T.SCHEDULED, _T.RUNNING, _T.SUCCESS, _T.FAILED, _T.SKIPPED, _T.REMOVED}),
    _T.AWAITING_INPUT: frozenset({_T.NONE, _T.SCHEDULED, _T.RUNNING, _T.SUCCESS, _T.FAILED, _T.SKIPPED, _T.REMOVED}),
    _T.RESTARTING: frozenset({_T.SUCCESS, _T.NONE, _T.FAILED, _T.SKIPPED, _T.REMOVED}),
    _T.SUCCESS: frozenset({_T.NONE}),
    _T.FAILED: frozenset({_T.NONE}),
    _T.SKIPPED: frozenset({_T.NONE}),
    _T.UPSTREAM_FAILED: frozenset({_T.NONE}),
    _T.REMOVED: frozenset({_T.NONE}),
}  # fmt: skip

RUN_MOVES: Final[dict[RunState, frozenset[RunState]]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.FAILED, RunState.SUCCESS}),
    RunState.RUNNING: frozenset({RunState.SUCCESS, RunState.FAILED, RunState.QUEUED}),
    RunState.SUCCESS: frozenset({RunState.QUEUED}),
    RunState.FAILED: frozenset({RunState.QUEUED}),
}
