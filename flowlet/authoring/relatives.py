"""A task among the others: what comes before it and after it (Airflow: sdk/_shared/dagnode/node.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowlet.authoring.edges import DependencyMixin

if TYPE_CHECKING:
    from flowlet.authoring.operator import BaseOperator


class Relatives(DependencyMixin):
    """What an operator tells of its edges. Each is held at both of its ends, as often as it was said."""

    _up: Sequence[BaseOperator] = ()
    _down: Sequence[BaseOperator] = ()

    @property
    def upstream_list(self) -> list[BaseOperator]:
        """The tasks directly before it."""
        return list(dict.fromkeys(self._up))

    @property
    def downstream_list(self) -> list[BaseOperator]:
        """The tasks directly after it."""
        return list(dict.fromkeys(self._down))

    @property
    def upstream_task_ids(self) -> set[str]:
        """The ids of the tasks directly before it."""
        return {task.task_id for task in self._up}

    @property
    def downstream_task_ids(self) -> set[str]:
        """The ids of the tasks directly after it."""
        return {task.task_id for task in self._down}

    def get_direct_relatives(self, upstream: bool = False) -> list[BaseOperator]:
        """The tasks directly after it, or before it."""
        return self.upstream_list if upstream else self.downstream_list

    def get_direct_relative_ids(self, upstream: bool = False) -> set[str]:
        """Their ids."""
        return self.upstream_task_ids if upstream else self.downstream_task_ids

    def get_flat_relatives(self, upstream: bool = False) -> list[BaseOperator]:
        """All tasks after it, or before it, however far."""
        found: dict[BaseOperator, None] = {}
        todo = list(self._up if upstream else self._down)
        while todo:
            task = todo.pop()
            if task not in found:
                found[task] = None
                todo.extend(task._up if upstream else task._down)
        return list(found)

    def get_flat_relative_ids(self, upstream: bool = False) -> set[str]:
        """Their ids."""
        return {task.task_id for task in self.get_flat_relatives(upstream)}
