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

from typing import TYPE_CHECKING

from flowlet.clock import DAY, SECOND
from flowlet.named_tuple import NamedTuple
from flowlet.timetables import (
    LONG_AGO,
    AskedTicks,
    AskedTimetable,
    ContinuousTimetable,
    Interval,
    OnceTimetable,
    Timetable,
    timetable_from_spec,
)

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
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
        self._ticks = timetable.ticks(start, end, catchup=catchup)

    @classmethod
    def of(cls, spec: DagSpec, dag: DAG | None = None) -> Schedule:
        """The schedule of a DAG; a timetable of the user's own is in the DAG alone, not in its spec."""
        timetable = timetable_from_spec(spec.timetable)
        if dag is not None and isinstance(timetable, AskedTimetable):
            timetable = dag.timetable or timetable
        return cls(timetable, spec.start_date, spec.end_date, spec.catchup)

    def next_after(self, cursor: int) -> int | None:
        """The first tick after the cursor. The last answer is kept: when the tick comes it is asked for again."""
        if cursor != self._asked:
            self._asked, self._next = cursor, self._ticks.next_after(cursor)
        return self._next

    def latest_until(self, moment: int, cursor: int) -> int | None:
        """The last tick in (cursor, moment]."""
        return self._ticks.latest_until(moment, cursor)

    def count_between(self, cursor: int, moment: int) -> int:
        """How many ticks there are in (cursor, moment]."""
        return self._ticks.count_between(cursor, moment)

    def interval_of(self, due: int) -> Interval:
        """The logical date and data interval of the run that a tick makes."""
        return self._ticks.interval_of(due)

    def look(self, now: int) -> None:
        """The plan is for this moment."""
        self._ticks.now = now

    @property
    def is_asked(self) -> bool:
        """Its timetable is the user's own, which goes on from the last run that the schedule made."""
        return isinstance(self._ticks, AskedTicks)

    @property
    def can_tell(self) -> bool:
        """False for a timetable of the user's own that another process has."""
        return not isinstance(self.timetable, AskedTimetable) or self.timetable.user is not None

    def learn(self, due: int, interval: Interval) -> None:
        """That run, as the file has it."""
        if isinstance(self._ticks, AskedTicks):
            self._ticks.learn(due, interval)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.timetable, self.start, self.end, self.catchup, self.cap


def plan_ticks(schedule: Schedule, cursor: int | None, now: int, *, room: int) -> TickPlan:
    """What is due in (cursor, now]. `room`: how many more runs of the DAG may be active.

    While the clock stands behind the cursor nothing is due: what was accounted for is not run again.
    """
    if isinstance(schedule.timetable, ContinuousTimetable):
        return _plan_continuous(schedule, cursor, now, room)
    schedule.look(now)
    if cursor is None:
        return _plan_registration(schedule, now, room)
    due = schedule.next_after(cursor)
    if due is None or due > now:
        return TickPlan(cursor, [], [], due)
    if room <= 0:
        return TickPlan(cursor, [], [], None, waits=True)
    following = schedule.next_after(due)
    if following is None or following > now:
        return TickPlan(due, [(due, schedule.interval_of(due))], [], following)
    return (_make_up if schedule.catchup else _run_latest)(schedule, cursor, now, room)


def _run_latest(schedule: Schedule, cursor: int, now: int, room: int) -> TickPlan:  # noqa: ARG001  as _make_up
    """Several ticks are due: the latest is run, the others are merged into it."""
    latest = schedule.latest_until(now, cursor)
    assert latest is not None, "two ticks were found to be due"  # noqa: S101
    span = _span(schedule, cursor, latest - 1, COALESCED, MISSED, merged_into=0)
    return TickPlan(
        latest, [(latest, schedule.interval_of(latest))], [span], schedule.next_after(latest)
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
        ticks.append((due, schedule.interval_of(due)))
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
    cursor = schedule.timetable.first_cursor(now)
    if cursor == LONG_AGO:
        return _plan_from_first_answer(schedule, now, room)
    return plan_ticks(schedule, cursor, now, room=room)


def _plan_from_start(schedule: Schedule, start: int, now: int, room: int) -> TickPlan:
    """With start_date: every tick since (catchup), or the latest one; the older were never owed."""
    cursor = min(start - 1, now)
    latest = None if schedule.catchup else schedule.latest_until(now, cursor)
    if latest is not None and (latest == now or schedule.timetable.owes_the_latest):
        latest -= 1
    if latest is None or not schedule.count_between(cursor, latest):
        return plan_ticks(schedule, cursor, now, room=room)
    span = _span(schedule, cursor, latest, SKIPPED, BEFORE_REGISTRATION)
    plan = plan_ticks(schedule, latest, now, room=room)
    return plan._replace(spans=[span, *plan.spans])


def _plan_from_first_answer(schedule: Schedule, now: int, room: int) -> TickPlan:
    """A user's timetable for a DAG without start_date begins where it says."""
    plan = _plan_from_start(schedule, LONG_AGO + 1, now, room)
    return plan if plan.cursor != LONG_AGO else plan._replace(cursor=None if plan.waits else now)


def _plan_once(schedule: Schedule, now: int, room: int) -> TickPlan:
    if schedule.end is not None and now > schedule.end:
        return TickPlan(now, [], [], None)
    if room <= 0:
        return TickPlan(None, [], [], None, waits=True)
    return TickPlan(now, [(now, schedule.interval_of(now))], [], None)


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
    schedule.look(now)
    if cursor is None:
        return TickPlan(None, [], [], now)
    if cursor >= now:
        return TickPlan(cursor, [], [], _next_plan(schedule, cursor))
    due = schedule.next_after(cursor)
    missed = due is not None and due <= now
    spans = [_span(schedule, cursor, now, SKIPPED, reason)] if missed else []
    return TickPlan(now, [], spans, _next_plan(schedule, now))


def change_schedule(old: Schedule, new: Schedule, cursor: int | None, now: int) -> TickPlan:
    """An edited schedule: no run for the past; what the old one had due is recorded as skipped, unless it
    was a class of the user's that nobody has any more.

    A DAG that becomes "@once" is due now, if its start_date is not in the future.
    """
    if not old.can_tell and cursor is not None:
        return TickPlan(max(cursor, now), [], [], _next_plan(new, max(cursor, now)))
    plan = skip_to_now(old, cursor, now, SCHEDULE_CHANGED)
    if plan.cursor is None:
        return plan
    becomes_once = isinstance(new.timetable, OnceTimetable) and not isinstance(old.timetable, OnceTimetable)
    if becomes_once and (new.start or now) <= now and (new.end is None or now <= new.end):
        return TickPlan(plan.cursor, [(now, new.interval_of(now))], plan.spans, None)
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
