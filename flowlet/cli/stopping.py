"""Ctrl-C and SIGTERM: the first asks for an end, the second ends the process at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether, and by which signal, the end was asked for."""

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def status(self) -> int:
        """The exit status of a process that a signal ended, as shells have it."""
        return 128 + (self.signal or signal.SIGINT)


@contextmanager
def two_step(first: Callable[[], object], *, saying: str) -> Iterator[Stop]:
    """While the body runs, a signal calls `first` on the running loop and says so; a second one is the end.

    Python's own handlers, not the loop's: the second signal works also while a coroutine blocks the loop.
    """
    stop, loop = Stop(), asyncio.get_running_loop()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.signal is not None:
            os._exit(128 + number)
        stop.signal = number
        os.write(2, f"\n{saying} (again: at once)\n".encode())  # print is not safe in a handler
        loop.call_soon_threadsafe(first)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stderr.flush()
