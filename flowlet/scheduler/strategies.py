"""Weights by code of the user's, which may raise or never come back: the guard around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlet.clock import from_micros
from flowlet.errors import TimetableError
from flowlet.named_tuple import NamedTuple
from flowlet.timetables import guard

if TYPE_CHECKING:
    from datetime import datetime

    from flowlet.runs.instances import TaskInstance


class WeighedInstance(NamedTuple):
    """What a strategy is shown of a task instance."""

    task: Any
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    try_number: int
    max_tries: int
    state: str
    logical_date: datetime | None

    @property
    def priority_weight(self) -> int:
        """The task's own."""
        return int(self.task.priority_weight)


def weigh(ti: TaskInstance) -> tuple[int, str | None]:
    """The weight that the task's strategy gives; its own, and why, if that fails."""
    own = ti.spec.priority_weight
    if not ti.run.operators:  # its code is not loaded here
        return own, None
    task = ti.run.operators[ti.spec.index]
    about = f"the weight rule {ti.spec.weight_rule} of task {ti.spec.task_id!r}"
    try:
        weight = guard.ask(lambda: task.weight_rule.get_weight(_shown(ti, task)), about)
    except TimetableError as error:
        return own, str(error)
    if not isinstance(weight, (int, float)) or weight != weight:
        return own, f"{about} must give a number, not {type(weight).__name__}"
    return int(max(-(2**31), min(weight, 2**31 - 1))), None


def _shown(ti: TaskInstance, task: Any) -> WeighedInstance:
    run = ti.run
    goes_on = ti.try_number and ti.outcome is None
    date = None if run.logical_date is None else from_micros(run.logical_date)
    return WeighedInstance(
        task, run.dag_id, ti.spec.task_id, run.run_id, ti.map_index, ti.try_number + (not goes_on), ti.max_tries, ti.state, date
    )
