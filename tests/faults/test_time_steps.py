"""Somebody sets the clock, or the machine sleeps: schedules follow, nothing is lost, and no time has passed."""

from __future__ import annotations

import asyncio
import random
import threading
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from flowlet import DAG, BaseSensorOperator, CronTriggerTimetable, EmptyOperator, PythonOperator
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
YEAR = 365 * DAY
STEPS = {
    "an hour back": -HOUR, "a year back": -YEAR, "an hour ahead": HOUR, "a night of sleep": 8 * HOUR,
    "a year ahead": YEAR, "a century ahead": 36525 * DAY,
}  # fmt: skip
steps = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NEW_YEAR)


def wall(clock: VirtualClock) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=clock.now())


async def live(clock: VirtualClock, span: timedelta) -> None:
    """Let so much time pass."""
    await clock.run_until(wall(clock) + span)


def hourly(**arguments: Any) -> DAG:
    with DAG("hourly", schedule="@hourly", **arguments) as dag:
        EmptyOperator(task_id="empty")
    return dag


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.to_thread(threading.Event().wait, 0.002)


def accounted(book: Any) -> int:
    return sum(count for (count,) in book.rows("SELECT count FROM ticks"))


def dates(book: Any) -> list[str]:
    return [date for (date,) in book.rows("SELECT logical_date FROM runs ORDER BY logical_date")]


# -- schedules ----------------------------------------------------------------------------------------


@steps
async def test_a_step_while_nothing_runs_is_told_and_every_tick_is_accounted_for(
    engine_of: Any, book: Any, clock: VirtualClock, step: timedelta
) -> None:
    async with engine_of(hourly(), schedules=True, clock=clock):
        await live(clock, 2 * HOUR + 30 * MINUTE)  # the ticks at 0, 1 and 2 o'clock
        clock.step(step)
        await live(clock, 2 * HOUR)
    jumps = [text for kind, _, text in book.events() if kind == "clock_jump"]
    assert len(jumps) == 1
    assert jumps[0].startswith(f"the wall clock moved by {step.total_seconds():+.1f} s")
    made = dates(book)
    assert len(made) == len(set(made))
    if step > timedelta(0):
        hours = (wall(clock) - NEW_YEAR) // HOUR + 1
        assert accounted(book) == hours
        assert len(made) <= 6  # three, one that makes up for all that was missed, and two
    elif step == -HOUR:
        assert made == [f"2026-01-01T0{hour}:00:00.000000Z" for hour in range(4)]
    else:
        assert made[:2] == ["2025-01-01T03:00:00.000000Z", "2025-01-01T04:00:00.000000Z"]


@pytest.mark.parametrize("step", [YEAR, 36525 * DAY], ids=["a year", "a century"])
async def test_catchup_after_a_leap_makes_no_more_runs_than_the_cap_and_takes_no_memory(
    engine_of: Any, book: Any, clock: VirtualClock, step: timedelta
) -> None:
    dag = hourly(start_date=NEW_YEAR, catchup=True)
    async with engine_of(dag, schedules=True, clock=clock):
        await live(clock, 30 * MINUTE)
        tracemalloc.start()
        clock.step(step)
        await live(clock, 10 * MINUTE)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert len(dates(book)) == 1 + 1000
    ticks = (wall(clock) - NEW_YEAR) // HOUR + 1
    assert accounted(book) == ticks
    ((outcome, count, reason),) = book.rows("SELECT outcome, count, reason FROM ticks WHERE count > 1")
    assert (outcome, count, reason) == ("skipped", ticks - 1001, "beyond the catch-up cap of 1,000 runs")
    assert peak < 20_000_000


async def test_a_clock_that_was_a_year_ahead_and_is_put_right_runs_nothing_twice(
    engine_of: Any, book: Any, clock: VirtualClock
) -> None:
    async with engine_of(hourly(), schedules=True, clock=clock):
        await live(clock, HOUR + 30 * MINUTE)
        clock.step(YEAR)
        await live(clock, HOUR)
        clock.step(-YEAR)
        await live(clock, 2 * HOUR)
    made = dates(book)
    assert len(made) == len(set(made))
    assert [date for date in made if date < "2027"] == [f"2026-01-01T0{hour}:00:00.000000Z" for hour in (0, 1, 3, 4)]
    assert book.rows("SELECT due_at FROM ticks WHERE outcome = 'skipped'") == []


async def test_a_tick_whose_date_a_finished_run_has_is_recorded_as_skipped(
    engine_of: Any, book: Any, clock: VirtualClock
) -> None:
    hour_before = CronTriggerTimetable("@hourly", interval=HOUR)
    with DAG("of_the_past", schedule=hour_before) as dag:
        EmptyOperator(task_id="empty")
    async with engine_of(dag, schedules=True, clock=clock) as engine:
        await live(clock, 30 * MINUTE)
        await (await engine.trigger("of_the_past", logical_date=NEW_YEAR)).wait()
        await live(clock, 2 * HOUR)
    assert accounted(book) == 3
    assert book.rows("SELECT due_at, outcome, reason FROM ticks WHERE outcome = 'skipped'") == [
        ("2026-01-01T01:00:00.000000Z", "skipped", "its run_id or logical date is taken by another run")
    ]


# -- what is under way --------------------------------------------------------------------------------


@steps
async def test_a_step_while_a_body_runs_disturbs_it_not_and_no_duration_is_negative(
    engine_of: Any, book: Any, clock: VirtualClock, step: timedelta
) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def body() -> int:
        begun.set()
        await gate.wait()
        return 1

    with DAG("long", dagrun_timeout=DAY) as dag:
        PythonOperator(task_id="body", python_callable=body, execution_timeout=HOUR)
        EmptyOperator(task_id="later").set_upstream(dag.get_task("body"))
    async with engine_of(dag, clock=clock) as engine:
        run = await engine.trigger("long")
        await begun.wait()
        clock.step(step)
        await until(lambda: "clock_jump" in book.kinds())
        gate.set()
        await run.wait()
    assert run.state == "success"
    assert book.attempts() == [("body", 1, "succeeded", None)]
    assert book.rows("SELECT * FROM attempts WHERE ended_at < started_at") == []
    assert book.rows("SELECT * FROM tasks WHERE ended_at < started_at OR started_at < queued_at") == []
    assert book.rows("SELECT * FROM runs WHERE ended_at < started_at OR started_at < queued_at") == []


def failing_once(**arguments: Any) -> DAG:
    def body(ti: Any) -> None:
        if ti.try_number == 1:
            raise ValueError("the first time")

    with DAG("retrying") as dag:
        PythonOperator(task_id="body", python_callable=body, retries=1, retry_delay=5 * MINUTE, **arguments)
    return dag


@steps
@pytest.mark.parametrize("restarted", [False, True], ids=["", "restarted"])
async def test_a_retry_is_due_after_its_delay_whatever_the_clock_says(
    engine_of: Any, book: Any, clock: VirtualClock, step: timedelta, restarted: bool
) -> None:
    async with engine_of(failing_once(), clock=clock) as engine:
        run = await engine.trigger("retrying")
        await live(clock, MINUTE)
        assert run.task_states == {"body": "up_for_retry"}
        if not restarted:
            clock.step(step)
            await live(clock, 6 * MINUTE)
    if restarted:
        clock.step(step)
        async with engine_of(failing_once(), clock=clock):
            await live(clock, 6 * MINUTE)
    assert [row[:3] for row in book.attempts()] == [("body", 1, "failed"), ("body", 2, "succeeded")]


class Watched(BaseSensorOperator):
    """Sees nothing, and notes when it looked."""

    looked: ClassVar[list[int]]

    def poke(self, context: Any) -> bool:
        self.looked.append(context["ti"].try_number)
        return False


@steps
@pytest.mark.parametrize("mode", ["poke", "reschedule"])
async def test_a_sensor_goes_on_looking_and_its_timeout_is_that_of_time_that_passed(
    engine_of: Any, book: Any, clock: VirtualClock, step: timedelta, mode: str
) -> None:
    looked = Watched.looked = []
    with DAG("waiting") as dag:
        Watched(task_id="body", mode=mode, poke_interval=600, timeout=3600)
    async with engine_of(dag, clock=clock) as engine:
        run = await engine.trigger("waiting")
        await live(clock, 25 * MINUTE)
        assert len(looked) == 3
        clock.step(step)
        await live(clock, 30 * MINUTE)
        assert len(looked) in (6, 7)  # an early one when the clock went ahead
        assert run.state == "running"
        await live(clock, 6 * MINUTE)
        assert run.state == "failed"
    ((_, try_number, outcome, _),) = book.attempts()
    assert (try_number, outcome) == (1, "timed_out")


@steps
async def test_dagrun_timeout_is_that_of_time_that_passed(
    engine_of: Any, book: Any, clock: VirtualClock, step: timedelta
) -> None:
    gate = asyncio.Event()
    with DAG("limited", dagrun_timeout=HOUR) as dag:
        PythonOperator(task_id="body", python_callable=gate.wait)
    async with engine_of(dag, clock=clock) as engine:
        run = await engine.trigger("limited")
        clock.advance(30 * MINUTE)
        clock.step(step)
        clock.advance(29 * MINUTE)
        await until(lambda: "clock_jump" in book.kinds())
        assert run.state == "running"
        clock.advance(2 * MINUTE)
        await run.wait()
    assert (run.state, run.reason) == ("failed", "dagrun_timeout")


async def test_a_run_that_is_asked_for_after_the_clock_was_put_back_is_of_now(
    engine_of: Any, book: Any, clock: VirtualClock
) -> None:
    async with engine_of(hourly(), schedules=True, clock=clock) as engine:
        clock.step(YEAR)
        await live(clock, HOUR)
        clock.step(-YEAR)
        runs = [await (await engine.trigger("hourly")).wait() for _ in range(3)]
        assert [run.state for run in runs] == ["success"] * 3
        assert {run.logical_date - wall(clock) for run in runs} == {timedelta(microseconds=n) for n in range(3)}


async def test_a_clock_that_leaps_ahead_deletes_no_history_for_hours(
    engine_of: Any, book: Any, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWLET__STORE__KEEP_RUNS", "1")
    async with engine_of(hourly(), clock=clock) as engine:
        for _ in range(3):
            await (await engine.trigger("hourly")).wait()
        clock.step(YEAR)
        await live(clock, 5 * HOUR)
        assert len(dates(book)) == 3
        await live(clock, 2 * HOUR)
    assert len(dates(book)) == 1


class Trembling(VirtualClock):
    """A wall clock that goes back by up to a second and a half between any two looks."""

    def __init__(self, start: datetime, seed: int) -> None:
        super().__init__(start)
        self._random = random.Random(seed)

    def now(self) -> int:
        return super().now() - self._random.choice([0, 0, 1, 1000, 1_500_000])


@pytest.mark.parametrize("seed", range(3))
async def test_a_clock_that_trembles_makes_no_negative_duration_and_loses_no_tick(
    engine_of: Any, book: Any, seed: int
) -> None:
    clock = Trembling(NEW_YEAR, seed)
    dag = failing_once()
    with DAG("often", schedule=timedelta(minutes=10), start_date=NEW_YEAR, catchup=True) as often:
        PythonOperator(task_id="body", python_callable=lambda: 1)
    async with engine_of(dag, often, schedules=True, clock=clock) as engine:
        run = await engine.trigger("retrying")
        await clock.run_until(NEW_YEAR + 3 * HOUR)
    assert run.state == "success"
    assert accounted(book) in (18, 19)
    assert book.rows("SELECT * FROM attempts WHERE ended_at < started_at") == []
    assert book.rows("SELECT * FROM runs WHERE ended_at < started_at OR started_at < queued_at") == []
    assert "clock_jump" not in book.kinds()
