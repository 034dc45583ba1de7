"""Every due tick ends as exactly one fact: random schedules, clocks and rooms against the books."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet.clock import DAY, HOUR, MINUTE, SECOND, to_micros
from flowlet.scheduler.ticks import (
    COALESCED,
    SKIPPED,
    Schedule,
    TickPlan,
    change_schedule,
    plan_ticks,
    skip_to_now,
)
from flowlet.timetables import CronTriggerTimetable, DeltaTriggerTimetable, OnceTimetable, Timetable

BEGIN = to_micros(datetime(2026, 3, 28, 20, tzinfo=UTC))  # Berlin's clocks go forward in five hours

timetables = st.one_of(
    st.builds(
        CronTriggerTimetable,
        st.sampled_from(
            ["* * * * *", "@hourly", "30 2 * * *", "*/15 1-3 * * *", "@daily", "0 0 29 2 *", "0 * * * * */20"]
        ),
        st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    ),
    st.builds(
        DeltaTriggerTimetable, st.integers(1, 10**11).map(lambda micros: timedelta(microseconds=micros))
    ),
    st.just(OnceTimetable()),
)
offsets = st.integers(-3 * DAY, 3 * DAY)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    start = draw(st.none() | offsets)
    end = draw(st.none() | st.integers(-DAY, 60 * DAY))
    return Schedule(
        draw(timetables),
        None if start is None else BEGIN + start,
        None if end is None else BEGIN + end,
        draw(st.booleans()),
        cap=draw(st.integers(1, 40)),
    )


steps = st.lists(
    st.tuples(
        st.one_of(
            st.integers(0, 2 * MINUTE),
            st.integers(0, 3 * HOUR),
            st.integers(0, 40 * DAY),
            st.integers(-2 * DAY, 0),
        ),
        st.integers(0, 5),
        st.sampled_from(["plan", "plan", "plan", "plan", "unpause"]),
    ),
    min_size=1,
    max_size=12,
)


class Books:
    """What the plans said, in their order; and the plans' own law."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.cursor: int | None = None
        self.facts: list[tuple[int, int, int]] = []
        self.registered: int | None = None

    def plan(self, now: int, room: int) -> TickPlan:
        if self.cursor is None:
            self.registered = now  # "@once" without room is registered again and again
        plan = plan_ticks(self.schedule, self.cursor, now, room=room)
        assert len(plan.ticks_to_run) <= room
        assert plan.waits == (plan.next_due is None and self._is_due(plan, now))
        self.enter(plan, now)
        return plan

    def enter(self, plan: TickPlan, now: int) -> None:
        assert plan.cursor is not None or self.cursor is None
        assert self.cursor is None or plan.cursor >= self.cursor
        for span in plan.spans:
            assert span.outcome in {COALESCED, SKIPPED}
            assert span.reason
            assert (span.merged_into is not None) == (span.outcome == COALESCED)
            assert span.count >= 1
            assert (span.count == 1) == (span.due_at == span.until)
            self.facts.append((span.due_at, span.until, span.count))
        self.facts += [(due, due, 1) for due, _ in plan.ticks_to_run]
        assert all(last <= max(now, self.cursor or now) for _, last, _ in self.facts[-1:])
        self.cursor = plan.cursor

    def _is_due(self, plan: TickPlan, now: int) -> bool:
        if plan.cursor is None:
            return True
        due = self.schedule.next_after(plan.cursor)
        return due is not None and due <= now

    def settle(self, now: int) -> None:
        """Time stands still, and there is room: everything that is due comes to its end."""
        for _ in range(100):
            if not self.plan(now, room=7).waits:
                return
        raise AssertionError("ticks wait though there is room")


def due_moments(schedule: Schedule, registered: int, now: int) -> Iterator[int]:
    """All ticks that a DAG owes, one by one, told by the timetable alone."""
    start, end = schedule.start, schedule.end
    timetable: Timetable = schedule.timetable
    if isinstance(timetable, OnceTimetable):
        once = registered if start is None else start
        if once <= now and (end is None or once <= end):
            yield once
        return
    if isinstance(timetable, DeltaTriggerTimetable):
        timetable = timetable.anchored(registered if start is None else start)
    due = timetable.next_after((registered if start is None else start) - 1)
    while due is not None and due <= now and (end is None or due <= end):
        yield due
        due = timetable.next_after(due)


@settings(max_examples=250, deadline=None)
@given(schedule=schedules(), steps=steps)
def test_ticks_due_are_runs_plus_counts(schedule: Schedule, steps: list[tuple[int, int, str]]) -> None:
    books, now, latest = Books(schedule), BEGIN, BEGIN
    unpaused = False
    for step, room, act in steps:
        now += step
        latest = max(latest, now)
        if act == "unpause":
            unpaused = unpaused or books.cursor is not None
            books.enter(skip_to_now(schedule, books.cursor, now), now)
        else:
            books.plan(now, room)
    books.settle(latest)

    assert books.registered is not None
    assert_in_order(books)
    if unpaused and schedule.start is None and isinstance(schedule.timetable, DeltaTriggerTimetable):
        return  # it counts from the unpause: another series of moments
    due = [*first(30_000, due_moments(schedule, books.registered, latest))]
    if len(due) < 30_000:
        assert_same_moments(books, due)
    else:
        assert sum(count for _, _, count in books.facts) >= len(due)


def first(count: int, moments: Iterator[int]) -> Iterator[int]:
    for _, moment in zip(range(count), moments, strict=False):
        yield moment


def assert_in_order(books: Books) -> None:
    """Ascending, and never two facts for one moment."""
    assert all(last < first for (_, last, _), (first, _, _) in pairwise(books.facts))


def assert_same_moments(books: Books, due: list[int]) -> None:
    position = {moment: number for number, moment in enumerate(due)}
    entered = 0
    for begin, until, count in books.facts:
        assert position[begin] == entered
        assert position[until] == entered + count - 1
        entered += count
    assert entered == len(due)


@settings(max_examples=100, deadline=None)
@given(
    old=schedules(),
    new=schedules(),
    before=st.integers(0, 10 * DAY),
    after=st.integers(0, 10 * DAY),
)
def test_an_edit_leaves_no_tick_of_the_old_schedule_open_and_runs_none_of_the_past(
    old: Schedule, new: Schedule, before: int, after: int
) -> None:
    books = Books(old)
    books.plan(BEGIN, room=0)
    edited_at = BEGIN + before
    owed = 0 if books.cursor is None else old.count_between(books.cursor, edited_at)
    plan = change_schedule(old, new, books.cursor, edited_at)
    assert sum(span.count for span in plan.spans) == owed
    if plan.cursor is None:
        return
    later = plan_ticks(new, plan.cursor, edited_at + after, room=9)
    assert all(due >= edited_at for due, _ in [*plan.ticks_to_run, *later.ticks_to_run])
    assert all(span.due_at > edited_at for span in later.spans)


@settings(max_examples=100, deadline=None)
@given(schedule=schedules(), now=offsets, later=st.integers(1, 3 * DAY), room=st.integers(1, 5))
def test_next_due_is_the_moment_at_which_something_happens(
    schedule: Schedule, now: int, later: int, room: int
) -> None:
    """Whoever sleeps until `next_due` misses nothing and is not woken for nothing."""
    plan = plan_ticks(schedule, None, BEGIN + now, room=1)
    if plan.waits or plan.cursor is None:
        return
    moment = BEGIN + now + later if plan.next_due is None else plan.next_due
    before = plan_ticks(schedule, plan.cursor, moment - 1, room=room)
    assert (before.ticks_to_run, before.spans) == ([], [])
    if plan.next_due is not None:
        at_once = plan_ticks(schedule, plan.cursor, moment, room=room)
        assert [due for due, _ in at_once.ticks_to_run] == [plan.next_due]
        assert at_once.cursor == plan.next_due


def test_a_year_by_the_hour_with_restarts_is_accounted_for() -> None:
    schedule = Schedule(CronTriggerTimetable("@hourly", "Europe/Berlin"), None, None, False)
    books = Books(schedule)
    now, end = BEGIN, BEGIN + 365 * DAY
    while now < end:
        plan = books.plan(now, room=1)
        now = plan.next_due or now
        if now % (7 * DAY) < HOUR:
            now += 11 * HOUR + 17 * SECOND  # switched off for the night
    assert_same_moments(books, list(due_moments(schedule, BEGIN, books.cursor or 0)))
