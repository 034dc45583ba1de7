"""A function call in a daemon thread of its own: for an operator that mostly waits and must block once."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(name: str, function: Callable[[], T]) -> T:
    """What the function gives. A cancelled awaiter leaves the thread to end by itself."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def deliver(value: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(value)  # type: ignore[arg-type]  # there is a value when there is no error
        else:
            answer.set_exception(error)

    def body() -> None:
        value, error = None, None
        try:
            value = context.run(function)
        except BaseException as raised:  # the thread's boundary: the awaiter gets it
            error = RuntimeError("StopIteration") if isinstance(raised, StopIteration) else raised
        try:
            loop.call_soon_threadsafe(deliver, value, error)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    threading.Thread(target=body, name=name, daemon=True).start()
    return await answer
