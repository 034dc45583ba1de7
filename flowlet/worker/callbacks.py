"""Callbacks of tasks and DAGs: after the commit, bounded in time, never able to stop the loop.

What one raises is logged and told; it changes no state (Airflow: task_runner.py `finalize`).
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from flowlet.authoring.calls import is_coroutine_function
from flowlet.worker.reasons import deed_of

#: The seconds that one callback may take; then it is left to itself, and that is told.
PATIENCE = 30.0

#: Seconds that a callback gets to end once it is cancelled; then nothing of it runs any more.
_PATIENCE_WITH_CANCELLED = 1.0

Callback = Callable[[dict[str, Any]], Any]


async def call_all(
    callbacks: Sequence[Callback], name: str, context: dict[str, Any], scope: contextvars.Context
) -> list[str]:
    """Call them one after the other: `async def` on the loop, `def` in threads. What went wrong, in sentences."""
    told = [await _call(callback, context, scope) for callback in callbacks]
    return _sentences(name, callbacks, told)


def call_all_here(
    callbacks: Sequence[Callback], name: str, context: dict[str, Any], scope: contextvars.Context
) -> list[str]:
    """The same from a thread that may wait; an `async def` gets a loop of its own."""
    told = [_call_here(callback, context, scope) for callback in callbacks]
    return _sentences(name, callbacks, told)


def _sentences(name: str, callbacks: Sequence[Callback], told: list[str | None]) -> list[str]:
    pairs = zip(callbacks, told, strict=True)
    return [f"{name} {_name_of(callback)} {what}" for callback, what in pairs if what is not None]


def _too_long() -> str:
    return f"took longer than {PATIENCE:g} s and was left to itself"


async def _call(callback: Callback, context: dict[str, Any], scope: contextvars.Context) -> str | None:
    loop = asyncio.get_running_loop()
    if is_coroutine_function(callback):
        # In no task group: one would wait for ever for a callback that swallows its cancellation.
        scope = scope.copy()
        task = loop.create_task(_run_async(callback, context), name="flowlet:callback", context=scope)
        try:
            await asyncio.wait({task}, timeout=PATIENCE)
        finally:
            if not task.done():
                task.cancel()
                loop.call_later(_PATIENCE_WITH_CANCELLED, _close, task, scope)
        if task.cancelled():
            return "raised CancelledError"
        return task.result() if task.done() else _too_long()
    answer: asyncio.Future[str | None] = loop.create_future()
    _start(scope, partial(_run_and_tell, callback, context, loop, answer))
    await asyncio.wait({answer}, timeout=PATIENCE)
    return answer.result() if answer.done() else _too_long()


def _close(task: asyncio.Task[str | None], scope: contextvars.Context) -> None:
    """End one that swallows its cancellation, or it would hold up the end of the loop."""
    if not task.done():
        scope.run(task.get_coro().close)
        task.cancel()


def _call_here(callback: Callback, context: dict[str, Any], scope: contextvars.Context) -> str | None:
    told: list[str | None] = []
    _start(scope, lambda: told.append(_run(callback, context))).join(PATIENCE)
    return told[0] if told else _too_long()


def _start(scope: contextvars.Context, body: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=scope.copy().run, args=(body,), name="flowlet:callback", daemon=True)
    thread.start()
    return thread


def _run_and_tell(
    callback: Callback,
    context: dict[str, Any],
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[str | None],
) -> None:
    told = _run(callback, context)
    try:
        loop.call_soon_threadsafe(_answer, answer, told)
    except RuntimeError:
        pass  # the loop is closed: nobody waits any more


def _answer(answer: asyncio.Future[str | None], told: str | None) -> None:
    if not answer.done():
        answer.set_result(told)


async def _run_async(callback: Callback, context: dict[str, Any]) -> str | None:
    try:
        await for_attempt(callback, context)(context)
    except asyncio.CancelledError:
        raise
    except BaseException as problem:
        return _told(problem)
    return None


def _run(callback: Callback, context: dict[str, Any]) -> str | None:
    try:
        result = for_attempt(callback, context)(context)
        if asyncio.iscoroutine(result):
            asyncio.run(result)
    except BaseException as problem:
        return _told(problem)
    return None


def _told(problem: BaseException) -> str:
    """One line; the traceback goes to the attempt's log, if there is an attempt."""
    from flowlet.worker.attempt import ATTEMPT
    from flowlet.worker.tracebacks import readable_traceback

    attempt = ATTEMPT.get()
    if attempt is not None:
        attempt.worker.log_of(attempt).line("ERROR", "callback", readable_traceback(problem))
    return deed_of(problem)


def for_attempt(callback: Any, context: dict[str, Any]) -> Callback:
    """A notifier (an object with template fields) as a rendered copy; anything else as it is."""
    fields = getattr(callback, "template_fields", None)
    if not isinstance(fields, (list, tuple)):
        return callback  # type: ignore[no-any-return]  # callable, as the operator checked
    from flowlet.worker.rendering import TEMPLATES, Renderer, needs
    from flowlet.worker.templates import templates_of

    templates = templates_of(context.get("task"), context["dag"]) if needs(callback) == TEMPLATES else None
    return Renderer(context, templates).render_object(callback, fields)  # type: ignore[no-any-return]  # its copy


def _name_of(callback: Any) -> str:
    return getattr(callback, "__qualname__", None) or type(callback).__qualname__
