"""A cron expression on the naive wall clock: which days, which times of day, in integer arithmetic.

Wall times are whole seconds since 1970-01-01T00:00 of the wall clock. Nothing here knows zones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from datetime import date

from flowlet.named_tuple import NamedTuple

DAY = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_FIRST_DAY = 1 - _EPOCH_ORDINAL
_LAST_DAY = date(9999, 12, 31).toordinal() - _EPOCH_ORDINAL
#: The calendar repeats after 400 years, weekdays included: what does not fire in them never does.
_MONTHS_OF_A_CYCLE = 400 * 12
_MONTH_LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EVERY_DAY = (1 << 31) - 1


class DayRule(NamedTuple):
    """The day fields, expanded. None stands for `*`; weekdays count from Sunday, 0."""

    months: frozenset[int] | None = None
    days: frozenset[int] | None = None
    last_day: bool = False
    """`L` stands in the day-of-month field."""
    weekdays: frozenset[int] | None = None
    nth: frozenset[tuple[int, int]] = frozenset()
    """`5#2`: (5, 2); `L5`: (5, 0)."""
    nearest: frozenset[int] = frozenset()
    """`15W`: the working day nearest to the 15th."""
    years: frozenset[int] | None = None


class Days:
    """The days of a rule, as day numbers since 1970-01-01."""

    __slots__ = ("_masks", "every", "rule")

    def __init__(self, rule: DayRule) -> None:
        self.rule = rule
        self.every = rule == DayRule()
        self._masks: dict[tuple[int, int], int] = {}

    def first_from(self, day: int) -> int | None:
        """The first matching day that is `day` or later."""
        if day < _FIRST_DAY or day > _LAST_DAY:
            return self.first_from(_FIRST_DAY) if day < _FIRST_DAY else None
        if self.every:
            return day
        year, month, first, length = month_of(day)
        bits = self.mask(year, month, first, length) >> (day - first)
        if bits:
            return day + (bits & -bits).bit_length() - 1
        for _ in range(_MONTHS_OF_A_CYCLE):
            first += length
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            if year > 9999:
                return None
            length = _length(year, month)
            bits = self.mask(year, month, first, length)
            if bits:
                return first + (bits & -bits).bit_length() - 1
        return None

    def last_to(self, day: int) -> int | None:
        """The last matching day that is `day` or earlier."""
        if day < _FIRST_DAY or day > _LAST_DAY:
            return self.last_to(_LAST_DAY) if day > _LAST_DAY else None
        if self.every:
            return day
        year, month, first, length = month_of(day)
        bits = self.mask(year, month, first, length) & ((1 << (day - first + 1)) - 1)
        if bits:
            return first + bits.bit_length() - 1
        for _ in range(_MONTHS_OF_A_CYCLE):
            year, month = (year - 1, 12) if month == 1 else (year, month - 1)
            if year < 1:
                return None
            length = _length(year, month)
            first -= length
            bits = self.mask(year, month, first, length)
            if bits:
                return first + bits.bit_length() - 1
        return None

    def count(self, start: int, stop: int) -> int:
        """How many days of [start, stop) match; costs a step a month."""
        start, stop = max(start, _FIRST_DAY), min(stop, _LAST_DAY + 1)
        if start >= stop:
            return 0
        if self.every:
            return stop - start
        year, month, first, length = month_of(start)
        total = -(self.mask(year, month, first, length) & ((1 << (start - first)) - 1)).bit_count()
        while first + length <= stop:
            total += self.mask(year, month, first, length).bit_count()
            first += length
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            length = _length(year, month)
        if first < stop:
            total += (self.mask(year, month, first, length) & ((1 << (stop - first)) - 1)).bit_count()
        return total

    def mask(self, year: int, month: int, first: int, length: int) -> int:
        """The matching days of a month as bits, the first of the month the lowest."""
        rule = self.rule
        if rule.months is not None and month not in rule.months:
            return 0
        if rule.years is not None and year not in rule.years:
            return 0
        shape = ((first + 4) % 7, length)  # 1970-01-01 was a Thursday
        mask = self._masks.get(shape)
        if mask is None:
            mask = self._masks[shape] = _matching_days(rule, *shape)
        return mask


def _matching_days(rule: DayRule, weekday_of_first: int, length: int) -> int:
    """Both day fields given: a day matches when either does (crontab(5)); else both must, and `*` does.

    As in croniter, which Airflow uses, only `*` and `?` leave a field free; `*/2` and `1-31` do not (in
    Vixie's cron whatever begins with a star does). As there, what `#`, `L5` and `W` say holds always,
    whatever the other day field adds.
    """
    by_nth = _days_of_nth(rule.nth, weekday_of_first, length) if rule.nth else _EVERY_DAY
    by_nearest = _days_of_nearest(rule.nearest, weekday_of_first, length) if rule.nearest else _EVERY_DAY
    by_date = by_nearest if rule.nearest else _days_of_dates(rule, length)
    by_weekday = by_nth if rule.nth else _days_of_weekdays(rule.weekdays, weekday_of_first)
    free = (rule.days is None and not rule.last_day) or rule.weekdays is None
    either = by_date & by_weekday if free else (by_date & by_nth) | (by_nearest & by_weekday)
    return either & ((1 << length) - 1)


def _days_of_dates(rule: DayRule, length: int) -> int:
    if rule.days is None and not rule.last_day:
        return _EVERY_DAY
    return _bits(rule.days or ()) | (1 << (length - 1) if rule.last_day else 0)


def _days_of_weekdays(weekdays: Collection[int] | None, weekday_of_first: int) -> int:
    if weekdays is None:
        return _EVERY_DAY
    return _bits(day for day in range(1, 32) if (weekday_of_first + day - 1) % 7 in weekdays)


def _days_of_nth(nth: Iterable[tuple[int, int]], weekday_of_first: int, length: int) -> int:
    days = []
    for weekday, number in nth:
        first = 1 + (weekday - weekday_of_first) % 7
        last = first + (length - first) // 7 * 7
        days.append(first + 7 * (number - 1) if number else last)
    return _bits(days)


def _days_of_nearest(days: Iterable[int], weekday_of_first: int, length: int) -> int:
    """A Saturday moves to the Friday before, a Sunday to the Monday after, but not out of the month."""
    return _bits(_working_day(min(day, length), weekday_of_first, length) for day in days)


def _working_day(day: int, weekday_of_first: int, length: int) -> int:
    weekday = (weekday_of_first + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 0:
        return day + 1 if day < length else day - 2
    return day


def _bits(days: Iterable[int]) -> int:
    mask = 0
    for day in days:
        mask |= 1 << (day - 1)
    return mask


def month_of(day: int) -> tuple[int, int, int, int]:
    """Year, month, number of the month's first day and length of the month that holds a day."""
    civil = date.fromordinal(day + _EPOCH_ORDINAL)
    return civil.year, civil.month, day - civil.day + 1, _length(civil.year, civil.month)


def _length(year: int, month: int) -> int:
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        return 29
    return _MONTH_LENGTHS[month]


class Times:
    """The times of day of an expression: every combination of its hours, minutes and seconds."""

    __slots__ = ("_hours", "_minutes", "_next", "_previous", "_seconds", "count", "first", "last")

    def __init__(self, hours: Collection[int], minutes: Collection[int], seconds: Collection[int]) -> None:
        self._hours, self._minutes, self._seconds = (tuple(sorted(set(x))) for x in (hours, minutes, seconds))
        fields = ((self._hours, 24), (self._minutes, 60), (self._seconds, 60))
        self._next = tuple(_next_table(allowed, size) for allowed, size in fields)
        self._previous = tuple(_previous_table(allowed, size) for allowed, size in fields)
        self.count = len(self._hours) * len(self._minutes) * len(self._seconds)
        self.first = self._hours[0] * 3600 + self._minutes[0] * 60 + self._seconds[0]
        self.last = self._hours[-1] * 3600 + self._minutes[-1] * 60 + self._seconds[-1]

    def first_from(self, time: int) -> int:
        """The first time of the day that is `time` or later; -1: none."""
        next_hour, next_minute, next_second = self._next
        minutes, second = divmod(time, 60)
        hour, minute = divmod(minutes, 60)
        if next_hour[hour] == hour:
            if next_minute[minute] == minute and next_second[second] >= 0:
                return time - second + next_second[second]
            minute = next_minute[minute + 1]
            if minute >= 0:
                return hour * 3600 + minute * 60 + self._seconds[0]
        hour = next_hour[hour + 1]
        return hour * 3600 + self._minutes[0] * 60 + self._seconds[0] if hour >= 0 else -1

    def last_to(self, time: int) -> int:
        """The last time of the day that is `time` or earlier; -1: none."""
        last_hour, last_minute, last_second = self._previous
        minutes, second = divmod(time, 60)
        hour, minute = divmod(minutes, 60)
        if last_hour[hour + 1] == hour:
            if last_minute[minute + 1] == minute and last_second[second + 1] >= 0:
                return time - second + last_second[second + 1]
            minute = last_minute[minute]
            if minute >= 0:
                return hour * 3600 + minute * 60 + self._seconds[-1]
        hour = last_hour[hour]
        return hour * 3600 + self._minutes[-1] * 60 + self._seconds[-1] if hour >= 0 else -1

    def all(self) -> Iterator[int]:
        """Every time of the day, in order."""
        for hour in self._hours:
            for minute in self._minutes:
                for second in self._seconds:
                    yield hour * 3600 + minute * 60 + second

    def count_before(self, time: int) -> int:
        """How many times of the day are earlier than `time`."""
        minutes, second = divmod(time, 60)
        hour, minute = divmod(minutes, 60)
        per_minute = len(self._seconds)
        per_hour = len(self._minutes) * per_minute
        total = bisect_left(self._hours, hour) * per_hour
        if self._next[0][hour] == hour:
            total += bisect_left(self._minutes, minute) * per_minute
            if self._next[1][minute] == minute:
                total += bisect_left(self._seconds, second)
        return total


def _next_table(allowed: tuple[int, ...], size: int) -> tuple[int, ...]:
    """table[n]: the first allowed value that is n or more, else -1; n up to `size`."""
    table, at = [-1] * (size + 1), -1
    for value in range(size - 1, -1, -1):
        at = value if value in allowed else at
        table[value] = at
    return tuple(table)


def _previous_table(allowed: tuple[int, ...], size: int) -> tuple[int, ...]:
    """table[n]: the last allowed value less than n, else -1; n up to `size`."""
    table, at = [-1] * (size + 1), -1
    for value in range(size):
        at = value if value in allowed else at
        table[value + 1] = at
    return tuple(table)


class WallClock:
    """The wall times at which an expression matches."""

    __slots__ = ("days", "every_hour", "times")

    def __init__(self, days: Days, times: Times, *, every_hour: bool) -> None:
        self.days = days
        self.times = times
        self.every_hour = every_hour
        """The hour field covers all 24 hours."""

    def first_from(self, wall: int) -> int | None:
        """The first matching wall time that is `wall` or later."""
        today, time = divmod(wall, DAY)
        day = self.days.first_from(today)
        if day == today:
            match = self.times.first_from(time)
            if match >= 0:
                return day * DAY + match
            day = self.days.first_from(today + 1)
        return None if day is None else day * DAY + self.times.first

    def last_to(self, wall: int) -> int | None:
        """The last matching wall time that is `wall` or earlier."""
        today, time = divmod(wall, DAY)
        day = self.days.last_to(today)
        if day == today:
            match = self.times.last_to(time)
            if match >= 0:
                return day * DAY + match
            day = self.days.last_to(today - 1)
        return None if day is None else day * DAY + self.times.last

    def count(self, start: int, stop: int) -> int:
        """How many wall times of [start, stop) match."""
        if start >= stop:
            return 0
        (first_day, first_time), (last_day, last_time) = divmod(start, DAY), divmod(stop, DAY)
        total = self.days.count(first_day, last_day) * self.times.count
        if first_time and self.days.count(first_day, first_day + 1):
            total -= self.times.count_before(first_time)
        if last_time and self.days.count(last_day, last_day + 1):
            total += self.times.count_before(last_time)
        return total
