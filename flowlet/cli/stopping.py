"""Ctrl-C and SIGTERM: the first asks for an end, the second ends the process at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from flowlet.cli import exits

_SHOW_CURSOR: Final = b"\x1b[?25h"


class Stop:
    """Whether, and by which signal, the end was asked for."""

    def __init__(self) -> None:
        self.signal: int | None = None


@contextmanager
def two_step(first: Callable[[], object], *, saying: str) -> Iterator[Stop]:
    """While the body runs, a signal calls `first` on the running loop and says so; a second one is the end.

    Python's own handlers, not the loop's: the second signal works also while a coroutine blocks the loop.
    """
    stop, loop = Stop(), asyncio.get_running_loop()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.signal is not None:
            end_at_once(number)
        stop.signal = number
        _tell(f"\n{saying} (again: at once)\n".encode())
        loop.call_soon_threadsafe(first)

    before = {number: signal.signal(number, on_signal) for number in _numbers()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stderr.flush()


def _numbers() -> list[int]:
    """SIGHUP too, when a terminal that closes would end the process; under nohup it would not."""
    hangs_up = signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    return [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hangs_up else [])]


def end_at_once(number: int) -> None:
    """The process ends here, and the commands that it runs with it; the next start finds what was interrupted."""
    processes = sys.modules.get("flowlet.operators.processes")  # without it there is no command
    if processes is not None:
        processes.kill_running()
    if os.isatty(1):
        os.write(1, _SHOW_CURSOR)
    os._exit(exits.ended_by(number))


def _tell(text: bytes) -> None:
    """On standard error, past its buffer: print is not safe in a handler."""
    try:
        os.write(2, text)
    except OSError:
        pass  # nobody can be told
