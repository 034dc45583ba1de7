"""What happens in an engine, told to whoever listens in the same process.

A listener is called on the loop's thread, after the commit that made the event true, and must be quick.
One that raises is logged and not called again. When nobody listens an event costs one truth test:

    if listeners:
        listeners.tell(RunStarted(...))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from flowlet.named_tuple import NamedTuple


class RunStarted(NamedTuple):
    """A run left `queued` (or was made running). Moments are microseconds."""

    at: int
    dag_id: str
    run_id: str


class RunEnded(NamedTuple):
    """A run ended as `success` or `failed`."""

    at: int
    dag_id: str
    run_id: str
    state: str
    reason: str | None


class TaskStarted(NamedTuple):
    """An attempt started: its start is on disk."""

    at: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int


class TaskEnded(NamedTuple):
    """A task instance came to rest in `state` (or goes on to another try: `up_for_retry`, `scheduled`)."""

    at: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    state: str
    started_at: int | None
    """None where no body was executed (skipped, upstream_failed, bodyless)."""
    reason: str | None
    error: str | None
    """Class name of the exception."""


class EventAdded(NamedTuple):
    """A row of the `events` view: an anomaly, or an act, that somebody will ask about."""

    at: int
    kind: str
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None
    try_number: int | None
    text: str


Event: TypeAlias = RunStarted | RunEnded | TaskStarted | TaskEnded | EventAdded
Listener: TypeAlias = Callable[[Event], object]


class Listeners:
    """Who wants to be told. False when nobody does."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` every event from now on; gives the function that ends it."""
        self._listeners += (listener,)

        def unsubscribe() -> None:
            self._drop(listener)

        return unsubscribe

    def tell(self, event: Event) -> None:
        """Call every listener, in the order of subscription. Never raises for what a listener does."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as error:
                self._drop(listener)
                _log_dropped(listener, error)

    def _drop(self, listener: Listener) -> None:
        self._listeners = tuple(one for one in self._listeners if one != listener)


def _log_dropped(listener: Listener, error: Exception) -> None:
    import logging

    log = logging.getLogger("flowlet.events")
    log.error("the listener %r raised and is not called again", listener, exc_info=error)
