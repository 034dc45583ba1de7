"""Closing is not torn off by the cancellation that brought it about."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any

#: What anyio loads with the first scope that a program of asyncio enters.
BACKEND = "anyio._backends._asyncio"


def shielded() -> AbstractContextManager[object]:
    """anyio's shield, if a scope of anyio's can be around us at all.

    In a program that has entered none there is nothing to be shielded from, and what it would load is a
    tenth of the time that a short program takes.
    """
    if BACKEND not in sys.modules:
        return nullcontext()
    import anyio

    return anyio.CancelScope(shield=True)


async def to_the_end(work: Coroutine[Any, Any, None], *, name: str, hurry: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
    """Await `work`, however often the caller is cancelled: that is told when it is over.

    anyio's shield keeps out what cancels its scopes, not Task.cancel, by which Ctrl-C and asyncio.timeout
    work. At the first cancellation `hurry` is run beside the work.
    """
    tasks = {asyncio.Task(work, name=name)}  # in no task group: one would pass the cancellation on
    (main,) = tasks
    cancelled: asyncio.CancelledError | None = None
    with shielded():
        while pending := [task for task in tasks if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as error:
                if cancelled is None and hurry is not None:
                    tasks.add(asyncio.Task(hurry(), name=f"{name}: hurry"))
                cancelled = error
    if cancelled is not None:
        raise cancelled from main.exception()
    for task in tasks:
        task.result()
