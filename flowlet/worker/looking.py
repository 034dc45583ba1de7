"""What code of an attempt, or of a callback, may see of how runs and their tasks stand: as it is on file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from flowlet.authoring import spellings
from flowlet.clock import to_micros
from flowlet.errors import FlowletError, RunNotFound
from flowlet.named_tuple import NamedTuple
from flowlet.worker.vault import find_vault


class KnownTaskInstance(NamedTuple):
    """A task instance of some run, as it stood when it was asked for."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    operator: str
    start_date: datetime | None
    end_date: datetime | None

    @property
    def duration(self) -> float | None:
        """Seconds from the start of its last try to its end."""
        if self.start_date is None or self.end_date is None:
            return None
        return (self.end_date - self.start_date).total_seconds()


class Looks:
    """Airflow's questions about runs (sdk/execution_time/task_runner.py), as methods of a class."""

    @staticmethod
    def get_dagrun_state(dag_id: str, run_id: str) -> str:
        """How a run stands. RunNotFound."""
        for _, _, state in _runs(dag_id, None, [run_id]):
            return state
        raise RunNotFound(f"DAG {dag_id!r} has no run {run_id!r}")

    @staticmethod
    def get_dr_count(
        dag_id: str, logical_dates: Sequence[datetime] | None = None, run_ids: Sequence[str] | None = None,
        states: Collection[str] | None = None,
    ) -> int:  # fmt: skip
        """How many of the runs there are, in these states."""
        return sum(states is None or state in states for _, _, state in _runs(dag_id, logical_dates, run_ids))

    @classmethod
    def get_ti_count(
        cls, dag_id: str, map_index: int | None = None, task_ids: Sequence[str] | None = None, task_group_id: str | None = None,
        logical_dates: Sequence[datetime] | None = None, run_ids: Sequence[str] | None = None, states: Collection[str] | None = None,
    ) -> int:  # fmt: skip
        """How many task instances of these runs there are, in these states."""
        found = _instances(dag_id, map_index, task_ids, task_group_id, logical_dates, run_ids)
        return sum(states is None or ti.state in states for ti in found)

    @classmethod
    def get_task_states(
        cls, dag_id: str, map_index: int | None = None, task_ids: Sequence[str] | None = None, task_group_id: str | None = None,
        logical_dates: Sequence[datetime] | None = None, run_ids: Sequence[str] | None = None,
    ) -> dict[str, dict[str, str | None]]:  # fmt: skip
        """By run_id, then by task_id (`task_id_3` of a mapped one), the state."""
        states: dict[str, dict[str, str | None]] = {}
        for ti in _instances(dag_id, map_index, task_ids, task_group_id, logical_dates, run_ids):
            key = ti.task_id if ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
            states.setdefault(ti.run_id, {})[key] = ti.state
        return states


def instances_of(dag_id: str, run_id: str) -> list[KnownTaskInstance]:
    """All task instances of a run."""
    return [_known(dag_id, run_id, row) for row_id, _, _ in _runs(dag_id, None, [run_id]) for row in _ask("tasks_of_run", run=row_id)]


def _instances(
    dag_id: str, map_index: int | None, task_ids: Sequence[str] | None, group: str | None,
    dates: Sequence[datetime] | None, run_ids: Sequence[str] | None,
) -> Iterable[KnownTaskInstance]:  # fmt: skip
    for _, run_id, _ in _runs(dag_id, dates, run_ids):
        for ti in instances_of(dag_id, run_id):
            wanted = task_ids is None or ti.task_id in task_ids
            if group is not None:
                wanted = ti.task_id.startswith(f"{group}.") or (task_ids is not None and wanted)
            if wanted and (map_index is None or ti.map_index == map_index):
                yield ti


def _runs(dag_id: str, dates: Sequence[datetime] | None, run_ids: Sequence[str] | None) -> list[tuple[int, str, str]]:
    """Row id, run_id and state of the runs that are meant; without dates and ids, all."""
    if run_ids is None and dates is None:
        rows = _ask("last_runs", dag_id=dag_id, limit=-1)
    elif run_ids is None:
        rows = [row for date in dates or () for row in _ask("run_by_logical_date", dag_id=dag_id, logical_date=to_micros(date))]
    else:
        rows = [row for run_id in run_ids for row in _ask("run", dag_id=dag_id, run_id=run_id)]
        rows = rows if dates is None else [row for row in rows if row[5] in {to_micros(date) for date in dates}]
    return [(row[0], row[2], row[4]) for row in rows]


def _ask(name: str, **values: Any) -> Sequence[Any]:
    engine: Any = find_vault()
    if engine is None:
        raise FlowletError("runs can be seen only while an Engine is open")
    found: Sequence[Any] = engine.look(name, **values)
    return found


def _known(dag_id: str, run_id: str, row: Sequence[Any]) -> KnownTaskInstance:
    state = None if row[4] == "none" else row[4]
    ended = row[11] if row[17] is None else row[17]
    return KnownTaskInstance(dag_id, run_id, row[2], row[3], state, row[5], row[7], _moment(row[10]), _moment(ended))


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else spellings.moment(micros)
