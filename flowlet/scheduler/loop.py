"""The one loop: wait, decide, commit, carry out. A task starts only after its start is on file."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from flowlet import events
from flowlet.clock import SECOND, iso
from flowlet.errors import EngineClosed, StoreBusy, StoreFaulty, StoreFull, StoreReadOnly, StoreUnavailable
from flowlet.named_tuple import NamedTuple
from flowlet.runs.states import QUEUED, RUNNING
from flowlet.scheduler import requests
from flowlet.worker.workload import Outcome, RunFacts, Workload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowlet.clock import Clock
    from flowlet.executors.base import Executor
    from flowlet.executors.triggerer import Triggerer
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.runs.moves import Moves
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.upkeep import Upkeep
    from flowlet.store import Store
    from flowlet.timetables import Timetable
    from flowlet.worker.workload import XComReader

#: A wall clock that moves by this much against the monotonic one has been set.
JUMP = 2 * SECOND
_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

T = TypeVar("T")


class Trouble(NamedTuple):
    """Why nothing can be written at the moment."""

    kind: str
    """As it will stand in `events` when it is over."""
    error: StoreUnavailable

    def __str__(self) -> str:
        return f"nothing can be written, and no task starts, until this is over: {self.error}"


_KINDS: dict[type[StoreUnavailable], str] = {
    StoreBusy: "store_busy",
    StoreFull: "storage_full",
    StoreReadOnly: "storage_read_only",
    StoreFaulty: "storage_faulty",
    StoreUnavailable: "storage_trouble",
}


class Scheduler:
    """Carries out what the brain decides."""

    def __init__(
        self, *, brain: Brain, store: Store, executor: Executor, clock: Clock, xcoms: XComReader,
        listeners: events.Listeners, call_back: Callable[[Any, str, Any], None], upkeep: Upkeep,
        triggerer: Triggerer, look_up: Callable[[Any], Awaitable[Any]],
    ) -> None:  # fmt: skip
        self.brain = brain
        self.store = store
        self.executor = executor
        self.clock = clock
        self.xcoms = xcoms
        self.listeners = listeners
        self.call_back = call_back
        self.upkeep = upkeep
        self.triggerer = triggerer
        self.look_up = look_up
        self.failure: BaseException | None = None
        self.is_over = False
        """No turn comes any more: what is posted now is never answered."""
        self.trouble: Trouble | None = None
        self._inbox: list[Any] = []
        self._asked: list[Any] = []
        self._turn: Turn | None = None
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()
        self._drift = clock.now() - clock.monotonic()

    # -- from outside --------------------------------------------------------------------------------

    def post(self, request: Any) -> None:
        """Tell the brain; on the loop's thread."""
        self._inbox.append(request)
        self._news.set()

    async def ask(self, kind: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Tell the brain and wait for the answer, which comes after the commit."""
        if self.failure is not None:
            raise self.failure
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.post(kind(*args, reply=reply, **more))
        return await reply

    def wake(self) -> None:
        """Look again, though nothing was told."""
        self._news.set()

    async def catch_up(self) -> None:
        """Until all that was told so far is on file and carried out; at once if the loop has ended."""
        if self.failure is None:
            try:
                await self.ask(requests.Flush)
            except Exception:  # it ended meanwhile: whoever waits for something else is told why
                return

    def deliver(self, work: Workload, outcome: Outcome) -> None:
        self._inbox.append(tuple.__new__(requests.Ended, (work, outcome)))
        self._news.set()

    def discard(self, work: Workload, outcome: Outcome) -> None:
        self.post(requests.Discarded(work, outcome))

    def drain(self) -> None:
        """Start nothing more; outcomes are still written."""
        self.brain.draining = True
        for entry in self.brain.entries.values():
            for run in entry.active.values():
                self._inbox.extend(requests.Interrupt(ti) for ti in run.instances if ti.state == RUNNING and ti.wake_at)
        self._news.set()

    def stop(self) -> None:
        """Leave the loop after the next turn."""
        self._stopping.set()
        self._news.set()

    # -- the loop ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Turn until stopped. What ends it otherwise is kept as `failure` and told to all who wait."""
        try:
            while not self._stopping.is_set() or self._inbox:
                await self.turn()
        except asyncio.CancelledError:
            self._fail(EngineClosed("the engine was cancelled"))
            raise
        except Exception as error:
            self._fail(error)
        finally:
            self.is_over = True

    async def turn(self) -> None:
        """One round: what was asked and what is due, decided, committed, carried out."""
        if not self._inbox and not self._stopping.is_set():
            due, busy = None if self.brain.draining else self.brain.next_due(), self.brain.in_flight > 0
            wake_at = self.upkeep.wake_at(due, busy=busy)
            await self.clock.wait(self._news, wake_at, busy=busy or self.triggerer.count > 0)
        self._news.clear()
        now = self._look_at_clock()
        self._look_at_threads()
        self._asked, self._inbox = self._inbox, []
        turn = self._turn = self.brain.turn(self._asked, now)
        if turn.moves:
            conflicts = await self._commit(turn.moves)
            if conflicts:
                await self._read_again(self.brain.refused(conflicts, turn), turn)
            self.upkeep.wrote(now)
        self._carry_out(turn)
        for question in turn.look_up:
            self.post(await self._patiently(partial(self.look_up, question)))
        self._asked, self._turn = [], None
        if now >= self.upkeep.next_at and not self._stopping.is_set():
            is_idle = not (turn.moves or self._inbox or self.brain.in_flight)
            self._inbox += [requests.Note(*note) for note in await self.upkeep.work(now, is_idle=is_idle)]

    async def _read_again(self, runs: list[ActiveRun], turn: Turn) -> None:
        """Runs whose rows somebody else changed: what the file says of them goes into the next turn."""
        for run in runs:
            if run in turn.over:
                turn.over.remove(run)
            rows = await self._patiently(partial(self.store.fetch, "run", dag_id=run.dag_id, run_id=run.run_id))
            tasks = await self._patiently(partial(self.store.fetch, "tasks_of_run", run=run.id))
            lengths: dict[int, int] = {}
            if run.spec.expansions:
                lengths = dict(await self._patiently(partial(self.store.fetch, "lengths_of_run", run=run.id)))
            self.post(requests.Reload(run, rows[0] if rows else None, tasks, lengths))

    def _look_at_threads(self) -> None:
        """While no thread is to be had for them no further `def` body starts."""
        gate, refusal = self.brain.admission.threads, self.executor.refusal
        if (refusal is None) == (gate.size > 0):
            return
        gate.set_open(refusal is None)
        if refusal is None:
            self.brain.admission.reopened(gate)
        else:
            gate.name = refusal
            self._inbox.append(requests.Note("threads_exhausted", f"no further `def` body starts: {refusal}"))

    def _look_at_clock(self) -> int:
        now = self.clock.now()
        drift = now - self.clock.monotonic()
        if abs(drift - self._drift) > JUMP:
            moved = drift - self._drift
            text = f"the wall clock moved by {moved / SECOND:+.1f} s, to {iso(now)}"
            self._inbox.insert(0, requests.ClockJumped(moved, text))
            self.upkeep.clock_moved(now)
        self._drift = drift
        return now

    async def _commit(self, moves: Moves) -> list[Any]:
        """Write, or wait until it can be written: nothing is acknowledged or started before."""
        try:
            return await self.store.commit(moves)
        except StoreUnavailable as error:
            return await self._patiently(partial(self.store.commit, moves), error)

    async def _patiently(self, ask: Callable[[], Awaitable[T]], error: StoreUnavailable | None = None) -> T:
        """Ask the store until it answers; a file that is lost or unfit is no passing trouble."""
        failures, since = 0, self.clock.now()
        while True:
            if error is not None:
                if self._stopping.is_set() and failures > len(_PAUSES):
                    raise error
                self._announce(error)
                await self._breathe(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
            try:
                answer = await ask()
            except StoreUnavailable as again:
                error = again
                continue
            trouble, self.trouble = self.trouble, None
            if trouble is not None:
                text = f"nothing could be written since {iso(since)}, now it can; nothing is lost ({trouble.error})"
                self.post(requests.Note(trouble.kind, text))
            return answer

    def _announce(self, error: StoreUnavailable) -> None:
        """What cannot be written into the file is told to whoever listens, once."""
        if self.trouble is not None and self.trouble.kind == _KINDS[type(error)]:
            return
        self.trouble = Trouble(_KINDS[type(error)], error)
        if self.listeners:
            self.listeners.tell(events.EventAdded(self.clock.now(), self.trouble.kind, None, None, None, None, None, str(self.trouble)))
        import logging

        logging.getLogger("flowlet.store").warning("%s", self.trouble)

    async def _breathe(self, seconds: float) -> None:
        """A pause of the real world: a full disk does not follow a virtual clock."""
        nothing = asyncio.Event()
        timer = asyncio.get_running_loop().call_later(seconds, nothing.set)
        try:
            await nothing.wait()
        finally:
            timer.cancel()

    # -- after the commit ----------------------------------------------------------------------------

    def _carry_out(self, turn: Turn) -> None:
        for ti in turn.touched:
            ti.shown = ti.state
        for work in turn.stop:
            if work is not None:
                self._cancel(work)
        for ti in turn.start:
            ti.work = self._workload(ti)
            self.executor.accept(ti.work)
        for ti in turn.poke:
            self.executor.accept(ti.work)
        if turn.defer or turn.drop:
            self._wait_for_triggers(turn)
        _show_runs(turn)
        if self.listeners:
            self._tell(turn)
        for run in turn.over:
            self._close(run)
        for reply, answer in turn.replies:
            _answer(reply, answer)
        for work, name, outcome in turn.callbacks:
            self.call_back(work, name, outcome)

    def _wait_for_triggers(self, turn: Turn) -> None:
        for ti in turn.defer:
            if ti.deferral is not None:  # it was not ended in the same turn
                self.triggerer.start(ti.deferral)
        for deferral in turn.drop:
            self.triggerer.stop(deferral)

    def _cancel(self, work: Workload) -> None:
        """Stop a body, or the wait of a sensor that no executor holds between two pokes."""
        self.executor.cancel(work, "cancelled")

    def _close(self, run: ActiveRun) -> None:
        run.shown = run.state
        self.brain.entries[run.dag_id].closing.pop(run.run_id, None)
        waiters, run.on_over = run.on_over, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.call_back(run, "dag", None)

    def _workload(self, ti: TaskInstance) -> Workload:
        run = ti.run
        if run.facts is None:
            run.facts = facts_of(run, self.brain.entries[run.dag_id].schedule.timetable)
        entry = self.brain.entries[run.dag_id]
        assert entry.dag is not None, "only a DAG whose code is here starts bodies"  # noqa: S101
        deferral = ti.deferral
        if deferral is not None:
            ti.deferral = None
        return Workload(
            ti, entry.dag, run.operators[ti.spec.index], run.facts, ti.map_index, ti.try_number, ti.max_tries,
            ti.started_at or 0, self.xcoms, deferral, None if ti.map_index < 0 else _count(ti),
        )  # fmt: skip

    def _fail(self, error: BaseException) -> None:
        """Nobody waits for ever: those who asked, and those who wait for the end of a run, are told."""
        self.failure = error
        for request in (*self._asked, *self._inbox):
            reply = getattr(request, "reply", None)
            if reply is not None:
                _answer(reply, error)
        runs = [run for entry in self.brain.entries.values() for run in entry.active.values()]
        backfills = [entry.backfill for entry in self.brain.entries.values() if entry.backfill is not None]
        for awaited in (*runs, *backfills, *(self._turn.over if self._turn is not None else ())):
            for waiter in awaited.on_over:
                _answer(waiter, error)

    def _tell(self, turn: Turn) -> None:
        tell, now = self.listeners.tell, turn.now
        for move in turn.moves.add_event:
            tell(events.EventAdded(*move))
        for run in turn.runs:
            tell(events.RunStarted(now, run.dag_id, run.run_id))
        for ti in turn.touched:
            run = ti.run
            if ti.state == RUNNING:
                tell(events.TaskStarted(now, run.dag_id, run.run_id, ti.spec.task_id, ti.map_index, ti.try_number))
            elif ti.ended_at is not None:
                error = ti.errors.get(ti.try_number) if ti.errors and ti.outcome != "succeeded" else None
                tell(
                    events.TaskEnded(
                        now, run.dag_id, run.run_id, ti.spec.task_id, ti.map_index, ti.try_number, ti.state,
                        ti.started_at, ti.reason, error,
                    )
                )  # fmt: skip
        for run in turn.over:
            tell(events.RunEnded(now, run.dag_id, run.run_id, run.state, run.reason))


def _show_runs(turn: Turn) -> None:
    """How they stand on file; of those that are over it is shown when they are closed."""
    for run in (*turn.runs, *turn.reopened, *turn.begun):
        run.shown = RUNNING if run.started_at is not None else QUEUED
    for run in turn.judged:
        run.shown = run.state


def facts_of(run: ActiveRun, timetable: Timetable | None = None) -> RunFacts:
    """What bodies and templates may know of a run."""
    facts = RunFacts(
        run.dag_id, run.run_id, run.run_type, run.logical_date, run.interval_start, run.interval_end, run.run_after,
        run.started_at, run.conf_value,
    )  # fmt: skip
    if timetable is not None and timetable.partitioned and run.due_at is not None:
        facts.partition = timetable.partition_of(run.due_at) or (None, None)
    return facts


def _count(ti: TaskInstance) -> int:
    """How many instances a mapped task has."""
    return len(ti.run.tasks[ti.spec.index].instances or ())


def _answer(reply: asyncio.Future[Any], answer: Any) -> None:
    if reply.done():
        return
    if isinstance(answer, BaseException):
        reply.set_exception(answer)
    else:
        reply.set_result(answer)
