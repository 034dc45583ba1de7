"""The keys that make up a period, and how many of them a run waits for (Airflow: partition_mappers/window.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

import attrs

from flowlet.errors import TimetableError


class _Direction(StrEnum):
    """Whether a period begins at its moment or ends there."""

    BACKWARD = "backward"
    FORWARD = "forward"


class Window:
    """The parts of a period: `to_upstream` gives them, from its first moment on, or up to its last one."""

    Direction = _Direction
    expected_decoded_type: ClassVar[type] = str
    """What it is asked with: a key, or for those of time the moment at which a period starts."""

    def __init__(self, *, direction: _Direction | str = _Direction.FORWARD) -> None:
        self.direction = _Direction(direction)

    def to_upstream(self, period: Any) -> Iterable[Any]:
        """The parts of the period."""
        raise NotImplementedError(f"{type(self).__name__} defines no to_upstream()")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]  # as attrs makes it of what can be compared and changed

    def __repr__(self) -> str:
        return f"{type(self).__name__}(direction={self.direction.value!r})"


class _Steps(Window):
    """So many steps of one length."""

    expected_decoded_type = datetime
    count: ClassVar[int]
    by_months: ClassVar[bool] = False
    step: ClassVar[timedelta] = timedelta(0)

    def to_upstream(self, period: datetime) -> Iterator[datetime]:
        _starts_a_month(self, period) if self.by_months else None
        first = 1 - self.count if self.direction is _Direction.BACKWARD else 0
        for number in range(first, first + self.count):
            yield later_by_months(period, number) if self.by_months else period + number * self.step


class HourWindow(_Steps):
    """Sixty minutes."""

    count, step = 60, timedelta(minutes=1)


class DayWindow(_Steps):
    """Twenty-four hours, whatever the clocks do."""

    count, step = 24, timedelta(hours=1)


class WeekWindow(_Steps):
    """Seven days."""

    count, step = 7, timedelta(days=1)


class MonthWindow(Window):
    """The days of a calendar month; backward the days after the first of the month before, up to this one."""

    expected_decoded_type = datetime

    def to_upstream(self, period: datetime) -> Iterator[datetime]:
        _starts_a_month(self, period)
        backward = self.direction is _Direction.BACKWARD
        first = later_by_months(period, -1) + timedelta(days=1) if backward else period
        stop = period + timedelta(days=1) if backward else later_by_months(period, 1)
        for number in range((stop - first).days):
            yield first + timedelta(days=number)


class QuarterWindow(_Steps):
    """Three months."""

    count, by_months = 3, True


class YearWindow(_Steps):
    """Twelve months."""

    count, by_months = 12, True


class SegmentWindow(Window):
    """A fixed set of keys, whatever the period."""

    def __init__(self, segments: Iterable[str]) -> None:
        super().__init__()
        self._segments = frozenset(segments)
        if not self._segments or not all(isinstance(key, str) and key for key in self._segments):
            raise TimetableError(f"SegmentWindow needs one or more non-empty texts, not {segments!r}.")

    def to_upstream(self, period: Any) -> frozenset[str]:  # noqa: ARG002  the interface
        return self._segments

    def __repr__(self) -> str:
        return f"SegmentWindow({sorted(self._segments)})"


class WaitPolicy:
    """Whether a run may begin while so many of the expected keys have arrived."""

    def is_satisfied(self, matched: int, expected: int) -> bool:
        """It may."""
        raise NotImplementedError(f"{type(self).__name__} defines no is_satisfied()")

    def is_unreachable(self, expected: int) -> bool:  # noqa: ARG002  the interface
        """It never may."""
        return False


@attrs.frozen
class WaitForAll(WaitPolicy):
    """When all have."""

    def is_satisfied(self, matched: int, expected: int) -> bool:
        return matched == expected


@attrs.frozen
class MinimumCount(WaitPolicy):
    """When `n` have; with a negative `n`, when at most so many are missing."""

    n: int

    def __attrs_post_init__(self) -> None:
        if self.n == 0:
            raise TimetableError("MinimumCount(0) waits for nothing: give another number, or WaitForAll().")

    def is_satisfied(self, matched: int, expected: int) -> bool:
        return matched >= (self.n if self.n > 0 else max(0, expected + self.n))

    def is_unreachable(self, expected: int) -> bool:
        return self.n > expected


def later_by_months(moment: datetime, months: int) -> datetime:
    """The first day of a month, so many months on."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return moment.replace(year=year, month=month + 1)


def _starts_a_month(window: Window, period: datetime) -> None:
    if period.day != 1:
        raise TimetableError(f"{type(window).__name__} is asked for the first day of a month, not for {period:%Y-%m-%d}.")
