"""The one place that reads the time. Everything else is told.

Moments are integers: microseconds since 1970-01-01T00:00Z. Datetimes exist at the edges only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

#: The longest the scheduler sleeps before it looks at the clock again, so that a suspend or a step of
#: the wall clock is noticed (monotonic timers stand still while Linux sleeps; CPython #106940).
LONGEST_SLEEP = 30 * SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """An aware datetime as microseconds since the epoch, exact."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Microseconds since the epoch as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def span_micros(span: timedelta) -> int:
    """A timedelta as microseconds, exact."""
    return span // timedelta(microseconds=1)


def iso(micros: int) -> str:
    """ISO 8601 in UTC with microseconds and `Z`, as views and JSON print it."""
    return from_micros(micros).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Clock(Protocol):
    """What the engine knows of time."""

    def now(self) -> int:
        """The wall clock: microseconds since the epoch."""
        ...

    def monotonic(self) -> int:
        """Microseconds that never go back; for durations only."""
        ...

    async def wait(self, news: asyncio.Event, until: int | None, *, busy: bool) -> None:
        """Return when `news` is set, or at `until`; `busy` says that some body is executing."""
        ...


class SystemClock:
    """The machine's own time, also while somebody's code has put another function into the `time` module.

    A wait leaves its timer behind for the next one that needs none sooner: news come far more often than
    timers, and one that is too soon costs a look at nothing.
    """

    _timer: asyncio.TimerHandle | None = None
    _news: asyncio.Event | None = None

    def now(self, _read: Callable[[], int] = time.time_ns) -> int:
        return _read() // 1000

    def monotonic(self, _read: Callable[[], int] = time.monotonic_ns) -> int:
        return _read() // 1000

    async def wait(self, news: asyncio.Event, until: int | None, *, busy: bool) -> None:  # noqa: ARG002  a virtual clock's need
        if news.is_set():
            return
        pause = LONGEST_SLEEP if until is None else min(until - self.now(), LONGEST_SLEEP)
        if pause <= 0:
            return
        from asyncio import get_running_loop  # whoever reads the time only does without it

        self._set_timer(get_running_loop(), news, pause / SECOND)
        await news.wait()

    def _set_timer(self, loop: asyncio.AbstractEventLoop, news: asyncio.Event, pause: float) -> None:
        now, timer = loop.time(), self._timer
        if timer is not None:
            if self._news is news and now < timer.when() <= now + pause:
                return
            timer.cancel()
        self._news = news
        self._timer = loop.call_at(now + pause, news.set)


class VirtualClock:
    """Time that stands still until it is moved: `advance` moves it, or `auto=True` lets it jump.

    It jumps to the next due moment only while no body executes, so a retry delay of an hour takes no
    time and a body that works for a second is not overtaken. `horizon` bounds the jumps of `auto`.
    """

    def __init__(self, start: datetime | int | None = None, *, auto: bool = False, horizon: int | None = None) -> None:
        import asyncio

        if start is None:
            start = time.time_ns() // 1000
        self._now = start if isinstance(start, int) else to_micros(start)
        self._stepped = 0
        self.auto = auto
        self.horizon = horizon
        self._sleeper: asyncio.Event | None = None
        self._idle = asyncio.Event()

    def now(self) -> int:
        return self._now

    def monotonic(self) -> int:
        return self._now - self._stepped

    def set(self, moment: datetime | int) -> None:
        """Let time pass until a moment; one that lies behind can only be reached by a `step`."""
        target = moment if isinstance(moment, int) else to_micros(moment)
        self._stepped += min(target - self._now, 0)
        self._now = target
        self._wake()

    def step(self, span: timedelta | float) -> None:
        """Somebody sets the wall clock, forwards or backwards, or the machine was asleep: no time passes."""
        delta = span_micros(span if isinstance(span, timedelta) else timedelta(seconds=span))
        self._stepped += delta
        self._now += delta
        self._wake()

    def advance(self, span: timedelta | float) -> None:
        """Move the clock by a timedelta or by seconds."""
        delta = span if isinstance(span, timedelta) else timedelta(seconds=span)
        self.set(self._now + span_micros(delta))

    async def run_until(self, moment: datetime | int) -> None:
        """Let the engine live, without waiting, until nothing more is due before `moment`; then stand there."""
        target = moment if isinstance(moment, int) else to_micros(moment)
        self.auto, self.horizon = True, target
        self._idle.clear()
        self._wake()
        await self._idle.wait()
        self.auto = False
        self.set(max(self._now, target))

    async def wait(self, news: asyncio.Event, until: int | None, *, busy: bool) -> None:
        if news.is_set() or (until is not None and until <= self._now):
            return
        if self.auto and not busy:
            if until is not None and (self.horizon is None or until <= self.horizon):
                self._now = until
                return
            self._idle.set()
        self._sleeper = news
        try:
            await news.wait()
        finally:
            self._sleeper = None

    def _wake(self) -> None:
        """A sleeper looks again: to it, a moved clock is news."""
        if self._sleeper is not None:
            self._sleeper.set()
