"""Engine: one scheduler on one file, inside whatever program opens it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from flowlet import events, settings
from flowlet.authoring.spec import DagSpec
from flowlet.clock import Clock, SystemClock, to_micros
from flowlet.engine import rows
from flowlet.engine.run import DagRun
from flowlet.engine.shield import to_the_end
from flowlet.engine.values import Values, types_in
from flowlet.errors import EngineClosed, FlowletError, RunNotFound, TaskNotFound
from flowlet.registry.registry import Registry
from flowlet.scheduler import requests
from flowlet.scheduler.brain import Brain, same_run
from flowlet.scheduler.loop import Scheduler
from flowlet.scheduler.upkeep import Keep, Upkeep

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.engine.control import ControlServer
    from flowlet.executors.base import Executor
    from flowlet.executors.watchdog import Stall
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.store import Store
    from flowlet.worker.worker import Worker
    from flowlet.worker.workload import Workload

_UNSET: Any = object()

#: Seconds that callbacks get at the end of the engine, all of them together (or its grace, if that is less).
_CALLBACKS_MAY_TAKE = 30.0
_EXECUTORS = ("LocalExecutor", "SequentialExecutor")


class Engine:
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
        self._calling: set[asyncio.Task[None]] = set()
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
        self._values = Values(self.brain, store)
        self._scheduler = Scheduler(
            brain=self.brain, store=store, executor=self.executor, clock=self.clock, xcoms=self._values,
            listeners=self.listeners, call_back=self._call_back,
            upkeep=Upkeep(store, self._keep, self.clock.now(), forget=self._forget_logs),
        )  # fmt: skip
        self._worker = self._make_worker(store)
        await self.executor.open(self._worker, self._scheduler.deliver, self._scheduler.discard)
        self._can_execute = True
        self.executor.on_stall, self.executor.on_short = self._stalled, self._scheduler.wake
        self._worker.on_note = self._noted
        for kind, text in store.found:
            self._scheduler.post(requests.Note(kind, text))
        await self._register_all(store)
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
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
            await store.close()

    async def _end_work(self, grace: float) -> None:
        assert self._scheduler is not None  # noqa: S101  made before the group
        self._scheduler.drain()
        await self.executor.close(grace)
        await self._end_callbacks()
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
        )  # fmt: skip
        self._default_pool = brain.admission.pool("default_pool").size
        for name, slots, _, _ in await store.fetch("pools"):
            brain.admission.set_pool(name, slots)
            if name == "default_pool":
                self._default_pool = slots
        return brain

    def _make_worker(self, store: Store) -> Worker:
        from flowlet.worker.logs import Logs
        from flowlet.worker.worker import Worker

        self.logs = Logs(self._log_folder())
        return Worker(clock=self.clock, logs=self.logs, capture=self._capture, marker="" if store.in_memory else store.path)

    async def _register_all(self, store: Store) -> None:
        assert self._scheduler is not None  # noqa: S101  opened
        on_file = {row[0]: row for row in await store.fetch("dags")}
        for name, slots in self._pools.items():
            if name == "default_pool":
                self._default_pool = slots
            self._scheduler.post(requests.SetPool(name, slots))
        newest = await rows.newest_dates(store)
        runs = await rows.active_runs(store)
        self._reap(store, runs)
        known: list[tuple[DAG | None, DagSpec]] = [(entry.dag, entry.spec) for entry in self.registry.list_()]
        if not self._execute:
            others = on_file.keys() - {spec.dag_id for _, spec in known}
            known += [(None, DagSpec.from_json(on_file[dag_id][2])) for dag_id in others]
        for dag, spec in known:
            row, active = on_file.get(spec.dag_id), runs.get(spec.dag_id, ())
            self._scheduler.post(await rows.registration(store, dag, spec, row, active, newest.get(spec.dag_id)))

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
        from flowlet.engine.verbs import perform

        store = self._parts()[1]
        path = control_path(store.path)
        self._server = await ControlServer.open(path, lambda verb, args: perform(self, verb, args), self._group)
        store.publish_control(path)

    def _call_back(self, what: Any, name: str, outcome: Any) -> None:
        """Callbacks run after the commit, bounded, and never touch a state."""
        assert self._worker is not None  # noqa: S101  opened
        if name != "dag":
            self._call(self._worker.run_callbacks(what, name, outcome), f"on_{name}_callback", what.key)
            return
        entry = self.brain.entries.get(what.dag_id)
        dag = entry.dag if entry is not None else None
        called = "success" if what.state == "success" else "failure"
        if dag is not None and getattr(dag, f"on_{called}_callback"):
            calls = self._worker.run_dag_callbacks(dag, what.facts, called, what.reason)
            self._call(calls, f"on_{called}_callback", what)

    def _call(self, calls: Coroutine[Any, Any, list[str]], name: str, about: TaskInstance | ActiveRun) -> None:
        task = self._group.create_task(self._tell_problems(calls, name, about), name="flowlet:callbacks")
        self._calling.add(task)
        task.add_done_callback(self._calling.discard)

    async def _tell_problems(self, calls: Coroutine[Any, Any, list[str]], name: str, about: TaskInstance | ActiveRun) -> None:
        """What goes wrong with callbacks is an event; this task never ends otherwise, for its group holds the engine."""
        from flowlet.worker.reasons import reason_of

        assert self._scheduler is not None  # noqa: S101  opened
        try:
            problems = await calls
        except asyncio.CancelledError:
            problems = [f"{name} had not ended when the engine was stopped"]
        except BaseException as problem:  # what they are to be given could not be made: somebody's code too
            problems = [f"{name} could not be called: {reason_of(problem)}"]
        for text in problems:
            self._scheduler.post(requests.Note("callback_failed", text, about))

    async def _end_callbacks(self) -> None:
        """All outcomes go on file and the callbacks that follow may end, within bounded time."""
        assert self._scheduler is not None  # noqa: S101  opened
        with suppress(TimeoutError):
            async with asyncio.timeout(min(_CALLBACKS_MAY_TAKE, max(self._grace, 1.0))):
                await self._scheduler.catch_up()
                while self._calling:
                    await asyncio.wait(self._calling)
        for task in self._calling:
            task.cancel()
        if self._calling:
            await asyncio.wait(self._calling)

    def _noted(self, kind: str, text: str, work: Workload) -> None:
        """From any thread."""
        assert self._scheduler is not None  # noqa: S101  opened
        self._loop.call_soon_threadsafe(self._scheduler.post, requests.Note(kind, text, work.key))

    def _stalled(self, stall: Stall) -> None:
        assert self._scheduler is not None  # noqa: S101  opened
        self._scheduler.post(requests.Note("stalled", stall.text, None if stall.work is None else stall.work.key))

    # -- verbs ---------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise if the engine is not running (any more), with the reason."""
        if self._scheduler is None or self._closed:
            raise EngineClosed("the engine is not open: use it inside `async with Engine(...) as engine`")
        if self._scheduler.failure is not None:
            raise self._scheduler.failure

    async def trigger(
        self,
        dag_id: str,
        *,
        conf: Mapping[str, Any] | None = None,
        logical_date: datetime | str | None = _UNSET,
        run_id: str | None = None,
    ) -> DagRun:
        """Make a run; it is on file when this returns.

        Without `logical_date`: now. None: a run without a date. A run_id given twice, with the same conf and
        date, is the same run. Raises DagNotFound, RunExists, ParamError, XComError (conf is not JSON).
        """
        self.check()
        scheduler, store = self._parts()
        entry = self.brain.entry(dag_id)
        text = self._conf(entry, conf)
        date = requests.NOW if logical_date is _UNSET else _moment(logical_date)
        request = requests.Trigger(dag_id, _checked_run_id(run_id), date, text, ())
        if run_id is not None and (closing := entry.closing.get(run_id)) is not None:
            return await DagRun(self, same_run(closing, request)).wait()
        if run_id is not None and run_id not in entry.active:
            known = await self._find(dag_id, run_id)
            if known is not None:
                return DagRun(self, same_run(known, request))
        past: list[Any] = []
        if entry.has_past and date is not None and date != requests.NOW:
            past = await rows.run_before(store, entry.spec, date)
        run = await scheduler.ask(requests.Trigger, *request[:4], past)
        return DagRun(self, run)

    async def run(self, dag_id: str, run_id: str) -> DagRun:
        """A run by its id, live or finished; RunNotFound."""
        self.check()
        entry = self.brain.entries.get(dag_id)
        run = entry.find(run_id) if entry is not None else None
        run = run or await self._find(dag_id, run_id)
        if run is None:
            raise RunNotFound(f"DAG {dag_id!r} has no run {run_id!r}")
        return DagRun(self, run)

    async def cancel(self, dag_id: str, run_id: str) -> DagRun:
        """End a run before its time; a finished one stays as it is."""
        run = await self.run(dag_id, run_id)
        scheduler, _ = self._parts()
        await scheduler.ask(requests.Cancel, run._run, "cancelled")
        return run

    async def pause(self, dag_id: str) -> None:
        """No scheduled runs, and no new tasks of the active ones, until unpaused."""
        await self._parts()[0].ask(requests.Pause, dag_id, True)

    async def unpause(self, dag_id: str) -> None:
        """Go on; the ticks that fell into the pause are recorded as skipped."""
        await self._parts()[0].ask(requests.Pause, dag_id, False)

    async def set_pool(self, name: str, slots: int, description: str = "") -> None:
        """Make a pool or change its size."""
        if slots < 0:
            raise FlowletError(f"pool {name!r}: slots={slots} must not be negative")
        await self._parts()[0].ask(requests.SetPool, name, slots, description)

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
        return await rows.registration(store, entry.dag, entry.spec, row, active, newest, dates)

    def dags(self) -> list[str]:
        """The ids of all registered DAGs."""
        return sorted(self.brain.entries)

    async def why(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
        """Why a task does not start, or how it stands: a sentence."""
        run = (await self.run(dag_id, run_id))._run
        ti = run.find(task_id, map_index)
        if ti is None:
            raise TaskNotFound(f"the run {run_id!r} of DAG {dag_id!r} has no task {task_id!r}")
        return self.brain.why(ti)

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

    async def load_xcoms(self, run: ActiveRun) -> None:
        """The values of a run that a restart left in the file only."""
        await rows.load_xcoms(self._parts()[1], run)

    async def _find(self, dag_id: str, run_id: str) -> ActiveRun | None:
        """A run that is on file only."""
        return await rows.find_run(self._parts()[1], self.brain.entry(dag_id).spec, run_id)

    def _conf(self, entry: Any, conf: Mapping[str, Any] | None) -> str:
        """conf as JSON text, checked against the DAG's params."""
        from flowlet.engine.values import conf_text

        return conf_text(entry.dag, conf)

    def _parts(self) -> tuple[Scheduler, Store]:
        self.check()
        assert self._scheduler is not None and self._store is not None  # noqa: S101  checked
        return self._scheduler, self._store


def _moment(date: datetime | str | None) -> int | None:
    if date is None:
        return None
    if isinstance(date, str):
        try:
            date = datetime.fromisoformat(date)
        except ValueError:
            raise FlowletError(f"logical_date {date!r} is no ISO 8601 date") from None
    if not isinstance(date, datetime):
        raise FlowletError(f"logical_date must be a datetime, ISO 8601 text or None, not {type(date).__name__}")
    if date.tzinfo is None:
        from flowlet.authoring.dates import default_timezone, zone_of

        date = date.replace(tzinfo=zone_of(default_timezone()))
    return to_micros(date)


def _checked_run_id(run_id: str | None) -> str | None:
    if run_id is None:
        return None
    from flowlet.engine.values import checked_run_id

    return checked_run_id(run_id)


def loop_is_running() -> bool:
    """Whether this thread has a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
