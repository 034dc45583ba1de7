"""DAGs, and tasks of them, that other DAGs name: for whoever has all files of a folder at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowlet.authoring.dag import DAG
from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.places import nearest
from flowlet.checking.findings import WARNING, Finding, about_task
from flowlet.operators.external_task import ExternalTaskSensor
from flowlet.operators.trigger_dagrun import TriggerDagRunOperator


def check_references(dags: Sequence[DAG], *, all_known: bool) -> Iterator[Finding]:
    """What a sensor waits for or an operator triggers, and none of these DAGs is; without `all_known`, only unknown tasks of these."""
    known = {dag.dag_id: dag for dag in dags}
    for dag in dags:
        for task in dag.tasks:
            if isinstance(task, TriggerDagRunOperator) and all_known:
                yield from _unknown_dag(task, task.trigger_dag_id, known)
            elif isinstance(task, ExternalTaskSensor):
                if all_known:
                    yield from _unknown_dag(task, task.external_dag_id, known)
                yield from _unknown_tasks(task, known)


def _unknown_dag(task: BaseOperator, dag_id: object, known: dict[str, DAG]) -> Iterator[Finding]:
    if isinstance(dag_id, str) and "{" not in dag_id and dag_id not in known:
        yield about_task(
            WARNING, "unknown-dag", task, f"names the DAG {dag_id!r}, which none of the checked files defines{nearest(dag_id, known)}",
            "correct the id, or check the file that defines it, too",
        )  # fmt: skip


def _unknown_tasks(task: ExternalTaskSensor, known: dict[str, DAG]) -> Iterator[Finding]:
    other = known.get(task.external_dag_id)
    if other is None:
        return
    ids = task.external_task_ids or ([task.external_task_id] if task.external_task_id else [])
    wanted = [(name, other.has_task(name)) for name in ids if isinstance(name, str)]
    group = task.external_task_group_id
    if isinstance(group, str):
        wanted.append((group, other.has_task_group(group)))
    for name, is_there in wanted:
        if not is_there and "{" not in name:
            near = nearest(name, [*other.task_ids, *other.task_group_dict])
            yield about_task(
                WARNING, "unknown-task", task, f"waits for {name!r}, which the DAG {other.dag_id!r} does not have{near}",
                "correct the id",
            )  # fmt: skip
