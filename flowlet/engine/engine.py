"""Engine: one scheduler on one file, inside whatever program opens it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowlet.engine import backfill_rows, rows
from flowlet.engine.arguments import checked_run_id, conf_text, moment_of
from flowlet.engine.backfills import Backfilling
from flowlet.engine.other_runs import OtherRuns
from flowlet.engine.run import DagRun
from flowlet.engine.values import types_in
from flowlet.errors import FlowletError, RunNotFound
from flowlet.runs.finding import instance_of
from flowlet.runs.instances import is_active
from flowlet.scheduler import requests
from flowlet.scheduler.naming import same_run

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.runs.instances import ActiveRun

_UNSET: Any = object()


class Engine(Backfilling):
    """Scheduler, executor and store on one loop.

        async with Engine("flowlet.db", dags=[etl]) as engine:
            run = await engine.trigger("etl", conf={"day": "2026-01-01"})
            await run.wait()

    `path`: the SQLite file, or ":memory:". `durability`: "full" survives a power cut, "process" any crash of
    the process. `schedules=False` fires no schedules. `execute=False` commits what is asked and starts
    nothing (the command line's way to write to a file without an owner). Runs that ended more than `keep_days`
    (90) ago are deleted while it runs, but for the newest `keep_runs` (100) of each DAG. Raises StoreOwned if another
    scheduler owns the file, StoreUnfit if the file is not usable. It installs no signal handlers.
    """

    # -- verbs ---------------------------------------------------------------------------------------

    async def trigger(
        self,
        dag_id: str,
        *,
        conf: Mapping[str, Any] | None = None,
        logical_date: datetime | str | None = _UNSET,
        run_id: str | None = None,
        run_type: str = "manual",
    ) -> DagRun:
        """Make a run; it is on file when this returns.

        Without `logical_date`: now. None: a run without a date. A run_id given twice, with the same conf and
        date, is the same run. Raises DagNotFound, RunExists, ParamError, XComError (conf is not JSON).
        """
        self.check()
        scheduler, store = self._parts()
        entry = self.brain.entry(dag_id)
        text = self._conf(entry, conf)
        date = requests.NOW if logical_date is _UNSET else moment_of(logical_date)
        request = requests.Trigger(dag_id, checked_run_id(run_id), date, text, ())
        known = None if run_id is None else await self._find(dag_id, run_id)
        if known is not None and known is not entry.active.get(run_id or ""):  # a live one may not be on file yet
            run = await self._given(same_run(known, request))
            return await run.wait() if run_id in entry.closing else run
        past: list[Any] = []
        if entry.has_past and date is not None and date != requests.NOW:
            past = await rows.run_before(store, entry.spec, date)
        run = await scheduler.ask(requests.Trigger, *request[:4], past, run_type=run_type)
        return await self._given(run)

    async def run(self, dag_id: str, run_id: str) -> DagRun:
        """A run by its id, live or finished; RunNotFound."""
        self.check()
        run = await self._find(dag_id, run_id)
        if run is None:
            raise RunNotFound(f"DAG {dag_id!r} has no run {run_id!r}")
        return await self._given(run)

    async def cancel(self, dag_id: str, run_id: str) -> DagRun:
        """End a run before its time; a finished one stays as it is."""
        run = await self.run(dag_id, run_id)
        await self._parts()[0].ask(requests.Cancel, run._run, "cancelled")
        return run

    async def answer(
        self, dag_id: str, run_id: str, task_id: str, options: str | Sequence[str], *,
        params: Mapping[str, Any] | None = None, by: str | None = None, map_index: int = -1,
    ) -> None:  # fmt: skip
        """Answer a task that is awaiting input; it is on file when this returns.

        TaskNotFound; FlowletError if it asks nothing, if that is none of its options, or if `by` may not answer.
        """
        run = (await self.run(dag_id, run_id))._run
        ti = instance_of(run, task_id, map_index)
        chosen = [options] if isinstance(options, str) else list(options)
        await self._parts()[0].ask(requests.Answer, ti, chosen, dict(params or {}), by)

    async def pause(self, dag_id: str) -> None:
        """No scheduled runs, and no new tasks of the active ones, until unpaused."""
        await self._parts()[0].ask(requests.Pause, dag_id, True)

    async def unpause(self, dag_id: str) -> None:
        """Go on; the ticks that fell into the pause are recorded as skipped."""
        await self._parts()[0].ask(requests.Pause, dag_id, False)

    async def set_pool(self, name: str, slots: int, description: str = "", *, include_deferred: bool = False) -> None:
        """Make a pool or change it. `include_deferred`: tasks that wait for their triggers count, too."""
        if slots < 0:
            raise FlowletError(f"pool {name!r}: slots={slots} must not be negative")
        await self._parts()[0].ask(requests.SetPool, name, slots, description, include_deferred=include_deferred)

    async def delete_pool(self, name: str) -> None:
        """Tasks that name it wait until it exists again. PoolNotFound."""
        await self._parts()[0].ask(requests.DeletePool, name)

    async def pools(self) -> dict[str, dict[str, int]]:
        """Name to slots and how many are taken."""
        self.check()
        return {name: {"slots": pool.size, "used": pool.used} for name, pool in self.brain.admission.pools.items() if pool.size}

    async def add(self, dag: DAG) -> None:
        """Register a DAG while the engine runs."""
        self.check()
        scheduler, _ = self._parts()
        entry = self.registry.add(dag)
        request = await self._registration(entry.spec.dag_id)
        while self.registry.get(entry.spec.dag_id).dag is not request.dag:  # described again while the file was read
            request = await self._registration(entry.spec.dag_id)
        await scheduler.ask(requests.Register, *request[:-1])

    async def _registration(self, dag_id: str) -> requests.Register:
        """A DAG as it is described now, with what the file knows of it."""
        store, entry = self._parts()[1], self.registry.get(dag_id)
        row = await rows.of_dag(store, entry.spec.dag_id)
        known = self.brain.entries.get(entry.spec.dag_id)
        active = () if known else (await rows.active_runs(store)).get(entry.spec.dag_id, ())
        dates = [run.logical_date for run in known.known()] if known else []
        newest = None if row is None else await rows.newest_date(store, entry.spec.dag_id)
        request = await rows.registration(store, entry.dag, entry.spec, row, active, newest, dates)
        return request if known else request._replace(backfill=await backfill_rows.active_backfill(store, dag_id))

    def dags(self) -> list[str]:
        """The ids of all registered DAGs."""
        return sorted(self.brain.entries)

    async def why(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
        """Why a task does not start, or how it stands: a sentence."""
        run = (await self.run(dag_id, run_id))._run
        return self.brain.why(instance_of(run, task_id, map_index))

    def next_due(self) -> int | None:
        """When the scheduler will look again by itself, microseconds."""
        return self.brain.next_due()

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written at the moment (a full disk, say), and so nothing starts; None if all is well."""
        trouble = self._parts()[0].trouble
        return None if trouble is None else str(trouble)

    async def checkpoint(self) -> None:
        await self._parts()[1].checkpoint()

    async def prune(self, *, keep_days: int | None = None, keep_runs: int | None = None) -> int:
        """Delete now what the engine deletes by itself in time (or what is older than `keep_days`, beyond the newest
        `keep_runs` runs of each DAG), logs included; gives how many runs."""
        days = self._keep.days if keep_days is None else keep_days
        runs = self._keep.runs if keep_runs is None else keep_runs
        return await self._parts()[1].prune(self.clock.now(), days, runs, forget=self._forget_logs)

    async def backup(self, path: str | Path) -> None:
        await self._parts()[1].backup(path)

    # -- for runs ------------------------------------------------------------------------------------

    def types_of(self, dag_id: str) -> Mapping[str, type] | None:
        """The attrs and data classes of the DAG's own module, by name: what its values may be."""
        entry = self.brain.entries.get(dag_id)
        return None if entry is None or entry.dag is None else types_in(entry.dag)

    def _door_to_runs(self) -> OtherRuns:
        return OtherRuns(self, noting=self._unlimited)

    async def fetch(self, name: str, **values: Any) -> list[Any]:
        """The rows of a named statement."""
        return list(await self._parts()[1].fetch(name, **values))

    async def _find(self, dag_id: str, run_id: str) -> ActiveRun | None:
        """The run that is live; or, when it has ended, as the file has it. It may begin or end while the file
        is read: what is still active on file is never taken for the run itself."""
        while True:
            entry = self.brain.entry(dag_id)
            live = entry.find(run_id)
            if live is not None:
                return live
            found = await rows.find_run(self._parts()[1], entry.spec, run_id)
            if found is not None:
                found.operators = entry.operators
            if found is None or not is_active(found):
                return entry.find(run_id) or found

    async def _perform(self, verb: str, args: dict[str, Any]) -> Any:
        from flowlet.engine.verbs import perform

        return await perform(self, verb, args)

    def _conf(self, entry: Any, conf: Mapping[str, Any] | None) -> str:
        """conf as JSON text, checked against the DAG's params."""
        return conf_text(entry.dag, conf)


def loop_is_running() -> bool:
    """Whether this thread has a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
