"""What a DAG says of the tasks that clean up."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator


class Teardowns:
    """A DAG whose teardowns can be asked for."""

    @property
    def teardowns(self) -> list[BaseOperator]:
        """The teardowns, in the order of definition."""
        return [task for task in cast("DAG", self).tasks if task.is_teardown]

    @property
    def tasks_upstream_of_teardowns(self) -> list[BaseOperator]:
        """What comes directly before them and is no teardown itself; once for each teardown that it comes before."""
        return [task for down in self.teardowns for task in down.upstream_list if not task.is_teardown]
