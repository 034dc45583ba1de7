"""EmptyOperator: a task that does nothing, for joining and naming."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlet.authoring.operator import BaseOperator

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class EmptyOperator(BaseOperator):
    """Succeeds when its turn comes. Without callbacks, hooks, inlets and outlets it is never executed.

    Airflow: `DagRun.schedule_tis`. A subclass that defines `execute` is executed.
    """

    ui_color = "#e8f7e4"

    @property
    def is_bodyless(self) -> bool:
        return (
            type(self).execute is EmptyOperator.execute
            and not self.on_execute_callback
            and not self.on_success_callback
            and not self.inlets
            and not self.outlets
            and self._pre_execute_hook is None
            and self._post_execute_hook is None
        )

    def execute(self, context: Context) -> Any:  # noqa: ARG002  Airflow's signature
        return None
