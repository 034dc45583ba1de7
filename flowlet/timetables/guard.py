"""The one door to timetables that users write: their code may raise anything, or never come back.

It is called in a thread of its own for at most LONGEST_ANSWER seconds, so that a loop in it costs its DAG
the schedule and the scheduler a pause. What goes wrong is a TimetableError that names the class.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from flowlet.errors import TimetableError

T = TypeVar("T")

#: Seconds that a timetable has for an answer; those that are asked for many ticks at once, for all.
LONGEST_ANSWER = 5.0


class _GivenUp(BaseException):
    """Raised in the thread of a call that nobody waits for any more; no `except Exception` swallows it."""


def ask(call: Callable[[], T], about: str) -> T:
    """What a call into user code gives. TimetableError, beginning with `about`, if it gives nothing."""
    answer: list[T] = []
    problem: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(call())
        except BaseException as error:  # whatever it raises, the scheduler lives
            problem.append(error)

    thread = threading.Thread(target=copy_context().run, args=(run,), name="flowlet:timetable", daemon=True)
    thread.start()
    thread.join(LONGEST_ANSWER)
    if answer:
        return answer[0]
    if problem:
        if isinstance(problem[0], TimetableError):
            raise problem[0]
        raise TimetableError(f"{about} raised {_spelt(problem[0])}") from problem[0]
    _give_up(thread)
    raise TimetableError(f"{about} gave no answer within {LONGEST_ANSWER:g} s")


def _spelt(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _give_up(thread: threading.Thread) -> None:
    """End a loop of Python code; what blocks in C goes on until it returns."""
    import ctypes

    raise_in: Any = ctypes.pythonapi.PyThreadState_SetAsyncExc
    raise_in(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_GivenUp))
