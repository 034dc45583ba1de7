"""Triggers that come with flowlet (Airflow: providers/standard/triggers/temporal.py and file.py)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from flowlet.authoring.triggers import BaseTrigger, TaskSuccessEvent, TriggerEvent
from flowlet.clock import LONGEST_SLEEP, SECOND, SystemClock, from_micros, span_micros, to_micros
from flowlet.operators.threads import in_thread


class DateTimeTrigger(BaseTrigger):
    """Fires at a moment, an aware datetime, which is its payload too (in UTC).

    `end_from_trigger` ends the task as success instead of calling it again.
    """

    def __init__(self, moment: datetime, *, end_from_trigger: bool = False) -> None:
        super().__init__()
        if not isinstance(moment, datetime):
            raise TypeError(f"moment must be a datetime, not {moment!r}")
        if moment.tzinfo is None:
            raise ValueError(f"moment must be aware of its time zone: {moment!r}")
        self.moment = moment.astimezone(UTC)
        self.end_from_trigger = end_from_trigger

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return _path(self), {"moment": self.moment, "end_from_trigger": self.end_from_trigger}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """For whoever waits for it by himself; the engine does not need it."""
        clock = SystemClock()
        while (left := to_micros(self.moment) - clock.now()) > 0:  # noqa: ASYNC110  nobody sets an event
            await asyncio.sleep(min(left, LONGEST_SLEEP) / SECOND)  # noqa: TID251  as a body waits: in real time
        yield self.due_event()

    def due_at(self, now: int) -> int | None:  # noqa: ARG002  it is told
        return to_micros(self.moment) if self._only_waits else None

    @property
    def _only_waits(self) -> bool:
        """No subclass waits in a way of its own."""
        return type(self).run is DateTimeTrigger.run

    def due_event(self) -> TriggerEvent:
        return TaskSuccessEvent() if self.end_from_trigger else TriggerEvent(self.moment)


class TimeDeltaTrigger(DateTimeTrigger):
    """Fires `delta` after the task deferred; otherwise as DateTimeTrigger."""

    def __init__(self, delta: timedelta, *, end_from_trigger: bool = False) -> None:
        BaseTrigger.__init__(self)
        if not isinstance(delta, timedelta):
            raise TypeError(f"delta must be a timedelta, not {delta!r}")
        self.delta = delta
        self.moment = from_micros(SystemClock().now()) + delta
        self.end_from_trigger = end_from_trigger

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return _path(self), {"delta": self.delta, "end_from_trigger": self.end_from_trigger}

    def due_at(self, now: int) -> int | None:
        due_at = now + span_micros(self.delta)
        self.moment = from_micros(due_at)
        return due_at if self._only_waits else None


class FileTrigger(BaseTrigger):
    """Fires when `filepath` (a pattern, too) is a file, or a folder with a file somewhere in it.

    It looks every `poke_interval` seconds, in a thread; `recursive` lets `**` match folders of any depth.
    """

    def __init__(self, filepath: str, recursive: bool = False, poke_interval: float = 5.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filepath = filepath
        self.recursive = recursive
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return _path(self), {
            "filepath": self.filepath, "recursive": self.recursive, "poke_interval": self.poke_interval,
        }  # fmt: skip

    async def run(self) -> AsyncIterator[TriggerEvent]:
        look = partial(find_file, self.filepath, recursive=self.recursive)
        while not await in_thread("flowlet:file-trigger", look):  # noqa: ASYNC110  no file sets an event
            await asyncio.sleep(self.poke_interval)  # noqa: TID251  as a body waits: in real time
        yield TriggerEvent(True)


def find_file(pattern: str, *, recursive: bool) -> bool:
    """Whether the pattern matches a file, or a folder with a file somewhere in it."""
    from glob import iglob

    return any(_has_file(path) for path in iglob(pattern, recursive=recursive))  # noqa: PTH207  patterns of any root


def _has_file(path: str) -> bool:
    return os.path.isfile(path) or any(files for _, _, files in os.walk(path))  # noqa: PTH113  as glob gave it


def _path(trigger: BaseTrigger) -> str:
    return f"{type(trigger).__module__}.{type(trigger).__qualname__}"
