"""An independent, slow formulation of when cron fires across a change of a zone's offset.

It walks the instants of two days around every change, minute by minute (second by second where the
expression has seconds), asks zoneinfo what a clock on the wall shows, and applies the rule word for word:

- the hour field covers all 24 hours: an instant fires when the wall clock matches;
- otherwise a matching wall time fires at the first instant that shows it; one that no instant shows
  (a gap) fires at the first instant after the gap, together with all others of that gap.

It shares no code with `flowlet.timetables`, not even the reading of an expression. The complete sweep:

    python -m tests.timetables.oracle
    python -m tests.timetables.oracle --zones Pacific/Apia --expressions "30 2 * * *" --seconds 50
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import zoneinfo
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from math import gcd
from typing import NamedTuple

from flowlet.timetables import CronTriggerTimetable

DAY = 86_400
MICRO = 1_000_000

MINUTELY = (
    "* * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "30 * * * 0",
    "30 2 * * *",
    "0 0 * * *",
    "0,15,30,45 0-3 * * *",
    "59 23 * * *",
    "30 1 1 * 0",
    "*/20 */2 * * 6,0",
    "0 12 l * *",
    "30 0-22 * 3,4,9,10 *",
    "0 1 * * l0",
    "0 3 * * 0#2",
    "0-59 2 */2 * *",
)
SECONDLY = ("*/10 * * * * *", "30 2 * * * */15", "0-30/5 0-3 * * 0 7,59", "59 23 * * * 59")


class Change(NamedTuple):
    """A zone's offset becomes `after` at `at`; all in seconds."""

    zone: str
    at: int
    before: int
    after: int


# -- what an expression says, read anew ---------------------------------------------------------------


class Expression:
    def __init__(self, text: str) -> None:
        fields = text.split()
        self.text = text
        self.step = 60 if len(fields) == 5 else 1
        minutes, hours = _values(fields[0], 0, 59), _values(fields[1], 0, 23)
        seconds = _values(fields[5], 0, 59) if len(fields) == 6 else {0}
        self.every_hour = len(hours) == 24
        self.times = {h * 3600 + m * 60 + s for h in hours for m in minutes for s in seconds}
        self._day_fields = fields[2], fields[3], fields[4]
        self._days: dict[int, bool] = {}

    def matches(self, wall: int) -> bool:
        if wall % DAY not in self.times:
            return False
        number = wall // DAY
        if number not in self._days:
            self._days[number] = self._day_matches(date(1970, 1, 1) + timedelta(days=number))
        return self._days[number]

    def _day_matches(self, day: date) -> bool:
        days, months, weekdays = self._day_fields
        if day.month not in _values(months, 1, 12):
            return False
        by_day = any(_is_day(day, part) for part in days.split(","))
        by_weekday = any(_is_weekday(day, part) for part in weekdays.split(","))
        if "*" in (days, weekdays):
            return by_day and by_weekday
        return by_day or by_weekday


def _is_day(day: date, part: str) -> bool:
    if part == "l":
        return (day + timedelta(days=1)).day == 1
    return day.day in _values(part, 1, 31)


def _is_weekday(day: date, part: str) -> bool:
    if part.startswith("l"):
        return _is_weekday(day, part[1:]) and (day + timedelta(days=7)).month != day.month
    if "#" in part:
        weekday, nth = part.split("#")
        return _is_weekday(day, weekday) and (day.day - 1) // 7 + 1 == int(nth)
    return day.isoweekday() % 7 in {value % 7 for value in _values(part, 0, 6)}


def _values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        body, _, step = part.partition("/")
        first, _, last = (str(low), "", str(high)) if body == "*" else body.partition("-")
        found.update(range(int(first), int(last or (high if step else first)) + 1, int(step or 1)))
    return found


# -- what the wall clock shows ------------------------------------------------------------------------


def wall_of(zone: zoneinfo.ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    assert offset is not None
    return instant + offset // timedelta(seconds=1)


def changes_of(zone: str, first_year: int = 1970, last_year: int = 2037) -> Iterator[Change]:
    """Every change of offset: looked for every three hours, then halved down to the second."""
    tz = zoneinfo.ZoneInfo(zone)
    at = int(datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    stop = int(datetime(last_year + 1, 1, 1, tzinfo=UTC).timestamp())
    before = wall_of(tz, at) - at
    while at < stop:
        following = at + 3 * 3600
        after = wall_of(tz, following) - following
        if after != before:
            low, high = at, following
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if wall_of(tz, middle) - middle == before else (low, middle)
            yield Change(zone, high, before, after)
        at, before = following, after


def walk(change: Change, step: int) -> list[tuple[int, int]]:
    """(instant, wall time) of two days around a change, and of as much more as it moves the clock."""
    tz = zoneinfo.ZoneInfo(change.zone)
    step = gcd(step, change.at, change.before, change.after)
    margin = -(-(DAY + abs(change.after - change.before) + 60) // 60) * 60
    start = change.at - margin
    return [(at, wall_of(tz, at)) for at in range(start, change.at + margin + 1, step)]


def fires(
    expression: Expression,
    walls: Sequence[tuple[int, int]],
    *,
    gap: str | None = None,
    fold: str | None = None,
) -> list[int]:
    """The instants at which an expression fires, by the rule as it stands in words."""
    gap = gap or ("skip" if expression.every_hour else "next")
    fold = fold or ("both" if expression.every_hour else "first")
    shown: set[int] = set()
    due: set[int] = set()
    previous = walls[0][1] - 1
    for instant, wall in walls:
        if expression.matches(wall) and (fold == "both" or wall not in shown):
            due.add(instant)
        if gap == "next" and wall - previous > expression.step:
            jumped = range(previous + 1, wall)
            if any(expression.matches(time) for time in jumped if time not in shown):
                due.add(instant)
        shown.add(wall)
        previous = wall
    return sorted(due)


# -- the comparison -----------------------------------------------------------------------------------


def compare(
    change: Change,
    expression: Expression,
    walls: Sequence[tuple[int, int]],
    *,
    gap: str | None = None,
    fold: str | None = None,
) -> str | None:
    """None, or how the timetable and the oracle differ in the two days around a change."""
    timetable = CronTriggerTimetable(expression.text, change.zone, gap=gap, fold=fold)
    low, high = change.at - DAY, change.at + DAY
    expected = [at for at in fires(expression, walls, gap=gap, fold=fold) if low < at <= high]
    found = list(_forwards(timetable.next_after, low, high))
    if found != expected:
        return _difference("next_after", change, expression, expected, found)
    backwards = list(_backwards(timetable.latest_until, low, high))
    if backwards != expected:
        return _difference("latest_until", change, expression, expected, backwards)
    for middle in (change.at - 1, change.at, change.at + 1, change.at + abs(change.after - change.before)):
        counted = (
            timetable.count_between(low * MICRO, middle * MICRO),
            timetable.count_between(middle * MICRO, high * MICRO),
        )
        if counted != (sum(at <= middle for at in expected), sum(at > middle for at in expected)):
            return f"count_between: {change} {expression.text!r} at {middle}: {counted} of {len(expected)}"
    return None


def _forwards(next_after: Callable[[int], int | None], low: int, high: int) -> Iterator[int]:
    due = next_after(low * MICRO)
    while due is not None and due <= high * MICRO:
        yield due // MICRO
        following = next_after(due)
        assert following is None or following > due
        due = following


def _backwards(latest_until: Callable[[int, int], int | None], low: int, high: int) -> list[int]:
    found = []
    due = latest_until(high * MICRO, low * MICRO)
    while due is not None:
        found.append(due // MICRO)
        due = latest_until(due - 1, low * MICRO)
    return found[::-1]


def _difference(
    method: str, change: Change, expression: Expression, expected: Sequence[int], found: Sequence[int]
) -> str:
    missing, extra = sorted(set(expected) - set(found))[:3], sorted(set(found) - set(expected))[:3]
    return f"{method}: {change} {expression.text!r}: missing {missing}, not expected {extra}"


# -- the sweep ----------------------------------------------------------------------------------------


def all_changes(zones: Sequence[str], first_year: int = 1970, last_year: int = 2037) -> list[Change]:
    """The changes of all zones; zones that changed alike are taken once."""
    seen: dict[tuple[int, int, int], Change] = {}
    for zone in sorted(zones):
        for change in changes_of(zone, first_year, last_year):
            seen.setdefault(change[1:], change)
    return list(seen.values())


def sweep(
    changes: Sequence[Change], expressions: Sequence[str], policies: Sequence[tuple[str | None, str | None]]
) -> tuple[int, int, list[str]]:
    """(instants walked, comparisons made, differences found)."""
    read = [Expression(text) for text in expressions]
    step = min((expression.step for expression in read), default=60)
    instants = comparisons = 0
    differences = []
    for change in changes:
        walls = walk(change, step)
        instants += len(walls)
        for expression in read:
            for gap, fold in policies:
                comparisons += 1
                difference = compare(change, expression, walls, gap=gap, fold=fold)
                if difference:
                    differences.append(f"{difference} gap={gap} fold={fold}")
    return instants, comparisons, differences


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zones", nargs="*", default=sorted(zoneinfo.available_timezones()))
    parser.add_argument("--expressions", nargs="*", default=MINUTELY)
    parser.add_argument("--second-expressions", nargs="*", default=SECONDLY)
    parser.add_argument("--years", nargs=2, type=int, default=(1970, 2037))
    parser.add_argument("--sample", type=int, help="take this many changes only, at random")
    parser.add_argument("--seconds", type=int, default=300, help="changes walked by the second, at random")
    parser.add_argument("--policies", action="store_true", help="also every explicit gap= and fold=")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    policies: list[tuple[str | None, str | None]] = [(None, None)]
    if options.policies:
        policies += [(gap, fold) for gap in ("next", "skip") for fold in ("first", "both")]

    began = time.monotonic()
    changes = all_changes(options.zones, *options.years)
    print(f"{len(options.zones)} zones, {len(changes)} different changes, seed {options.seed}", flush=True)
    by_minute = chance.sample(changes, options.sample) if options.sample else changes
    by_second = chance.sample(changes, min(options.seconds, len(changes)))
    differences = []
    for chosen, expressions in ((by_minute, options.expressions), (by_second, options.second_expressions)):
        instants, comparisons, found = sweep(chosen, expressions, policies)
        differences += found
        print(
            f"{len(chosen)} changes x {len(expressions)} expressions: {instants:,} instants walked,"
            f" {comparisons:,} comparisons, {len(found)} differences, {time.monotonic() - began:.0f} s",
            flush=True,
        )
    print("\n".join(differences[:20]))
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main())
