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
from typing import Any, Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")


class Threads(Generic[J, R]):
    """Runs `job` after `job` and brings the results back to the loop, all that are ready in one call of it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, run: Callable[[J], R], arrived: Callable[[J, R], None]
    ) -> None:
        self._loop = loop
        self._run = run
        self._arrived = arrived
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
        """Run the job in a thread, in a copy of the caller's context. RuntimeError if there can be no thread."""
        with self._counting:
            self._unfinished += 1
            grow = self._unfinished > self._count
        if grow:
            try:
                self._grow()
            except RuntimeError:
                if not self._count:  # else it waits for a thread that there is
                    self._finished()
                    raise
        self._jobs.put((copy_context(), job))

    def _finished(self) -> None:
        with self._counting:
            self._unfinished -= 1

    def _grow(self) -> None:
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
            for _ in range(self._count):
                self._jobs.put(None)
