"""What a deferred task waits for, and what it is told (Airflow: triggers/base.py, sdk/exceptions.py TaskDeferred)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.authoring.context import CURRENT

if TYPE_CHECKING:
    from logging import Logger

#: The `next_method` of a task that is resumed only to be told that its trigger failed (Airflow's word for it).
TRIGGER_FAILED = "__fail__"


class TriggerEvent:
    """What a trigger fires: `payload` is the `event` of the method by which the task goes on."""

    def __init__(self, payload: Any = None) -> None:
        self.payload = payload

    def __repr__(self) -> str:
        return f"{type(self).__name__}<{self.payload!r}>"


class BaseTaskEndEvent(TriggerEvent):
    """Ends the task without calling it again; `xcoms` are pushed as if it had pushed them."""

    state: str

    def __init__(self, *, xcoms: Mapping[str, Any] | None = None) -> None:
        super().__init__(self.state)
        self.xcoms = dict(xcoms or {})


class TaskSuccessEvent(BaseTaskEndEvent):
    """The task succeeded."""

    state = "success"


class TaskFailedEvent(BaseTaskEndEvent):
    """The task failed, and is not tried again."""

    state = "failed"


class TaskSkippedEvent(BaseTaskEndEvent):
    """The task is skipped."""

    state = "skipped"


class BaseTrigger:
    """What a deferred task waits for. Subclasses define `run`, an async generator; its first event counts.

    The very object that `defer` was given is run, on the engine's loop, so it must not block; it is never
    stored, and `serialize` (Airflow's) is never called. `cleanup` is called when it has ended, however it did.
    """

    waits_for_input: ClassVar[bool] = False
    """It waits for a person's answer, which it is given by the engine: it is never run (flowlet.operators.hitl)."""

    task_instance: Any = None
    """The `ti` of the task that waits for it."""

    def __init__(self, **kwargs: Any) -> None:
        """Airflow's, which takes any."""

    def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield a TriggerEvent when it is time."""
        raise NotImplementedError(f"{type(self).__name__} defines no run()")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """(path of the class, arguments that make an equal one)."""
        raise NotImplementedError(f"{type(self).__name__} defines no serialize()")

    async def cleanup(self) -> None:
        """Let go of what it holds; what this raises is logged only."""

    def due_at(self, now: int) -> int | None:  # noqa: ARG002  for those who reckon from now
        """Of a trigger that waits for a moment and nothing else: the moment (both in microseconds).

        The engine waits for it by its own clock then, and `run` is not called.
        """
        return None

    def due_event(self) -> TriggerEvent:
        """What it fires at `due_at`."""
        raise NotImplementedError(f"{type(self).__name__} waits for no moment")

    @property
    def log(self) -> Logger:
        """The log of the task that waits for it; outside of a wait, the logger `flowlet.task`."""
        attempt = CURRENT.get()
        if attempt is None:
            import logging

            return logging.getLogger("flowlet.task")
        log: Logger = attempt.context["ti"].log
        return log

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class BaseEventTrigger(BaseTrigger):
    """A trigger that may watch an asset (`AssetWatcher`). Several with an equal `shared_stream_key` may share a stream."""

    def shared_stream_key(self) -> Hashable | None:
        """What tells the stream that it reads from others; None: it reads its own."""
        return None

    @classmethod
    def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """The stream of all that have this key; `kwargs` are those of one of them, as it serialises them."""
        raise NotImplementedError(f"{cls.__name__} shares no stream")

    def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Its own events out of the stream."""
        raise NotImplementedError(f"{type(self).__name__} shares no stream")


class TaskDeferred(BaseException):
    """Raised by a task that lets go of everything until its trigger fires. No `except Exception` keeps it."""

    def __init__(
        self,
        *,
        trigger: BaseTrigger,
        method_name: str | None,
        kwargs: Mapping[str, Any] | None = None,
        timeout: timedelta | float | None = None,
    ) -> None:
        super().__init__()
        self.trigger = trigger
        self.method_name = method_name
        self.kwargs = kwargs
        self.timeout = timeout

    def __repr__(self) -> str:
        return f"<TaskDeferred trigger={self.trigger!r} method={self.method_name}>"
