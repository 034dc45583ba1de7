"""Daemon threads of our own for bodies that block: grown on demand, reused, never the loop's default pool.

A thread that never ends must neither hang the interpreter's exit nor starve the bodies behind it: so the
threads are daemons, and there is always one for each job that waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")

#: Seconds until a thread is asked for again, when the system gave none.
AGAIN: Final = 1.0


class Threads(Generic[J, R]):
    """Runs `job` after `job` and brings the results back to the loop, all that are ready in one call of it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        run: Callable[[J], R],
        arrived: Callable[[J, R], None],
        short: Callable[[], None] = lambda: None,
    ) -> None:
        """`short` is called when the system gives no thread; `shortage` says so while that lasts."""
        self._loop = loop
        self._run = run
        self._arrived = arrived
        self._short = short
        self.shortage: str | None = None
        self._again: asyncio.TimerHandle | None = None
        self._jobs: SimpleQueue[tuple[Any, J] | None] = SimpleQueue()
        self._results: deque[tuple[J, R]] = deque()
        self._waking = False
        self._count = 0
        self._made = 0
        self._unfinished = 0  # jobs that wait or run: each has a thread of its own
        self._counting = threading.Lock()
        self._closed = False

    @property
    def count(self) -> int:
        """Threads that exist, idle ones too."""
        return self._count

    def submit(self, job: J) -> None:
        """Run the job in a thread, in a copy of the caller's context; it waits while there can be none."""
        with self._counting:
            self._unfinished += 1
        self._jobs.put((copy_context(), job))
        if self._unfinished > self._count:
            self._grow()

    def _grow(self) -> None:
        """As many threads as there are jobs; tried again after a while if the system gives no more."""
        self._again = None
        while self._unfinished > self._count and not self._closed:
            try:
                self._make_thread()
            except RuntimeError as problem:
                self._again = self._loop.call_later(AGAIN, self._grow)
                if self.shortage is None:
                    self.shortage = f"no further thread can be had ({problem})"
                    self._short()
                return
        self.shortage = None

    def _finished(self) -> None:
        with self._counting:
            self._unfinished -= 1

    def _make_thread(self) -> None:
        self._made += 1
        threading.Thread(target=self._serve, name=f"flowlet:body-{self._made}", daemon=True).start()
        self._count += 1

    def _serve(self) -> None:
        while (given := self._jobs.get()) is not None:
            context, job = given
            result = context.run(self._run, job)
            self._finished()  # before it arrives: the thread is free for the next job already
            self._results.append((job, result))
            given = context = job = result = None  # type: ignore[assignment]  # an idle thread holds nothing of a body
            if not self._waking:
                self._waking = True
                try:
                    self._loop.call_soon_threadsafe(self._bring)
                except RuntimeError:
                    return  # the loop is closed: nobody waits any more

    def _bring(self) -> None:
        """On the loop: hand over what is there. The flag falls first, so that nothing is left lying."""
        self._waking = False
        while self._results:
            job, result = self._results.popleft()
            self._arrived(job, result)

    def close(self) -> None:
        """Idle threads end now, the others when their body does."""
        if not self._closed:
            self._closed = True
            if self._again is not None:
                self._again.cancel()
            for _ in range(self._count):
                self._jobs.put(None)
