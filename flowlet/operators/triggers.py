"""Triggers that come with flowlet (Airflow: providers/standard/triggers/temporal.py and file.py)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from flowlet.authoring.triggers import (
    BaseEventTrigger,
    BaseTrigger,
    TaskDeferred,
    TaskSuccessEvent,
    TriggerEvent,
)
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


class FileDeleteTrigger(BaseEventTrigger):
    """Fires when the file `filepath` is there, and deletes it first. It looks every `poke_interval` seconds."""

    def __init__(self, filepath: str, poke_interval: float = 5.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filepath = filepath
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return _path(self), {"filepath": self.filepath, "poke_interval": self.poke_interval}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        take = partial(_delete, self.filepath)
        while not await in_thread("flowlet:file-trigger", take):  # noqa: ASYNC110  no file sets an event
            await asyncio.sleep(self.poke_interval)  # noqa: TID251  as a body waits: in real time
        yield TriggerEvent(True)


class DirectoryFileDeleteTrigger(BaseEventTrigger):
    """Fires when `filename` is in `directory`, and deletes it first; those of one directory may share the looking."""

    def __init__(self, *, directory: str, filename: str, poke_interval: float = 5.0) -> None:
        super().__init__()
        self.directory = directory
        self.filename = filename
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return _path(self), {
            "directory": self.directory, "filename": self.filename, "poke_interval": self.poke_interval,
        }  # fmt: skip

    def shared_stream_key(self) -> tuple[str, str, float]:
        return "directory-scan", os.path.realpath(self.directory), self.poke_interval

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """The names in the directory, again and again. OSError if it is none, or may not be read."""
        directory = kwargs["directory"]
        while True:
            names = await in_thread("flowlet:file-trigger", partial(_names_in, directory))
            yield {"directory": directory, "names": names}
            await asyncio.sleep(kwargs["poke_interval"])  # noqa: TID251  as a body waits: in real time

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        async for seen in shared_stream:
            if self.filename not in seen["names"]:
                continue
            path = os.path.join(seen["directory"], self.filename)  # noqa: PTH118  as it was given
            if await in_thread("flowlet:file-trigger", partial(_delete, path)):
                yield TriggerEvent({"filepath": path})
                return

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event


def _delete(path: str) -> bool:
    """Whether there was such a file; now there is none."""
    if not os.path.isfile(path):  # noqa: PTH113  a plain path
        return False
    try:
        os.unlink(path)  # noqa: PTH108  a plain path
    except FileNotFoundError:  # somebody was quicker
        return False
    return True


def _names_in(directory: str) -> frozenset[str]:
    """What is in a directory; nothing if it is not there yet."""
    try:
        return frozenset(os.listdir(directory))  # noqa: PTH208  names are all that is asked
    except FileNotFoundError:
        return frozenset()


def until(moment: int, *, method_name: str, **kwargs: Any) -> TaskDeferred:
    """The wish to be deferred until a moment (microseconds), then to go on by that method."""
    return TaskDeferred(trigger=DateTimeTrigger(from_micros(moment)), method_name=method_name, kwargs=kwargs)


def find_file(pattern: str, *, recursive: bool) -> bool:
    """Whether the pattern matches a file, or a folder with a file somewhere in it."""
    from glob import iglob

    return any(_has_file(path) for path in iglob(pattern, recursive=recursive))  # noqa: PTH207  patterns of any root


def _has_file(path: str) -> bool:
    return os.path.isfile(path) or any(files for _, _, files in os.walk(path))  # noqa: PTH113  as glob gave it


def _path(trigger: BaseTrigger) -> str:
    return f"{type(trigger).__module__}.{type(trigger).__qualname__}"
