"""Marking: a person says how a task, or a whole run, ended. What executes is stopped, and its outcome is worth nothing.

Source: Airflow's api/common/mark_tasks.py and `SerializedDAG.set_task_instance_state`
(serialization/definitions/dag.py, 3.3.2). No callbacks are called for what a person decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.runs.clearing import Which, find_instances, find_named
from flowlet.runs.ending import verdict
from flowlet.runs.moves import JudgeRun
from flowlet.runs.relatives import after, before
from flowlet.runs.rows import end_row, leave, settle
from flowlet.runs.states import (
    AWAITING_INPUT,
    DEFERRED,
    FAILED,
    NONE,
    RUNNING,
    SKIPPED,
    TERMINAL,
    UP_FOR_RESCHEDULE,
    UPSTREAM_FAILED,
)

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.runs.turn import Turn

_AT_WORK = (RUNNING, DEFERRED, UP_FOR_RESCHEDULE, AWAITING_INPUT)


def find(run: ActiveRun, which: Which, state: str) -> list[TaskInstance]:
    """The instances to be marked: those that are not in that state. Teardowns do not go with what they come after.

    A task that the DAG got after the run had ended has none.
    """
    named = find_named(run.spec, which)
    tasks = set(named)
    if which.upstream:
        tasks |= before(run.spec, named)
    if which.downstream:
        tasks |= {index for index in after(run.spec, named) if not run.spec.tasks[index].is_teardown}
    return [ti for index in sorted(tasks) for ti in find_instances(run, index, named, which) if ti.id and ti.state != state]


def failed_after(run: ActiveRun, which: Which) -> list[TaskInstance]:
    """What had failed after the tasks that are named, or by them: it starts anew when they are marked."""
    named = set(find_named(run.spec, which))
    below = sorted(after(run.spec, named) - named)
    found = [ti for index in below for ti in run.tasks[index].instances or (run.tasks[index],)]
    return [ti for ti in found if ti.state in (FAILED, UPSTREAM_FAILED)]


def mark(ti: TaskInstance, state: str, turn: Turn) -> None:
    """It ended so, whatever it did. The counters of the run are wrong after that."""
    reason = f"marked {state}"
    if ti.state == RUNNING:
        ti.wake_at = None
        turn.stop.append(ti.work)
        end_row(ti, state, "cancelled", reason, None, turn)
        leave(ti)
        return
    if ti.state in TERMINAL:
        settle(ti, NONE, None, turn)
    settle(ti, state, reason, turn)


def mark_open(run: ActiveRun, state: str, turn: Turn) -> bool:
    """End what has not ended, teardowns excepted; True if none of those is left, and so the run may end."""
    open_ = [ti for ti in run.instances if ti.state not in TERMINAL]
    for ti in open_:
        if not ti.spec.is_teardown:
            mark(ti, state if ti.state in _AT_WORK else SKIPPED, turn)
    return not any(ti.spec.is_teardown for ti in open_)


def judge(run: ActiveRun, turn: Turn, *, state: str | None = None) -> None:
    """A run that has ended is what its tasks make of it now, or what somebody says."""
    became, reason = (state, f"marked {state}") if state is not None else verdict(run)
    if became != run.state:
        run.state, run.reason = became, reason
        turn.moves.judge_run.append(JudgeRun(run.id, became, reason))
        turn.judged.append(run)
