"""A bound on code that does not end by itself: the alarm clock of Unix, which interrupts Python code."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class LoadTimeout(BaseException):
    """Not an Exception: an `except Exception` in the interrupted code shall not swallow it."""


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Raise LoadTimeout in the body after `seconds`. Without effect where there is no alarm to set.

    (Signals reach only the main thread, and one alarm serves the whole process; see setitimer(2).)
    """
    possible = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not seconds or not possible:
        yield
        return

    def ring(*_: object) -> None:
        raise LoadTimeout(f"{seconds:g}")

    before = signal.signal(signal.SIGALRM, ring)
    theirs, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        spent = seconds - signal.setitimer(signal.ITIMER_REAL, 0)[0]
        signal.signal(signal.SIGALRM, before)
        if theirs:  # somebody else's alarm goes on: late, if it was due in the meantime
            signal.setitimer(signal.ITIMER_REAL, max(theirs - spent, 1e-6), interval)
