"""A DAG is edited, paused, let go, stopped and started in any order: each due tick has one fate, and none of
the past becomes a run because of it."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet import DAG, CronTriggerTimetable, EmptyOperator, Engine
from flowlet.clock import from_micros
from flowlet.scheduler.ticks import Schedule
from flowlet.testing import VirtualClock
from flowlet.timetables import DeltaTriggerTimetable

BEGIN = datetime(2026, 3, 27, 12, 7, tzinfo=UTC)  # Berlin's clocks go forward two nights later
SCHEDULES = (
    "@hourly", CronTriggerTimetable("30 2 * * *", timezone="Europe/Berlin"), "*/20 1-3 * * *",
    timedelta(hours=5), timedelta(minutes=45), None,
)  # fmt: skip

shapes = st.fixed_dictionaries(
    {
        "schedule": st.sampled_from(SCHEDULES),
        "start_date": st.sampled_from([None, BEGIN - timedelta(days=2), BEGIN - timedelta(hours=3), BEGIN + timedelta(days=1)]),
        "catchup": st.booleans(),
    }
)
minutes = st.integers(1, 20 * 60)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), minutes),
        st.tuples(st.sampled_from(["pause", "unpause"]), st.none()),
        st.tuples(st.just("edit"), shapes),
        st.tuples(st.just("restart"), minutes),
        st.tuples(st.just("restart edited"), st.tuples(minutes, shapes)),
    ),
    min_size=2,
    max_size=7,
)


def dag_of(shape: dict[str, Any]) -> DAG:
    with DAG("changing", max_active_runs=500, **shape) as dag:
        EmptyOperator(task_id="empty")
    return dag


class Period(NamedTuple):
    """While one schedule was in force without a break: its ticks after `begin`, up to `end`, are due."""

    schedule: Schedule
    begin: int
    end: int

    @property
    def count(self) -> int:
        return self.schedule.count_between(self.begin, self.end) if self.end > self.begin else 0


class Story:
    """An engine that is operated, and what has to come of it."""

    def __init__(self, folder: Path, shape: dict[str, Any]) -> None:
        self.path = folder / "flowlet.db"
        self.clock = VirtualClock(BEGIN)
        self.dag = dag_of(shape)
        self.paused = False
        self.periods: list[Period] = []
        self.breaks: list[int] = []
        """Unpauses and edits: no run is made for what was due before."""
        self._schedule = Schedule.of(self.dag.spec)
        self._begin = _first(self._schedule, self.clock.now())
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        engine = Engine(self.path, dags=[self.dag], durability="process", control=False, clock=self.clock)
        self.engine = await self._stack.enter_async_context(engine)

    async def close(self) -> None:
        await self._stack.aclose()

    async def do(self, what: str, how: Any) -> None:
        if what == "wait":
            await self.clock.run_until(from_micros(self.clock.now()) + timedelta(minutes=how))
        elif what == "pause":
            self.paused = True
            await self.engine.pause("changing")
        elif what == "unpause":
            await self._unpause()
        elif what == "edit":
            self._edited(dag_of(how))
            await self.engine.add(self.dag)
        elif what == "restart":
            await self._restart(how)
        else:
            await self._restart(how[0], dag_of(how[1]))

    async def _unpause(self) -> None:
        if self.paused:
            self._break()
        self.paused = False
        await self.engine.unpause("changing")

    async def _restart(self, minutes: int, edited: DAG | None = None) -> None:
        await self.close()
        self.clock.advance(timedelta(minutes=minutes))
        if edited is not None:
            self._edited(edited)
        await self.open()

    def _edited(self, dag: DAG) -> None:
        self.dag = dag
        schedule = Schedule.of(dag.spec)
        if schedule != self._schedule:
            self._break()
            self._schedule = schedule

    def _break(self) -> None:
        now = self.clock.now()
        self.periods.append(Period(self._schedule, self._begin, now))
        self.breaks.append(now)
        self._begin = max(now, self._begin)

    async def end(self) -> None:
        """Whatever waits for an unpause is accounted for by it."""
        await self._unpause()
        await self.do("wait", 90)
        self._break()
        await self.close()

    def rows(self, sql: str) -> list[Any]:
        with sqlite3.connect(self.path) as db:
            found = db.execute(sql).fetchall()
        db.close()
        return found


def _first(schedule: Schedule, now: int) -> int:
    """From where on the ticks of a DAG count that is seen for the first time."""
    if schedule.start is not None:
        return min(schedule.start - 1, now)
    timetable = schedule.timetable
    return now - timetable.delta if isinstance(timetable, DeltaTriggerTimetable) else now - 1


async def live(story: Story, operations: list[Any], *, to_the_end: bool = True) -> None:
    await story.open()
    for what, how in operations:
        await story.do(what, how)
    await (story.end() if to_the_end else story.close())


@settings(max_examples=15, deadline=None)
@given(shapes, operations)
def test_every_due_tick_has_one_fate_whatever_is_done_to_the_dag(shape: dict[str, Any], operations: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder), shape)
        asyncio.run(live(story, operations))
        spans = story.rows("SELECT due_at, until, count, outcome, run_id FROM ticks ORDER BY due_at, until")
        runs = story.rows("SELECT due_at, queued_at, run_id FROM run WHERE due_at IS NOT NULL")
        assert sum(span[2] for span in spans) == sum(period.count for period in story.periods)
        for before, after in pairwise(spans):
            assert before[1] < after[0], "two fates for one tick"
        for due, made, run_id in runs:
            late = [moment for moment in story.breaks if due <= moment < made]
            assert late == [], f"{run_id} is of the past"
        assert story.rows("SELECT count(*) FROM runs WHERE state <> 'success'") == [(0,)]


# -- the same in words ---------------------------------------------------------------------------------


def tell(*operations: tuple[str, Any], **shape: Any) -> list[tuple[str, int, str, str | None]]:
    """What became of the ticks of a DAG that is first seen at 12:07: (due_at, count, outcome, reason)."""
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder), shape)
        asyncio.run(live(story, list(operations), to_the_end=False))
        found = story.rows("SELECT due_at, count, outcome, reason FROM ticks ORDER BY due_at")
    return [(due[11:16], count, outcome, reason) for due, count, outcome, reason in found]


def edit(schedule: Any, start_date: datetime | None = None, catchup: bool = False) -> tuple[str, Any]:
    return "edit", {"schedule": schedule, "start_date": start_date, "catchup": catchup}


def test_an_edit_under_way_makes_no_run_for_the_past() -> None:
    told = tell(("wait", 60), edit(timedelta(minutes=20)), ("wait", 25), schedule="@hourly")
    assert told == [("13:00", 1, "ran", None), ("13:27", 1, "ran", None)]


def test_catchup_switched_on_under_way_makes_none_either() -> None:
    told = tell(("wait", 60), edit("*/20 * * * *", BEGIN - timedelta(days=2), True), ("wait", 15), schedule="@hourly")
    assert told == [("13:00", 1, "ran", None), ("13:20", 1, "ran", None)]


def test_a_pause_and_an_edit_in_it_are_both_recorded() -> None:
    told = tell(
        ("pause", None), ("wait", 120), edit("*/30 * * * *"), ("wait", 60), ("unpause", None), ("wait", 25), schedule="@hourly"
    )
    assert told == [
        ("13:00", 2, "skipped", "the schedule changed"),
        ("14:30", 2, "skipped", "paused"),
        ("15:30", 1, "ran", None),
    ]


def test_a_dag_that_becomes_once_under_way_runs_now() -> None:
    assert tell(("wait", 60), edit("@once"), ("wait", 60), schedule="@hourly") == [
        ("13:00", 1, "ran", None),
        ("13:07", 1, "ran", None),
    ]
    assert tell(("pause", None), ("wait", 60), edit("@once"), ("wait", 60), schedule=None) == []
