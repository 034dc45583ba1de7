"""Which trigger rules can stand together in one DAG (Airflow: sdk/definitions/dag.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator


def check(dag: DAG) -> None:
    """DagError for a rule that could not do what it says."""
    for task in dag.task_dict.values():
        if task.is_setup:
            _check_after_setup(task)
        if dag.fail_fast and not task.is_teardown and task.trigger_rule != "all_success":
            raise task._refuse(f"fail_fast allows no trigger_rule but 'all_success', not {task.trigger_rule}")


def _check_after_setup(setup: BaseOperator) -> None:
    """Whatever else came after a setup with another rule might run without it (as in Airflow)."""
    for task in setup._down:
        if not task.is_teardown and task.trigger_rule != "all_success":
            raise task._refuse(
                f"comes after the setup {setup.task_id!r}, so its trigger_rule must be 'all_success', not {task.trigger_rule}"
            )
