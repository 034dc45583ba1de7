"""Stories of backfills: through the whole engine, on a virtual clock or on a file. Sources: Airflow's docs
core-concepts/backfill.rst, models/backfill.py and tests/unit/models/test_backfill.py."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest

from flowlet import DAG, CronTriggerTimetable, Engine, EventsTimetable, FlowletError, task
from flowlet.authoring.assets import Asset
from flowlet.engine.backfills import Backfill
from flowlet.errors import BackfillError, BackfillExists, BackfillNotFound, DagNotFound, ParamError
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NOON = datetime(2021, 1, 20, 12, tzinfo=UTC)


def day(number: int) -> datetime:
    return datetime(2021, 1, number, tzinfo=UTC)


class Gate:
    """Bodies wait behind it, and it counts them."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.door = asyncio.Event()
        if is_open:
            self.door.set()
        self.inside = self.most = 0
        self.order: list[datetime] = []
        self.fails: set[datetime] = set()

    async def holds(self, engine: Engine, count: int) -> None:
        """Until so many wait behind it."""
        for _ in range(1000):
            if self.inside == count:
                return
            await engine._parts()[0].catch_up()
        raise AssertionError(f"{self.inside} are inside, not {count}")

    def dag(self, dag_id: str = "daily", *, schedule: Any = "@daily", depends_on_past: bool = False, **more: Any) -> DAG:
        with DAG(dag_id, schedule=schedule, **more) as dag:

            @task(depends_on_past=depends_on_past)
            async def hi(logical_date: datetime) -> None:
                self.order.append(logical_date)
                self.inside += 1
                self.most = max(self.most, self.inside)
                try:
                    await self.door.wait()
                    await anyio.lowlevel.checkpoint()
                finally:
                    self.inside -= 1
                if logical_date in self.fails:
                    raise ValueError("as it should")

            hi()
        return dag


def an_engine(*dags: DAG, path: Any = ":memory:", now: datetime = NOON, **more: Any) -> Engine:
    return Engine(path, dags=dags, clock=VirtualClock(now), control=False, **{"schedules": False, "durability": "process", **more})


def days(backfill: Backfill) -> dict[int, str | None]:
    """Day of the month to the state of its run, or the reason why it has none."""
    return {date.logical_date.day: date.reason or date.state for date in backfill.dates}


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


# -- which dates ---------------------------------------------------------------------------------------------


async def test_each_date_of_the_window_gets_a_run_named_after_it() -> None:
    async with an_engine(Gate().dag()) as engine:
        backfill = await (await engine.backfill("daily", day(1), day(5))).wait()
        assert backfill.state == "completed"
        assert days(backfill) == dict.fromkeys(range(1, 6), "success")
        run = await engine.run("daily", "backfill__2021-01-03T00:00:00+00:00")
        assert (run.run_type, run.logical_date, run.conf) == ("backfill", day(3), {})


async def test_the_command_of_airflows_docs() -> None:
    """airflow backfill create --dag-id tutorial --from-date 2015-06-01 --to-date 2015-06-07
    --reprocess-behavior failed --max-active-runs 3 --run-backwards --dag-run-conf '{"my": "param"}'"""
    gate = Gate(is_open=False)
    async with an_engine(gate.dag("tutorial", schedule=timedelta(days=1))) as engine:
        backfill = await engine.backfill(
            "tutorial", "2015-06-01", "2015-06-07", reprocess_behavior="failed", max_active_runs=3, run_backwards=True, conf={"my": "param"}
        )
        assert [date.logical_date.day for date in backfill.dates] == [7, 6, 5, 4, 3, 2, 1]
        gate.door.set()
        await backfill.wait()
        assert (gate.most, [date.day for date in gate.order[3:]]) == (3, [4, 3, 2, 1])
        assert {date.day for date in gate.order[:3]} == {7, 6, 5}
        assert (await engine.run("tutorial", "backfill__2015-06-04T00:00:00+00:00")).conf == {"my": "param"}


async def test_dates_are_ticks_and_intervals_are_the_timetables() -> None:
    timetable = CronTriggerTimetable("0 6 * * MON-FRI", timezone="Europe/Berlin", interval=timedelta(days=1))
    async with an_engine(Gate().dag(schedule=timetable)) as engine:
        backfill = await (await engine.backfill("daily", day(1), day(5))).wait()
        assert [(date.logical_date, date.run_id) for date in backfill.dates] == [
            (datetime(2020, 12, 31, 5, tzinfo=UTC), "backfill__2021-01-01T05:00:00+00:00"),
            (datetime(2021, 1, 3, 5, tzinfo=UTC), "backfill__2021-01-04T05:00:00+00:00"),
        ]


async def test_the_dates_of_the_dag_itself_do_not_bound_it() -> None:
    """Airflow: `iter_dagrun_infos_between` restricts by the window alone."""
    async with an_engine(Gate().dag(start_date=day(4), end_date=day(4))) as engine:
        backfill = await engine.backfill("daily", day(3), day(5), dry_run=True)
        assert days(backfill) == {3: "run", 4: "run", 5: "run"}


async def test_what_is_not_over_is_left_out() -> None:
    async with an_engine(Gate().dag(), now=day(3)) as engine:
        assert days(await engine.backfill("daily", day(1), day(9), dry_run=True)) == {1: "run", 2: "run"}


@pytest.mark.filterwarnings("ignore:.*is scheduled by assets")
@pytest.mark.parametrize("schedule", [None, "@once", "@continuous", [Asset("a")]])
async def test_a_schedule_without_dates_cannot_be_filled(schedule: Any) -> None:
    more = {"max_active_runs": 1} if schedule == "@continuous" else {}
    async with an_engine(Gate().dag(schedule=schedule, **more)) as engine:
        with pytest.raises(BackfillError, match="schedule without dates"):
            await engine.backfill("daily", day(1), day(5))


async def test_events_can_be_filled() -> None:
    async with an_engine(Gate().dag(schedule=EventsTimetable([day(2), day(4), day(8)]))) as engine:
        assert days(await engine.backfill("daily", day(1), day(5), dry_run=True)) == {2: "run", 4: "run"}


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ((day(5), day(1)), "is after to_date"),
        ((day(21), day(25)), "in the future"),
        ((day(1) + timedelta(hours=1), day(1) + timedelta(hours=2)), "no date of DAG 'daily' lies in"),
        ((datetime(1, 1, 1, tzinfo=UTC), day(1)), "more than 100,000 dates"),
    ],
)
async def test_a_window_that_cannot_be_filled_is_refused(window: Any, sentence: str) -> None:
    async with an_engine(Gate().dag()) as engine:
        for dry_run in (False, True):
            with pytest.raises(BackfillError, match=sentence):
                await engine.backfill("daily", *window, dry_run=dry_run)
        assert await engine.backfills() == []


@pytest.mark.parametrize("wrong", [{"max_active_runs": 0}, {"max_active_runs": True}, {"reprocess_behavior": "all"}])
async def test_options_that_cannot_be_are_refused(wrong: Any) -> None:
    async with an_engine(Gate().dag()) as engine:
        with pytest.raises(BackfillError, match=next(iter(wrong))):
            await engine.backfill("daily", day(1), day(5), **wrong)


async def test_what_does_not_exist_is_named() -> None:
    async with an_engine(Gate().dag()) as engine:
        with pytest.raises(DagNotFound):
            await engine.backfill("other", day(1), day(5))
        for verb in (engine.get_backfill, engine.pause_backfill, engine.unpause_backfill, engine.cancel_backfill):
            with pytest.raises(BackfillNotFound, match="there is no backfill 7"):
                await verb(7)


async def test_conf_must_fit_the_params() -> None:
    async with an_engine(Gate().dag()) as engine:
        with pytest.raises(FlowletError, match="conf is not JSON"):
            await engine.backfill("daily", day(1), day(5), conf={"day": object()})
    from flowlet import Param

    async with an_engine(Gate().dag(params={"day": Param(1, type="integer")})) as engine:
        with pytest.raises(ParamError):
            await engine.backfill("daily", day(1), day(5), conf={"day": "first"})


# -- what is there already ---------------------------------------------------------------------------------


async def test_dates_with_a_run_keep_it_and_say_so() -> None:
    gate = Gate()
    gate.fails = {day(3)}
    async with an_engine(gate.dag()) as engine:
        await (await engine.trigger("daily", logical_date=day(2))).wait()
        await (await engine.trigger("daily", logical_date=day(3))).wait()
        gate.door.clear()
        await engine.trigger("daily", logical_date=day(4))
        dry = await engine.backfill("daily", day(1), day(5), dry_run=True)
        assert days(dry) == {1: "run", 2: "already exists", 3: "already exists", 4: "in flight", 5: "run"}
        backfill = await engine.backfill("daily", day(1), day(5))
        gate.door.set()
        await backfill.wait()
        assert days(backfill) == {1: "success", 2: "already exists", 3: "already exists", 4: "in flight", 5: "success"}
        assert [date.run_id is None for date in backfill.dates] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("reprocess", "left"),
    [
        ("none", {5: "already exists", 6: "already exists", 7: "in flight"}),
        ("failed", {5: "already exists", 7: "in flight"}),
        ("completed", {7: "in flight"}),
    ],
)
async def test_what_runs_again_is_as_in_airflows_own_test(tmp_path: Path, reprocess: str, left: dict[int, str]) -> None:
    """Airflow: tests/unit/models/test_backfill.py `test_reprocess_behavior`."""
    path = tmp_path / "flowlet.db"
    gate = Gate()
    gate.fails = {day(6)}
    async with an_engine(gate.dag(), path=path) as engine:
        for number in (5, 6):
            await (await engine.trigger("daily", logical_date=day(number), conf={"n": number})).wait()
        gate.door.clear()
        gate.fails.clear()
        await engine.trigger("daily", logical_date=day(7))
        backfill = await engine.backfill("daily", day(3), day(9), max_active_runs=2, reprocess_behavior=reprocess)
        gate.door.set()
        await backfill.wait()
    wanted = dict.fromkeys(range(3, 10), "success") | left
    assert days(backfill) == wanted
    on_file = {number: (kind, state) for number, kind, state in rows(path, "SELECT substr(logical_date, 10, 1) + 0, run_type, state FROM runs")}
    kinds = {number: "manual" if number in left else "backfill" for number in wanted}
    assert {number: kind for number, (kind, _) in on_file.items()} == kinds
    assert on_file[6][1] == ("success" if 6 not in left else "failed")
    tries = dict(rows(path, "SELECT substr(run_id, 17, 2) + 0, max(try_number) FROM attempts WHERE run_id LIKE 'manual%' GROUP BY 1"))
    assert tries == {5: 1 if 5 in left else 2, 6: 1 if 6 in left else 2, 7: 1}
    assert rows(path, "SELECT conf FROM runs WHERE run_id LIKE 'manual__2021-01-06%'") == [('{"n": 6}',)]


async def test_a_run_that_runs_again_gets_the_conf_of_the_backfill_and_keeps_its_id() -> None:
    async with an_engine(Gate().dag()) as engine:
        held = await (await engine.trigger("daily", logical_date=day(2), run_id="mine", conf={"a": 1})).wait()
        dry = await engine.backfill("daily", day(1), day(2), reprocess_behavior="completed", dry_run=True)
        assert [(date.run_id, date.state) for date in dry.dates] == [("backfill__2021-01-01T00:00:00+00:00", "run"), ("mine", "rerun")]
        backfill = await (await engine.backfill("daily", day(1), day(2), reprocess_behavior="completed", conf={"b": 2})).wait()
        assert backfill.dates[1].run_id == "mine"
        run = await engine.run("daily", "mine")
        assert (run.run_type, run.conf, run.as_dict()["tries"]) == ("backfill", {"b": 2}, {"hi": 2})
        assert (held.run_type, held.conf) == ("backfill", {"b": 2})


async def test_what_runs_again_has_no_more_room_than_what_is_new(tmp_path: Path) -> None:
    gate = Gate()
    async with an_engine(gate.dag(max_active_runs=1), path=tmp_path / "flowlet.db", grace=0.0) as engine:
        await (await engine.backfill("daily", day(1), day(9))).wait()
        gate.door.clear()
        gate.most = 0
        await engine.backfill("daily", day(1), day(12), max_active_runs=3, reprocess_behavior="completed")
        await gate.holds(engine, 3)
    gate.door.set()
    async with an_engine(gate.dag(max_active_runs=1), path=tmp_path / "flowlet.db", schedules=True) as engine:
        backfill = await (await engine.get_backfill(2)).wait()
        assert (gate.most, days(backfill)) == (3, dict.fromkeys(range(1, 13), "success"))


async def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    async with an_engine(Gate().dag(), path=path) as engine:
        before = engine._parts()[1].seq
        dry = await engine.backfill("daily", day(1), day(2), dry_run=True)
        assert (dry.id, dry.state, engine._parts()[1].seq) == (None, "dry run", before)
        assert [date.run_id for date in dry.dates] == ["backfill__2021-01-01T00:00:00+00:00", "backfill__2021-01-02T00:00:00+00:00"]
        assert await dry.wait() is dry


async def test_a_date_that_is_taken_meanwhile_is_told() -> None:
    gate = Gate(is_open=False)
    async with an_engine(gate.dag()) as engine:
        backfill = await engine.backfill("daily", day(1), day(3), max_active_runs=1)
        await engine.trigger("daily", logical_date=day(2))
        gate.door.set()
        await backfill.wait()
        assert days(backfill)[2] in ("in flight", "already exists")
        assert days(backfill)[3] == "success"


async def test_a_run_id_that_is_taken_costs_its_date_and_no_other() -> None:
    async with an_engine(Gate().dag()) as engine:
        await (await engine.trigger("daily", run_id="backfill__2021-01-02T00:00:00+00:00")).wait()
        backfill = await (await engine.backfill("daily", day(1), day(3))).wait()
        assert days(backfill) == {1: "success", 2: "its run_id or logical date is taken by another run", 3: "success"}


# -- how many at once --------------------------------------------------------------------------------------


async def test_its_runs_have_a_limit_of_their_own_beside_that_of_the_dag() -> None:
    gate = Gate(is_open=False)
    async with an_engine(gate.dag(max_active_runs=1)) as engine:
        backfill = await engine.backfill("daily", day(1), day(9), max_active_runs=4)
        await engine.trigger("daily")
        held = await engine.trigger("daily")
        await gate.holds(engine, 5)
        assert held.reason == "max_active_runs (1 of 1 active)"
        gate.door.set()
        await backfill.wait()
        assert gate.most == 5
        assert set(days(backfill).values()) == {"success"}


async def test_a_dag_has_one_at_a_time() -> None:
    gate = Gate(is_open=False)
    async with an_engine(gate.dag(), gate.dag("other")) as engine:
        first = await engine.backfill("daily", day(1), day(5))
        with pytest.raises(BackfillExists, match=f"`flowlet backfill cancel {first.id}`"):
            await engine.backfill("daily", day(11), day(15))
        second = await engine.backfill("other", day(1), day(5))
        gate.door.set()
        await first.wait()
        await second.wait()
        await (await engine.backfill("daily", day(11), day(15))).wait()
        assert [one.id for one in await engine.backfills()] == [3, 2, 1]
        assert [one.id for one in await engine.backfills("daily", limit=1)] == [3]


# -- depends on the past -----------------------------------------------------------------------------------


async def test_a_dag_that_looks_back_cannot_run_backwards_and_says_what_becomes_of_failures() -> None:
    async with an_engine(Gate().dag(depends_on_past=True)) as engine:
        with pytest.raises(BackfillError, match="run_backwards cannot be"):
            await engine.backfill("daily", day(1), day(5), run_backwards=True, reprocess_behavior="failed")
        with pytest.raises(BackfillError, match="give reprocess_behavior"):
            await engine.backfill("daily", day(1), day(5))


@pytest.mark.parametrize("catchup", [False, True])
async def test_the_first_run_of_a_backfill_does_not_look_back_and_the_next_one_does(catchup: bool) -> None:
    gate = Gate()
    gate.fails = {day(1)}
    async with an_engine(gate.dag(depends_on_past=True, catchup=catchup)) as engine:
        await (await engine.trigger("daily", logical_date=day(1))).wait()
        backfill = await (await engine.backfill("daily", day(2), day(4), reprocess_behavior="failed")).wait()
        assert days(backfill) == {2: "success", 3: "success", 4: "success"}
        assert gate.order == [day(1), day(2), day(3), day(4)]


async def test_after_a_failure_the_next_date_waits_and_says_for_what() -> None:
    gate = Gate()
    gate.fails = {day(3)}
    async with an_engine(gate.dag(depends_on_past=True)) as engine:
        backfill = await engine.backfill("daily", day(2), day(5), reprocess_behavior="failed", max_active_runs=2)
        await engine.clock.run_until(NOON + timedelta(hours=1))  # it is virtual
        await backfill.refresh()
        assert days(backfill) == {2: "success", 3: "failed", 4: "running", 5: "running"}
        why = await engine.why("daily", "backfill__2021-01-04T00:00:00+00:00", "hi")
        assert why == "depends_on_past: hi is failed in the previous run"


async def test_what_ended_long_ago_is_not_forgotten_because_many_later_dates_are_known() -> None:
    gate = Gate()
    async with an_engine(gate.dag(depends_on_past=True)) as engine:
        for number in range(110):
            await (await engine.trigger("daily", logical_date=day(1) + timedelta(minutes=number))).wait()
        gate.fails = {datetime(2020, 12, 2, tzinfo=UTC)}
        backfill = await engine.backfill("daily", "2020-12-01", "2020-12-04", reprocess_behavior="failed", max_active_runs=1)
        await engine.clock.run_until(NOON + timedelta(hours=1))  # it is virtual
        assert list(days(await backfill.refresh()).values()) == ["success", "failed", "running", None]


# -- pause, cancel -----------------------------------------------------------------------------------------


async def test_while_the_dag_is_paused_nothing_of_it_begins() -> None:
    """Airflow: get_queued_dag_runs_to_set_running leaves the runs of paused DAGs alone."""
    async with an_engine(Gate().dag()) as engine:
        await engine.pause("daily")
        backfill = await engine.backfill("daily", day(1), day(3))
        assert (days(backfill), backfill.waits) == ({1: None, 2: None, 3: None}, "the DAG 'daily' is paused")
        await engine.unpause("daily")
        assert set(days(await backfill.wait()).values()) == {"success"}


async def test_a_paused_backfill_lets_go_on_what_has_begun_and_begins_nothing() -> None:
    gate = Gate(is_open=False)
    async with an_engine(gate.dag()) as engine:
        backfill = await engine.backfill("daily", day(1), day(3), max_active_runs=1)
        await gate.holds(engine, 1)
        paused = await engine.pause_backfill(backfill.id or 0)
        assert (paused.state, paused.waits) == ("paused", "it is paused: `flowlet backfill unpause 1`")
        gate.door.set()
        await engine.clock.run_until(NOON + timedelta(hours=1))  # it is virtual
        assert days(await backfill.refresh()) == {1: "success", 2: None, 3: None}
        assert (await engine.unpause_backfill(1)).state == "running"
        assert set(days(await backfill.wait()).values()) == {"success"}


async def test_a_cancelled_backfill_lets_end_what_runs_and_leaves_its_other_dates() -> None:
    gate = Gate(is_open=False)
    async with an_engine(gate.dag()) as engine:
        backfill = await engine.backfill("daily", day(1), day(4), max_active_runs=2)
        await gate.holds(engine, 2)
        cancelled = await engine.cancel_backfill(backfill.id or 0)
        left = "the backfill was cancelled"
        assert (cancelled.state, days(cancelled)) == ("cancelled", {1: "running", 2: "running", 3: left, 4: left})
        again = await engine.backfill("daily", day(1), day(4))
        gate.door.set()
        await again.wait()
        assert days(again) == {1: "in flight", 2: "in flight", 3: "success", 4: "success"}
        assert days(await backfill.wait()) == {1: "success", 2: "success", 3: left, 4: left}
        with pytest.raises(BackfillError, match="backfill 1 is over"):
            await engine.cancel_backfill(1)


# -- across the end of a process -----------------------------------------------------------------------------


async def test_a_backfill_goes_on_where_it_was_when_its_engine_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    gate = Gate(is_open=False)
    async with an_engine(gate.dag(), path=path, grace=0.0) as engine:
        await engine.backfill("daily", day(1), day(9), max_active_runs=2, run_backwards=True)
        await gate.holds(engine, 2)
    assert rows(path, "SELECT run_id FROM backfill_dates WHERE run_id IS NOT NULL ORDER BY ordinal") == [
        ("backfill__2021-01-09T00:00:00+00:00",), ("backfill__2021-01-08T00:00:00+00:00",),
    ]  # fmt: skip
    gate = Gate()
    async with an_engine(gate.dag(max_active_runs=1), path=path, schedules=True) as engine:
        backfill = await (await engine.get_backfill(1)).wait()
        assert (backfill.state, set(days(backfill).values())) == ("completed", {"success"})
        assert gate.most == 2
        assert gate.order[2:] == [day(number) for number in (7, 6, 5, 4, 3, 2, 1)]


async def test_an_engine_without_schedules_leaves_the_backfill_that_it_finds(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    async with an_engine(Gate().dag(), path=path, execute=False) as engine:
        backfill = await engine.backfill("daily", day(1), day(3))
        assert (days(backfill), backfill.waits) == ({1: None, 2: None, 3: None}, "no scheduler runs this DAG now")
    async with an_engine(Gate().dag(), path=path) as engine:
        assert (await engine.get_backfill(1)).waits == "this engine fires no schedules: `flowlet daemon` lets it go on"
        assert (await engine.unpause_backfill(1)).waits is None
        assert set(days(await (await engine.get_backfill(1)).wait()).values()) == {"success"}


async def test_a_dag_that_is_added_later_brings_its_backfill(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    async with an_engine(Gate().dag(), path=path, execute=False) as engine:
        await engine.backfill("daily", day(1), day(3))
    async with an_engine(path=path, schedules=True) as engine:
        with pytest.raises(BackfillError, match="only where DAG 'daily' is registered"):
            await (await engine.get_backfill(1)).wait()
        await engine.add(Gate().dag())
        assert set(days(await (await engine.get_backfill(1)).wait()).values()) == {"success"}


async def test_the_first_of_a_backfill_does_not_look_back_after_a_restart_either(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    gate = Gate()
    gate.fails = {day(1)}
    async with an_engine(gate.dag(depends_on_past=True), path=path, grace=0.0) as engine:
        await (await engine.trigger("daily", logical_date=day(1))).wait()
        gate.door.clear()
        await engine.backfill("daily", day(2), day(3), reprocess_behavior="failed")
        await gate.holds(engine, 1)
    async with an_engine(Gate().dag(depends_on_past=True), path=path, schedules=True) as engine:
        assert set(days(await (await engine.get_backfill(1)).wait()).values()) == {"success"}


async def test_retention_takes_old_backfills_along_and_leaves_one_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    gate = Gate()
    async with an_engine(gate.dag(), path=path, grace=0.0) as engine:
        await (await engine.backfill("daily", "2019-01-01", day(2))).wait()
        gate.door.clear()
        await engine.backfill("daily", day(1), day(4))
        await gate.holds(engine, 2)
        engine.clock.advance(timedelta(days=91))  # it is virtual
        await engine.prune(keep_runs=1)
        assert [one.id for one in await engine.backfills()] == [2]
        assert days(await engine.get_backfill(2)) == {1: "already exists", 2: "already exists", 3: "running", 4: "running"}
    assert rows(path, "SELECT DISTINCT backfill_id FROM backfill_dates") == [(2,)]


async def test_a_task_of_the_first_run_that_waits_for_others_at_the_restart_does_not_look_back(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    door = asyncio.Event()

    def dag(*, fails: bool = False) -> DAG:
        with DAG("daily", schedule="@daily") as dag:

            @task
            async def first() -> None:
                await door.wait()

            @task(depends_on_past=True)
            async def then() -> None:
                if fails:
                    raise ValueError("as it should")

            first() >> then()
        return dag

    door.set()
    async with an_engine(dag(fails=True), path=path, grace=0.0) as engine:
        await (await engine.trigger("daily", logical_date=day(1))).wait()
        door.clear()
        backfill = await engine.backfill("daily", day(2), day(3), reprocess_behavior="failed")
        while days(await backfill.refresh())[2] != "running":
            await engine._parts()[0].catch_up()
    door.set()
    async with an_engine(dag(), path=path, schedules=True) as engine:
        assert days(await (await engine.get_backfill(1)).wait()) == {2: "success", 3: "success"}


# -- and the schedule ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_active_runs", [16, 1])
async def test_ticks_that_find_their_date_filled_are_skipped_and_the_schedule_goes_on(tmp_path: Path, max_active_runs: int) -> None:
    path = tmp_path / "flowlet.db"

    def dag() -> DAG:
        return Gate().dag(start_date=day(1), catchup=True, max_active_runs=max_active_runs)

    async with an_engine(dag(), path=path) as engine:
        await (await engine.backfill("daily", datetime(2020, 12, 20, tzinfo=UTC), day(19))).wait()
    async with an_engine(dag(), path=path, schedules=True) as engine:
        await engine.clock.run_until(day(22))  # it is virtual
    ticks = rows(path, "SELECT outcome, reason, sum(count) FROM ticks GROUP BY 1, 2 ORDER BY 1")
    assert [(outcome, count) for outcome, _, count in ticks] == [("late", 1), ("ran", 2), ("skipped", 19)]
    assert "is taken by another run" in ticks[2][1]


async def test_a_tick_whose_date_is_being_filled_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    gate = Gate(is_open=False)
    async with an_engine(gate.dag(start_date=day(1), catchup=True), path=path, grace=0.0) as engine:
        await engine.backfill("daily", day(1), day(3))
        await gate.holds(engine, 3)
    gate.door.set()
    async with an_engine(gate.dag(start_date=day(1), catchup=True), path=path, schedules=True) as engine:
        backfill = await (await engine.get_backfill(1)).wait()
        assert set(days(backfill).values()) == {"success"}
        await engine.clock.run_until(NOON)  # it is virtual
    assert rows(path, "SELECT outcome, sum(count) FROM ticks GROUP BY 1 ORDER BY 1") == [("late", 17), ("skipped", 3)]
