"""The one instance that somebody names, or a word on what there is instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.errors import TaskNotFound

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance


def instance_of(run: ActiveRun, task_id: str, map_index: int = -1) -> TaskInstance:
    """TaskNotFound tells a task that the run does not have from an index that the task does not have."""
    ti = run.find(task_id, map_index)
    if ti is None:
        raise TaskNotFound(missing(run, task_id, map_index))
    return ti


def missing(run: ActiveRun, task_id: str, map_index: int) -> str:
    """Why there is no such instance."""
    where, instances = f"the run {run.run_id!r} of DAG {run.dag_id!r}", run.of_task(task_id)
    if not instances:
        return f"{where} has no task {task_id!r}"
    if instances[0].map_index < 0:
        return f"{where} has no {task_id}[{map_index}]: it is not expanded" if map_index >= 0 else f"{where} never had {task_id!r}"
    if map_index < 0:
        return f"{task_id!r} of {where} is mapped: name one of its {len(instances)}, from {task_id}[0] on"
    return f"{where} has no {task_id}[{map_index}]; it has {len(instances)}, from 0 on"
