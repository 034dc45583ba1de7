"""A thread beside the loop that runs whole functions: one hop there and back for a whole transaction.

aiosqlite makes a hop for every statement; a transaction would be a dozen of them, and a cancelled caller
could leave it half done. Here the function goes over as one piece and the caller cannot be torn away.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

import aiosqlite

T = TypeVar("T")


class _Settled(asyncio.Future[Any]):
    """A future that cannot be cancelled: a cancelled waiter learns of it when the result is there.

    asyncio's Task.cancel asks what it waits for; on "no" it delivers the CancelledError when that is over.
    """

    def cancel(self, msg: Any | None = None) -> bool:  # noqa: ARG002  asyncio's signature
        return False


class Hop(aiosqlite.Connection):
    """aiosqlite's connection thread, used by the function instead of by the statement.

    The thread is a daemon: a store that nobody closed never holds up the interpreter's exit. It relies on
    aiosqlite's queue of (future, function), which is private: the version is pinned, a test guards it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(_opened_by_its_owner, iter_chunk_size=1)
        self._thread.daemon = True
        self._thread.name = name
        self._thread.start()

    def run(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Run the function in the thread; await the result."""
        future = _Settled(loop=asyncio.get_running_loop())
        self._tx.put_nowait((future, partial(function, *args)))
        return future

    def ask(self, function: Callable[..., T], *args: Any) -> T:
        """Run the function in the thread and block until it is done; for any thread but that one."""
        answer: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
        self._tx.put_nowait((None, partial(_answer, answer, function, args)))
        result, error = answer.get()
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # without an error it is the function's own

    def own(self, connection: sqlite3.Connection | None) -> None:
        """The connection that aiosqlite warns about when it is forgotten."""
        self._connection = connection

    async def end(self) -> None:
        """Stop the thread when all that was asked of it is done, even if the caller is cancelled meanwhile."""
        done = self.run(lambda: None)
        self.abandon()
        await done
        self._thread.join()

    def abandon(self) -> None:
        """Stop the thread, after what was asked of it, without waiting for it."""
        self._running = False
        self._connection = None
        self._tx.put_nowait((None, _stop))


def _answer(
    answer: SimpleQueue[tuple[T | None, BaseException | None]], function: Callable[..., T], args: tuple[Any, ...]
) -> None:
    try:
        answer.put((function(*args), None))
    except BaseException as error:
        answer.put((None, error))


def _stop() -> object:
    return aiosqlite.core._STOP_RUNNING_SENTINEL


def _opened_by_its_owner() -> sqlite3.Connection:
    raise RuntimeError("flowlet opens its connections itself")
