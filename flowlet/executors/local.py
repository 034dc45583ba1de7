"""LocalExecutor: coroutines on the loop, `def` in daemon threads of our own.

What is stopped (a timeout, a person, the end of the engine) is asked first. A coroutine is cancelled, twice,
then delivered and closed, after which nothing of it runs again. A thread cannot be stopped at all: it is
delivered at once and abandoned, counted until it ends, its late outcome discarded.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from flowlet.authoring.operator import BaseOperator
from flowlet.executors.base import Executor
from flowlet.executors.threads import Threads
from flowlet.executors.watchdog import Stall, Watchdog
from flowlet.worker.retry_policies import ask, is_to_be_asked
from flowlet.worker.workload import Outcome

if TYPE_CHECKING:
    from flowlet.worker.attempt import Attempt
    from flowlet.worker.worker import Worker
    from flowlet.worker.workload import Workload

Deliver = Callable[["Workload", Outcome], None]

#: Seconds from the first cancellation of a coroutine to the second, and from there to its closing. A process
#: that it waits for gets TERM and, 5 s later, KILL within the first of them.
PATIENCE = 6.0

#: Seconds that a retry policy may take to answer where its body does not come to its end.
_POLICY_MAY_TAKE = 30.0

_generation = 0
"""How many forks this process is away from the one that loaded this module: cheaper to ask than its pid."""


def _in_child() -> None:
    global _generation  # noqa: PLW0603  it is the process's
    _generation += 1


os.register_at_fork(after_in_child=_in_child)


class LocalExecutor(Executor):
    """Runs bodies in this process, at most `parallelism` at once (the scheduler counts)."""

    def __init__(self, parallelism: int = 32, *, max_abandoned: int = 16, patience: float = PATIENCE) -> None:
        self.parallelism = parallelism
        self.max_abandoned = max_abandoned
        self._patience = patience
        self._live: dict[Workload, Attempt] = {}
        self._abandoned = 0
        self._hurry = asyncio.Event()
        self._empty = asyncio.Event()

    # -- the contract ---------------------------------------------------------------------------------

    @property
    def abandoned(self) -> int:
        return self._abandoned

    @property
    def refusal(self) -> str | None:
        return super().refusal or self._threads.shortage

    async def open(self, worker: Worker, deliver: Deliver, discard: Deliver) -> None:
        # What tells of trouble is here before the trouble: without a descriptor left nothing can be imported.
        import flowlet.worker.log_paths
        import flowlet.worker.reasons
        import flowlet.worker.tracebacks  # noqa: F401  to have it loaded

        self._worker, self._deliver, self._discard = worker, deliver, discard
        self._loop = asyncio.get_running_loop()
        self._generation = _generation
        self._threads: Threads[Attempt, Outcome] = Threads(self._loop, self._run_sync, self._settle, self._ran_short)
        self._watchdog = Watchdog(
            self._loop, self._find_work, self._is_busy, self._stalled, find_only=self._find_only
        )

    def accept(self, work: Workload) -> None:
        attempt = self._live[work] = self._worker.begin(work)
        self._start(attempt)

    def cancel(self, work: Workload, reason: str) -> None:
        attempt = self._live.get(work)
        if attempt is not None:
            self._stop(attempt, "cancelled", reason)

    async def close(self, grace: float) -> None:
        """A second call while the first still waits makes that one hurry."""
        if grace <= 0:
            self._hurry.set()
        await self._until_empty(grace)
        for attempt in list(self._live.values()):
            self._stop(attempt, "interrupted", "the engine was stopped")
        await self._until_empty(2 * self._patience + 1.0, in_a_hurry=True)
        self._watchdog.close()
        self._threads.close()

    async def _until_empty(self, seconds: float, *, in_a_hurry: bool = False) -> None:
        if not self._live or seconds <= 0:
            return
        self._empty.clear()
        events = [self._empty] if in_a_hurry else [self._empty, self._hurry]
        await _first_of(events, seconds)

    # -- placing --------------------------------------------------------------------------------------

    def _start(self, attempt: Attempt) -> None:
        try:
            self._place(attempt)
        except BaseException as problem:  # an operator whose own properties raise
            from flowlet.worker.reasons import class_name, reason_of

            reason = f"it could not be started: {reason_of(problem)}"
            outcome = Outcome("failed", reason=reason, error=class_name(problem))
            self._loop.call_soon(self._settle, attempt, outcome)

    def _place(self, attempt: Attempt) -> None:
        task = attempt.work.task
        limit = task.execution_timeout
        if limit is not None:
            attempt.timer = self._loop.call_later(limit.total_seconds(), self._time_out, attempt)
        self._watchdog.look()
        attempt.recipe = self._worker.recipe_of(task)
        if attempt.recipe.is_async if attempt.work.resume is None else attempt.is_async:
            attempt.scope = scope = copy_context()
            # In no task group: one would wait for ever for a coroutine that swallows its cancellation.
            attempt.handle = asyncio.Task(self._run(attempt), loop=self._loop, name=task.task_id, context=scope)
        else:
            self._threads.submit(attempt)

    async def _run(self, attempt: Attempt) -> None:
        try:
            outcome = await attempt.run()
        except asyncio.CancelledError:
            self._settle(
                attempt, Outcome("interrupted", reason="its asyncio task was cancelled from outside")
            )
            raise
        if _generation != self._generation:
            _leave_child(outcome)
        self._settle(attempt, outcome)
        attempt.handle = attempt.scope = None  # the task's context holds the attempt: no cycle is left to the collector

    def _run_sync(self, attempt: Attempt) -> Outcome:
        """In a thread."""
        outcome = attempt.run_sync()
        if _generation != self._generation:
            _leave_child(outcome)
        return outcome

    def _settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """The one place where an attempt is delivered; what comes after that is late."""
        if attempt.over:
            self._abandoned -= 1
            if attempt.ti is not None:  # else it never ran
                self._discard(attempt.work, outcome)
            return
        attempt.over = True
        self._hand_over(attempt, outcome)

    def _hand_over(self, attempt: Attempt, outcome: Outcome) -> None:
        if self._live.pop(attempt.work, None) is None:  # it was, a moment ago
            return
        if attempt.timer is not None:
            attempt.timer.cancel()
        self._deliver(attempt.work, outcome)
        if not self._live:
            self._empty.set()

    # -- stopping -------------------------------------------------------------------------------------

    def _time_out(self, attempt: Attempt) -> None:
        limit = attempt.work.task.execution_timeout
        self._stop(attempt, "timed_out", f"it ran longer than its execution_timeout of {limit}")

    def _stop(self, attempt: Attempt, kind: str, reason: str) -> None:
        """Ask the body to end; if it cannot be asked, deliver now."""
        if attempt.over or attempt.stop is not None:
            return
        if attempt.timer is not None:
            attempt.timer.cancel()
        if attempt.handle is None:
            more = "it had no thread yet" if attempt.ti is None else "its thread cannot be stopped and is abandoned"
            attempt.stop = kind, f"{reason}; {more}"
            self._kill(attempt)
            self._abandon(attempt)
            return
        attempt.stop = kind, reason
        self._kill(attempt)
        attempt.handle.cancel()
        if attempt.ti is None:  # it has not begun, and so will never come to its end
            self._give_up(attempt, attempt.stopped())
            return
        attempt.timer = self._loop.call_later(self._patience, self._stop_again, attempt)

    def _stop_again(self, attempt: Attempt) -> None:
        if attempt.over or attempt.handle is None:
            return
        attempt.handle.cancel()
        attempt.timer = self._loop.call_later(self._patience, self._close_coroutine, attempt)

    def _close_coroutine(self, attempt: Attempt) -> None:
        """End a coroutine that swallows cancellation: GeneratorExit is raised where it waits, the rest is dropped."""
        handle = attempt.handle
        if attempt.over or handle is None:
            return
        self._give_up(attempt, attempt.stopped())
        handle.add_done_callback(_forget)
        attempt.scope.run(handle.get_coro().close)
        handle.cancel()

    def _abandon(self, attempt: Attempt) -> None:
        """Deliver what was asked for, and count the body until it ends."""
        if attempt.over:
            return
        outcome = attempt.stopped()
        self._abandoned += 1
        if attempt.ti is not None:
            text = f"its thread goes on ({self._abandoned} of at most {self.max_abandoned})"
            outcome.notes = (*outcome.notes, ("abandoned", text))
        self._give_up(attempt, outcome)

    def _give_up(self, attempt: Attempt, outcome: Outcome) -> None:
        """Deliver the outcome of a body that will not come to its end; a retry policy has a say, off the loop."""
        if not is_to_be_asked(attempt.task, outcome):
            return self._settle(attempt, outcome)
        attempt.over = True
        attempt.timer = self._loop.call_later(_POLICY_MAY_TAKE, self._hand_over, attempt, _undecided(outcome))
        ask = partial(self._ask_policy, attempt, copy(outcome))
        threading.Thread(target=copy_context().run, args=(ask,), name="flowlet:retry-policy", daemon=True).start()
        return None

    def _ask_policy(self, attempt: Attempt, outcome: Outcome) -> None:
        """In a thread."""
        from flowlet.worker.attempt import ATTEMPT

        ATTEMPT.set(attempt)
        ask(attempt, outcome)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._hand_over, attempt, outcome)

    def _kill(self, attempt: Attempt) -> None:
        """Let the operator free what it holds outside of this process; never on the loop, it may block."""
        ti = attempt.ti
        if ti is None or type(ti.task).on_kill is BaseOperator.on_kill:
            return
        threading.Thread(
            target=copy_context().run, args=(_on_kill, attempt), name="flowlet:on_kill", daemon=True
        ).start()

    # -- the watchdog ---------------------------------------------------------------------------------

    def _ran_short(self) -> None:
        if self.on_short is not None:
            self.on_short()

    def _is_busy(self) -> bool:
        return bool(self._live)

    def _find_work(self, handle: asyncio.Task[object] | None) -> Workload | None:
        """Whose asyncio task it is; called in the watchdog's thread."""
        for attempt in list(self._live.values()):
            if attempt.handle is handle and handle is not None:
                return attempt.work
        return None

    def _find_only(self) -> Workload | None:
        """The attempt that executes, if it is the only one; called in the watchdog's thread too."""
        live = list(self._live)
        return live[0] if len(live) == 1 else None

    def _stalled(self, stall: Stall) -> None:
        if self.on_stall is not None:
            self.on_stall(stall)


def _undecided(outcome: Outcome) -> Outcome:
    """The same for a policy that does not answer."""
    left = copy(outcome)
    left.notes = (*left.notes, ("retry_policy_failed", f"its retry policy took longer than {_POLICY_MAY_TAKE:g} s"))
    return left


def _leave_child(outcome: Outcome) -> NoReturn:
    """In a process that the body forked and that came to the body's end: it is no second engine."""
    if isinstance(outcome.exception, SystemExit) and isinstance(outcome.exception.code, int):
        os._exit(outcome.exception.code & 0xFF)
    os._exit(0 if outcome.kind == "succeeded" else 1)


def _on_kill(attempt: Attempt) -> None:
    from flowlet.worker.attempt import ATTEMPT
    from flowlet.worker.tracebacks import readable_traceback

    ATTEMPT.set(attempt)
    assert attempt.ti is not None  # noqa: S101  _kill looked
    try:
        attempt.ti.task.on_kill()
    except BaseException as problem:
        attempt.worker.log_of(attempt).line("ERROR", "on_kill", readable_traceback(problem))


def _forget(handle: asyncio.Task[None]) -> None:
    """What a closed coroutine's task ends with is nobody's error."""
    if not handle.cancelled():
        handle.exception()


async def _first_of(events: list[asyncio.Event], seconds: float) -> None:
    """Wait for one of the events, at most so long."""
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(event.wait(), name="flowlet:executor-close") for event in events]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
