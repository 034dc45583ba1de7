"""What a user holds of one DagRun."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowlet.clock import from_micros, iso
from flowlet.engine.other_runs import triggered_by
from flowlet.runs.finding import instance_of
from flowlet.runs.instances import is_active
from flowlet.runs.states import RunState, TaskState
from flowlet.runs.values import decode, plain
from flowlet.worker.assets import as_json

if TYPE_CHECKING:
    from flowlet.engine.engine import Engine
    from flowlet.runs.instances import ActiveRun, TaskInstance


class DagRun:
    """One run of a DAG, live while its engine is open; what it shows is on file.

    A finished run keeps states, tries and XComs after the engine is closed.
    """

    def __init__(self, engine: Engine, run: ActiveRun) -> None:
        self._engine = engine
        self._run = run

    @property
    def dag_id(self) -> str:
        return self._run.dag_id

    @property
    def run_id(self) -> str:
        return self._run.run_id

    @property
    def run_type(self) -> str:
        return self._run.run_type

    @property
    def logical_date(self) -> datetime | None:
        """Aware, UTC; None for a run without one."""
        date = self._run.logical_date
        return None if date is None else from_micros(date)

    @property
    def state(self) -> RunState:
        """queued, running, success or failed."""
        return RunState(self._run.shown)

    @property
    def reason(self) -> str | None:
        """Why it failed, or waits."""
        return self._run.reason or self._run.held

    @property
    def conf(self) -> dict[str, Any]:
        return self._run.conf_value

    @property
    def task_states(self) -> dict[str, TaskState]:
        """task_id (`task_id[3]` of a mapped one) to its state, in topological order."""
        return {ti.key: TaskState(ti.shown) for ti in self._run.known_instances}

    async def wait(self) -> DagRun:
        """Until the run has ended; gives the run, also a failed one. Raises if its engine fails."""
        run = self._run
        while is_active(run) or run.shown != run.state:
            self._engine.check()
            over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            run.on_over.append(over)
            await over
        await self._keep()
        return self

    async def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """A value that a task pushed, or None; TaskNotFound for a task the run does not have."""
        ti = instance_of(self._run, task_id, map_index)
        await self._keep()
        text = dict(ti.xcoms or ()).get(key)
        return None if text is None else decode(text, self._engine.types_of(self.dag_id))

    async def why(self, task_id: str, map_index: int = -1) -> str:
        """Why a task of it does not start, or how it stands: a sentence."""
        return await self._engine.why(self.dag_id, self.run_id, task_id, map_index)

    async def cancel(self) -> None:
        """End the run: what runs is cancelled, what waits is skipped, the run is failed."""
        await self._engine.cancel(self.dag_id, self.run_id)

    async def clear(self, **which: Any) -> list[tuple[str, str, int]]:
        """Let tasks of it, by default all, start anew: see `Engine.clear`."""
        return await self._engine.clear(self.dag_id, self.run_id, **which)

    async def _keep(self) -> None:
        """Fetch what a restart left in the file only."""
        if not self._run.recalled:
            await self._engine.recall(self._run)

    def as_dict(self) -> dict[str, Any]:
        """The run as plain JSON. Of instances, by `task_id` or `task_id[3]`: the state (`tasks`), `tries`, the class
        names of the exceptions of failed attempts (`errors`), `reasons`, template fields as they were `rendered`,
        without secrets, `map_labels`; by `task_id[3]:key` the `xcoms`. `asset_events`, `triggered_runs`, and the
        run's own id, type, state and times.
        """
        from flowlet.engine.shown import rendered_of

        run = self._run
        return {
            "dag_id": run.dag_id,
            "run_id": run.run_id,
            "run_type": run.run_type,
            "state": run.shown,
            "reason": run.reason,
            "logical_date": _iso(run.logical_date),
            "queued_at": _iso(run.queued_at),
            "started_at": _iso(run.started_at),
            "ended_at": _iso(run.ended_at),
            "conf": run.conf_value,
            "tasks": {ti.key: ti.shown for ti in run.known_instances},
            "tries": {ti.key: ti.try_number for ti in run.known_instances},
            "errors": {ti.key: _class_names(ti.errors) for ti in run.known_instances if ti.errors},
            "reasons": {ti.key: ti.reason for ti in run.known_instances if ti.reason},
            "rendered": rendered_of(run),
            "map_labels": {ti.key: ti.label for ti in run.known_instances if ti.label is not None},
            "asset_events": [] if run.facts is None else as_json(run.facts),
            "triggered_runs": [] if run.facts is None else triggered_by(run.facts),
            "xcoms": {f"{ti.key}:{key}": plain(text) for ti in run.known_instances for key, text in ti.xcoms or ()},
        }

    def _find(self, task_id: str) -> TaskInstance | None:
        return self._run.find(task_id)

    def __repr__(self) -> str:
        return f"<DagRun {self.dag_id}/{self.run_id} {self._run.shown}>"


def _class_names(errors: dict[int, str]) -> list[str]:
    """In the order of the tries, without their modules."""
    return [errors[number].rpartition(".")[2] for number in sorted(errors)]


def _iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)
