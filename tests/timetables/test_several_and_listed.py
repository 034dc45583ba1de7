"""Several cron expressions at once, and listed moments (Airflow: timetables/trigger.py, events.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet.clock import DAY, HOUR, SECOND, from_micros, to_micros
from flowlet.errors import TimetableError
from flowlet.scheduler.ticks import BEFORE_REGISTRATION, Schedule, plan_ticks
from flowlet.timetables import (
    CronTriggerTimetable,
    EventsTimetable,
    Interval,
    MultipleCronTriggerTimetable,
    timetable_from_spec,
)


def at(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_a_moment_that_several_expressions_match_is_due_once() -> None:
    both = MultipleCronTriggerTimetable("0 6 * * *", "0 */3 * * *", timezone="UTC")
    assert both.next_after(at("2026-06-01T05:59")) == at("2026-06-01T06:00")
    assert both.next_after(at("2026-06-01T06:00")) == at("2026-06-01T09:00")
    assert both.count_between(at("2026-06-01T05:59"), at("2026-06-02T05:59")) == 8
    assert both.latest_until(at("2026-06-01T08:59"), 0) == at("2026-06-01T06:00")


crons = st.lists(
    st.sampled_from(["* * * * *", "0 * * * *", "30 2 * * *", "*/20 1-3 * * *", "0 0 * * *", "15 3 * * 1", "0 0 29 2 *", "0 2 * * * */30"]),
    min_size=1, max_size=4, unique=True,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    crons=crons,
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York"]),
    near=st.sampled_from(["2026-03-29T01:00", "2026-10-25T01:00", "2026-04-04T15:00", "2026-11-01T06:00", "2026-06-10"]),
    begin=st.integers(-5 * HOUR // SECOND, 5 * HOUR // SECOND),
    length=st.integers(0, 2 * DAY // SECOND),
)
def test_they_are_due_when_any_of_them_is(crons: list[str], zone: str, near: str, begin: int, length: int) -> None:
    after = at(near) + begin * SECOND
    until = after + length * SECOND
    expected: set[int] = set()
    for cron in crons:
        one, due = CronTriggerTimetable(cron, zone), after
        while (due := one.next_after(due) or until + 1) <= until:
            expected.add(due)
    several = MultipleCronTriggerTimetable(*crons, timezone=zone)
    found, due = [], after
    while (due := several.next_after(due) or until + 1) <= until:
        found.append(due)
    assert found == sorted(expected)
    assert several.count_between(after, until) == len(expected)
    assert several.latest_until(until, after) == max(expected, default=None)


@settings(max_examples=40, deadline=None)
@given(crons=crons, cuts=st.lists(st.integers(at("1999-12-20"), at("2031-02-03")), min_size=3, max_size=3))
def test_counts_add_up(crons: list[str], cuts: list[int]) -> None:
    several = MultipleCronTriggerTimetable(*crons, timezone="Europe/Berlin")
    first, middle, last = sorted(cuts)
    assert several.count_between(first, last) == several.count_between(first, middle) + several.count_between(middle, last)
    one = MultipleCronTriggerTimetable(crons[0], timezone="Europe/Berlin")
    assert one.count_between(first, last) == CronTriggerTimetable(crons[0], "Europe/Berlin").count_between(first, last)


def test_a_century_is_counted_without_walking_it() -> None:
    several = MultipleCronTriggerTimetable("* * * * * *", "0 6 * * *", timezone="UTC")
    assert several.count_between(at("2000-01-01") - 1, at("2100-01-01") - 1) == 36_525 * 86_400


def test_the_first_run_is_the_latest_that_one_of_them_owes() -> None:
    several = MultipleCronTriggerTimetable("0 6 * * *", "0 7 * * *", timezone="UTC", run_immediately=timedelta(hours=3))
    plan = plan_ticks(Schedule(several, None, None, False), None, at("2026-06-01T08:00"), room=9)
    assert [due for due, _ in plan.ticks_to_run] == [at("2026-06-01T07:00")]
    late = plan_ticks(Schedule(several, None, None, False), None, at("2026-06-01T12:00"), room=9)
    assert (late.ticks_to_run, late.next_due) == ([], at("2026-06-02T06:00"))


def test_several_survive_their_spec() -> None:
    several = MultipleCronTriggerTimetable("0 6 * * *", "@hourly", timezone="Asia/Tokyo", interval=timedelta(hours=1), run_immediately=True)
    again = timetable_from_spec(several.to_spec())
    assert again == several
    assert again.description == "0 6 * * * (Asia/Tokyo), @hourly (Asia/Tokyo)"
    due = at("2026-06-01T06:00")
    assert again.interval_of(due) == Interval(due - HOUR, due - HOUR, due)


def test_none_of_them_is_refused() -> None:
    with pytest.raises(TimetableError, match="at least one cron expression"):
        MultipleCronTriggerTimetable(timezone="UTC")


# -- listed moments -----------------------------------------------------------------------------------

MATCHES = [datetime(2026, 6, day, 20, tzinfo=UTC) for day in (14, 11, 19, 11)]


def test_events_are_due_in_order_and_doubles_once() -> None:
    events = EventsTimetable(MATCHES)
    assert [date.day for date in events.event_dates] == [11, 14, 19]
    assert events.next_after(at("2026-06-11T20:00")) == at("2026-06-14T20:00")
    assert events.next_after(at("2026-06-19T20:00")) is None
    assert events.count_between(0, at("2026-06-14T20:00")) == 2
    assert events.latest_until(at("2026-06-14T19:59"), 0) == at("2026-06-11T20:00")


def test_a_new_dag_runs_no_event_of_the_past_without_catchup_and_each_with_it() -> None:
    start, now = at("2026-06-01"), at("2026-06-15")
    new = plan_ticks(Schedule(EventsTimetable(MATCHES), start, None, False), None, now, room=9)
    assert (new.ticks_to_run, new.next_due) == ([], at("2026-06-19T20:00"))
    assert [(span.count, span.reason) for span in new.spans] == [(2, BEFORE_REGISTRATION)]
    caught_up = plan_ticks(Schedule(EventsTimetable(MATCHES), start, None, True), None, now, room=9)
    assert [from_micros(due).day for due, _ in caught_up.ticks_to_run] == [11, 14]


def test_an_event_at_the_moment_of_registration_is_run() -> None:
    plan = plan_ticks(Schedule(EventsTimetable(MATCHES), at("2026-06-01"), None, False), None, at("2026-06-14T20:00"), room=9)
    assert [from_micros(due).day for due, _ in plan.ticks_to_run] == [14]
    assert [span.count for span in plan.spans] == [1]


def test_an_event_that_falls_into_a_restart_is_made_up() -> None:
    schedule = Schedule(EventsTimetable(MATCHES), at("2026-06-01"), None, False)
    plan = plan_ticks(schedule, at("2026-06-12"), at("2026-06-15"), room=9)
    assert [from_micros(due).day for due, _ in plan.ticks_to_run] == [14]


def test_a_triggered_run_may_be_about_the_latest_event() -> None:
    free, bound = EventsTimetable(MATCHES), EventsTimetable(MATCHES, restrict_to_events=True)
    now, first, second = at("2026-06-15"), at("2026-06-11T20:00"), at("2026-06-14T20:00")
    assert free.infer_manual(now) == Interval(now, now, now)
    assert bound.infer_manual(now) == Interval(now, second, second)
    assert bound.infer_manual(0) == Interval(0, first, first)
    assert EventsTimetable([], restrict_to_events=True).infer_manual(now) == Interval(now, now, now)


def test_events_survive_their_spec_and_say_how_many_they_are() -> None:
    events = EventsTimetable(MATCHES, restrict_to_events=True)
    assert timetable_from_spec(events.to_spec()) == events
    assert events.description == "3 events between 2026-06-11T20:00:00+00:00 and 2026-06-19T20:00:00+00:00"
    assert EventsTimetable([], description="the season").description == "the season"
    assert EventsTimetable([]).description == "No events"


def test_an_event_must_be_a_datetime() -> None:
    with pytest.raises(TimetableError, match="'2026-06-11' in event_dates is not a datetime"):
        EventsTimetable(["2026-06-11"])  # the mistake
