"""Data intervals: a run at the end of each, its logical date the start (Airflow: timetables/interval.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from dateutil.relativedelta import FR, relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet.clock import DAY, HOUR, MINUTE, from_micros, to_micros
from flowlet.errors import TimetableError
from flowlet.scheduler.ticks import SKIPPED, Schedule, plan_ticks
from flowlet.timetables import (
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    Interval,
    Timetable,
    timetable_for,
    timetable_from_spec,
)


def at(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def day(moment: int) -> str:
    return from_micros(moment).strftime("%d %b %H:%M")


def runs(schedule: Schedule, now: str, *, room: int = 100) -> list[str]:
    plan = plan_ticks(schedule, None, at(now), room=room)
    return [f"{day(due)}: {day(one.start)} - {day(one.end)}" for due, one in plan.ticks_to_run]


def daily(start: str | None = None, end: str | None = None, *, catchup: bool = True) -> Schedule:
    timetable = CronDataIntervalTimetable("@daily", "UTC")
    return Schedule(timetable, start and at(start), end and at(end), catchup)  # None stays None


# -- by cron ------------------------------------------------------------------------------------------


def test_the_run_of_a_day_comes_when_the_day_is_over_and_its_logical_date_is_the_days_begin() -> None:
    timetable = CronDataIntervalTimetable("@daily", "UTC")
    due = at("2026-06-02")
    assert timetable.next_after(due - 1) == due
    assert timetable.interval_of(due) == Interval(at("2026-06-01"), at("2026-06-01"), due)


def test_the_first_interval_begins_at_the_first_tick_from_start_date_on() -> None:
    assert runs(daily("2026-06-01"), "2026-06-03T12:00") == [
        "02 Jun 00:00: 01 Jun 00:00 - 02 Jun 00:00",
        "03 Jun 00:00: 02 Jun 00:00 - 03 Jun 00:00",
    ]
    assert runs(daily("2026-06-01T00:01"), "2026-06-03T12:00") == ["03 Jun 00:00: 02 Jun 00:00 - 03 Jun 00:00"]


def test_the_last_interval_begins_at_end_date_at_the_latest() -> None:
    at_the_end = daily("2026-06-01", "2026-06-02")
    assert runs(at_the_end, "2026-06-09")[-1] == "03 Jun 00:00: 02 Jun 00:00 - 03 Jun 00:00"
    before_it = Schedule(at_the_end.timetable, at("2026-06-01"), at("2026-06-02") - 1, catchup=True)
    assert runs(before_it, "2026-06-09") == ["02 Jun 00:00: 01 Jun 00:00 - 02 Jun 00:00"]


def test_without_catchup_and_start_date_the_last_complete_interval_is_run() -> None:
    assert runs(daily(catchup=False), "2026-06-03T12:00") == ["03 Jun 00:00: 02 Jun 00:00 - 03 Jun 00:00"]
    assert runs(daily(catchup=False), "2026-06-03T00:00") == ["03 Jun 00:00: 02 Jun 00:00 - 03 Jun 00:00"]


def test_with_catchup_and_no_start_date_nothing_is_ever_due() -> None:
    plan = plan_ticks(daily(), None, at("2026-06-03T12:00"), room=9)
    assert (plan.ticks_to_run, plan.spans, plan.next_due) == ([], [], None)


def test_without_catchup_the_intervals_before_the_last_are_recorded() -> None:
    plan = plan_ticks(daily("2026-06-01", catchup=False), None, at("2026-06-05T01:00"), room=9)
    assert [(day(span.due_at), day(span.until), span.count, span.outcome) for span in plan.spans] == [
        ("02 Jun 00:00", "04 Jun 00:00", 3, SKIPPED)
    ]
    assert [day(due) for due, _ in plan.ticks_to_run] == ["05 Jun 00:00"]


def test_a_day_of_23_and_one_of_25_hours_are_whole_intervals() -> None:
    berlin = CronDataIntervalTimetable("@daily", "Europe/Berlin")
    for begin, hours in (("2026-03-28T23:00", 23), ("2026-10-24T22:00", 25), ("2026-06-01T22:00", 24)):
        due = berlin.next_after(at(begin))
        assert due == at(begin) + hours * HOUR
        assert berlin.interval_of(due) == Interval(at(begin), at(begin), due)


def test_a_triggered_run_gets_the_last_interval_that_was_complete() -> None:
    timetable = CronDataIntervalTimetable("@daily", "UTC")
    noon = at("2026-06-03T12:00")
    assert timetable.infer_manual(noon) == Interval(noon, at("2026-06-02"), at("2026-06-03"))
    midnight = at("2026-06-03")
    assert timetable.infer_manual(midnight) == Interval(midnight, at("2026-06-02"), midnight)


@settings(max_examples=60, deadline=None)
@given(
    cron=st.sampled_from(["0 * * * *", "30 2 * * *", "*/20 1-3 * * *", "0 0 1 * *", "15 3 * * 1"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo"]),
    start=st.integers(at("2018-01-01"), at("2027-01-01")),
)
def test_intervals_lie_end_to_end_and_none_begins_before_start_date(cron: str, zone: str, start: int) -> None:
    ticks = CronDataIntervalTimetable(cron, zone).ticks(start, None, catchup=True)
    plain = CronTriggerTimetable(cron, zone)
    begin = plain.next_after(start - 1)
    cursor = start - 1
    for _ in range(5):
        due = ticks.next_after(cursor)
        assert due is not None
        interval = ticks.interval_of(due)
        assert (interval.logical_date, interval.start, interval.end) == (begin, begin, due)
        assert begin is not None and due == plain.next_after(begin)
        begin = cursor = due


# -- by deltas ----------------------------------------------------------------------------------------


def test_a_constant_interval_counts_from_start_date() -> None:
    six_hours = Schedule(DeltaDataIntervalTimetable(timedelta(hours=6)), at("2026-06-01T01:00"), at("2026-06-01T13:00"), True)
    assert runs(six_hours, "2026-06-09") == [
        "01 Jun 07:00: 01 Jun 01:00 - 01 Jun 07:00",
        "01 Jun 13:00: 01 Jun 07:00 - 01 Jun 13:00",
        "01 Jun 19:00: 01 Jun 13:00 - 01 Jun 19:00",
    ]


def test_without_start_date_intervals_lie_on_the_grid_of_the_epoch() -> None:
    six_hours = Schedule(DeltaDataIntervalTimetable(timedelta(hours=6)), None, None, False)
    assert runs(six_hours, "2026-06-01T07:45") == ["01 Jun 06:00: 01 Jun 00:00 - 01 Jun 06:00"]


def test_a_triggered_run_gets_the_stretch_before_it() -> None:
    noon = at("2026-06-03T12:00")
    assert DeltaDataIntervalTimetable(timedelta(hours=6)).infer_manual(noon) == Interval(noon, noon - 6 * HOUR, noon)
    assert DeltaDataIntervalTimetable(relativedelta(months=1)).infer_manual(noon) == Interval(noon, at("2026-05-03T12:00"), noon)


# -- months and years ---------------------------------------------------------------------------------


def test_months_are_stepped_as_the_calendar_has_them_and_a_lost_day_stays_lost() -> None:
    monthly = Schedule(timetable_for(relativedelta(months=1), where=""), at("2026-01-31"), None, True)
    assert runs(monthly, "2026-05-01") == [
        "31 Jan 00:00: 31 Jan 00:00 - 31 Jan 00:00",
        "28 Feb 00:00: 28 Feb 00:00 - 28 Feb 00:00",
        "28 Mar 00:00: 28 Mar 00:00 - 28 Mar 00:00",
        "28 Apr 00:00: 28 Apr 00:00 - 28 Apr 00:00",
    ]


def test_an_interval_of_a_month_reaches_from_step_to_step() -> None:
    monthly = Schedule(DeltaDataIntervalTimetable(relativedelta(months=1)), at("2026-01-31"), None, True)
    assert runs(monthly, "2026-04-01") == [
        "28 Feb 00:00: 31 Jan 00:00 - 28 Feb 00:00",
        "28 Mar 00:00: 28 Feb 00:00 - 28 Mar 00:00",
    ]


def test_without_start_date_a_month_is_due_at_once_and_counts_from_its_last_tick() -> None:
    monthly = Schedule(timetable_for(relativedelta(months=1), where=""), None, None, False)
    plan = plan_ticks(monthly, None, at("2026-06-10T07:45"), room=1)
    assert [day(due) for due, _ in plan.ticks_to_run] == ["10 Jun 07:45"]
    assert plan.next_due == at("2026-07-10T07:45")


def test_fixed_parts_and_weekdays_are_steps_too() -> None:
    fridays = Schedule(timetable_for(relativedelta(days=1, weekday=FR), where=""), at("2026-06-05T09:00"), None, True)
    assert [text[:12] for text in runs(fridays, "2026-06-20")] == ["05 Jun 09:00", "12 Jun 09:00", "19 Jun 09:00"]
    firsts = Schedule(timetable_for(relativedelta(months=1, day=1), where=""), at("2026-06-05"), None, True)
    assert [text[:6] for text in runs(firsts, "2026-09-01")] == ["05 Jun", "01 Jul", "01 Aug", "01 Sep"]


@pytest.mark.parametrize(
    ("delta", "says"),
    [
        (relativedelta(day=31), "does not always lead to a later moment"),
        (relativedelta(weekday=FR), "does not always lead to a later moment"),
        (relativedelta(months=-1), "is negative"),
        (relativedelta(years=1, year=2020), "does not always lead|is negative"),
        (relativedelta(), "a delta of 0"),
    ],
)
def test_a_relativedelta_that_does_not_lead_on_is_refused(delta: relativedelta, says: str) -> None:
    with pytest.raises(TimetableError, match=says):
        timetable_for(delta, where="")


@settings(max_examples=60, deadline=None)
@given(
    parts=st.fixed_dictionaries({}, optional={"months": st.integers(1, 30), "years": st.integers(1, 4), "days": st.integers(0, 40), "hours": st.integers(0, 50)})
    .filter(lambda parts: parts.get("months") or parts.get("years")),
    anchor=st.integers(at("1990-01-01"), at("2030-01-01")),
    after=st.integers(-10 * 365 * DAY, 10 * 365 * DAY),
)
def test_calendar_steps_agree_with_themselves(parts: dict[str, int], anchor: int, after: int) -> None:
    every = DeltaTriggerTimetable(relativedelta(**parts)).anchored(anchor)  # whole numbers
    expected = [from_micros(anchor)]
    while to_micros(expected[-1]) <= anchor + after + 5 * 365 * DAY:
        expected.append(expected[-1] + relativedelta(**parts))  # whole numbers
    moments = [to_micros(moment) for moment in expected]
    cursor = anchor + after
    assert every.next_after(cursor) == next(moment for moment in moments if moment > cursor)
    assert every.latest_until(cursor, -1 << 62) == max((moment for moment in moments if moment <= cursor), default=None)
    until = cursor + 4 * 365 * DAY
    assert every.count_between(cursor, until) == sum(cursor < moment <= until for moment in moments)


def test_a_century_of_months_is_counted() -> None:
    monthly = DeltaTriggerTimetable(relativedelta(months=1)).anchored(at("2000-01-31"))
    assert monthly.count_between(at("2000-01-31"), at("2100-01-31")) == 1200


def test_an_interval_of_months_ends_with_the_year_9999() -> None:
    yearly = DeltaTriggerTimetable(relativedelta(years=500)).anchored(at("2000-01-01"))
    assert yearly.next_after(at("9500-01-01")) is None


# -- on file, and as a setting ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timetable", "description"),
    [
        (CronDataIntervalTimetable("@daily", "Asia/Tokyo"), "@daily (Asia/Tokyo)"),
        (CronDataIntervalTimetable(cron="0 6 * * *", timezone="UTC"), "0 6 * * *"),
        (DeltaDataIntervalTimetable(timedelta(hours=6)), "every 6:00:00"),
        (DeltaDataIntervalTimetable(relativedelta(months=1, weekday=FR(2))), "every relativedelta(months=+1, weekday=FR(+2))"),
        (DeltaTriggerTimetable(relativedelta(months=3), interval=relativedelta(months=3)), "every relativedelta(months=+3)"),
        (CronTriggerTimetable("@monthly", "UTC", interval=relativedelta(months=1)), "@monthly"),
    ],
)
def test_they_survive_their_spec(timetable: Timetable, description: str) -> None:
    again = timetable_from_spec(timetable.to_spec())
    assert again == timetable
    assert again.to_spec() == timetable.to_spec()
    assert again.description == description


def test_an_interval_of_a_month_before_a_tick() -> None:
    monthly = CronTriggerTimetable("@monthly", "UTC", interval=relativedelta(months=1))
    due = at("2026-03-01")
    assert monthly.interval_of(due) == Interval(at("2026-02-01"), at("2026-02-01"), due)
    assert monthly.infer_manual(due) == Interval(due, at("2026-02-01"), due)


def test_a_setting_makes_plain_schedules_data_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's `create_cron_data_intervals`, which its SDK asks for deltas as well."""
    monkeypatch.setenv("FLOWLET__SCHEDULER__CREATE_CRON_DATA_INTERVALS", "True")
    assert type(timetable_for("@daily", where="")) is CronDataIntervalTimetable
    assert type(timetable_for(timedelta(hours=1), where="")) is DeltaDataIntervalTimetable
    monkeypatch.setenv("FLOWLET__SCHEDULER__CREATE_CRON_DATA_INTERVALS", "False")
    assert type(timetable_for("@daily", where="")) is CronTriggerTimetable
    assert type(timetable_for(timedelta(minutes=1), where="")) is DeltaTriggerTimetable
    assert DeltaTriggerTimetable(timedelta(minutes=1)).delta == MINUTE
