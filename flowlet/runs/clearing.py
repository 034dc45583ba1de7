"""Clearing: task instances that have gone somewhere are let go from the beginning, with all their retries.

A try is never forgotten: what the last one left stays until the next one starts, and numbers go on growing.
Source: Airflow's `clear_task_instances` (models/taskinstance.py, 3.3.2) and its tests, test_cleartasks.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from flowlet.authoring.context import SKIP_KEY
from flowlet.errors import TaskNotFound
from flowlet.named_tuple import NamedTuple
from flowlet.runs import finding
from flowlet.runs.ending import close_if_over
from flowlet.runs.following import consider
from flowlet.runs.mapping import are_paired, parents
from flowlet.runs.moves import ResetTask
from flowlet.runs.plan import hold_back
from flowlet.runs.relatives import with_relatives
from flowlet.runs.rows import end_row, settle
from flowlet.runs.states import NONE, RESTARTING, RUNNING, SKIPPED, SUCCESS

if TYPE_CHECKING:
    from flowlet.authoring.spec import DagSpec
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.runs.turn import Turn

REASON = "cleared"


class Which(NamedTuple):
    """The task instances of a run that a verb is about."""

    task_ids: tuple[str, ...] | None = None
    """None: all of them."""
    map_indexes: tuple[int, ...] | None = None
    upstream: bool = False
    downstream: bool = False
    states: frozenset[str] | None = None
    """Only those that are in one of these."""


def find(run: ActiveRun, which: Which) -> list[TaskInstance]:
    """Those of them that have moved at all. TaskNotFound names a task, or an index, that the run does not have."""
    named = find_named(run.spec, which)
    tasks = range(len(run.tasks)) if which.task_ids is None else with_relatives(
        run.spec, named, upstream=which.upstream, downstream=which.downstream
    )  # fmt: skip
    found = [ti for index in sorted(tasks) for ti in find_instances(run, index, named, which)]
    return [ti for ti in found if ti.state not in (NONE, RESTARTING) and (which.states is None or ti.state in which.states)]


def find_named(spec: DagSpec, which: Which) -> list[int]:
    """The tasks that are named themselves."""
    ids = which.task_ids or ()
    unknown = [task_id for task_id in ids if task_id not in spec.by_id]
    if unknown:
        there = ", ".join([*spec.by_id][:10]) + (f" and {len(spec.by_id) - 10} more" if len(spec.by_id) > 10 else "")
        raise TaskNotFound(f"DAG {spec.dag_id!r} has no task {unknown[0]!r}; it has {there}")
    return [spec.by_id[task_id].index for task_id in ids]


def find_instances(run: ActiveRun, index: int, named: list[int], which: Which) -> Iterable[TaskInstance]:
    """Of a task that is named, or in one mapped group with one that is, only those of the wanted indexes."""
    first, wanted = run.tasks[index], which.map_indexes
    instances = first.instances or (first,)
    if wanted is None or not (index in named or any(are_paired(first.spec, run.tasks[one].spec) for one in named)):
        return instances
    missing = set(wanted) - {ti.map_index for ti in instances}
    if missing and index in named:
        raise TaskNotFound(finding.missing(run, first.spec.task_id, min(missing)))
    return [ti for ti in instances if ti.map_index in wanted]


def clear(ti: TaskInstance, turn: Turn, *, is_executing: bool) -> None:
    """-> none; a body that is executing is stopped first (restarting), and its late outcome is worth nothing.

    The counters of the run are wrong after that: `editing.fit` makes them right for all that was cleared.
    """
    ti.max_tries, ti.crashes = ti.try_number + ti.spec.retries, 0
    if ti.state == RUNNING:
        ti.wake_at = None
        end_row(ti, RESTARTING, "cancelled", REASON, None, turn)
        ti.ended_at = None
        if is_executing:
            turn.stop.append(ti.work)
            return
        ti.work = None
    else:
        turn.moves.reset_task.append(ResetTask(ti.id, ti.max_tries, ti.try_number))
    settle(ti, NONE, None, turn)
    ti.queued_at = ti.started_at = ti.ended_at = None
    ti.released = False


def restart(ti: TaskInstance, turn: Turn) -> None:
    """The body that was stopped has ended: the task is judged anew."""
    ti.work = None
    hold_back(ti, turn)
    ti.queued_at = ti.started_at = ti.ended_at = None
    consider(ti, turn)
    close_if_over(ti.run, turn)


def skip_again(cleared: Iterable[TaskInstance], decisions: Mapping[int, str], turn: Turn) -> None:
    """Whatever its rule, a cleared task is skipped if one directly before it decided so and stands by it.

    `decisions` has those that are on file only. Source: Airflow's ti_deps/deps/not_previously_skipped_dep.py.
    """
    for ti in cleared:
        decider = next((up for up in parents(ti) if _has_skipped(up, ti, decisions)), None)
        if decider is not None and ti.state == NONE:
            settle(ti, SKIPPED, f"skipped by {decider.key}", turn)


def _has_skipped(up: TaskInstance, ti: TaskInstance, decisions: Mapping[int, str]) -> bool:
    """One instance of many decides for its own index in their mapped group only."""
    if up.state != SUCCESS or not (up.map_index < 0 or are_paired(up.spec, ti.spec)):
        return False
    text = decisions.get(up.id) if up.xcoms is None else dict(up.xcoms).get(SKIP_KEY)
    if text is None:
        return False
    decision, task_id = json.loads(text), ti.spec.task_id
    if "followed" in decision:
        return task_id not in decision["followed"]
    return task_id in decision.get("skipped", ())
