"""Several expressions on one wall clock: how many times at least one of them matches, without walking them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from functools import lru_cache

from flowlet.timetables.calendar import DAY, WallClock, month_of

#: As the calendar of `calendar.py`: the years 1 to 9999.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896


@lru_cache(maxsize=256)
def union_of(clocks: tuple[WallClock, ...]) -> Union:
    """The union of some wall clocks, kept."""
    return Union(clocks)


class Union:
    """The wall times at which at least one of several expressions matches."""

    def __init__(self, clocks: tuple[WallClock, ...]) -> None:
        self._clocks = clocks
        self._times: dict[int, array[int]] = {}
        self._months: dict[tuple[int, ...], int] = {}

    def count(self, start: int, stop: int) -> int:
        """How many wall times of [start, stop) match."""
        if start >= stop or not self._clocks:
            return 0
        (first_day, first_time), (last_day, last_time) = divmod(start, DAY), divmod(stop, DAY)
        total = self._whole_days(max(first_day, _FIRST_DAY), min(last_day, _LAST_DAY + 1))
        return total - self._before(first_day, first_time) + self._before(last_day, last_time)

    def _before(self, day: int, time: int) -> int:
        """How many times of a day are earlier than `time`."""
        if not time:
            return 0
        matching = sum(clock.days.count(day, day + 1) << place for place, clock in enumerate(self._clocks))
        return bisect_left(self._times_of(matching), time)

    def _whole_days(self, first: int, stop: int) -> int:
        total = 0
        while first < stop:
            year, month, begin, length = month_of(first)
            end = min(begin + length, stop)
            wanted = ((1 << (end - first)) - 1) << (first - begin)
            days = tuple(clock.days.mask(year, month, begin, length) & wanted for clock in self._clocks)
            known = self._months.get(days)
            if known is None:
                known = self._months[days] = sum(len(self._times_of(_matching(days, day))) for day in range(31))
            total += known
            first = end
        return total

    def _times_of(self, matching: int) -> array[int]:
        """The times of a day on which these clocks (as bits) match, in order."""
        times = self._times.get(matching)
        if times is None:
            found: set[int] = set()
            for place, clock in enumerate(self._clocks):
                if matching >> place & 1:
                    found.update(clock.times.all())
            times = self._times[matching] = array("l", sorted(found))
        return times


def _matching(days: tuple[int, ...], day: int) -> int:
    return sum((mask >> day & 1) << place for place, mask in enumerate(days))
