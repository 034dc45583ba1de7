"""LocalExecutor: coroutines on the loop, `def` in daemon threads of our own.

Threads cannot be killed: one that is past its time is delivered and abandoned, counted until it ends, its
late outcome discarded. Coroutines are cancelled, twice, then abandoned too.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from flowlet.executors.base import Executor
from flowlet.worker.workload import Outcome

if TYPE_CHECKING:
    from flowlet.worker.worker import Worker
    from flowlet.worker.workload import Workload

#: How long a cancelled coroutine may take to end before it is cancelled again, and then abandoned.
PATIENCE = 5.0


class _Flight:
    """An attempt that is being executed."""

    __slots__ = ("cause", "delivered", "task", "timer", "work")

    def __init__(self, work: Workload) -> None:
        self.work = work
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.cause: Outcome | None = None
        self.delivered = False


class LocalExecutor(Executor):
    """Runs bodies in this process, at most `parallelism` at once (the scheduler counts)."""

    def __init__(self, parallelism: int = 32, *, max_abandoned: int = 16) -> None:
        self.parallelism = parallelism
        self.max_abandoned = max_abandoned
        self._flights: dict[Workload, _Flight] = {}
        self._abandoned = 0
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._landed: deque[tuple[_Flight, Outcome]] = deque()
        self._lock = threading.Lock()

    @property
    def abandoned(self) -> int:
        return self._abandoned

    async def open(
        self,
        worker: Worker,
        deliver: Callable[[Workload, Outcome], None],
        discard: Callable[[Workload, Outcome], None],
    ) -> None:
        self._worker, self._deliver, self._discard = worker, deliver, discard
        self._loop = asyncio.get_running_loop()
        self._empty = asyncio.Event()

    def accept(self, work: Workload) -> None:
        flight = self._flights[work] = _Flight(work)
        limit = work.task.execution_timeout
        if limit is not None and not work.task.is_sensor:
            flight.timer = self._loop.call_later(limit.total_seconds(), self._time_out, flight)
        if work.task.is_async:
            # Not in a group: one would wait for ever for a coroutine that swallows its cancellation.
            flight.task = self._loop.create_task(self._run(flight), name=f"flowlet:{work.task.task_id}")
        else:
            self._submit(flight)

    def cancel(self, work: Workload, reason: str) -> None:
        flight = self._flights.get(work)
        if flight is not None:
            self._give_up(flight, Outcome("cancelled", reason=reason))

    async def close(self, grace: float) -> None:
        await self._until_empty(grace)
        for flight in list(self._flights.values()):
            self._give_up(flight, Outcome("cancelled", reason="the engine stopped"))
        await self._until_empty(3 * PATIENCE)
        for _ in range(self._threads):
            self._jobs.put(None)

    async def _until_empty(self, seconds: float) -> None:
        if self._flights and seconds > 0:
            self._empty.clear()
            try:
                await asyncio.wait_for(self._empty.wait(), seconds)
            except TimeoutError:
                return

    # -- coroutines ----------------------------------------------------------------------------------

    async def _run(self, flight: _Flight) -> None:
        try:
            outcome = await self._worker.run(flight.work)
        except asyncio.CancelledError:
            outcome = flight.cause or Outcome("cancelled", reason="its task was cancelled")
        if flight.cause is not None and outcome.kind != "succeeded":
            outcome = flight.cause
        self._land(flight, outcome)

    def _give_up(self, flight: _Flight, outcome: Outcome) -> None:
        """Stop it if it can be stopped; else deliver now and abandon it."""
        if flight.delivered or flight.cause is not None:
            return
        flight.cause = outcome
        if flight.task is None:
            self._abandon(flight)
        else:
            flight.task.cancel()
            self._loop.call_later(PATIENCE, self._insist, flight)

    def _insist(self, flight: _Flight) -> None:
        if not flight.delivered and flight.task is not None:
            flight.task.cancel()
            self._loop.call_later(PATIENCE, self._abandon, flight)

    def _abandon(self, flight: _Flight) -> None:
        if flight.delivered:
            return
        outcome = flight.cause or Outcome("cancelled")
        self._abandoned += 1
        self._hand_over(flight, outcome)

    def _time_out(self, flight: _Flight) -> None:
        limit = flight.work.task.execution_timeout
        how = "it was cancelled" if flight.task is not None else "its thread cannot be stopped and is abandoned"
        self._give_up(
            flight, Outcome("timed_out", reason=f"execution_timeout: longer than {limit}; {how}", error="TaskTimeout")
        )

    # -- threads -------------------------------------------------------------------------------------

    def _submit(self, flight: _Flight) -> None:
        context = copy_context()
        self._jobs.put(lambda: self._in_thread(flight, context))
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
                return
            self._threads += 1
            number = self._threads
        threading.Thread(target=self._serve, name=f"flowlet:{number}", daemon=True).start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            with self._lock:
                self._idle += 1

    def _in_thread(self, flight: _Flight, context: Any) -> None:
        outcome = context.run(self._worker.run_here, flight.work)
        first = not self._landed
        self._landed.append((flight, outcome))
        if first:
            try:
                self._loop.call_soon_threadsafe(self._land_all)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _land_all(self) -> None:
        while self._landed:
            flight, outcome = self._landed.popleft()
            self._land(flight, outcome)

    # -- landing -------------------------------------------------------------------------------------

    def _land(self, flight: _Flight, outcome: Outcome) -> None:
        if flight.delivered:
            self._abandoned -= 1
            self._discard(flight.work, outcome)
        else:
            self._hand_over(flight, outcome)

    def _hand_over(self, flight: _Flight, outcome: Outcome) -> None:
        flight.delivered = True
        if flight.timer is not None:
            flight.timer.cancel()
        self._flights.pop(flight.work, None)
        self._deliver(flight.work, outcome)
        if not self._flights:
            self._empty.set()
