"""A forked child inherits what it must not use: it is told so, and nothing is closed there.

Neither carrying a connection over a fork nor closing it there is safe
(https://sqlite.org/howtocorrupt.html, 2.6): the writer's thread does not exist in the child, and may have
held a lock of SQLite's when the child was made.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Inherited(Protocol):
    """Something that belongs to the process that made it."""

    def forked(self) -> None:
        """This is the child."""
        ...


_ALIVE: WeakSet[Inherited] = WeakSet()


def guard(thing: Inherited) -> None:
    """Tell `thing` when it finds itself in a forked child, and keep it from being closed there."""
    _ALIVE.add(thing)


def release(thing: Inherited) -> None:
    _ALIVE.discard(thing)


def never_close(thing: object) -> None:
    """One reference that nobody gives back: not even the interpreter's end closes it."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _in_child() -> None:
    for thing in list(_ALIVE):
        thing.forked()
        never_close(thing)


os.register_at_fork(after_in_child=_in_child)
