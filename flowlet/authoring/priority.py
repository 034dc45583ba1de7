"""What a task weighs, by code of the user's: `weight_rule=` (Airflow: airflow/task/priority_strategy.py)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class PriorityWeightStrategy(ABC):
    """Subclasses define `get_weight`; they keep no state, for two of a class count as one.

    It is asked each time an instance comes to wait for a slot while others wait. What it raises is an event,
    once for each task; the task's own `priority_weight` counts then.
    """

    @abstractmethod
    def get_weight(self, ti: Any) -> int:
        """The weight of an instance; who weighs more goes first.

        `ti` has task, dag_id, task_id, run_id, map_index, try_number (of the try that it waits for), max_tries,
        state, logical_date and priority_weight (the task's own).
        """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self))

    def __hash__(self) -> int:
        return hash(type(self))
