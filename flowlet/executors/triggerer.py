"""Triggerer: runs the triggers of deferred tasks, each in an asyncio task of its own (Airflow's role of that name)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from flowlet.errors import TaskDeferralError, TaskDeferralTimeout
from flowlet.worker.attempt import ATTEMPT, Attempt

if TYPE_CHECKING:
    from contextvars import Context

    from flowlet.worker.deferral import Deferral
    from flowlet.worker.worker import Worker

#: Seconds that triggers which are stopped get to end, twice; then their coroutines are closed.
PATIENCE = 2.0


class _Closed(BaseException):
    """Ends a trigger that swallows its cancellation. (Closing the coroutine would not: in Python 3.11 that does not
    reach into an async generator.)"""


class Triggerer:
    """Runs triggers until they fire, fail, time out or are stopped, and tells of the first three.

    `fired` gets the deferral, whose `event` says what became of it. The timeout that is kept here is real
    time, as bodies' limits are: a virtual clock stands still while a trigger runs.
    """

    def __init__(self, worker: Worker, fired: Callable[[Deferral], None], *, patience: float = PATIENCE) -> None:
        self._worker = worker
        self._fired = fired
        self._patience = patience
        self._running: dict[Deferral, asyncio.Task[None]] = {}
        self._scopes: dict[asyncio.Task[None], Context] = {}
        self._ending: set[asyncio.Task[None]] = set()
        """Stopped, or cleaning up after they fired."""
        self._timers: dict[Deferral, asyncio.TimerHandle] = {}
        self._closed = False

    @property
    def count(self) -> int:
        """Triggers that may still fire."""
        return len(self._running)

    def start(self, deferral: Deferral) -> None:
        """Run the trigger; nothing happens once the triggerer is closed."""
        if self._closed:
            return
        loop, scope = asyncio.get_running_loop(), copy_context()
        name = f"trigger:{deferral.work.task.task_id}"
        # In no task group: one would wait for ever for a trigger that swallows its cancellation.
        task = asyncio.Task(self._run(deferral), loop=loop, name=name, context=scope)
        self._running[deferral], self._scopes[task] = task, scope
        task.add_done_callback(self._ended)
        if deferral.timeout is not None:
            self._timers[deferral] = loop.call_later(max(0.0, deferral.timeout.total_seconds()), self._time_out, deferral)

    def stop(self, deferral: Deferral) -> None:
        """Nobody waits for it any more."""
        task = self._let_go(deferral)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Stop all; bounded, whatever they do with their cancellation."""
        self._closed = True
        for deferral in list(self._running):
            self.stop(deferral)
        for _ in range(2):
            if self._ending:
                await asyncio.wait(self._ending, timeout=self._patience)
            for task in self._ending:
                task.cancel()
        for task in list(self._ending):
            task.add_done_callback(_forget)
            with suppress(BaseException):
                self._scopes[task].run(task.get_coro().throw, _Closed())
            task.cancel()

    async def _run(self, deferral: Deferral) -> None:
        from flowlet.worker.deferral import first_event

        attempt, events = Attempt(self._worker, deferral.work), None
        ATTEMPT.set(attempt)
        try:
            events = deferral.trigger.run()
            self._tell(deferral, await first_event(events))
        except _Closed:  # nothing may be awaited any more
            raise
        except BaseException as problem:
            if deferral in self._running:  # else it was stopped
                self._tell(deferral, _failure(deferral, problem))
        await self._clean_up(deferral, attempt, events)

    async def _clean_up(self, deferral: Deferral, attempt: Attempt, events: Any) -> None:
        from flowlet.worker.deferral import clean_up

        try:
            await clean_up(deferral.trigger, events)
        except _Closed:
            raise
        except BaseException as problem:
            from flowlet.worker.tracebacks import readable_traceback

            self._worker.log_of(attempt).line("WARNING", "trigger", f"its cleanup failed\n{readable_traceback(problem)}")
        self._worker.close_log(attempt)

    def _time_out(self, deferral: Deferral) -> None:
        task = self._running.get(deferral)
        if task is not None:
            self._tell(deferral, TaskDeferralTimeout(f"{deferral} did not fire within {deferral.timeout}"))
            task.cancel()

    def _tell(self, deferral: Deferral, event: Any) -> None:
        if self._let_go(deferral) is not None:
            deferral.event = event
            self._fired(deferral)

    def _let_go(self, deferral: Deferral) -> asyncio.Task[None] | None:
        """What it does from here on is nobody's news."""
        timer = self._timers.pop(deferral, None)
        if timer is not None:
            timer.cancel()
        task = self._running.pop(deferral, None)
        if task is not None:
            self._ending.add(task)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        self._scopes.pop(task, None)


def _failure(deferral: Deferral, problem: BaseException) -> TaskDeferralError:
    from flowlet.worker.reasons import reason_of

    error = TaskDeferralError(f"{deferral} failed: {reason_of(problem)}")
    error.__cause__ = problem
    return error


def _forget(task: asyncio.Task[None]) -> None:
    """What a closed coroutine's task ends with is nobody's error."""
    if not task.cancelled():
        task.exception()
