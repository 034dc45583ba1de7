"""Which tasks of other DAGs are cleared along: those of which an ExternalTaskMarker says that they wait for it.

Source: Airflow's ExternalTaskMarker (providers/standard/sensors/external_task.py), and how Airflow 2 cleared
recursively (models/dag.py, `_get_task_instances` with `include_dependent_dags`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlet.engine.arguments import moment_of
from flowlet.errors import DagNotFound, FlowletError
from flowlet.runs import clearing
from flowlet.runs.clearing import Which
from flowlet.scheduler.loop import facts_of

if TYPE_CHECKING:
    from flowlet.engine.operations import Operations
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.scheduler.requests import Found, Part


class Trail:
    """From run to run along markers, each task of each run once: markers that point at each other end somewhere."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._parts: list[Part] = []
        self._seen: set[tuple[str, str, str]] = set()
        self._found: dict[tuple[str, str], Found] = {}

    async def follow(self, parts: list[Part]) -> list[Part]:
        """What is asked for, and all that hangs on it in other DAGs."""
        for found, _ in parts:
            self._found[found.run.dag_id, found.run.run_id] = found
        ahead: list[tuple[Part, int, int]] = [(part, 0, 0) for part in parts]
        for part, depth, most in ahead:
            self._parts.append(part)
            for marker in _markers(*part):
                limit = most or marker.spec.marks[3]  # type: ignore[index]  # it is a marker
                further = await self._marked(marker, part[1])
                if further is None:
                    continue
                if depth >= limit:
                    raise FlowletError(
                        f"{marker.spec.task_id} of DAG {marker.run.dag_id!r} is more than recursion_depth={limit} markers away:"
                        " give the first marker a larger recursion_depth, or clear without downstream"
                    )
                ahead.append((further, depth + 1, limit))
        return self._parts

    async def _marked(self, marker: TaskInstance, which: Which) -> Part | None:
        """The task that a marker names, and what comes after it; None if there is no such run or it was here before."""
        dag_id, task_id, date = self._render(marker)
        try:
            self._operations.brain.entry(dag_id)
        except DagNotFound as error:
            raise DagNotFound(f"the marker {marker.spec.task_id} of DAG {marker.run.dag_id!r}: {error}") from None
        run_id = None if date is None else await self._operations.run_of_date(dag_id, date)
        if run_id is None or (dag_id, run_id, task_id) in self._seen:
            return None
        self._seen.add((dag_id, run_id, task_id))
        found = self._found.get((dag_id, run_id)) or await self._operations.find_run(dag_id, run_id)
        if found is None:
            return None
        self._found[dag_id, run_id] = found
        return found, Which((task_id,), downstream=True, states=which.states)

    def _render(self, marker: TaskInstance) -> tuple[str, str, int | None]:
        dag_id, task_id, date, _ = marker.spec.marks  # type: ignore[misc]  # it is a marker
        if marker.run.logical_date is None and date is not None and "{{" in date:
            return dag_id, task_id, None
        dag = self._operations.brain.entry(marker.run.dag_id).dag
        try:
            dag_id, task_id, date = (_rendered(text, marker.run, dag) for text in (dag_id, task_id, date))
            return dag_id, task_id, moment_of(date)
        except Exception as error:
            raise FlowletError(f"the marker {marker.spec.task_id} of DAG {marker.run.dag_id!r}: {error}") from error


def _markers(found: Found, which: Which) -> list[TaskInstance]:
    """Those that are cleared, where what comes after is: of whole runs, or with `downstream`."""
    run = found.run
    if (which.task_ids is not None and not which.downstream) or all(task.marks is None for task in run.spec.tasks):
        return []
    return [ti for ti in clearing.find(run, which) if ti.spec.marks is not None]


def _rendered(text: str | None, run: ActiveRun, dag: Any) -> Any:
    if text is None or "{" not in text:
        return text
    from flowlet.authoring.dag import DAG
    from flowlet.worker.context import run_context
    from flowlet.worker.templates import templates_of

    return templates_of(None, dag or DAG(run.dag_id)).render(text, run_context(facts_of(run, dag and dag.timetable)))
