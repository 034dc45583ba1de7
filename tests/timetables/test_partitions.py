"""Partitions: schedules that name one for each run, and the mappers from what was written to what is to be run.

The expected keys are what Airflow 3.3.2's own classes give (airflow/partition_mappers, timetables/trigger.py).
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from typing import Any

import pytest

from flowlet import DAG, Engine, task
from flowlet.authoring.assets import Asset
from flowlet.clock import VirtualClock, to_micros
from flowlet.errors import TimetableError
from flowlet.timetables import partition_mappers as mappers
from flowlet.timetables import partition_windows as windows
from flowlet.timetables import timetable_for, timetable_from_spec
from flowlet.timetables.partitions import (
    CronPartitionTimetable,
    PartitionedAssetTimetable,
    PartitionedAtRuntime,
)

ORDERS, RETURNS = Asset("orders"), Asset("returns")


def at(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


# -- schedules -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "zone", "offset", "due", "key", "moment"),
    [
        ("0 * * * *", "UTC", None, "2026-01-05T00:00", "2026-01-05T00:00:00", "2026-01-05T00:00"),
        ("0 * * * *", "UTC", 1, "2026-01-05T00:00", "2026-01-05T01:00:00", "2026-01-05T01:00"),
        ("0 0 * * *", "Asia/Taipei", None, "2026-01-05T16:00", "2026-01-06T00:00:00", "2026-01-05T16:00"),
        ("30 1 * * *", "America/New_York", -2, "2026-03-08T06:30", "2026-03-06T01:30:00", "2026-03-06T06:30"),
    ],
)
def test_a_tick_names_its_partition(cron: str, zone: str, offset: int | None, due: str, key: str, moment: str) -> None:
    timetable = CronPartitionTimetable(cron, timezone=zone, run_offset=offset)
    assert timetable.next_after(at(due) - 1) == at(due)
    assert timetable.partition_of(at(due)) == (key, datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert timetable_from_spec(timetable.to_spec()) == timetable


def test_the_form_of_the_key_is_told() -> None:
    timetable = CronPartitionTimetable("0 0 * * *", timezone="UTC", key_format="%Y/%m/%d")
    assert timetable.partition_of(at("2026-01-05T00:00"))[0] == "2026/01/05"  # there is one
    assert timetable_from_spec(timetable.to_spec()) == timetable != CronPartitionTimetable("0 0 * * *", timezone="UTC")
    with pytest.raises(TimetableError, match="run_offset='x' must be a whole number"):
        CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset="x")


def test_flowlet_next_names_the_partitions() -> None:
    from flowlet.cli.next import upcoming

    dag = DAG("daily", schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", key_format="%Y-%m-%d"))
    days = upcoming(dag.spec, at("2026-01-05T12:00"), 2)
    assert [(day["due_at"][:13], day["partition_key"]) for day in days] == [("2026-01-06T00", "2026-01-06"), ("2026-01-07T00", "2026-01-07")]
    assert "partition_key" not in upcoming(DAG("plain", schedule="@daily").spec, at("2026-01-05T12:00"), 1)[0]


@pytest.mark.anyio
async def test_a_scheduled_run_knows_its_partition_and_its_events_too() -> None:
    with DAG("daily", schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1), start_date=datetime(2026, 1, 5, tzinfo=UTC)) as dag:

        @task(outlets=[ORDERS])
        def load(partition_key: Any, partition_date: Any, dag_run: Any) -> Any:
            assert (dag_run.partition_key, dag_run.partition_date) == (partition_key, partition_date)
            return [partition_key, str(partition_date)]

        load()
    async with Engine(dags=[dag], clock=VirtualClock(datetime(2026, 1, 5, 0, 0, 1, tzinfo=UTC))) as engine:
        run = await (await engine.run("daily", "scheduled__2026-01-05T00:00:00+00:00")).wait()
        told = run.as_dict()
    assert told["xcoms"]["load:return_value"] == ["2026-01-04T00:00:00", "2026-01-04 00:00:00+00:00"]
    assert [event["partition_key"] for event in told["asset_events"]] == ["2026-01-04T00:00:00"]
    by_hand = dag.test().as_dict()
    assert by_hand["xcoms"]["load:return_value"] == [None, "None"]
    assert "partition_key" not in by_hand["asset_events"][0]


def test_a_task_says_at_runtime_which_partitions_it_wrote() -> None:
    with DAG("regions", schedule=PartitionedAtRuntime()) as dag:

        @task(outlets=[ORDERS])
        def load(outlet_events: Any) -> None:
            outlet_events[ORDERS].add_partitions(["us", "eu", "us"])
            outlet_events[ORDERS].add_partitions("eu")
            for wrong in ("", " ", "x" * 251):
                with pytest.raises(ValueError, match="the key of a partition"):
                    outlet_events[ORDERS].add_partitions(wrong)

        load()
    run = dag.test().as_dict()
    assert (run["state"], [event["partition_key"] for event in run["asset_events"]]) == ("success", ["us", "eu"])
    timetable = timetable_for(PartitionedAtRuntime(), where="here")
    assert (timetable.next_after(0), timetable.can_be_scheduled) == (None, False)
    assert timetable_from_spec(timetable.to_spec()) == timetable


def test_a_schedule_by_partitions_of_assets_keeps_its_mappers_in_the_spec() -> None:
    schedule = PartitionedAssetTimetable(
        assets=ORDERS & RETURNS,
        partition_mapper_config={RETURNS: mappers.StartOfDayMapper()},
        default_partition_mapper=mappers.RollupMapper(upstream_mapper=mappers.StartOfDayMapper(), window=windows.DayWindow()),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dag = DAG("reading", schedule=schedule)
    again = timetable_from_spec(dag.timetable.to_spec())  # it has one
    assert (again, again.next_after(0)) == (schedule, None)
    for other in ({}, {"default_partition_mapper": schedule.default_partition_mapper}, {"partition_mapper_config": schedule.partition_mapper_config}):
        assert again != PartitionedAssetTimetable(assets=ORDERS & RETURNS, **other)  # of either kind


# -- mappers and windows ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mapper", "key", "expected"),
    [
        (mappers.StartOfHourMapper(), "2024-03-13T10:42:15", "2024-03-13T10"),
        (mappers.StartOfHourMapper(timezone="America/New_York"), "2024-03-10T02:30:00", "2024-03-10T03"),
        (mappers.StartOfDayMapper(), "2024-03-13T10:42:15", "2024-03-13"),
        (mappers.StartOfWeekMapper(), "2024-03-13T10:42:15", "2024-03-11 (W11)"),
        (mappers.StartOfMonthMapper(input_format="%Y-%m-%d"), "2024-03-13", "2024-03"),
        (mappers.StartOfQuarterMapper(), "2024-12-30T23:59:59", "2024-Q4"),
        (mappers.StartOfYearMapper(output_format="y%Y"), "2024-03-13T10:42:15", "y2024"),
        (mappers.StartOfDayMapper(timezone="America/New_York", input_format="%Y-%m-%dT%H:%M:%S%z"), "2024-01-01T02:00:00+0000", "2023-12-31"),
        (mappers.IdentityMapper(), "us", "us"),
        (mappers.FixedKeyMapper("all"), "us", "all"),
        (mappers.AllowedKeyMapper(["us", "eu"]), "eu", "eu"),
        (mappers.ProductMapper(mappers.IdentityMapper(), mappers.StartOfDayMapper()), "us|2026-06-14T03:00:00", "us|2026-06-14"),
        (mappers.ChainMapper(mappers.StartOfHourMapper(), mappers.StartOfMonthMapper(input_format="%Y-%m-%dT%H")), "2024-03-13T10:42:15", "2024-03"),
        (mappers.FanOutMapper(upstream_mapper=mappers.StartOfQuarterMapper(), window=windows.QuarterWindow()), "2024-03-13T10:42:15", ["2024-01", "2024-02", "2024-03"]),
        (
            mappers.FanOutMapper(upstream_mapper=mappers.StartOfWeekMapper(), window=windows.WeekWindow(direction="backward")),
            "2024-03-13T10:42:15",
            ["2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08", "2024-03-09", "2024-03-10", "2024-03-11"],
        ),
    ],
)  # fmt: skip
def test_a_key_becomes_that_of_the_run(mapper: Any, key: str, expected: Any) -> None:
    assert mapper.to_downstream(key) == expected


def test_a_month_has_its_days_and_a_period_its_parts() -> None:
    march = datetime(2024, 3, 1, tzinfo=UTC)
    assert len(list(windows.MonthWindow().to_upstream(march))) == 31
    backward = list(windows.MonthWindow(direction=windows.Window.Direction.BACKWARD).to_upstream(march))
    assert (len(backward), backward[0].day, backward[-1]) == (29, 2, march)
    counts = [(windows.HourWindow, 60), (windows.DayWindow, 24), (windows.WeekWindow, 7), (windows.YearWindow, 12)]
    assert [len(list(window().to_upstream(march))) for window, _ in counts] == [count for _, count in counts]
    assert windows.SegmentWindow(["us", "eu"]).to_upstream("all") == {"us", "eu"}
    with pytest.raises(TimetableError, match="the first day of a month"):
        list(windows.YearWindow().to_upstream(march.replace(day=2)))


@pytest.mark.parametrize(("policy", "missing", "may"), [(windows.WaitForAll(), 1, False), (windows.MinimumCount(3), 4, True), (windows.MinimumCount(-2), 3, False), (windows.MinimumCount(-2), 2, True)])
def test_a_run_waits_for_so_many_keys(policy: windows.WaitPolicy, missing: int, may: bool) -> None:
    assert policy.is_satisfied(7 - missing, 7) is may
    assert policy.is_satisfied(7, 7)
    assert policy.is_unreachable(2) is (policy == windows.MinimumCount(3))


@pytest.mark.parametrize(
    "make",
    [
        lambda: windows.MinimumCount(0),
        lambda: windows.SegmentWindow([]),
        lambda: windows.SegmentWindow(["us", ""]),
        lambda: mappers.FixedKeyMapper(""),
        lambda: mappers.IdentityMapper(max_downstream_keys=0),
        lambda: mappers.StartOfDayMapper(timezone="Mars/Olympus"),
        lambda: mappers.RollupMapper(upstream_mapper=mappers.IdentityMapper(), window=windows.DayWindow()),
        lambda: mappers.FanOutMapper(upstream_mapper=mappers.StartOfHourMapper(), window=windows.HourWindow()),
        lambda: mappers.AllowedKeyMapper(["us"]).to_downstream("eu"),
        lambda: mappers.StartOfDayMapper().to_downstream("yesterday"),
        lambda: mappers.ProductMapper(mappers.IdentityMapper(), mappers.IdentityMapper()).to_downstream("a"),
    ],
)
def test_what_cannot_be_is_refused(make: Any) -> None:
    with pytest.raises(TimetableError):
        make()
