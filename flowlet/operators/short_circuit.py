"""ShortCircuitOperator: go on, or skip all that comes after (Airflow: providers/standard/operators/python.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.operators.python import PythonOperator
from flowlet.operators.skipping import SkipMixin

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class ShortCircuitOperator(SkipMixin, PythonOperator):
    """Goes on only if its callable returns something true.

    Else all that comes after is skipped, teardowns excepted; with `ignore_downstream_trigger_rules=False`
    only what comes directly after, and the rest follows by its rules.
    """

    ignore_downstream_trigger_rules: bool = True

    def __init__(self, *, ignore_downstream_trigger_rules: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not ignore_downstream_trigger_rules:
            self.ignore_downstream_trigger_rules = False

    def _finish(self, context: Context, result: Any) -> Any:
        result = super()._finish(context, result)
        if not result:
            every = self.ignore_downstream_trigger_rules
            after = self.get_flat_relatives() if every else self.get_direct_relatives()
            self.skip(context["ti"], [task for task in after if not task.is_teardown])
        return result


class DecoratedShortCircuit(ShortCircuitOperator):
    """What `@task.short_circuit` makes."""

    custom_operator_name: ClassVar = "@task.short_circuit"
