"""What an engine is made of: opens, connects, runs and closes the rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from flowlet import events, settings
from flowlet.authoring.spec import DagSpec
from flowlet.clock import Clock, SystemClock
from flowlet.engine import backfill_rows, rows
from flowlet.engine.callbacks import MAY_TAKE, Callbacks
from flowlet.engine.shield import to_the_end
from flowlet.engine.states import States
from flowlet.engine.values import Values
from flowlet.errors import EngineClosed, FlowletError
from flowlet.executors.triggerer import Triggerer
from flowlet.registry.registry import Registry
from flowlet.scheduler import requests
from flowlet.scheduler.brain import Brain
from flowlet.scheduler.loop import Scheduler
from flowlet.scheduler.upkeep import Keep, Upkeep
from flowlet.worker import vault

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.engine.control import ControlServer
    from flowlet.executors.base import Executor
    from flowlet.executors.watchdog import Stall
    from flowlet.store import Store
    from flowlet.worker.deferral import Deferral
    from flowlet.worker.worker import Worker
    from flowlet.worker.workload import Runs, Workload

_UNSET: Any = object()

_EXECUTORS = ("LocalExecutor", "SequentialExecutor")


class Wiring:
    """The open engine, without its verbs (see `Engine`)."""

    def __init__(
        self,
        path: str | Path = ":memory:",
        *,
        dags: Iterable[DAG] = (),
        executor: Executor | str | None = None,
        parallelism: int | None = None,
        durability: str = "full",
        schedules: bool = True,
        execute: bool = True,
        pools: Mapping[str, int] | None = None,
        clock: Clock | None = None,
        control: bool = True,
        capture: str = "logging",
        grace: float = 30.0,
        unlimited: bool = False,
        keep_days: int | None = None,
        keep_runs: int | None = None,
    ) -> None:
        if durability not in ("full", "process"):
            raise FlowletError(f"durability={durability!r}: must be 'full' or 'process'")
        self.path = str(path)
        self.registry = Registry()
        self.listeners = events.Listeners()
        self.clock: Clock = clock or SystemClock()
        self._dags = list(dags)
        self._parallelism = parallelism
        self._executor_choice = executor
        self._durability = durability
        self._schedules, self._execute = schedules, execute
        self._pools = dict(pools or {})
        self._control = control and self.path != ":memory:" and execute
        self._capture = capture
        self._grace = grace
        self._unlimited = unlimited
        self._keep = Keep.by_settings(keep_days, keep_runs)
        self._store: Store | None = None
        self._scheduler: Scheduler | None = None
        self._worker: Worker | None = None
        self._can_execute = False
        self._group: Any = None
        self._server: ControlServer | None = None
        self._callbacks: Callbacks | None = None
        self._values: Values = None  # type: ignore[assignment]  # there is one as soon as it is open
        self.ended = asyncio.Event()
        """Set when the scheduler has ended, by close or by a failure (which `check` raises)."""
        self._closed = False

    # -- opening and closing -------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        from flowlet.store import Store

        for dag in self._dags:
            self.registry.add(dag)
        self._store = await Store.open(self.path, durability=self._durability, clock=self.clock)
        try:
            await self._open(self._store)
        except BaseException:
            await to_the_end(self._close(self._store, 0.0), name="flowlet:closing")
            raise
        return self

    async def _open(self, store: Store) -> None:
        self._loop = asyncio.get_running_loop()
        self.executor = self._make_executor()
        self.brain = await self._make_brain(store)
        self._values, self._states = Values(self.brain, store), States(self.brain, store)
        self._worker = self._make_worker(store)
        self._triggerer = Triggerer(self._worker, self._fired)
        self._scheduler = Scheduler(
            brain=self.brain, store=store, executor=self.executor, clock=self.clock, xcoms=self._values,
            listeners=self.listeners, call_back=self._call_back,
            upkeep=Upkeep(store, self._keep, self.clock.now(), forget=self._forget_logs), triggerer=self._triggerer,
            look_up=self._look_up,
        )  # fmt: skip
        self._values.follow(self._scheduler)
        self._states.follow(self._scheduler)
        vault.opened(self._values)
        await self.executor.open(self._worker, self._scheduler.deliver, self._scheduler.discard)
        self._can_execute = True
        self.executor.on_stall, self.executor.on_short = self._stalled, self._scheduler.wake
        self._worker.on_note = self._noted
        for kind, text in store.found:
            self._scheduler.post(requests.Note(kind, text))
        await self._register_all(store)
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._callbacks = Callbacks(self.brain, self._worker, self._group, self._scheduler.post)
        self._group.create_task(self._run_scheduler(), name="flowlet:scheduler")
        if self._control:
            await self._open_control()
        await self._scheduler.ask(requests.SetPool, "default_pool", self._default_pool, on_file=True)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Graceful and bounded: bodies get `grace` seconds, what is left is interrupted and goes on next time."""
        assert self._scheduler is not None and self._store is not None  # noqa: S101  entered
        closing = self._close(self._store, self._grace if kind is None else 0.0)
        await to_the_end(closing, name="flowlet:closing", hurry=partial(self.executor.close, 0.0))
        failure = self._scheduler.failure
        self._closed = True
        if failure is not None and kind is None and not isinstance(failure, EngineClosed):
            raise failure

    async def _close(self, store: Store, grace: float) -> None:
        """All that was opened, in the reverse order; `_open` may have come to any point."""
        try:
            if self._group is not None:
                await self._end_work(grace)
            elif self._can_execute:
                await self.executor.close(0.0)
            if self._worker is not None:
                self._worker.close()
        finally:
            if self._values is not None:
                vault.closed(self._values)
            await store.close()

    async def _end_work(self, grace: float) -> None:
        assert self._scheduler is not None  # noqa: S101  made before the group
        self._scheduler.drain()
        await self._triggerer.close()
        await self.executor.close(grace)
        if self._callbacks is not None:
            await self._callbacks.end(self._scheduler.catch_up, min(MAY_TAKE, max(self._grace, 1.0)))
        self._scheduler.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace + 10):
                await self.ended.wait()
        if self._server is not None:
            await self._server.close()
        await self._group.__aexit__(None, None, None)

    async def _run_scheduler(self) -> None:
        assert self._scheduler is not None  # noqa: S101  opened
        try:
            await self._scheduler.run()
        finally:
            self.ended.set()

    # -- wiring --------------------------------------------------------------------------------------

    def _make_executor(self) -> Executor:
        from flowlet.executors.local import LocalExecutor
        from flowlet.executors.sequential import SequentialExecutor

        choice = self._executor_choice or settings.get_choice("core", "executor", "LocalExecutor", _EXECUTORS)
        if not isinstance(choice, str):
            return choice
        if choice not in _EXECUTORS:
            raise FlowletError(f"executor={choice!r}: must be one of {', '.join(_EXECUTORS)}, or an Executor")
        if choice == "SequentialExecutor":
            return SequentialExecutor()
        parallelism = self._parallelism or settings.get_int("core", "parallelism", 32, at_least=1)
        return LocalExecutor(parallelism=parallelism)

    async def _make_brain(self, store: Store) -> Brain:
        (run_id, task_id) = (await store.fetch("max_ids"))[0]
        brain = Brain(
            parallelism=self.executor.parallelism, first_run_id=run_id + 1, first_task_id=task_id + 1,
            executing=self._execute, schedules=self._schedules, unlimited=self._unlimited,
            clears_state=settings.get_bool("state_store", "clear_on_success", False),
        )  # fmt: skip
        brain.next_backfill = (await store.fetch("max_backfill_id"))[0][0] + 1
        self._default_pool = brain.admission.pool("default_pool").size
        for name, slots, _, include_deferred in await store.fetch("pools"):
            brain.admission.set_pool(name, slots, bool(include_deferred))
            if name == "default_pool":
                self._default_pool = slots
        return brain

    def _make_worker(self, store: Store) -> Worker:
        from flowlet.worker.logs import Logs
        from flowlet.worker.worker import Worker

        self.logs = Logs(self._log_folder())
        marker = "" if store.in_memory else store.path
        return Worker(
            clock=self.clock, logs=self.logs, capture=self._capture, marker=marker, runs=self._door_to_runs(),
            states=self._states,
        )

    def _door_to_runs(self) -> Runs:
        """By which bodies reach the runs beside their own."""
        raise NotImplementedError(f"{type(self).__name__} defines no door to its runs")

    async def _register_all(self, store: Store) -> None:
        assert self._scheduler is not None  # noqa: S101  opened
        on_file = {row[0]: row for row in await store.fetch("dags")}
        for name, slots in self._pools.items():
            if name == "default_pool":
                self._default_pool = slots
            self._scheduler.post(requests.SetPool(name, slots))
        newest = await rows.newest_dates(store)
        runs = await rows.active_runs(store)
        backfills = await backfill_rows.active_backfills(store)
        self._reap(store, runs)
        known: list[tuple[DAG | None, DagSpec]] = [(entry.dag, entry.spec) for entry in self.registry.list_()]
        if not self._execute:
            others = on_file.keys() - {spec.dag_id for _, spec in known}
            known += [(None, DagSpec.from_json(on_file[dag_id][2])) for dag_id in others]
        for dag, spec in known:
            row, active = on_file.get(spec.dag_id), runs.get(spec.dag_id, ())
            request = await rows.registration(store, dag, spec, row, active, newest.get(spec.dag_id))
            self._scheduler.post(request._replace(backfill=backfills.get(spec.dag_id)))

    def _reap(self, store: Store, runs: Mapping[str, Any]) -> None:
        """What bodies of a killed engine still run must end before they start again."""
        if self._execute and rows.was_interrupted(runs) and not store.in_memory and self._scheduler is not None:
            from flowlet.executors.leftovers import kill_leftovers

            killed = kill_leftovers(store.path)
            if killed:
                self._scheduler.post(requests.Note("leftovers_killed", f"processes of interrupted attempts: {killed}"))

    async def _forget_logs(self, runs: list[tuple[str, str]]) -> None:
        """The logs of runs that are about to be deleted."""
        from flowlet.operators.threads import in_thread
        from flowlet.worker.log_paths import remove_runs

        folder = self._log_folder()
        if folder is not None and folder.is_dir():
            await in_thread("flowlet:logs", partial(remove_runs, folder, runs))

    def _log_folder(self) -> Path | None:
        store = self._store
        return None if store is None or store.in_memory else Path(f"{store.path}.logs")

    async def _open_control(self) -> None:
        from flowlet.engine.control import ControlServer, control_path

        store = self._parts()[1]
        path = control_path(store.path)
        self._server = await ControlServer.open(path, self._perform, self._group)
        store.publish_control(path)

    async def _perform(self, verb: str, args: dict[str, Any]) -> Any:
        """What another process asks for over the control socket."""
        raise NotImplementedError

    async def _look_up(self, question: Any) -> Any:
        """What the brain wants to know of the file before its next turn, as a request."""
        raise NotImplementedError

    def _call_back(self, what: Any, name: str, outcome: Any) -> None:
        assert self._callbacks is not None  # noqa: S101  opened
        self._callbacks.call(what, name, outcome)

    def _noted(self, kind: str, text: str, work: Workload) -> None:
        """From any thread."""
        assert self._scheduler is not None  # noqa: S101  opened
        self._loop.call_soon_threadsafe(self._scheduler.post, requests.Note(kind, text, work.key))

    def _fired(self, deferral: Deferral) -> None:
        assert self._scheduler is not None  # noqa: S101  opened
        self._scheduler.post(requests.Fired(deferral))

    def _stalled(self, stall: Stall) -> None:
        assert self._scheduler is not None  # noqa: S101  opened
        self._scheduler.post(requests.Note("stalled", stall.text, None if stall.work is None else stall.work.key))

    # -- whether it lives ---------------------------------------------------------------------------

    def check(self) -> None:
        """Raise if the engine is not running (any more), with the reason."""
        if self._scheduler is None or self._closed:
            raise EngineClosed("the engine is not open: use it inside `async with Engine(...) as engine`")
        if self._scheduler.failure is not None:
            raise self._scheduler.failure

    def _parts(self) -> tuple[Scheduler, Store]:
        self.check()
        assert self._scheduler is not None and self._store is not None  # noqa: S101  checked
        return self._scheduler, self._store
