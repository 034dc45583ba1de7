"""Every so often: moments at a constant distance, or as many months apart as the calendar has them."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from flowlet.errors import TimetableError
from flowlet.timetables.base import LONGEST_WALK
from flowlet.timetables.spans import always_advances, later, spell
from flowlet.timetables.window import LAST_MOMENT

if TYPE_CHECKING:
    from dateutil.relativedelta import relativedelta

    from flowlet.timetables.spans import Span


class EvenSteps:
    """Moments `span` apart, `anchor` among them, without beginning or end."""

    __slots__ = ("_anchor", "span")

    def __init__(self, span: int, anchor: int = 0) -> None:
        self.span = span
        self._anchor = anchor

    def next_after(self, moment: int) -> int | None:
        return moment + self.span - (moment - self._anchor) % self.span

    def latest_until(self, moment: int, after: int) -> int | None:
        latest = moment - (moment - self._anchor) % self.span
        return latest if latest > after else None

    def count_between(self, after: int, until: int) -> int:
        if until <= after:
            return 0
        return (until - self._anchor) // self.span - (after - self._anchor) // self.span


class CalendarSteps:
    """Moments from `anchor` on, each a relativedelta after the one before.

    A day that a month does not have becomes its last one, and the steps go on from there: 31 January,
    28 February, 28 March (so does Airflow, timetables/interval.py `_round`). They are walked once and kept:
    a century of months is 1,200 steps.
    """

    __slots__ = ("_known", "_over", "span")

    def __init__(self, span: relativedelta, anchor: int) -> None:
        self.span = span
        self._known = [anchor]
        self._over = False

    def next_after(self, moment: int) -> int | None:
        at = self._place(moment)
        return self._known[at] if at < len(self._known) else None

    def latest_until(self, moment: int, after: int) -> int | None:
        at = self._place(moment)
        return self._known[at - 1] if at and self._known[at - 1] > after else None

    def count_between(self, after: int, until: int) -> int:
        return self._place(until) - self._place(after) if until > after else 0

    def _place(self, moment: int) -> int:
        """How many of the moments are not later; the one after is known then, if there is one."""
        known = self._known
        while known[-1] <= moment and not self._over:
            self._walk(known[-1])
        return bisect_right(known, moment)

    def _walk(self, last: int) -> None:
        try:
            following = later(last, self.span)
        except (OverflowError, ValueError):  # the year 10000
            following = LAST_MOMENT + 1
        if following > LAST_MOMENT:
            self._over = True
        elif following <= last or len(self._known) > LONGEST_WALK:
            raise TimetableError(f"every {self.span!r}: the steps do not lead on after {len(self._known):,} of them.")
        else:
            self._known.append(following)


Steps = EvenSteps | CalendarSteps


def steps_of(span: Span, anchor: int) -> Steps:
    """Steps of a length, counted from a moment."""
    return EvenSteps(span, anchor) if isinstance(span, int) else CalendarSteps(span, anchor)


def checked(span: Span, where: str) -> Span:
    """A length that a schedule may have."""
    if always_advances(span):
        return span
    if span == 0:
        raise TimetableError(f"{where}: a delta of 0 would be due for ever at one moment.")
    raise TimetableError(f"{where}={spell(span)} does not always lead to a later moment.")

