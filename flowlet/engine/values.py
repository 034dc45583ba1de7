"""Where a body's values come from: memory while the run is active, else the file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowlet.engine.kept import Kept

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.runs.instances import TaskInstance
    from flowlet.scheduler.brain import Brain
    from flowlet.store import Store


class Values(Kept):
    """The worker's XComReader, and its Vault."""

    def __init__(self, brain: Brain, store: Store) -> None:
        super().__init__(store)
        self._brain = brain

    def previous_success(self, dag_id: str, logical_date: int) -> tuple[int | None, int | None, int | None, int | None]:
        """Data interval, start and end of the latest successful run with an earlier logical date; None without one."""
        rows = self._store.fetch_now("previous_successful_run", dag_id=dag_id, logical_date=logical_date)
        return (*rows[0][6:8], *rows[0][11:13]) if rows else (None, None, None, None)

    def get(self, dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> str | None:
        """The value of one task instance, as encoded text, or None."""
        ti = self._active(dag_id, run_id, task_id, map_index)
        if ti is not None and ti.xcoms is not None:
            for name, text in ti.xcoms:
                if name == key:
                    return text
            return None
        if ti is None and map_index < 0 and self._active_instances(dag_id, run_id, task_id):
            return None
        rows = self._store.fetch_now(
            "xcom", dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index, key=key
        )
        return rows[0][0] if rows else None

    def get_before(self, dag_id: str, logical_date: int, task_id: str, map_index: int, key: str) -> str | None:
        """The newest value of the runs with this logical date or an earlier one, as the file has it."""
        rows = self._store.fetch_now(
            "xcom_before", dag_id=dag_id, logical_date=logical_date, task_id=task_id, map_index=map_index, key=key
        )
        return rows[0][0] if rows else None

    def get_mapped(self, dag_id: str, run_id: str, task_id: str, key: str) -> list[tuple[int, str]]:
        """(map_index, value) of every instance of a task that pushed."""
        instances = self._active_instances(dag_id, run_id, task_id)
        if instances is not None:
            return [(ti.map_index, text) for ti in instances for name, text in ti.xcoms or () if name == key]
        rows = self._store.fetch_now("xcom_mapped", dag_id=dag_id, run_id=run_id, task_id=task_id, key=key)
        return [(index, text) for index, text in rows]

    def _active_instances(self, dag_id: str, run_id: str, task_id: str) -> Sequence[TaskInstance] | None:
        """All instances of a task, if the values of all of them are in memory."""
        entry = self._brain.entries.get(dag_id)
        run = entry.active.get(run_id) if entry is not None else None
        found = run.of_task(task_id) if run is not None else ()
        return found if found and all(ti.xcoms is not None for ti in found) else None

    def _active(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> TaskInstance | None:
        entry = self._brain.entries.get(dag_id)
        run = entry.active.get(run_id) if entry is not None else None
        return None if run is None else run.find(task_id, map_index)


def types_in(dag: DAG) -> Mapping[str, type]:
    """Classes that the DAG's own module defines, by name."""
    module = next((m for op in dag.tasks if (m := _module_of(op)) is not None), None)
    if module is None:
        return {}
    return {name: thing for name, thing in vars(module).items() if isinstance(thing, type)}


def _module_of(operator: Any) -> Any:
    function = getattr(operator, "python_callable", None)
    return sys.modules.get(getattr(function, "__module__", "") or "")
