"""The engine keeps its file small by itself: old runs go, the log is cut when all is quiet, growth is told."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, Engine, task
from flowlet.scheduler import upkeep
from flowlet.testing import VirtualClock

# ruff: noqa: ASYNC240  the loop of a test serves nobody else

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, microsecond=1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hourly(dag_id: str = "hourly", *, schedule: str | None = "0 * * * *", says: str = "x" * 200) -> DAG:
    with DAG(dag_id, schedule=schedule, start_date=NEW_YEAR, catchup=True) as dag:

        @task
        async def body() -> str:
            logging.getLogger("hourly").warning(says)
            return says

        body()
    return dag


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def count(path: Path, table: str) -> int:
    found: int = rows(path, f"SELECT count(*) FROM {table}")[0][0]
    return found


async def live(path: Path, dags: list[DAG], until: timedelta, **how: Any) -> None:
    clock = VirtualClock(NEW_YEAR)
    async with Engine(path, dags=dags, clock=clock, durability="process", control=False, **how):
        await clock.run_until(NEW_YEAR + until)


async def test_a_file_that_is_used_for_long_stays_bounded(path: Path) -> None:
    """16 days of hourly runs, of which 1 day and 5 runs are kept: neither rows nor bytes grow any more."""
    clock, sizes = VirtualClock(NEW_YEAR), []
    dags = [hourly("one"), hourly("two", schedule="30 */2 * * *")]
    async with Engine(
        path, dags=dags, clock=clock, durability="process", control=False, keep_days=1, keep_runs=5
    ):  # fmt: skip
        for day in range(2, 18, 2):
            await clock.run_until(NEW_YEAR + day * DAY)
            tables = ("run", "task_instance", "xcom", "tick", "event")
            sizes.append((path.stat().st_size, *(count(path, table) for table in tables)))
    assert sizes[-1][0] <= sizes[0][0] * 1.3
    assert max(size[1] for size in sizes) <= (24 + 12) + 9  # a day, and what six hours add before the next round
    assert [size[2:4] for size in sizes] == [(size[1], size[1]) for size in sizes]
    assert max(size[4] for size in sizes) <= 4
    logs = {folder.name for folder in Path(f"{path}.logs", "one").iterdir()}
    assert logs == {run for (run,) in rows(path, "SELECT run_id FROM runs WHERE dag_id = 'one'")}
    assert rows(path, "SELECT dag_id, outcome, sum(count) FROM ticks GROUP BY 1, 2") == [
        ("one", "ran", 16 * 24), ("two", "ran", 16 * 12),
    ]  # fmt: skip


async def test_the_newest_runs_stay_however_old_they_are(path: Path) -> None:
    await live(path, [hourly()], 30 * HOUR, keep_days=0, keep_runs=7)
    clock = VirtualClock(NEW_YEAR + 400 * DAY)
    async with Engine(path, clock=clock, durability="process", schedules=False, control=False, keep_days=90, keep_runs=3):
        for day in (401, 402):
            await clock.run_until(NEW_YEAR + day * DAY)
    assert rows(path, "SELECT run_id FROM runs ORDER BY logical_date")[-3:] == [
        (f"scheduled__2026-01-02T0{hour}:00:00+00:00",) for hour in (4, 5, 6)
    ]
    assert count(path, "runs") == 3


async def test_what_is_kept_can_be_set_in_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET__STORE__KEEP_DAYS", "1")
    monkeypatch.setenv("FLOWLET__STORE__KEEP_RUNS", "5")
    await live(path, [hourly()], 4 * DAY)
    assert count(path, "runs") <= 24 + 6
    kinds = rows(path, "SELECT text FROM events WHERE kind = 'pruned' ORDER BY at")
    assert kinds[-1][0].endswith("were deleted with all that is theirs; the newest 5 of each DAG stay")


async def test_who_asks_for_it_gets_what_the_engine_would_do_in_time(path: Path) -> None:
    await live(path, [hourly()], DAY)
    clock = VirtualClock(NEW_YEAR + 5 * DAY)
    async with Engine(path, clock=clock, durability="process", schedules=False, control=False, keep_days=1, keep_runs=7) as engine:
        assert await engine.prune(keep_days=90) == 0
        assert await engine.prune(keep_runs=20) == 4
        assert await engine.prune() == 13
        assert {folder.name for folder in Path(f"{path}.logs", "hourly").iterdir()} == {run for (run,) in rows(path, "SELECT run_id FROM runs")}


async def test_by_default_90_days_and_100_runs_stay() -> None:
    assert upkeep.Keep.by_settings()[:2] == (90, 100)


@contextmanager
def writes(path: Path) -> Iterator[list[Any]]:
    """Whatever of the database and its neighbours changes meanwhile."""
    names = [path, Path(f"{path}-wal"), Path(f"{path}.seq"), Path(f"{path}.lock")]
    before = [(name.stat().st_mtime_ns, name.stat().st_size) for name in names]
    changed: list[Any] = []
    yield changed
    changed += [name.name for name, was in zip(names, before, strict=True) if (name.stat().st_mtime_ns, name.stat().st_size) != was]


async def test_an_engine_that_becomes_idle_brings_its_log_home_once_and_then_writes_nothing(path: Path) -> None:
    clock = VirtualClock(NEW_YEAR)
    async with Engine(path, dags=[hourly()], clock=clock, durability="process", control=False) as engine:
        await clock.run_until(NEW_YEAR + HOUR)
        assert engine._parts()[1].log_size > 0
        await clock.run_until(NEW_YEAR + HOUR + timedelta(seconds=2))
        assert engine._parts()[1].log_size == 0
        with writes(path) as changed:
            for minutes in range(1, 59):
                await clock.run_until(NEW_YEAR + HOUR + timedelta(minutes=minutes))
        assert changed == []


async def test_an_idle_engine_is_not_woken_for_its_upkeep(path: Path) -> None:
    """It wakes once for the log and once more when its only schedule is due."""
    clock = VirtualClock(NEW_YEAR)
    async with Engine(path, dags=[hourly()], clock=clock, durability="process", control=False) as engine:
        await clock.run_until(NEW_YEAR + timedelta(seconds=30))
        scheduler, _ = engine._parts()
        assert scheduler.upkeep.wake_at(None, busy=False) is None
        assert scheduler.upkeep.wake_at(engine.next_due(), busy=False) == engine.next_due()


async def test_an_engine_in_memory_keeps_few_runs_too() -> None:
    clock = VirtualClock(NEW_YEAR)
    async with Engine(dags=[hourly()], clock=clock, keep_days=1, keep_runs=5) as engine:
        await clock.run_until(NEW_YEAR + 5 * DAY)
        assert len(await engine._parts()[1].fetch("last_runs_of_all", limit=999)) <= 24 + 6


async def test_bodies_that_never_pause_do_not_keep_old_runs_alive(path: Path) -> None:
    """A body executes all the time; the rounds go on beside it."""
    import asyncio

    gate, clock = asyncio.Event(), VirtualClock(NEW_YEAR)
    with DAG("long") as long:

        @task
        async def held() -> None:
            await gate.wait()

        held()
    async with Engine(
        path, dags=[long, hourly(schedule=None)], clock=clock, durability="process", control=False, keep_days=0, keep_runs=3
    ) as engine:
        run = await engine.trigger("long")
        for hour in range(1, 40):
            clock.set(NEW_YEAR + hour * HOUR)
            await (await engine.trigger("hourly")).wait()
        assert count(path, "runs") <= 3 + 6 + 1
        gate.set()
        await run.wait()
    assert run.state == "success"


async def test_a_file_that_grows_is_told_at_each_doubling_with_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET__STORE__FILE_ALARM_MIB", "1")
    monkeypatch.setenv("FLOWLET__STORE__KEEP_DAYS", "30")
    clock = VirtualClock(NEW_YEAR)
    dag = hourly(schedule=None, says="x" * 200_000)
    async with Engine(path, dags=[dag], clock=clock, durability="process", control=False) as engine:
        for minute in range(1, 25):
            await (await engine.trigger("hourly")).wait()
            await clock.run_until(NEW_YEAR + timedelta(minutes=2 * minute))
    told = [text for (text,) in rows(path, "SELECT text FROM events WHERE kind = 'file_large' ORDER BY at")]
    assert len(told) == 3  # beyond 1, 2 and 4 MiB
    assert told[0].startswith(f"{path} has grown to 1.")
    assert "with the runs of the last 30 days: keep fewer (FLOWLET__STORE__KEEP_DAYS" in told[0]


async def live_with(path: Path, trouble: Any, *, code: int, times: int) -> list[Any]:
    """Two days of hourly runs, of which retention cannot delete the first ones when it first wants to."""
    clock = VirtualClock(NEW_YEAR)
    async with Engine(path, dags=[hourly()], clock=clock, durability="process", control=False, keep_days=1, keep_runs=3):
        await clock.run_until(NEW_YEAR + 20 * HOUR)
        trouble.arm(1, code, times=times, only="DELETE FROM run")
        await clock.run_until(NEW_YEAR + 2 * DAY)
    return rows(path, "SELECT kind, text FROM events WHERE kind <> 'pruned' ORDER BY at")


async def test_retention_that_meets_a_full_disk_comes_back_later(path: Path, trouble: Any) -> None:
    assert await live_with(path, trouble, code=sqlite3.SQLITE_FULL, times=1) == []
    assert count(path, "runs") <= 24 + 6
    assert rows(path, "SELECT sum(count) FROM ticks") == [(48,)]


async def test_retention_that_fails_is_told_and_stops_no_run(path: Path, trouble: Any) -> None:
    ((kind, text),) = await live_with(path, trouble, code=sqlite3.SQLITE_ERROR, times=1)
    assert (kind, str(path) in text) == ("upkeep_failed", True)
    assert count(path, "runs") <= 24 + 6
    assert rows(path, "SELECT outcome, sum(count) FROM ticks GROUP BY 1") == [("ran", 48)]
