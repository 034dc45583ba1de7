"""What DAG files use of pendulum, where it is not installed; expected values are pendulum 3's."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlet.airflow import moments as pendulum
from flowlet.authoring.dates import name_of
from flowlet.runs.values import decode, encode


def test_moments_have_a_zone() -> None:
    assert pendulum.datetime(2026, 1, 1) == datetime(2026, 1, 1, tzinfo=UTC)
    berlin = pendulum.datetime(2026, 7, 1, tz="Europe/Berlin")
    assert (berlin.isoformat(), name_of(berlin.tzinfo), berlin.timezone_name) == (
        "2026-07-01T00:00:00+02:00", "Europe/Berlin", "Europe/Berlin",
    )  # fmt: skip
    assert pendulum.timezone("Europe/Berlin").name == "Europe/Berlin"
    assert pendulum.now("Asia/Tokyo").utcoffset() == timedelta(hours=9)
    assert pendulum.today().add(days=1) == pendulum.tomorrow() == pendulum.yesterday().add(days=2)


def test_they_move_on_the_calendar_and_in_absolute_time() -> None:
    at = pendulum.datetime(2026, 1, 31, 12)
    assert at.add(months=1).to_date_string() == "2026-02-28"
    assert at.subtract(years=2, months=1).to_date_string() == "2023-12-31"
    assert at.add(hours=13).to_datetime_string() == "2026-02-01 01:00:00"
    before = pendulum.datetime(2026, 3, 28, 12, tz="Europe/Berlin")  # the night of the 29th has one hour less
    assert before.add(days=1).isoformat() == "2026-03-29T12:00:00+02:00"
    assert before.add(hours=24).isoformat() == "2026-03-29T13:00:00+02:00"
    assert isinstance(at + timedelta(1), pendulum.DateTime)
    assert at + pendulum.duration(months=1, days=1) == pendulum.datetime(2026, 3, 1, 12)
    assert at - pendulum.duration(years=1) == pendulum.datetime(2025, 1, 31, 12)
    assert (at - pendulum.datetime(2026, 1, 1)).in_days() == 30


@pytest.mark.parametrize(
    ("unit", "start", "end"),
    [
        ("hour", "2026-08-13 14:00:00", "2026-08-13 14:59:59"),
        ("day", "2026-08-13 00:00:00", "2026-08-13 23:59:59"),
        ("week", "2026-08-10 00:00:00", "2026-08-16 23:59:59"),
        ("month", "2026-08-01 00:00:00", "2026-08-31 23:59:59"),
        ("year", "2026-01-01 00:00:00", "2026-12-31 23:59:59"),
    ],
)
def test_the_ends_of_units(unit: str, start: str, end: str) -> None:
    at = pendulum.datetime(2026, 8, 13, 14, 15, 16, 17)
    assert at.start_of(unit).to_datetime_string() == start
    assert at.end_of(unit).to_datetime_string() == end


def test_text() -> None:
    at = pendulum.datetime(2026, 8, 3, 4, 5, 6, tz="Europe/Berlin")
    assert at.to_iso8601_string() == "2026-08-03T04:05:06+02:00"
    assert pendulum.datetime(2026, 8, 3).to_iso8601_string() == "2026-08-03T00:00:00Z"
    assert at.format("dddd DD MMMM YYYY, HH[h]mm") == "Monday 03 August 2026, 04h05"
    assert pendulum.parse("2026-08-03T04:05:06").isoformat() == "2026-08-03T04:05:06+00:00"
    assert pendulum.parse("2026-08-03", tz="Europe/Berlin") == pendulum.datetime(2026, 8, 3, tz="Europe/Berlin")
    assert pendulum.from_format("03/08/2026 04:05", "DD/MM/YYYY HH:mm") == pendulum.datetime(2026, 8, 3, 4, 5)
    assert pendulum.from_timestamp(0).to_date_string() == "1970-01-01"


def test_spans() -> None:
    span = pendulum.duration(days=1, hours=6)
    assert span == timedelta(hours=30)
    assert (span.in_hours(), span.total_days(), span.in_weeks()) == (30, 1.25, 0)
    assert pendulum.datetime(2026, 1, 2).diff(pendulum.datetime(2026, 1, 1)).in_hours() == 24


@pytest.mark.parametrize("value", [pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"), pendulum.duration(days=2)])
def test_they_travel_as_plain_datetimes(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
    assert decode(encode(value)) == value


def test_what_is_not_here_is_an_attribute_error() -> None:
    import pendulum as found

    assert found.DateTime.__name__ == "DateTime"
    with pytest.raises(AttributeError):
        found.no_such_thing  # noqa: B018  the look-up is the test
