"""The contract of an executor: it places one attempt somewhere and brings back one outcome."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowlet.executors.watchdog import Stall
    from flowlet.worker.worker import Worker
    from flowlet.worker.workload import Outcome, Workload


class Executor(ABC):
    """Places attempts. All methods are called on the loop's thread; none of them may block.

    For every `accept` there is exactly one `deliver`, on the loop's thread, whatever the body does. A
    body that is past its `execution_timeout` and does not end is delivered as `timed_out` and abandoned:
    counted, its late outcome given to `discard`.
    """

    #: Bodies that may execute at once.
    parallelism: int = 32

    #: Told, on the loop, that a body blocked the loop, and where; the engine's.
    on_stall: Callable[[Stall], None] | None = None

    #: Called, on the loop, when `refusal` has just become something; the engine's.
    on_short: Callable[[], None] | None = None

    @property
    def refusal(self) -> str | None:
        """Why no further `def` body can start now; None: they can."""
        if self.abandoned >= self.max_abandoned:
            return "too many abandoned threads; they end by themselves or with the process"
        return None

    @abstractmethod
    async def open(
        self,
        worker: Worker,
        deliver: Callable[[Workload, Outcome], None],
        discard: Callable[[Workload, Outcome], None],
    ) -> None:
        """Get ready. `deliver` takes outcomes; `discard` takes those that come after `timed_out`/`cancelled`."""

    @abstractmethod
    def accept(self, work: Workload) -> None:
        """Begin to run the attempt (its start is on disk). Never raises for what the body does."""

    @abstractmethod
    def cancel(self, work: Workload, reason: str) -> None:
        """Stop the attempt if it can be stopped; it is delivered as `cancelled` either way, at once for threads."""

    @abstractmethod
    async def close(self, grace: float) -> None:
        """Let bodies end for `grace` seconds, then cancel, TERM and KILL; bounded, never hangs."""

    @property
    @abstractmethod
    def abandoned(self) -> int:
        """Threads (or coroutines) that were given up but still exist."""

    #: At this many abandoned threads no further `def` body is started (the scheduler says why).
    max_abandoned: int = 16
