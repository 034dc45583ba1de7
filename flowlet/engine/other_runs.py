"""What a body may ask of the runs beside its own: make one, and see how others stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowlet.clock import to_micros
from flowlet.errors import DagNotFound, FailTask, RunNotFound, TaskNotFound
from flowlet.runs.states import RunType
from flowlet.scheduler.naming import manual_run_id

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.engine.engine import Engine
    from flowlet.worker.workload import RunFacts



_NOW: Any = object()
_TRIGGERED = "triggered_runs"


def triggered_by(run: RunFacts) -> list[dict[str, str]]:
    """What a run asked for, and how that stands, as far as this engine saw it happen."""
    return [
        {"dag_id": dag_id, "run_id": run_id, "state": "queued" if made is None else str(made.state)}
        for dag_id, run_id, made in run.cache.get(_TRIGGERED, ())
    ]


class OtherRuns:
    """The worker's `Runs`. Under `dag.test()` a run that is asked for is noted and never run (as in Airflow)."""

    def __init__(self, engine: Engine, *, noting: bool) -> None:
        self._engine = engine
        self._noting = noting

    async def trigger(
        self, by: RunFacts, dag_id: str, *, conf: Mapping[str, Any] | None, run_id: str | None, **date: Any
    ) -> str:
        """A new run of that DAG, asked for by the run `by`; gives its run_id. RunExists, DagNotFound."""
        if self._noting:
            made, run_id = None, run_id or self._id_for(**date)
        else:
            run_type = RunType.OPERATOR_TRIGGERED
            made = await self._engine.trigger(dag_id, conf=conf, run_id=run_id, run_type=run_type, **date)
            run_id = made.run_id
        by.cache.setdefault(_TRIGGERED, []).append((dag_id, run_id, made))
        return run_id

    async def reset(self, by: RunFacts, dag_id: str, *, run_id: str | None, **date: Any) -> str:
        """The run of that id, or that has that date, begins anew, with the conf that it has. RunNotFound."""
        made, day = None, date.get("logical_date")
        taken = None if run_id or day is None else await self._row(dag_id, day)
        run_id = run_id or (self._id_for(**date) if taken is None else taken[2])
        if not self._noting:
            await self._engine.clear(dag_id, run_id)
            made = await self._engine.run(dag_id, run_id)
        by.cache.setdefault(_TRIGGERED, []).append((dag_id, run_id, made))
        return str(run_id)

    def _id_for(self, logical_date: Any = _NOW) -> str:
        """The id of a run that is asked for without one."""
        now = self._engine.clock.now()
        return manual_run_id(now if logical_date is _NOW else logical_date and to_micros(logical_date), now)

    async def exists(self, dag_id: str, run_id: str) -> bool:
        """Whether there is a run of that id."""
        try:
            await self._engine.run(dag_id, run_id)
        except RunNotFound:
            return False
        return True

    async def state(self, dag_id: str, run_id: str) -> str:
        """How a run stands. RunNotFound; FailTask under `dag.test()`, where nobody runs it."""
        if self._noting:
            raise FailTask(f"dag.test() does not run DAG {dag_id!r}, so its run would be waited for in vain")
        return str((await self._engine.run(dag_id, run_id)).state)

    async def run_states(self, dag_id: str, dates: Sequence[datetime]) -> list[str | None]:
        """How the DAG's runs of these logical dates stand; None where there is none."""
        runs = [await self._row(dag_id, date) for date in dates]
        return [None if run is None else str(run[4]) for run in runs]

    async def task_states(
        self, dag_id: str, dates: Sequence[datetime], task_ids: Sequence[str]
    ) -> list[list[str] | None]:
        """How these tasks stand in the runs of these logical dates, all their mapped instances; None: no run."""
        found: list[list[str] | None] = []
        for date in dates:
            run = await self._row(dag_id, date)
            if run is None:
                found.append(None)
                continue
            rows = await self._engine.fetch("task_states", run=run[0])
            found.append([str(state) for task_id, _, state in rows if task_id in task_ids])
        return found

    async def _row(self, dag_id: str, date: datetime) -> Sequence[Any] | None:
        rows = await self._engine.fetch("run_by_logical_date", dag_id=dag_id, logical_date=to_micros(date))
        return rows[0] if rows else None

    def tasks_of(self, dag_id: str, group_id: str) -> list[str]:
        """The ids of the tasks in a group of a registered DAG. DagNotFound, TaskNotFound."""
        dag = self._dag(dag_id)
        if not dag.has_task_group(group_id):
            raise TaskNotFound(f"DAG {dag_id!r} has no group {group_id!r}")
        return [task.task_id for task in dag.task_group_dict[group_id].iter_tasks()]

    def check(self, dag_id: str, task_ids: Sequence[str]) -> None:
        """DagNotFound, or TaskNotFound, if there is no such DAG or task."""
        dag = self._dag(dag_id)
        for task_id in task_ids:
            dag.get_task(task_id)

    def _dag(self, dag_id: str) -> DAG:
        entry = self._engine.brain.entries.get(dag_id)
        if entry is None or entry.dag is None:
            raise DagNotFound(f"DAG {dag_id!r} is not registered with this engine")
        return entry.dag


