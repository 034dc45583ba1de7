"""Our timetables beside Airflow's own answers (`airflow_oracle.py` made them, with Airflow 3.3.2)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowlet import timetables
from flowlet.clock import DAY, from_micros, to_micros
from flowlet.scheduler.ticks import Schedule, plan_ticks
from flowlet.timetables.info import ASKED_AT, DagRunInfo, DataInterval, TimeRestriction

_HERE = Path(__file__).parent


def _oracle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("airflow_oracle", _HERE / "airflow_oracle.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


oracle = _oracle()
CASES: list[dict[str, Any]] = json.loads((_HERE / "airflow_answers.json").read_text())

#: On the day of a change of the clocks Airflow puts a time that does not exist an hour later and one that
#: occurs twice at its second occurrence, and loses its way where the clocks move by half an hour. flowlet
#: has a policy: at once after the gap, and at the first occurrence.
OTHER_POLICY = {
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T22:50"),
    ("30 2 * * *", "Europe/Berlin", "2026-10-24T21:50"),
    ("0 1,2,3 * * *", "Europe/Berlin", "2026-10-24T21:50"),
    ("30 2 * * *", "America/New_York", "2026-03-08T04:10"),
    ("0 1,2,3 * * *", "America/New_York", "2026-11-01T03:10"),
    ("0 * * * *", "Australia/Lord_Howe", "2026-04-04T12:00"),
    ("0 * * * *", "Australia/Lord_Howe", "2026-10-03T13:00"),
}


def _name(case: dict[str, Any]) -> str:
    said = case.get("crons") or case.get("delta") or "events"
    return f"{case['kind']} {said} {case.get('zone', '')} {case.get('start')} {case.get('end', '')} {case['catchup']}"


def _is_other(case: dict[str, Any]) -> bool:
    return case["catchup"] and (case.get("crons", [""])[0], case.get("zone"), case.get("start")) in OTHER_POLICY


AGREED = [case for case in CASES if not _is_other(case)]


def dates(case: dict[str, Any]) -> tuple[int | None, int | None, int]:
    start, end = oracle.moment(case.get("start")), oracle.moment(case.get("end"))
    now = oracle.moment(case.get("now", "2026-06-10T07:45"))
    return (None if start is None else to_micros(start), None if end is None else to_micros(end), to_micros(now))


def answers(case: dict[str, Any]) -> list[str | None]:
    """What our timetable says when it is asked as Airflow asks."""
    timetable = oracle.build(case, timetables)
    restriction = TimeRestriction(oracle.moment(case.get("start")), oracle.moment(case.get("end")), case["catchup"])
    last, found = None, []
    token = ASKED_AT.set(dates(case)[2])
    for _ in case["answers"]:
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        found.append(None if info is None else oracle.answer(info))
        last = None if info is None else info.data_interval
    ASKED_AT.reset(token)
    return found


def test_there_are_enough_cases() -> None:
    assert len(CASES) > 200
    assert len(CASES) - len(AGREED) == 14


@pytest.mark.parametrize("case", AGREED, ids=_name)
def test_asked_as_airflow_asks_the_answers_are_airflows(case: dict[str, Any]) -> None:
    assert answers(case) == case["answers"]


def test_where_the_policy_differs_it_differs_on_the_day_of_the_change_alone() -> None:
    for case in CASES:
        if not _is_other(case):
            continue
        ours, theirs = answers(case), case["answers"]
        assert ours != theirs
        after = oracle.short(from_micros(to_micros(oracle.moment(case["start"])) + 2 * DAY))
        assert later_than(after, ours) == later_than(after, theirs)


def later_than(day: str, runs: list[Any]) -> list[str]:
    """Those that run, and whose interval begins, later."""
    return [run for run in runs if run != "error" and min(run[:16], run[22:38] or run) > day]


@pytest.mark.parametrize("case", [case for case in AGREED if case["catchup"]], ids=_name)
def test_with_catchup_the_scheduler_makes_the_runs_that_airflow_makes(case: dict[str, Any]) -> None:
    start, end, _ = dates(case)
    schedule = Schedule(oracle.build(case, timetables), start, end, catchup=True, cap=10**9)
    last = case["answers"][-1] or case["answers"][-2]
    until = to_micros(oracle.moment(last[:16]))
    plan = plan_ticks(schedule, None, until, room=100)
    assert [said(due, interval) for due, interval in plan.ticks_to_run] == [one for one in case["answers"] if one]
    assert not plan.spans
    if case["answers"][-1] is None:
        assert plan.next_due is None


@pytest.mark.parametrize("case", [case for case in AGREED if not case["catchup"]], ids=_name)
def test_without_catchup_the_first_run_is_the_one_that_airflow_makes_first(case: dict[str, Any]) -> None:
    start, end, now = dates(case)
    schedule = Schedule(oracle.build(case, timetables), start, end, catchup=False)
    plan = plan_ticks(schedule, None, now, room=100)
    due = plan.ticks_to_run[0][0] if plan.ticks_to_run else plan.next_due
    assert due is not None
    assert said(due, schedule.interval_of(due)) == case["answers"][0]


def said(due: int, interval: timetables.Interval) -> str:
    between = DataInterval(from_micros(interval.start), from_micros(interval.end))
    assert interval.logical_date == interval.start
    return str(oracle.answer(DagRunInfo(from_micros(due), between)))
