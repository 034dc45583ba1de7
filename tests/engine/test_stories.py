"""Stories: a DAG through the whole engine, on a virtual clock or on a file."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlet import (
    DAG,
    BashOperator,
    DagRun,
    EmptyOperator,
    Engine,
    FailTask,
    PythonSensor,
    RunExists,
    ShortCircuitOperator,
    SkipTask,
    StoreOwned,
    task,
)
from flowlet.errors import StoreLost
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def rows(path: Path, sql: str) -> list[Any]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        found = db.execute(sql).fetchall()
    db.close()
    return found


def adding() -> DAG:
    with DAG("adding") as dag:

        @task
        def one() -> int:
            return 1

        @task
        async def plus(x: int) -> int:
            return x + 1

        plus(one())
    return dag


async def test_a_triggered_run_ends_with_its_values_on_file(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    async with Engine(path, dags=[adding()], durability="process") as engine:
        run = await (await engine.trigger("adding")).wait()
        assert run.state == "success"
        assert await run.xcom("plus") == 2
    assert run.as_dict()["tasks"] == {"one": "success", "plus": "success"}
    assert rows(path, "SELECT task_id, value FROM xcoms ORDER BY task_id") == [("one", "1"), ("plus", "2")]
    assert rows(path, "SELECT task_id, outcome, try_number FROM attempts ORDER BY task_id") == [
        ("one", "succeeded", 1),
        ("plus", "succeeded", 1),
    ]


async def test_a_second_engine_on_a_file_is_refused_with_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    async with Engine(path, durability="process"):
        with pytest.raises(StoreOwned, match="owned by process"):
            await Engine(path).__aenter__()


async def test_a_run_id_given_twice_is_the_same_run_or_refused() -> None:
    async with Engine(dags=[adding()]) as engine:
        first = await engine.trigger("adding", run_id="mine", conf={"a": 1})
        await first.wait()
        again = await engine.trigger("adding", run_id="mine", conf={"a": 1})
        assert again.as_dict()["started_at"] == first.as_dict()["started_at"]
        with pytest.raises(RunExists):
            await engine.trigger("adding", run_id="mine", conf={"a": 2})


async def test_a_taken_logical_date_is_refused() -> None:
    async with Engine(dags=[adding()]) as engine:
        await (await engine.trigger("adding", logical_date=NEW_YEAR)).wait()
        with pytest.raises(RunExists):
            await engine.trigger("adding", logical_date=NEW_YEAR)


async def test_every_second_of_a_schedule_is_accounted_for(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    with DAG("seconds", schedule="* * * * * *") as dag:
        EmptyOperator(task_id="nothing")
    clock = VirtualClock(NEW_YEAR + timedelta(milliseconds=1))
    async with Engine(path, dags=[dag], clock=clock, durability="process", control=False):
        await clock.run_until(NEW_YEAR + timedelta(seconds=30))
    ticks = rows(path, "SELECT due_at, outcome, count FROM ticks ORDER BY due_at")
    assert [tick[0] for tick in ticks] == [f"2026-01-01T00:00:{second:02}.000000Z" for second in range(1, 31)]
    assert sum(tick[2] for tick in ticks) == 30


async def test_the_pause_of_a_dag_is_recorded_and_makes_no_run_for_the_past(tmp_path: Path) -> None:
    path = tmp_path / "flowlet.db"
    with DAG("minutes", schedule="* * * * *") as dag:
        EmptyOperator(task_id="nothing")
    clock = VirtualClock(NEW_YEAR + timedelta(milliseconds=1))
    async with Engine(path, dags=[dag], clock=clock, durability="process", control=False) as engine:
        await clock.run_until(NEW_YEAR + timedelta(minutes=2))
        await engine.pause("minutes")
        await clock.run_until(NEW_YEAR + timedelta(minutes=5))
        await engine.unpause("minutes")
        await clock.run_until(NEW_YEAR + timedelta(minutes=6))
    assert rows(path, "SELECT outcome, count FROM ticks ORDER BY due_at") == [
        ("ran", 1), ("ran", 1), ("skipped", 3), ("ran", 1),
    ]  # fmt: skip


def test_a_retry_delay_of_an_hour_takes_no_time() -> None:
    with DAG("patient") as dag:

        @task(retries=1, retry_delay=timedelta(hours=1))
        def flaky(ti: Any) -> str:
            if ti.try_number == 1:
                raise ValueError("not yet")
            return "now"

        flaky()
    shape = dag.test().as_dict()
    assert (shape["state"], shape["tries"], shape["errors"]) == ("success", {"flaky": 2}, {"flaky": ["ValueError"]})


async def test_dag_test_works_inside_a_running_loop() -> None:
    assert adding().test().state == "success"


async def test_dag_run_is_awaitable() -> None:
    run = await adding().run(conf={"day": "2026-01-01"})
    assert isinstance(run, DagRun)
    assert run.as_dict()["xcoms"] == {"one:return_value": 1, "plus:return_value": 2}


@pytest.mark.parametrize(
    "error",
    [
        ValueError("v"), SystemExit(3), KeyboardInterrupt(), StopIteration(), GeneratorExit(), BaseException("b"),
        ExceptionGroup("g", [ValueError()]), FailTask("f"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_whatever_a_body_raises_fails_its_task_and_nothing_else(error: BaseException, kind: str) -> None:
    with DAG("raising") as dag:

        @task
        def in_thread() -> None:
            raise error

        @task
        async def on_loop() -> None:
            raise error

        @task
        def other() -> int:
            return 1

        (in_thread if kind == "def" else on_loop)()
        other()
    shape = dag.test().as_dict()
    assert shape["state"] == "failed"
    assert shape["tasks"]["other"] == "success"


def test_skips_and_short_circuits_spread_by_the_rules() -> None:
    with DAG("skipping") as dag:

        @task
        def skipped() -> None:
            raise SkipTask("not today")

        cut = ShortCircuitOperator(task_id="cut", python_callable=lambda: False)
        after = EmptyOperator(task_id="after", trigger_rule="all_done")
        below = EmptyOperator(task_id="below")
        skipped() >> below
        cut >> after
    assert dag.test().as_dict()["tasks"] == {"skipped": "skipped", "cut": "success", "after": "skipped", "below": "skipped"}


def test_a_sensor_that_never_sees_it_times_out_when_it_is_due() -> None:
    with DAG("waiting") as dag:
        PythonSensor(task_id="wait", python_callable=lambda: False, poke_interval=60, timeout=150, retries=3)
        PythonSensor(task_id="soft", python_callable=lambda: False, mode="reschedule", timeout=10, soft_fail=True)
    shape = dag.test().as_dict()
    assert shape["tasks"] == {"wait": "failed", "soft": "skipped"}
    assert shape["tries"]["wait"] == 1
    assert shape["errors"]["wait"] == ["SensorTimeout"]


def test_a_sensor_that_fails_silently_looks_again() -> None:
    seen: list[int] = []

    def look() -> bool:
        seen.append(1)
        if len(seen) < 3:
            raise ConnectionError("not there")
        return True

    with DAG("silent") as dag:
        PythonSensor(task_id="wait", python_callable=look, silent_fail=True)
    assert dag.test().state == "success"
    assert len(seen) == 3


def test_a_body_past_its_execution_timeout_is_timed_out() -> None:
    gate = threading.Event()

    with DAG("slow") as dag:

        @task(execution_timeout=timedelta(milliseconds=50))
        async def forever() -> None:
            import asyncio

            await asyncio.Event().wait()

        @task(execution_timeout=timedelta(milliseconds=50))
        def stuck() -> None:
            gate.wait(60)

        forever()
        stuck()
    shape = dag.test().as_dict()
    gate.set()
    assert shape["tasks"] == {"forever": "failed", "stuck": "failed"}
    assert "execution_timeout" in shape["reasons"]["stuck"]


def test_bash_gives_its_last_line_and_its_exit_code() -> None:
    with DAG("shell") as dag:
        BashOperator(task_id="good", bash_command="echo one; echo {{ ds }}")
        BashOperator(task_id="bad", bash_command="exit 7")
    shape = dag.test(logical_date=NEW_YEAR).as_dict()
    assert shape["xcoms"] == {"good:return_value": "2026-01-01"}
    assert "7" in shape["reasons"]["bad"]


async def test_pools_are_never_exceeded() -> None:
    running, most = 0, 0
    with DAG("pooled") as dag:
        for number in range(12):

            @task(task_id=f"t{number}", pool="db")
            async def body() -> None:
                nonlocal running, most
                running += 1
                most = max(most, running)
                import asyncio

                for _ in range(3):
                    await asyncio.sleep(0)  # noqa: TID251  lets the others in
                running -= 1

            body()
    async with Engine(dags=[dag], pools={"db": 2}) as engine:
        run = await (await engine.trigger("pooled")).wait()
    assert run.state == "success"
    assert most == 2


async def test_looks_of_sensors_that_are_due_together_take_turns_when_parallelism_is_one() -> None:
    looking, most, looks = 0, 0, 0

    async def look() -> bool:
        nonlocal looking, most, looks
        looking, looks = looking + 1, looks + 1
        most = max(most, looking)
        for _ in range(3):
            await asyncio.sleep(0)  # noqa: TID251  lets the others in
        looking -= 1
        return looks > 6

    with DAG("watching") as dag:
        for number in range(3):
            PythonSensor(task_id=f"sensor_{number}", python_callable=look, poke_interval=60)
    async with Engine(dags=[dag], parallelism=1, clock=VirtualClock(auto=True)) as engine:
        run = await (await engine.trigger("watching")).wait()
    assert run.state == "success"
    assert most == 1


async def test_the_size_given_to_the_default_pool_holds() -> None:
    async with Engine(pools={"default_pool": 5}) as engine:
        assert (await engine.pools())["default_pool"]["slots"] == 5


async def test_a_file_that_is_deleted_under_the_engine_ends_every_wait_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowlet.store.watch.DATABASE_EVERY", 0)
    path = tmp_path / "flowlet.db"
    engine = await Engine(path, dags=[adding()], durability="process").__aenter__()
    path.unlink()
    with pytest.raises(StoreLost):
        await engine.trigger("adding")
    with pytest.raises(StoreLost):
        await engine.trigger("adding")
    with pytest.raises(StoreLost, match="deleted or renamed"):
        await engine.__aexit__(None, None, None)


@pytest.mark.parametrize("verb", ["run", "trigger"])
async def test_a_run_that_is_asked_for_while_its_end_is_written_is_the_run_itself(verb: str) -> None:
    asked: list[Any] = []
    async with Engine(dags=[adding()]) as engine:
        _, store = engine._parts()
        commit = store.commit

        async def while_committing(moves: Any) -> Any:
            if moves.end_run:
                again = engine.run("adding", "r") if verb == "run" else engine.trigger("adding", run_id="r")
                asked.append(asyncio.get_running_loop().create_task(again))
                await asyncio.sleep(0)  # noqa: TID251  lets it look for the run
            return await commit(moves)

        store.commit = while_committing
        first = await engine.trigger("adding", run_id="r")
        await first.wait()
        again = await asked[0]
        assert (await again.wait()).state == "success"
        assert again._run is first._run


@pytest.mark.parametrize(
    ("meddling", "state", "attempts"),
    [
        ("UPDATE task_instance SET state = 'success', outcome = 'succeeded', ended_at = 1 WHERE task_id = 'held'", "success", 1),
        ("UPDATE task_instance SET state = 'none', try_number = 0, started_at = NULL WHERE task_id = 'held'", "success", 1),
        ("UPDATE run SET state = 'failed', ended_at = 1", "failed", 1),
    ],
)
async def test_a_run_whose_rows_somebody_else_changed_is_read_again_and_ends(
    tmp_path: Path, meddling: str, state: str, attempts: int
) -> None:
    path, started, gate = tmp_path / "flowlet.db", asyncio.Event(), asyncio.Event()
    with DAG("meddled") as dag:

        @task
        async def held() -> int:
            started.set()
            await gate.wait()
            return 1

        held() >> EmptyOperator(task_id="after")
    async with Engine(path, dags=[dag], durability="process") as engine:
        run = await engine.trigger("meddled")
        await started.wait()
        with sqlite3.connect(path) as db:
            db.execute(meddling)
        db.close()
        gate.set()
        await asyncio.wait_for(run.wait(), 10)
        assert run.state == state
        again = await (await engine.trigger("meddled")).wait()
        assert again.state == "success"
    assert rows(path, "SELECT count(*) FROM events WHERE kind = 'conflict'") == [(1,)]
    assert len(rows(path, f"SELECT 1 FROM attempts WHERE run_id = '{run.run_id}' AND task_id = 'held'")) == attempts


async def test_without_catchup_what_comes_due_at_max_active_runs_is_coalesced_into_the_next_run(tmp_path: Path) -> None:
    path, gate, started = tmp_path / "flowlet.db", asyncio.Event(), asyncio.Event()
    with DAG("minutes", schedule="* * * * *", max_active_runs=1) as dag:

        @task
        async def held() -> None:
            started.set()
            await gate.wait()

        held()
    clock = VirtualClock(NEW_YEAR + timedelta(milliseconds=1))
    async with Engine(path, dags=[dag], clock=clock, durability="process", control=False) as engine:
        clock.set(NEW_YEAR + timedelta(minutes=1))
        await started.wait()
        clock.set(NEW_YEAR + timedelta(minutes=5))
        gate.set()
        first = await engine.run("minutes", "scheduled__2026-01-01T00:01:00+00:00")
        await first.wait()
        await (await engine.run("minutes", "scheduled__2026-01-01T00:05:00+00:00")).wait()
    assert rows(path, "SELECT due_at, outcome, count FROM ticks ORDER BY due_at") == [
        ("2026-01-01T00:01:00.000000Z", "ran", 1),
        ("2026-01-01T00:02:00.000000Z", "coalesced", 3),
        ("2026-01-01T00:05:00.000000Z", "ran", 1),
    ]


async def test_a_cancelled_run_is_failed_and_what_waits_is_skipped() -> None:
    import asyncio

    with DAG("long") as dag:

        @task
        async def forever() -> None:
            await asyncio.Event().wait()

        forever() >> EmptyOperator(task_id="after")
    async with Engine(dags=[dag]) as engine:
        run = await engine.trigger("long")
        await run.cancel()
        assert run.as_dict()["tasks"] == {"forever": "failed", "after": "skipped"}
        assert run.state == "failed"


async def test_a_run_goes_on_after_a_graceful_stop(tmp_path: Path) -> None:
    import asyncio

    path, started, blocked = tmp_path / "flowlet.db", asyncio.Event(), True
    with DAG("resumed") as dag:

        @task
        async def body() -> str:
            started.set()
            if blocked:
                await asyncio.Event().wait()
            return "done"

        body()
    async with Engine(path, dags=[dag], durability="process", grace=0) as engine:
        await engine.trigger("resumed", run_id="r")
        await started.wait()
    blocked = False
    async with Engine(path, dags=[dag], durability="process") as engine:
        run = await (await engine.run("resumed", "r")).wait()
        assert run.as_dict()["tries"] == {"body": 2}
        assert run.state == "success"
    assert rows(path, "SELECT try_number, outcome FROM attempts ORDER BY try_number") == [(1, "interrupted"), (2, "succeeded")]
