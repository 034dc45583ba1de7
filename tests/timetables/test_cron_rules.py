"""What a cron expression says, and how it is refused."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet.clock import DAY, HOUR, SECOND, from_micros, to_micros
from flowlet.errors import TimetableError
from flowlet.timetables import (
    CronTriggerTimetable,
    DeltaTriggerTimetable,
    Interval,
    NullTimetable,
    Timetable,
    timetable_for,
    timetable_from_spec,
)


def at(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def days(cron: str, start: str, count: int) -> list[str]:
    timetable = CronTriggerTimetable(cron)
    due: int | None = at(start) - 1
    found = []
    for _ in range(count):
        assert due is not None
        due = timetable.next_after(due)
        assert due is not None
        found.append(from_micros(due).strftime("%a %d %b"))
    return found


# -- the day fields -----------------------------------------------------------------------------------


def test_with_both_day_fields_either_is_enough() -> None:
    assert days("0 0 13 * 5", "2026-02-01", 5) == [
        "Fri 06 Feb",
        "Fri 13 Feb",
        "Fri 20 Feb",
        "Fri 27 Feb",
        "Fri 06 Mar",
    ]


def test_a_stepped_star_in_the_day_of_month_is_not_free_as_in_croniter() -> None:
    assert days("0 0 */10 * 1", "2026-06-01", 6) == [
        "Mon 01 Jun",
        "Mon 08 Jun",
        "Thu 11 Jun",
        "Mon 15 Jun",
        "Sun 21 Jun",
        "Mon 22 Jun",
    ]


def test_a_question_mark_leaves_a_day_field_free() -> None:
    assert days("0 0 ? * 1", "2026-06-02", 2) == ["Mon 08 Jun", "Mon 15 Jun"]
    assert days("0 0 1 * ?", "2026-06-02", 2) == ["Wed 01 Jul", "Sat 01 Aug"]


def test_l_is_the_last_day_of_the_month() -> None:
    assert days("0 0 L * *", "2028-02-01", 2) == ["Tue 29 Feb", "Fri 31 Mar"]


def test_a_number_sign_counts_weekdays_of_the_month() -> None:
    assert days("0 0 * * MON#1", "2026-06-01", 2) == ["Mon 01 Jun", "Mon 06 Jul"]
    assert days("0 0 * * 5#5", "2026-01-01", 2) == ["Fri 30 Jan", "Fri 29 May"]


def test_l_before_a_weekday_is_the_last_of_the_month() -> None:
    assert days("0 0 * * L5", "2026-06-01", 2) == ["Fri 26 Jun", "Fri 31 Jul"]


def test_w_is_the_nearest_working_day_of_the_same_month() -> None:
    assert days("0 0 15W * *", "2026-02-01", 2) == ["Mon 16 Feb", "Mon 16 Mar"]
    assert days("0 0 1W 8 *", "2026-08-01", 1) == ["Mon 03 Aug"]
    assert days("0 0 31W 5 *", "2026-05-01", 1) == ["Fri 29 May"]


def test_sunday_is_zero_and_seven() -> None:
    assert (
        days("0 0 * * 0", "2026-06-01", 2)
        == days("0 0 * * 7", "2026-06-01", 2)
        == ["Sun 07 Jun", "Sun 14 Jun"]
    )


def test_the_29th_of_february_waits_for_leap_years_over_1900_and_2100() -> None:
    timetable = CronTriggerTimetable("0 0 29 2 *")
    assert timetable.next_after(at("2096-03-01")) == at("2104-02-29")
    assert timetable.latest_until(at("1904-02-28"), at("1890-01-01")) == at("1896-02-29")


# -- the time fields and presets ----------------------------------------------------------------------


def test_seconds_are_the_sixth_field() -> None:
    timetable = CronTriggerTimetable("0 12 * * * 15,45")
    assert timetable.next_after(at("2026-06-01T12:00:15")) == at("2026-06-01T12:00:45")
    assert timetable.next_after(at("2026-06-01T12:00:45")) == at("2026-06-02T12:00:15")


@pytest.mark.parametrize(
    ("preset", "due"),
    [
        ("@hourly", "2026-05-13T15:00"),
        ("@daily", "2026-05-14T00:00"),
        ("@midnight", "2026-05-14T00:00"),
        ("@weekly", "2026-05-17T00:00"),
        ("@monthly", "2026-06-01T00:00"),
        ("@quarterly", "2026-07-01T00:00"),
        ("@yearly", "2027-01-01T00:00"),
        ("@annually", "2027-01-01T00:00"),
    ],
)
def test_presets(preset: str, due: str) -> None:
    assert CronTriggerTimetable(preset).next_after(at("2026-05-13T14:07:03")) == at(due)


def test_next_is_strictly_later_and_latest_includes_the_moment() -> None:
    timetable = CronTriggerTimetable("@hourly")
    noon = at("2026-06-01T12:00")
    assert timetable.next_after(noon - 1) == noon
    assert timetable.next_after(noon) == noon + HOUR
    assert timetable.latest_until(noon, noon - HOUR) == noon
    assert timetable.latest_until(noon - 1, noon - HOUR) is None
    assert timetable.count_between(noon - HOUR, noon) == 1
    assert timetable.count_between(noon, noon) == 0


def test_a_seventh_field_ends_for_good() -> None:
    timetable = CronTriggerTimetable("0 0 1 1 * 0 2027,2030")
    assert timetable.next_after(at("2027-01-01")) == at("2030-01-01")
    assert timetable.next_after(at("2030-01-01")) is None
    assert timetable.count_between(at("2000-01-01"), at("2090-01-01")) == 2
    assert timetable.latest_until(at("2090-01-01"), at("2000-01-01")) == at("2030-01-01")


# -- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("61 * * * *", "'61 [*] [*] [*] [*]' is wrong"),
        ("0 0 * *", "has 4 fields, not 5"),
        ("every day", "has 2 fields"),
        ("", "has 0 fields"),
        ("@sometimes", "'@sometimes' is no preset; there are @annually"),
        ("0 0 31 2 *", "never fires: no such day exists"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 2,4,6,9,11 *", "never fires"),
        ("H 3 * * *", "hashed [(]H[)] and random"),
        ("r(0-5) 3 * * *", "hashed [(]H[)] and random"),
        ("0 0 * * 5L", "is wrong"),
        (timedelta(0), "a delta of 0"),
        (timedelta(seconds=-5), "is negative"),
        (5, "schedule=5 is no schedule"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_by_name_and_place(schedule: object, says: str) -> None:
    with pytest.raises(TimetableError, match=f"^dag 'etl' [(]etl.py:3[)]: .*{says}"):
        timetable_for(schedule, timezone="UTC", where="dag 'etl' (etl.py:3)")


@pytest.mark.parametrize("name", ["Europe/Berlln", "Europe", "../etc/passwd", "", "europe/\0"])
def test_an_unknown_zone_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(TimetableError) as caught:
        CronTriggerTimetable("0 6 * * *", name)
    assert f"unknown time zone {name!r}" in str(caught.value)


def test_a_zone_without_a_name_is_refused() -> None:
    class Nameless(ZoneInfo):
        key = None

    with pytest.raises(TimetableError, match="has no name"):
        CronTriggerTimetable("0 6 * * *", Nameless("Europe/Berlin"))


def test_policies_are_checked() -> None:
    with pytest.raises(TimetableError, match="gap='later' is none of 'next', 'skip'"):
        CronTriggerTimetable("0 6 * * *", gap="later")


# -- zones in every dress -----------------------------------------------------------------------------


class PendulumLike(ZoneInfo):
    name = property(lambda self: self.key)


@pytest.mark.parametrize("zone", ["Europe/Berlin", ZoneInfo("Europe/Berlin"), PendulumLike("Europe/Berlin")])
def test_a_zone_is_given_by_name_or_as_tzinfo(zone: object) -> None:
    timetable = CronTriggerTimetable("0 6 * * *", zone)
    assert timetable.timezone == "Europe/Berlin"
    assert timetable.description == "0 6 * * * (Europe/Berlin)"
    assert timetable.next_after(at("2026-07-01")) == at("2026-07-01T04:00")


@pytest.mark.parametrize(
    ("zone", "name", "due"),
    [
        (UTC, "UTC", "2026-07-01T06:00"),
        (timezone(timedelta(hours=5, minutes=30)), "+05:30", "2026-07-01T00:30"),
        (timezone(-timedelta(hours=3)), "-03:00", "2026-07-01T09:00"),
        ("-03:00", "-03:00", "2026-07-01T09:00"),
    ],
)
def test_a_fixed_offset_is_a_zone(zone: object, name: str, due: str) -> None:
    timetable = CronTriggerTimetable("0 6 * * *", zone)
    assert timetable.timezone == name
    assert timetable.next_after(at("2026-07-01")) == at(due)


# -- intervals, specs, and what DAG(schedule=...) takes -----------------------------------------------


def test_a_tick_is_its_own_interval_by_default() -> None:
    due = at("2026-06-01T06:00")
    assert CronTriggerTimetable("0 6 * * *").interval_of(due) == Interval(due, due, due)


def test_with_an_interval_the_logical_date_is_its_start() -> None:
    due = at("2026-06-01T06:00")
    timetable = CronTriggerTimetable("0 6 * * *", interval=timedelta(days=1))
    assert timetable.interval_of(due) == Interval(due - DAY, due - DAY, due)
    assert timetable.infer_manual(due) == Interval(due, due - DAY, due)


@pytest.mark.parametrize(
    ("schedule", "description"),
    [
        (None, "None"),
        ("@once", "@once"),
        ("@continuous", "@continuous"),
        ("@daily", "@daily"),
        ("*/5 8-18 * * MON-FRI", "*/5 8-18 * * MON-FRI"),
        (timedelta(minutes=5), "every 0:05:00"),
        (
            CronTriggerTimetable("0 6 * * *", "Asia/Tokyo", interval=timedelta(days=1)),
            "0 6 * * * (Asia/Tokyo)",
        ),
        (CronTriggerTimetable("0 6 * * *", run_immediately=timedelta(hours=1), gap="skip"), "0 6 * * *"),
        (
            CronTriggerTimetable("0 6 * * *", "-03:00", run_immediately=None, fold="both"),
            "0 6 * * * (-03:00)",
        ),
        (DeltaTriggerTimetable(timedelta(hours=1), interval=timedelta(hours=2)), "every 1:00:00"),
    ],
)
def test_a_timetable_survives_its_spec(schedule: object, description: str) -> None:
    timetable = timetable_for(schedule, timezone="UTC", where="here")
    again = timetable_from_spec(timetable.to_spec())
    assert again == timetable
    assert again.to_spec() == timetable.to_spec()
    assert again.description == description


def test_timetables_that_differ_are_not_equal() -> None:
    assert CronTriggerTimetable("0 6 * * *") != CronTriggerTimetable("0 6 * * *", "Asia/Tokyo")
    assert CronTriggerTimetable("0 6 * * *") != CronTriggerTimetable("0 6 * * *", gap="skip")
    assert NullTimetable() != CronTriggerTimetable("0 6 * * *")


def test_the_zone_of_the_dag_is_that_of_its_expression_not_of_a_timetable() -> None:
    assert timetable_for("0 6 * * *", timezone="Asia/Tokyo", where="").description == "0 6 * * * (Asia/Tokyo)"
    given_whole = CronTriggerTimetable("0 6 * * *")
    assert timetable_for(given_whole, timezone="Asia/Tokyo", where="") is given_whole


def test_a_relativedelta_of_constant_length_is_a_timedelta() -> None:
    relativedelta = pytest.importorskip("dateutil.relativedelta").relativedelta
    assert timetable_for(relativedelta(days=1, hours=2), where="").description == "every 1 day, 2:00:00"


def test_a_custom_timetable_needs_next_after_only() -> None:
    class Squares(Timetable):
        def next_after(self, moment: int) -> int | None:
            root = 0
            while root * root * SECOND <= moment:
                root += 1
            return root * root * SECOND if root <= 5 else None

    squares = Squares()
    assert squares.count_between(0, 30 * SECOND) == 5
    assert squares.latest_until(20 * SECOND, 0) == 16 * SECOND
    assert squares.latest_until(3 * SECOND, SECOND) is None


# -- deltas -------------------------------------------------------------------------------------------


def test_a_delta_counts_from_its_anchor() -> None:
    every = DeltaTriggerTimetable(timedelta(minutes=7)).anchored(at("2026-06-01T00:01"))
    assert every.next_after(at("2026-06-01T00:01")) == at("2026-06-01T00:08")
    assert every.latest_until(at("2026-06-01T00:20"), 0) == at("2026-06-01T00:15")
    assert every.count_between(at("2026-06-01T00:00"), at("2026-06-01T00:15")) == 3


@given(
    delta=st.integers(1, 10**7),
    anchor=st.integers(-(10**9), 10**9),
    after=st.integers(-(10**9), 10**9),
    length=st.integers(0, 10**8),
)
def test_a_delta_agrees_with_itself(delta: int, anchor: int, after: int, length: int) -> None:
    every = DeltaTriggerTimetable(timedelta(microseconds=delta)).anchored(anchor)
    due = every.next_after(after)
    assert due is not None
    assert after < due <= after + delta
    assert (due - anchor) % delta == 0
    assert (due - 1 - anchor) % delta != 0 or due - 1 <= after or delta == 1
    assert every.latest_until(due, after) == due
    assert every.latest_until(due - 1, after) is None
    assert every.count_between(after, after + length) == max(0, (after + length - due) // delta + 1)


# -- croniter as a witness, in UTC, where its walk can be trusted -------------------------------------

number = st.integers


def field(low: int, high: int) -> st.SearchStrategy[str]:
    value = number(low, high).map(str)
    ranges = st.tuples(number(low, high), number(low, high)).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.tuples(st.just("*") | ranges, number(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.just("*") | value | ranges | stepped | st.lists(value, min_size=2, max_size=3).map(",".join)


day_of_month = field(1, 28) | st.sampled_from(
    ["l", "1,l", "31", "29-31", "?", "15w", "1w", "31w", "*/2", "1-31"]
)
day_of_week = field(0, 6) | st.sampled_from(
    ["mon-fri", "7", "1#1", "fri#5", "l5", "?", "sat-sun", "5-1", "0-6"]
)
month = st.just("*") | field(1, 12) | st.sampled_from(["jan-mar", "feb", "nov-feb"])
expressions = st.one_of(
    st.tuples(field(0, 59), field(0, 23), day_of_month, month, day_of_week),
    st.tuples(field(0, 59), field(0, 23), day_of_month, month, day_of_week, field(0, 59)),
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(expression=expressions, seconds=st.integers(at("1971-01-01") // SECOND, at("2090-01-01") // SECOND))
def test_in_utc_the_walk_agrees_with_croniter(expression: str, seconds: int) -> None:
    from croniter import croniter

    try:
        witness = croniter(expression, datetime.fromtimestamp(seconds, UTC), ret_type=datetime)
        expected = [to_micros(witness.get_next()) for _ in range(8)]
    except ValueError:
        return  # croniter refuses it, or finds no date; the former is tested by name
    timetable = CronTriggerTimetable(expression)
    due: int | None = seconds * SECOND
    found = []
    for _ in range(8):
        due = timetable.next_after(due or 0)
        found.append(due)
    assert found == expected


@settings(max_examples=60)
@given(
    columns=st.tuples(
        *(
            st.just("*") | number(low, high).map(str)
            for low, high in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
        )
    )
)
def test_plain_expressions_read_without_croniter_mean_the_same(columns: tuple[str, ...]) -> None:
    from flowlet.timetables.expression import _by_croniter, _plain

    text = " ".join(columns)
    assert _plain(list(columns)) == _by_croniter(text, text)


def test_presets_and_plain_expressions_in_utc_import_neither_croniter_nor_zoneinfo() -> None:
    code = (
        "import sys; from flowlet.timetables import timetable_for as t;"
        "[t(s, timezone='UTC', where='') for s in ('@daily', '@quarterly', '0 6 * * 1', None, '@once')];"
        "sys.exit(str({'croniter', 'zoneinfo', 'dateutil'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
