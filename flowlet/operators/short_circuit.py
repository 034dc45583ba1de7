"""ShortCircuitOperator (Airflow: providers/standard/operators/python.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlet.operators.branch import SKIP_KEY
from flowlet.operators.python import PythonOperator

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class ShortCircuitOperator(PythonOperator):
    """Goes on only if its callable returns something true.

    Else all transitive downstreams are skipped, teardowns excepted; with
    `ignore_downstream_trigger_rules=False` only the direct ones, and the rest follows by its rules.
    """

    def __init__(self, *, ignore_downstream_trigger_rules: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules

    def _finish(self, context: Context, result: Any) -> Any:
        result = super()._finish(context, result)
        if not result:
            every = self.ignore_downstream_trigger_rules
            ids = self.get_flat_relative_ids(upstream=False) if every else self.downstream_task_ids
            skipped = sorted(task_id for task_id in ids if not getattr(self.dag.get_task(task_id), "is_teardown", False))
            context["ti"].skip(skipped)
            context["ti"].xcom_push(SKIP_KEY, {"skipped": skipped})
        return result


class DecoratedShortCircuit(ShortCircuitOperator):
    """What `@task.short_circuit` makes."""

    custom_operator_name = "@task.short_circuit"
