"""Cron across changes of a zone's offset: named cases, a sample of the oracle's sweep, properties."""

from __future__ import annotations

import importlib.util
import random
import struct
import sys
import time
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from importlib import resources
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet.clock import DAY, SECOND, from_micros, to_micros
from flowlet.timetables import CronTriggerTimetable, forget_zones
from flowlet.timetables.zones import HIGHEST, LOWEST, STEP, Zone, zone_for

ZONES = sorted(zoneinfo.available_timezones())


def _oracle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cron_oracle", Path(__file__).with_name("oracle.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


oracle = _oracle()


def at(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def fires(timetable: CronTriggerTimetable, start: str, stop: str) -> list[str]:
    due = timetable.next_after(at(start) - 1)
    found = []
    while due is not None and due < at(stop):
        found.append(from_micros(due).strftime("%d %H:%M"))
        due = timetable.next_after(due)
    return found


# -- the rule, by name --------------------------------------------------------------------------------


def test_a_time_in_a_gap_runs_once_at_the_first_instant_after_it() -> None:
    daily = CronTriggerTimetable("30 2 * * *", "Europe/Berlin")
    assert fires(daily, "2026-03-28", "2026-03-31") == ["28 01:30", "29 01:00", "30 00:30"]


def test_several_times_in_one_gap_are_one_tick() -> None:
    often = CronTriggerTimetable("*/15 1-3 * * *", "Europe/Berlin")
    assert fires(often, "2026-03-29T00:30", "2026-03-29T02:00") == [
        "29 00:30", "29 00:45", "29 01:00", "29 01:15", "29 01:30", "29 01:45",
    ]  # fmt: skip


def test_a_time_that_occurs_twice_runs_at_its_first_occurrence() -> None:
    daily = CronTriggerTimetable("30 2 * * *", "Europe/Berlin")
    assert fires(daily, "2026-10-24", "2026-10-27") == ["24 00:30", "25 00:30", "26 01:30"]


def test_an_expression_of_every_hour_is_absolute() -> None:
    hourly = CronTriggerTimetable("30 * * * *", "Europe/Berlin")
    assert fires(hourly, "2026-10-25T00:00", "2026-10-25T03:00") == ["25 00:30", "25 01:30", "25 02:30"]
    assert hourly.count_between(at("2026-10-25T00:00"), at("2026-10-25T02:00")) == 2
    minutely = CronTriggerTimetable("* 0-23 * * *", "Europe/Berlin")
    assert minutely.count_between(at("2026-10-25T00:00"), at("2026-10-25T02:00")) == 120
    assert minutely.count_between(at("2026-03-29T00:00"), at("2026-03-29T02:00")) == 120


def test_the_policy_can_be_overridden() -> None:
    never = CronTriggerTimetable("30 2 * * *", "Europe/Berlin", gap="skip")
    assert fires(never, "2026-03-28", "2026-03-31") == ["28 01:30", "30 00:30"]
    both = CronTriggerTimetable("30 2 * * *", "Europe/Berlin", fold="both")
    assert fires(both, "2026-10-25", "2026-10-26") == ["25 00:30", "25 01:30"]
    wall = CronTriggerTimetable("30 * * * *", "Europe/Berlin", gap="next", fold="first")
    assert fires(wall, "2026-10-25T00:00", "2026-10-25T03:00") == ["25 00:30", "25 02:30"]
    assert fires(wall, "2026-03-29T00:00", "2026-03-29T02:00") == ["29 00:30", "29 01:00", "29 01:30"]


def test_midnight_that_does_not_exist_is_one() -> None:
    santiago = CronTriggerTimetable("0 0 * * *", "America/Santiago")
    assert fires(santiago, "2022-09-10", "2022-09-13") == ["10 04:00", "11 04:00", "12 03:00"]


def test_a_day_that_a_zone_leaves_out_runs_at_its_end() -> None:
    apia = CronTriggerTimetable("0 6 * * *", "Pacific/Apia")  # there was no 30 December 2011
    assert fires(apia, "2011-12-29", "2012-01-01") == ["29 16:00", "30 10:00", "30 16:00", "31 16:00"]


def test_half_an_hour_is_a_change_too() -> None:
    daily = CronTriggerTimetable("15 2 * * *", "Australia/Lord_Howe")
    assert fires(daily, "2026-10-03", "2026-10-05") == ["03 15:30", "04 15:15"]
    assert fires(daily, "2026-10-02", "2026-10-04") == ["02 15:45", "03 15:30"]


def test_local_mean_time_has_seconds() -> None:
    noon = CronTriggerTimetable("0 12 * * *", "Africa/Monrovia")  # 44:30 behind until 1972
    assert noon.next_after(at("1971-06-01")) == at("1971-06-01T12:44:30")


def test_after_2037_the_rule_goes_on() -> None:
    daily = CronTriggerTimetable("30 2 * * *", "Europe/Berlin")
    assert fires(daily, "2126-03-30", "2126-04-02") == ["30 01:30", "31 01:00", "01 00:30"]


# -- the oracle ---------------------------------------------------------------------------------------

FAMOUS = [
    ("Pacific/Apia", 2011), ("Pacific/Kwajalein", 1993), ("America/Santiago", 2022), ("Asia/Beirut", 2024),
    ("America/Havana", 2023), ("Australia/Lord_Howe", 2026), ("Africa/Casablanca", 2026),
    ("Africa/Monrovia", 1972), ("Antarctica/Troll", 2026), ("Asia/Pyongyang", 2015),
    ("America/Caracas", 2007), ("Europe/Dublin", 1971),
]  # fmt: skip
POLICIES = [(None, None), ("next", "first"), ("next", "both"), ("skip", "first"), ("skip", "both")]


@pytest.mark.parametrize(("zone", "year"), FAMOUS)
def test_the_oracle_agrees_at_famous_changes(zone: str, year: int) -> None:
    changes = list(oracle.changes_of(zone, year, year))
    assert changes
    _, _, differences = oracle.sweep(changes[:2], oracle.MINUTELY, POLICIES)
    assert differences == []


def test_the_oracle_agrees_at_changes_taken_at_random(seed: int) -> None:
    chance = random.Random(seed)
    changes: list[object] = []
    for zone in chance.sample(ZONES, 25):
        year = chance.randint(1970, 2037)
        changes += oracle.changes_of(zone, year, min(year + 2, 2037))
    changes = chance.sample(changes, min(30, len(changes)))
    _, _, differences = oracle.sweep(changes, oracle.MINUTELY, [(None, None), chance.choice(POLICIES)])
    assert differences == []


def test_the_oracle_agrees_by_the_second(seed: int) -> None:
    changes = list(oracle.changes_of("Europe/Berlin", 2026, 2026)) + list(
        oracle.changes_of("Africa/Monrovia", 1972, 1972)
    )
    change = random.Random(seed).choice(changes)
    _, _, differences = oracle.sweep([change], oracle.SECONDLY[:3], [(None, None)])
    assert differences == []


def test_the_oracle_agrees_past_2037(seed: int) -> None:
    year = random.Random(seed).randint(2038, 2400)
    changes = [
        c for zone in ("Europe/Berlin", "America/Santiago") for c in oracle.changes_of(zone, year, year)
    ]
    _, _, differences = oracle.sweep(changes, oracle.MINUTELY, [(None, None), ("next", "both")])
    assert len(changes) == 4
    assert differences == []


@pytest.fixture
def seed() -> int:
    """Another sample in each run; `pytest --randomly-seed=N` repeats one."""
    return random.randrange(1 << 32)


# -- the three questions agree ------------------------------------------------------------------------

crons = st.sampled_from(
    [*oracle.MINUTELY, *oracle.SECONDLY, "0 0 29 2 *", "15 14 1 * *", "@weekly", "0 0 * * 1#1"]
)
policies = st.sampled_from(POLICIES)
moments = st.integers(at("1902-01-01"), at("2200-01-01"))


@settings(max_examples=150, deadline=None)
@given(cron=crons, zone=st.sampled_from(ZONES), policy=policies, start=moments, count=st.integers(1, 40))
def test_next_latest_and_count_tell_the_same(
    cron: str, zone: str, policy: tuple[str | None, str | None], start: int, count: int
) -> None:
    timetable = CronTriggerTimetable(cron, zone, gap=policy[0], fold=policy[1])
    due: list[int] = []
    while len(due) < count:
        following = timetable.next_after(due[-1] if due else start)
        assert following is not None
        assert following > (due[-1] if due else start)
        due.append(following)
    assert timetable.count_between(start, due[-1]) == count
    assert timetable.count_between(start, due[-1] - 1) == count - 1
    assert timetable.latest_until(due[-1], start) == due[-1]
    assert timetable.latest_until(due[-1] - 1, start) == (due[-2] if count > 1 else None)


@settings(max_examples=60, deadline=None)
@given(
    cron=crons,
    zone=st.sampled_from(ZONES),
    policy=policies,
    cuts=st.lists(moments, min_size=3, max_size=3).map(sorted),
)
def test_counts_add_up(cron: str, zone: str, policy: tuple[str | None, str | None], cuts: list[int]) -> None:
    timetable = CronTriggerTimetable(cron, zone, gap=policy[0], fold=policy[1])
    first, second, third = cuts
    whole = timetable.count_between(first, third)
    assert whole == timetable.count_between(first, second) + timetable.count_between(second, third)


@pytest.mark.parametrize("cron", ["* * * * * *", "* * * * *", "30 2 * * *"])
def test_a_century_is_counted_without_walking_it(cron: str) -> None:
    timetable = CronTriggerTimetable(cron, "Europe/Berlin")
    days = 36_524
    expected = {"* * * * * *": days * 86_400, "* * * * *": days * 1_440, "30 2 * * *": days}[cron]
    assert timetable.count_between(at("2026-01-01") - 1, at("2126-01-01") - 1) == expected


def test_the_ends_of_time_are_bounds_not_errors() -> None:
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Niue"):
        timetable = CronTriggerTimetable("0 0 * * *", zone)
        last = timetable.latest_until(at("9999-12-31T23:59:59"), 0)
        assert last is not None
        assert last <= HIGHEST * SECOND
        assert timetable.next_after(HIGHEST * SECOND) is None
        assert timetable.next_after(LOWEST * SECOND - 10**15) is not None
        assert timetable.latest_until(LOWEST * SECOND - 1, LOWEST * SECOND - DAY) is None
        assert timetable.count_between(HIGHEST * SECOND - 10 * DAY, HIGHEST * SECOND + 10 * DAY) == 10
    everything = CronTriggerTimetable("0 0 * * *").count_between(
        LOWEST * SECOND - DAY, HIGHEST * SECOND + DAY
    )
    assert everything == 3_652_059 - 8


# -- zones --------------------------------------------------------------------------------------------


def test_no_changes_are_nearer_to_each_other_than_a_zone_looks() -> None:
    """A zone is asked for its offset at steps; the database itself says that none is missed."""
    for name in ZONES:
        moments = [moment for moment, _ in _listed_changes(name)]
        assert all(later - earlier > STEP for earlier, later in pairwise(moments)), name


def test_a_zone_finds_every_change_that_its_file_lists(seed: int) -> None:
    for name in random.Random(seed).sample(ZONES, 30):
        zone = zone_for(name, where="")
        for moment, offset in _listed_changes(name):
            span = zone.span_at(moment)
            assert (span.start, span.offset) == (moment, offset), name


class PutBack(tzinfo):
    """One hour ahead until a moment, then none."""

    def __init__(self, moment: int) -> None:
        self.moment = from_micros(moment * SECOND).replace(tzinfo=None)

    def fromutc(self, utc: datetime) -> datetime:
        back = utc.replace(tzinfo=None) >= self.moment
        return (utc if back else utc + timedelta(hours=1)).replace(tzinfo=self, fold=back)

    def utcoffset(self, wall: datetime | None) -> timedelta:
        return timedelta(hours=0 if wall is not None and wall.fold else 1)


@pytest.mark.parametrize("before_the_border", [0, 1, 1800, 3599])
def test_a_fold_reaches_over_the_border_of_a_block(before_the_border: int) -> None:
    border = 50 << 25
    moment = border - before_the_border
    span = Zone("test", PutBack(moment)).span_at(border)
    assert (span.start, span.offset, span.peak) == (border, 0, moment + 3600)


def test_spans_lie_end_to_end() -> None:
    casablanca = zoneinfo.ZoneInfo("Africa/Casablanca")
    zone = zone_for(casablanca, where="")
    span = zone.span_at(at("2000-01-01") // SECOND)
    while span.end < at("2040-01-01") // SECOND:
        shown = from_micros((span.end - 1) * SECOND).astimezone(casablanca).utcoffset()
        assert shown == timedelta(seconds=span.offset)
        assert zone.span_at(span.end - 1) == span
        following = zone.span_at(span.end)
        assert (following.start, following.peak) == (span.end, span.end + span.offset)
        span = following


def test_the_zone_of_the_process_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert CronTriggerTimetable("0 6 * * *").next_after(at("2026-06-01")) == at("2026-06-01T06:00")
        berlin = CronTriggerTimetable("0 6 * * *", "Europe/Berlin")
        assert berlin.next_after(at("2026-06-01")) == at("2026-06-01T04:00")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_exchanged_database_is_read_by_new_timetables(tmp_path: Path) -> None:
    def first(zone: str = "Europe/Berlin") -> int | None:
        return CronTriggerTimetable("0 6 * * *", zone).next_after(at("2026-06-01"))

    old = CronTriggerTimetable("0 6 * * *", "Europe/Berlin")
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Berlin").write_bytes(_file_of("Asia/Tokyo"))
    zoneinfo.reset_tzpath([str(tmp_path)])
    try:
        assert first() == at("2026-06-01T04:00")
        forget_zones()
        assert first() == at("2026-06-01T21:00")
        assert old.next_after(at("2026-06-01")) == at("2026-06-01T04:00")
    finally:
        zoneinfo.reset_tzpath()
        forget_zones()
    assert first() == at("2026-06-01T04:00")


def _listed_changes(name: str) -> list[tuple[int, int]]:
    """(moment, offset from then on) of the changes of offset since 1900 in a TZif file (RFC 8536)."""
    data = _file_of(name)
    begin = 44
    for size in (4, 8):  # the block of version 1 is passed over
        isut, isstd, leap, times, types, chars = struct.unpack(">6l", data[begin - 24 : begin])
        if size == 4:
            begin += times * 5 + types * 6 + chars + leap * 8 + isstd + isut + 44
    moments = struct.unpack(f">{times}q", data[begin : begin + 8 * times])
    indexes = data[begin + 8 * times : begin + 9 * times]
    offsets = [struct.unpack(">l", data[(o := begin + 9 * times + 6 * i) : o + 4])[0] for i in range(types)]
    changes, before = [], offsets[0]
    for moment, index in zip(moments, indexes, strict=True):
        if offsets[index] != before and moment > at("1900-01-01") // SECOND:
            changes.append((moment, offsets[index]))
        before = offsets[index]
    return changes


def _file_of(name: str) -> bytes:
    path = next((path for root in zoneinfo.TZPATH if (path := Path(root) / name).is_file()), None)
    package, _, file = f"tzdata/zoneinfo/{name}".rpartition("/")
    return (
        path.read_bytes() if path else resources.files(package.replace("/", ".")).joinpath(file).read_bytes()
    )
