"""The template fields of a run's tasks as they were rendered, as people may see them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flowlet.worker.shown import shown_fields
from flowlet.worker.task_instance import RuntimeTaskInstance
from flowlet.worker.worker import Recipe
from flowlet.worker.workload import RunFacts, Workload

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance


def rendered_of(run: ActiveRun) -> dict[str, dict[str, Any]]:
    """`task_id` or `task_id[3]` to field to value, of each instance that was tried and has template fields.

    What was rendered is remembered. Calls that take nothing but what others returned write nothing down: that
    is on file already, and is looked up here.
    """
    found = {ti.key: _fields(ti) for ti in run.known_instances if ti.try_number}
    return {key: fields for key, fields in found.items() if fields}


def _fields(ti: TaskInstance) -> dict[str, Any]:
    if ti.rendered is not None:
        fields: dict[str, Any] = json.loads(ti.rendered)
        return fields
    index, operators = ti.spec.index, ti.run.operators
    task = operators[index] if 0 <= index < len(operators) else None
    if task is None or task.is_mapped:
        return {}
    recipe = Recipe(task)
    if recipe.plan is None:
        return shown_fields(task)
    if not recipe.plain:
        return {}  # its template could not be rendered
    try:
        return shown_fields(task, recipe.plan.resolve(task, {"ti": _seen_by(ti, task, recipe)}))
    except Exception:  # nor could the attempt find what it is to take
        return {}


def _seen_by(ti: TaskInstance, task: Any, recipe: Recipe) -> RuntimeTaskInstance:
    """What the attempt could see of the run's values."""
    run = ti.run
    facts = RunFacts(
        run.dag_id, run.run_id, run.run_type, run.logical_date, run.interval_start, run.interval_end, run.run_after,
        run.started_at, {},
    )  # fmt: skip
    work = Workload(
        None, task.get_dag(), task, facts, ti.map_index, ti.try_number, ti.max_tries, ti.started_at or 0, _Values(run)
    )
    return RuntimeTaskInstance(None, work, task, recipe.types)  # type: ignore[arg-type]  # it runs nothing


class _Values:
    """The values that a run has in memory, as a worker reads them."""

    def __init__(self, run: ActiveRun) -> None:
        self._run = run

    def get(self, dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> str | None:  # noqa: ARG002  XComReader's
        """The value of one task instance."""
        ti = self._run.find(task_id, map_index)
        return None if ti is None else dict(_known(ti)).get(key)

    def get_mapped(self, dag_id: str, run_id: str, task_id: str, key: str) -> list[tuple[int, str]]:  # noqa: ARG002  as above
        """(map_index, value) of all instances that pushed."""
        instances = self._run.of_task(task_id)
        return [(ti.map_index, text) for ti in instances for name, text in _known(ti) if name == key]


def _known(ti: TaskInstance) -> tuple[tuple[str, str], ...]:
    if ti.xcoms is None:
        raise LookupError(f"the values of {ti.key} stand in the file only")
    return ti.xcoms
