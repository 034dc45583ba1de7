"""Tasks that skip what comes after them (Airflow: sdk/bases/skipmixin.py)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flowlet.authoring.context import SKIP_KEY
from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.places import nearest
from flowlet.errors import FlowletError

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG


class SkipMixin:
    """For operators that skip tasks after them; what they skip is skipped if their attempt succeeds."""

    def skip(self, ti: Any, tasks: Iterable[Any]) -> None:
        """Skip these tasks of the run."""
        skipped = sorted(task.task_id for task in tasks if isinstance(task, BaseOperator))
        if skipped:
            ti.log.info("Skipping %s", skipped)
            ti.skip(skipped)
            ti.xcom_push(SKIP_KEY, {"skipped": skipped})

    def skip_all_except(self, ti: Any, branch_task_ids: str | Iterable[str] | None) -> None:
        """Follow the tasks (or groups: their roots) of these ids. None or [] follows none.

        A direct downstream is skipped unless it is followed or comes after one that is; what comes later
        follows by its trigger rule. FlowletError names an id that the DAG does not have.
        """
        branch = ti.task
        chosen = _chosen(branch, branch_task_ids)
        kept = {task.task_id for task in chosen}
        for task in chosen:
            kept |= task.get_flat_relative_ids(upstream=False)
        direct = sorted(branch.downstream_task_ids)
        followed = [task_id for task_id in direct if task_id in kept]
        skipped = [task_id for task_id in direct if task_id not in kept]
        ti.log.info("Following %s, skipping %s", followed, skipped)
        _warn_of_strangers(ti, chosen)
        if direct:
            ti.skip(skipped)
            ti.xcom_push(SKIP_KEY, {"followed": followed})


def _chosen(branch: BaseOperator, choice: str | Iterable[str] | None) -> list[BaseOperator]:
    """The tasks that were chosen, groups by their roots."""
    return [task for chosen in _ids(branch, choice) for task in _tasks(branch, chosen)]


def _ids(branch: BaseOperator, choice: Any) -> list[str]:
    if choice is None:
        return []
    ids = [choice] if isinstance(choice, str) or not isinstance(choice, Iterable) else list(choice)
    for one in ids:
        if not isinstance(one, str):
            raise FlowletError(
                f"branch {branch.task_id!r} must choose by the ids of tasks or groups, not by {one!r}"
            )
    return ids


def _tasks(branch: BaseOperator, chosen: str) -> list[BaseOperator]:
    dag: DAG = branch.dag
    if dag.has_task(chosen):
        return [dag.get_task(chosen)]
    if dag.has_task_group(chosen):
        return dag.task_group_dict[chosen].get_roots()
    near = nearest(chosen, [*dag.task_dict, *dag.task_group_dict])
    raise FlowletError(
        f"branch {branch.task_id!r} chose {chosen!r}, which is no task or group of {dag.dag_id!r}{near}"
    )


def _warn_of_strangers(ti: Any, chosen: list[BaseOperator]) -> None:
    """To choose what does not come after the branch is no error in Airflow, and hardly ever what was meant."""
    after = ti.task.get_flat_relative_ids(upstream=False)
    strangers = sorted(task.task_id for task in chosen if task.task_id not in after)
    if strangers:
        ti.log.warning("Chosen, but not downstream of the branch: %s", strangers)
