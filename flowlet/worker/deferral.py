"""A task that waits for its trigger: what goes on when that fires. Lives in memory only.

Nothing of it is stored, so nothing that a stored value names is ever imported: a task that waits when the
process ends begins again from `execute` at the next start.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flowlet.authoring.calls import is_coroutine_function
from flowlet.authoring.triggers import TRIGGER_FAILED, BaseTaskEndEvent, BaseTrigger, TriggerEvent
from flowlet.clock import span_micros
from flowlet.errors import FailTask, SkipTask, TaskDeferralError, TaskDeferralTimeout

if TYPE_CHECKING:
    from flowlet.authoring.triggers import TaskDeferred
    from flowlet.worker.task_instance import RuntimeTaskInstance
    from flowlet.worker.workload import Workload


class Deferral:
    """One wait of one attempt. Moments are microseconds."""

    __slots__ = ("deadline", "event", "is_async", "is_relative", "kwargs", "method_name", "moment", "pushed", "skips", "timeout", "trigger", "work")

    def __init__(self, wish: TaskDeferred, work: Workload, ti: RuntimeTaskInstance, now: int) -> None:
        self.trigger = _checked_trigger(wish.trigger)
        self.method_name = wish.method_name
        self.kwargs = _checked_kwargs(wish.kwargs)
        self.timeout = _checked_timeout(wish.timeout)
        self.is_async = wish.method_name is not None and is_coroutine_function(getattr(ti.task, wish.method_name, None))
        """Whether the method by which it goes on runs on the loop."""
        self.work = work
        self.pushed = dict(ti._pushed)
        """The XComs that were pushed so far."""
        self.skips = ti._skips
        later = self.trigger.due_at(now + 1)
        self.moment = self.trigger.due_at(now)
        """When it fires by itself; None: the trigger has to be run."""
        self.is_relative = self.moment != later
        """Whether the moment is reckoned from the beginning of the wait."""
        self.deadline = None if self.timeout is None else now + span_micros(self.timeout)
        self.event: TriggerEvent | BaseException | None = None
        """What it fired, or why it never will."""
        self.trigger.task_instance = ti

    @property
    def due_at(self) -> int | None:
        """When the engine's clock ends the wait, if nothing does before."""
        if self.moment is None or self.deadline is None:
            return self.deadline if self.moment is None else self.moment
        return min(self.moment, self.deadline)

    def fall_due(self) -> None:
        """`due_at` has come: the moment that it waits for, or its timeout."""
        if self.moment is not None and (self.deadline is None or self.moment <= self.deadline):
            self.event = self.trigger.due_event()
        else:
            self.event = TaskDeferralTimeout(f"{self} did not fire within {self.timeout}")

    def shift(self, moved: int) -> None:
        """The wall clock was set: amounts of time stay what they are, a moment is where it was."""
        if self.deadline is not None:
            self.deadline += moved
        if self.moment is not None and self.is_relative:
            self.moment += moved

    @property
    def ends_it(self) -> bool:
        """The trigger ends the task, which is not called again."""
        return isinstance(self.event, BaseTaskEndEvent)

    @property
    def goes_on_async(self) -> bool:
        """Whether what is called now runs on the loop."""
        return self.ends_it or (self.is_async and not isinstance(self.event, BaseException))

    def go_on(self, task: Any, context: dict[str, Any]) -> Any:
        """Call the method by which the task goes on; what it gives may be a coroutine."""
        if isinstance(self.event, BaseException):
            return task.resume_execution(TRIGGER_FAILED, {"error": self.event}, context)
        assert self.event is not None  # noqa: S101  it fired
        return task.resume_execution(self.method_name, {**self.kwargs, "event": self.event.payload}, context)

    @property
    def waits_for_input(self) -> bool:
        """Whether a person ends the wait."""
        return self.trigger.waits_for_input

    def __str__(self) -> str:
        return str(self.trigger) if self.waits_for_input else f"its trigger {type(self.trigger).__name__}"


def end_by(event: BaseTaskEndEvent, ti: RuntimeTaskInstance) -> None:
    """What a trigger that ends the task asks for: nothing raised is a success."""
    for key, value in event.xcoms.items():
        ti.xcom_push(key, value)
    if event.state == "skipped":
        raise SkipTask("its trigger skipped it")
    if event.state == "failed":
        raise FailTask("its trigger failed it")


async def first_event(events: AsyncIterator[TriggerEvent]) -> TriggerEvent:
    """What a trigger that runs fires first."""
    async for event in events:
        if not isinstance(event, TriggerEvent):
            raise TaskDeferralError(f"it yielded {event!r}, which is no TriggerEvent")
        return event
    raise TaskDeferralError("it ended without an event")


async def clean_up(trigger: BaseTrigger, events: AsyncIterator[TriggerEvent] | None) -> None:
    """After its first event, or whatever ended it."""
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
    await trigger.cleanup()


def _checked_trigger(trigger: Any) -> BaseTrigger:
    if not isinstance(trigger, BaseTrigger):
        raise TypeError(f"defer(trigger=...) must be a BaseTrigger, not {trigger!r}")
    return trigger


def _checked_kwargs(kwargs: Any) -> Mapping[str, Any]:
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise TypeError(f"defer(kwargs=...) must be a dict, not {kwargs!r}")
    return dict(kwargs or {})


def _checked_timeout(timeout: Any) -> timedelta | None:
    if timeout is None or isinstance(timeout, timedelta):
        return timeout
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"defer(timeout=...) must be a timedelta or seconds, not {timeout!r}")
    return timedelta(seconds=timeout)
