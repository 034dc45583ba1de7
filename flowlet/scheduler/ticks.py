"""Which due ticks become runs, and what becomes of the others: decided here, carried out elsewhere.

A DAG's `cursor` is the moment up to which each of its ticks is accounted for: as a run, or as part of a
span that was `skipped` (with a reason) or `coalesced` into a run. It never goes back, except by `rewind`.
The cursor, the runs and the spans of one plan belong into one transaction.

The rules are Airflow's (timetables/trigger.py, `next_dagrun_info`): with `catchup` every tick from
start_date on is run, oldest first; without it the latest missed tick only. start_date and end_date are
inclusive. On purpose different: an unpause and an edited schedule make no run for the past.

No function here enumerates: a clock that leaps by 100 years costs what one tick costs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from flowlet.clock import DAY, MINUTE, SECOND, span_micros
from flowlet.timetables import (
    ContinuousTimetable,
    CronTriggerTimetable,
    DeltaTriggerTimetable,
    Interval,
    NullTimetable,
    OnceTimetable,
    Timetable,
    timetable_from_spec,
)

if TYPE_CHECKING:
    from flowlet.authoring.spec import DagSpec

#: How many missed runs of a DAG `catchup` makes up at most.
CATCHUP_CAP = 1000
#: "@continuous" starts no sooner than this after its last start, so that a run that ends at once does not
#: fill the disk.
CONTINUOUS_REST = SECOND
#: A clock this far behind the cursor shows that it had been wrong, ahead, and was put right.
CLOCK_TOLERANCE = DAY

COALESCED = "coalesced"
SKIPPED = "skipped"
MISSED = "missed; the latest missed tick was run for all"
BEFORE_REGISTRATION = "before the first registration's last tick"
PAUSED = "paused"
SCHEDULE_CHANGED = "the schedule changed"
DATE_TAKEN = "another run has its logical date"


class TickSpan(NamedTuple):
    """Consecutive ticks of one fate that get no run of their own; `until` is the last of them."""

    due_at: int
    until: int
    count: int  # type: ignore[assignment]  # the column's name; nobody counts the values of this tuple
    outcome: str
    reason: str
    merged_into: int | None
    """The place in `ticks_to_run` of the run that stands for them."""


class TickPlan(NamedTuple):
    """What to do now about a schedule."""

    cursor: int | None
    """The new cursor; None: still none, the DAG's first registration is yet to be planned."""
    ticks_to_run: list[tuple[int, Interval]]
    spans: list[TickSpan]
    next_due: int | None
    """When to plan again; None: never, or (`waits`) when a run has ended."""
    waits: bool = False
    """Something is due, but max_active_runs leaves no room for it."""


class Schedule:
    """A timetable within its dates."""

    __slots__ = ("_asked", "_next", "_ticks", "cap", "catchup", "end", "start", "timetable")

    def __init__(
        self, timetable: Timetable, start: int | None, end: int | None, catchup: bool, cap: int = CATCHUP_CAP
    ) -> None:
        self.timetable = timetable
        self.start = start
        self.end = end
        self.catchup = catchup
        self.cap = cap
        self._asked: int | None = None
        self._next: int | None = None
        self._ticks: Timetable = timetable
        if start is not None and isinstance(timetable, DeltaTriggerTimetable):
            self._ticks = timetable.anchored(start)
        elif start is not None and isinstance(timetable, OnceTimetable):
            self._ticks = _Moment(start)

    @classmethod
    def of(cls, spec: DagSpec) -> Schedule:
        """The schedule of a DAG."""
        return cls(timetable_from_spec(spec.timetable), spec.start_date, spec.end_date, spec.catchup)

    def next_after(self, cursor: int) -> int | None:
        """The first tick after the cursor. The last answer is kept: when the tick comes it is asked for again."""
        if cursor != self._asked:
            self._asked, self._next = cursor, self._first_after(cursor)
        return self._next

    def _first_after(self, cursor: int) -> int | None:
        ticks = self._ticks
        if self.start is None:
            due = (
                cursor + ticks.delta if isinstance(ticks, DeltaTriggerTimetable) else ticks.next_after(cursor)
            )
        else:
            due = ticks.next_after(cursor if cursor >= self.start else self.start - 1)
        return None if due is None or (self.end is not None and due > self.end) else due

    def latest_until(self, moment: int, cursor: int) -> int | None:
        """The last tick in (cursor, moment]."""
        return self._ticks_from(cursor).latest_until(self._not_beyond(moment), self._not_before(cursor))

    def count_between(self, cursor: int, moment: int) -> int:
        """How many ticks there are in (cursor, moment]."""
        return self._ticks_from(cursor).count_between(self._not_before(cursor), self._not_beyond(moment))

    def _ticks_from(self, cursor: int) -> Timetable:
        """A timedelta without start_date counts from its last tick, whenever that was."""
        if self.start is None and isinstance(self._ticks, DeltaTriggerTimetable):
            return self._ticks.anchored(cursor)
        return self._ticks

    def _not_before(self, cursor: int) -> int:
        return cursor if self.start is None else max(cursor, self.start - 1)

    def _not_beyond(self, moment: int) -> int:
        return moment if self.end is None else min(moment, self.end)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.timetable, self.start, self.end, self.catchup, self.cap


class _Moment(NullTimetable):
    """A single tick: "@once" with a start_date."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at

    def next_after(self, moment: int) -> int | None:
        return self.at if self.at > moment else None


def plan_ticks(schedule: Schedule, cursor: int | None, now: int, *, room: int) -> TickPlan:
    """What is due in (cursor, now]. `room`: how many more runs of the DAG may be active.

    While the clock stands behind the cursor nothing is due: what was accounted for is not run again.
    """
    if isinstance(schedule.timetable, ContinuousTimetable):
        return _plan_continuous(schedule, cursor, now, room)
    if cursor is None:
        return _plan_registration(schedule, now, room)
    due = schedule.next_after(cursor)
    if due is None or due > now:
        return TickPlan(cursor, [], [], due)
    if room <= 0:
        return TickPlan(cursor, [], [], None, waits=True)
    following = schedule.next_after(due)
    if following is None or following > now:
        return TickPlan(due, [(due, schedule.timetable.interval_of(due))], [], following)
    return (_make_up if schedule.catchup else _run_latest)(schedule, cursor, now, room)


def _run_latest(schedule: Schedule, cursor: int, now: int, room: int) -> TickPlan:  # noqa: ARG001  as _make_up
    """Several ticks are due: the latest is run, the others are merged into it."""
    latest = schedule.latest_until(now, cursor)
    assert latest is not None, "two ticks were found to be due"  # noqa: S101
    span = _span(schedule, cursor, latest - 1, COALESCED, MISSED, merged_into=0)
    return TickPlan(
        latest, [(latest, schedule.timetable.interval_of(latest))], [span], schedule.next_after(latest)
    )


def _make_up(schedule: Schedule, cursor: int, now: int, room: int) -> TickPlan:
    """Several ticks are due: run the oldest that there is room for, but none beyond the cap."""
    spans = []
    surplus = schedule.count_between(cursor, now) - schedule.cap
    if surplus > 0:
        until = _tick_number(surplus, schedule, cursor, now)
        reason = f"beyond the catch-up cap of {schedule.cap:,} runs"
        spans.append(_span(schedule, cursor, until, SKIPPED, reason))
        cursor = until
    ticks: list[tuple[int, Interval]] = []
    due = schedule.next_after(cursor)
    while due is not None and due <= now and len(ticks) < room:
        ticks.append((due, schedule.timetable.interval_of(due)))
        cursor, due = due, schedule.next_after(due)
    waits = due is not None and due <= now
    return TickPlan(cursor, ticks, spans, None if waits else due, waits)


def _tick_number(number: int, schedule: Schedule, cursor: int, now: int) -> int:
    """The tick of that number after the cursor, when `cap` ticks follow it until now: from the nearer end."""
    if number <= schedule.cap:
        for _ in range(number):
            cursor = schedule.next_after(cursor) or cursor
        return cursor
    tick = now + 1
    for _ in range(schedule.cap + 1):
        tick = schedule.latest_until(tick - 1, cursor) or tick
    return tick


def _span(
    schedule: Schedule, cursor: int, moment: int, outcome: str, reason: str, merged_into: int | None = None
) -> TickSpan:
    """The ticks in (cursor, moment], of which there is at least one."""
    first, last = schedule.next_after(cursor), schedule.latest_until(moment, cursor)
    assert first is not None, "a span holds a tick"  # noqa: S101
    assert last is not None, "a span holds a tick"  # noqa: S101
    return TickSpan(first, last, schedule.count_between(cursor, moment), outcome, reason, merged_into)


# -- the first registration ---------------------------------------------------------------------------


def _plan_registration(schedule: Schedule, now: int, room: int) -> TickPlan:
    """A DAG is seen for the first time."""
    if schedule.start is not None:
        return _plan_from_start(schedule, schedule.start, now, room)
    if isinstance(schedule.timetable, OnceTimetable):
        return _plan_once(schedule, now, room)
    return plan_ticks(schedule, _first_cursor(schedule.timetable, now), now, room=room)


def _plan_from_start(schedule: Schedule, start: int, now: int, room: int) -> TickPlan:
    """With start_date: every tick since (catchup), or the latest one; the older were never owed."""
    cursor = min(start - 1, now)
    latest = None if schedule.catchup else schedule.latest_until(now, cursor)
    if latest is None or not schedule.count_between(cursor, latest - 1):
        return plan_ticks(schedule, cursor, now, room=room)
    span = _span(schedule, cursor, latest - 1, SKIPPED, BEFORE_REGISTRATION)
    plan = plan_ticks(schedule, latest - 1, now, room=room)
    return plan._replace(spans=[span, *plan.spans])


def _plan_once(schedule: Schedule, now: int, room: int) -> TickPlan:
    if schedule.end is not None and now > schedule.end:
        return TickPlan(now, [], [], None)
    if room <= 0:
        return TickPlan(None, [], [], None, waits=True)
    return TickPlan(now, [(now, schedule.timetable.interval_of(now))], [], None)


def _first_cursor(timetable: Timetable, now: int) -> int:
    """Without start_date: a timedelta is due at once, cron at its next tick or by `run_immediately`."""
    if isinstance(timetable, DeltaTriggerTimetable):
        return now - timetable.delta
    if isinstance(timetable, CronTriggerTimetable) and timetable.run_immediately is not False:
        latest = timetable.latest_until(now, -1 << 62)
        if latest is not None and now - latest <= _age_to_run(timetable, latest, now):
            return latest - 1
    return now - 1


def _age_to_run(timetable: CronTriggerTimetable, latest: int, now: int) -> int:
    """How old the latest tick may be to be run at the first registration."""
    if timetable.run_immediately is True:
        return now - latest
    if isinstance(timetable.run_immediately, timedelta):
        return span_micros(timetable.run_immediately)
    following = timetable.next_after(now) or latest
    return max((following - latest) // 10, 5 * MINUTE)


# -- "@continuous" ------------------------------------------------------------------------------------


def _plan_continuous(schedule: Schedule, cursor: int | None, now: int, room: int) -> TickPlan:
    """Due as soon as there is room; the interval reaches from the last tick to this one."""
    due = max(now, now if schedule.start is None else schedule.start)
    if cursor is not None:
        due = max(due, cursor + CONTINUOUS_REST)
    if schedule.end is not None and due > schedule.end:
        return TickPlan(now if cursor is None else cursor, [], [], None)
    if due > now:
        return TickPlan(cursor, [], [], due)
    if room <= 0:
        return TickPlan(cursor, [], [], None, waits=True)
    begin = cursor
    if begin is None:
        begin = (
            schedule.start if schedule.start is not None and schedule.start < due else due - CONTINUOUS_REST
        )
    return TickPlan(due, [(due, Interval(begin, begin, due))], [], due + CONTINUOUS_REST)


# -- the cursor moves without a run -------------------------------------------------------------------


def skip_to_now(schedule: Schedule, cursor: int | None, now: int, reason: str = PAUSED) -> TickPlan:
    """An unpause: what became due meanwhile is recorded as skipped, the next tick is in the future."""
    if cursor is None:
        return TickPlan(None, [], [], now)
    if cursor >= now:
        return TickPlan(cursor, [], [], _next_plan(schedule, cursor))
    due = schedule.next_after(cursor)
    missed = due is not None and due <= now
    spans = [_span(schedule, cursor, now, SKIPPED, reason)] if missed else []
    return TickPlan(now, [], spans, _next_plan(schedule, now))


def change_schedule(old: Schedule, new: Schedule, cursor: int | None, now: int) -> TickPlan:
    """An edited schedule: no run for the past; what the old one had due is recorded as skipped.

    A DAG that becomes "@once" is due now, if its start_date is not in the future.
    """
    plan = skip_to_now(old, cursor, now, SCHEDULE_CHANGED)
    if plan.cursor is None:
        return plan
    becomes_once = isinstance(new.timetable, OnceTimetable) and not isinstance(old.timetable, OnceTimetable)
    if becomes_once and (new.start or now) <= now and (new.end is None or now <= new.end):
        return TickPlan(plan.cursor, [(now, new.timetable.interval_of(now))], plan.spans, None)
    return plan._replace(next_due=_next_plan(new, plan.cursor))


def rewind(schedule: Schedule, cursor: int | None, now: int) -> TickPlan | None:
    """The clock was put back by more than CLOCK_TOLERANCE: it had been ahead, and with it the cursor.

    The cursor is put back to now, so that the DAG is not silent until the wrong time is reached again.
    What ran by the wrong time does not run twice: its logical date is taken, and such a tick is recorded
    as skipped (DATE_TAKEN). None: the cursor stands, and its ticks are next due after it.
    """
    if cursor is None or cursor - now <= CLOCK_TOLERANCE:
        return None
    return TickPlan(now, [], [], _next_plan(schedule, now))


def _next_plan(schedule: Schedule, cursor: int) -> int | None:
    if isinstance(schedule.timetable, ContinuousTimetable):
        return cursor + CONTINUOUS_REST
    return schedule.next_after(cursor)


def upcoming(schedule: Schedule, cursor: int | None, now: int, count: int) -> list[int]:
    """The next ticks, for people: at most `count`, after now and after what is accounted for."""
    due: int | None = now if cursor is None else schedule.latest_until(now, cursor) or cursor
    ticks: list[int] = []
    while due is not None and len(ticks) < count:
        due = schedule.next_after(due)
        if due is not None:
            ticks.append(due)
    return ticks
