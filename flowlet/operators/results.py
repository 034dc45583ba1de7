"""What a callable left: a value, or something that has to be run to its end to have one.

Airflow: sdk/execution_time/callback_runner.py (generators), sdk/bases/operator.py (coroutines).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from flowlet.authoring.assets import Metadata
from flowlet.authoring.calls import is_generator_function
from flowlet.authoring.context import get_current_context

_UNFINISHED = (CoroutineType, GeneratorType, AsyncGeneratorType)


def awaited_here(result: Any, function: Callable[..., Any] | None = None) -> Any:
    """The value, in a thread: a coroutine is run on a loop of its own, a generator of `function` is exhausted.

    A generator that a plain function gives is a value like any other (which no XCom can keep).
    """
    if type(result) not in _UNFINISHED:
        return result
    if type(result) is GeneratorType:
        return _exhaust(result) if is_generator_function(function) else result
    return asyncio.run(awaited(result))


async def awaited(result: Any) -> Any:
    """The value, on the loop. An async generator gives the list of what it yields."""
    if type(result) is AsyncGeneratorType:
        return await _collect(result)
    return await result if type(result) is CoroutineType else result


def _exhaust(generator: Generator[Any, Any, Any]) -> Any:
    """What the generator returns. Metadata is about an outlet; what else it yields is nothing to anybody, and is said so."""
    while True:
        try:
            stray = next(generator)
        except StopIteration as end:
            return end.value
        if isinstance(stray, Metadata):
            get_current_context()["outlet_events"].take(stray)
            continue
        get_current_context()["ti"].log.warning("Ignoring what the task yielded, of type %s", type(stray).__name__)


async def _collect(generator: AsyncGenerator[Any, Any]) -> list[Any]:
    return [value async for value in generator]
