"""Runs that are active go on with the code as it is now: across a restart, and when a DAG is registered again.

A task that the DAG no longer has becomes `removed` (what executes is cancelled), one that it did not have is
added, and one that comes back is as it was, or starts anew if it had been removed. What has not started yet is
judged again by the edges and rules of today. (Airflow: DagRun.verify_integrity, models/dagrun.py.)
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from flowlet.runs import plan
from flowlet.runs.counting import count_all
from flowlet.runs.following import may_run
from flowlet.runs.instances import TaskInstance, is_active
from flowlet.runs.moves import AddTask
from flowlet.runs.resizing import is_surplus, resize_all, watch
from flowlet.runs.rows import remove, settle
from flowlet.runs.states import NONE, QUEUED, REMOVED, RUNNING, SCHEDULED, TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowlet.authoring.spec import TaskSpec
    from flowlet.runs.instances import ActiveRun
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.entry import Entry

_ABOUT_TO_START = (SCHEDULED, QUEUED)


def edit(brain: Brain, entry: Entry, turn: Turn) -> None:
    """The DAG was registered again: put its active runs over to its spec and its operators."""
    brain.file_new_runs(turn)
    turn.ready[:] = [ti for ti in turn.ready if ti.run.dag_id != entry.spec.dag_id]
    if entry.has_past:
        entry.past.link_all(entry.active.values())
    runs = [run for run in entry.active.values() if is_active(run)]
    for run in runs:
        _put_over(brain, entry, run, turn)
    for run in runs:  # only now: what one run goes on with, another may have waited for
        if run.state == RUNNING:
            go_on(brain, run, turn)


def _put_over(brain: Brain, entry: Entry, run: ActiveRun, turn: Turn) -> None:
    holding = [ti for ti in run.instances if ti.holds]
    waiting = [ti for ti in run.instances if ti.keeps]
    for ti in holding:
        brain.admission.release(ti)
    for ti in waiting:
        brain.admission.let_go(ti)
    rehouse(run, entry)
    fit(run, turn)
    for ti in holding:
        if ti.state == RUNNING:
            brain.admission.hold(ti)
    for ti in waiting:
        if ti.deferral is not None:
            brain.admission.keep(ti)
    run.past_waiting.clear()


def rehouse(run: ActiveRun, entry: Entry) -> None:
    """The instances get their tasks of today; those without one are gone."""
    known = {ti.key: ti for ti in (*run.instances, *run.gone.values())}
    run.spec, run.operators = entry.spec, entry.operators
    run.limit.size, run.task_limits = entry.spec.max_active_tasks, None
    run.tasks = [_instance_of(run, task, known) for task in entry.spec.tasks]
    run.gone = known


def _instance_of(run: ActiveRun, task: TaskSpec, known: dict[str, TaskInstance]) -> TaskInstance:
    """What there is of the task, taken from what is known; of a mapped one, the first of all. Else a new one."""
    twins = list(_expanded(task, known)) if task.mapping is not None else []
    for twin in twins:
        twin.spec = task
    if twins:
        twins[0].instances, run.is_expanded = twins, True
        return twins[0]
    ti = known.pop(task.task_id, None) or TaskInstance(run, task, 0)
    ti.spec = task
    return ti


def _expanded(task: TaskSpec, known: dict[str, TaskInstance]) -> Iterator[TaskInstance]:
    """The instances of a mapped task, if it has been expanded: as many as there were, wherever they went since."""
    for index in count():
        ti = known.get(f"{task.task_id}[{index}]")
        if ti is None or is_surplus(ti.state, ti.reason):
            return
        yield known.pop(ti.key)


def fit(run: ActiveRun, turn: Turn) -> None:
    """Make states and counters agree with the tasks that the DAG has; new instances join.

    What waits and is mapped gets as many as there are items now; what ends by that is counted, too.
    """
    _agree(run, turn)
    while _resize(run, turn):
        _agree(run, turn)


def _resize(run: ActiveRun, turn: Turn) -> bool:
    """Whether something ended by it."""
    ended: list[TaskInstance] = []
    resize_all(run, ended, turn)
    return bool(ended)


def _agree(run: ActiveRun, turn: Turn) -> None:
    for ti in run.gone.values():
        ti.instances = None
        if ti.state not in TERMINAL:
            remove(ti, "the DAG no longer has this task", turn)
    for ti in run.instances:
        if ti.state == REMOVED:
            settle(ti, NONE, None, turn)
    for ti in run.tasks:
        if ti.id == 0:
            ti.id = turn.reserve(1)
            turn.joined.append(ti)
    count_all(run)
    for ti in run.instances:
        if ti.state in _ABOUT_TO_START and not may_run(ti):
            plan.hold_back(ti, turn)
    watch(run)


def enter(turn: Turn) -> None:
    """The rows of instances that joined a run, with the index that they have by the end of the turn."""
    ids = {ti.id for ti in turn.joined}
    turn.moves.index_task = [move for move in turn.moves.index_task if move.id not in ids]
    for ti in turn.joined:
        spec = ti.spec
        turn.moves.add_task.append(
            AddTask(
                ti.id, ti.run.id, spec.task_id, ti.map_index, NONE, 0, spec.retries, spec.operator, spec.pool,
                None, None, None,
            )
        )  # fmt: skip


def _goes_on(ti: TaskInstance) -> bool:
    """It was deferred, and what it waited for came in this very turn."""
    return ti.deferral is not None and ti.deferral.event is not None


def go_on(brain: Brain, run: ActiveRun, turn: Turn) -> None:
    """What may start looks again for a place, what waits for its rule."""
    turn.ready += [ti for ti in run.instances if ti.state in _ABOUT_TO_START or _goes_on(ti)]
    timeout = run.spec.dagrun_timeout
    if timeout is None or run.started_at is None:
        run.times_out_at = None
    elif run.times_out_at != run.started_at + timeout:
        brain.limit_time(run, run.started_at + timeout)
    plan.resume(run, turn)
