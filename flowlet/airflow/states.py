"""States by the names of `airflow.utils.state`: the same words as flowlet's."""

from __future__ import annotations

from typing import ClassVar

from flowlet.runs.states import RunState as DagRunState
from flowlet.runs.states import TaskState as TaskInstanceState

__all__ = ["DagRunState", "JobState", "State", "TaskInstanceState"]


class JobState:
    """States of Airflow's jobs; flowlet has none, the words are compared with at most."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    RESTARTING = "restarting"


class State:
    """The states of runs and tasks together."""

    NONE = None
    REMOVED = TaskInstanceState.REMOVED
    SCHEDULED = TaskInstanceState.SCHEDULED
    QUEUED = TaskInstanceState.QUEUED
    RUNNING = TaskInstanceState.RUNNING
    SUCCESS = TaskInstanceState.SUCCESS
    RESTARTING = TaskInstanceState.RESTARTING
    FAILED = TaskInstanceState.FAILED
    UP_FOR_RETRY = TaskInstanceState.UP_FOR_RETRY
    UP_FOR_RESCHEDULE = TaskInstanceState.UP_FOR_RESCHEDULE
    UPSTREAM_FAILED = TaskInstanceState.UPSTREAM_FAILED
    SKIPPED = TaskInstanceState.SKIPPED
    DEFERRED = TaskInstanceState.DEFERRED

    task_states: ClassVar = (None, *TaskInstanceState)
    dag_states: ClassVar = tuple(DagRunState)
    finished: ClassVar = frozenset({SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED, REMOVED})
    unfinished: ClassVar = frozenset(set(TaskInstanceState) - finished - {TaskInstanceState.NONE} | {None})
    failed_states: ClassVar = frozenset({FAILED, UPSTREAM_FAILED})
    success_states: ClassVar = frozenset({SUCCESS, SKIPPED})
