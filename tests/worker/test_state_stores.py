"""The state stores: what a task keeps for its next try, and of assets, and when that is on file.

(Airflow: TS:execution_time/test_context.py of the task SDK, T:state/test_metastore.py; example_task_state_store.py.)
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, Engine, task
from flowlet.authoring.assets import Asset, AssetAlias
from flowlet.clock import DAY, VirtualClock, to_micros
from flowlet.errors import StateStoreError
from flowlet.worker.state_stores import NEVER_EXPIRE

ORDERS, RETURNS = Asset("orders", "s3://lake/orders"), Asset("returns")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def value(run: Any, task_id: str) -> Any:
    return run.as_dict()["xcoms"][f"{task_id}:return_value"]


def rows(file: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


# -- of a task -------------------------------------------------------------------------------------------


def test_a_retry_sees_what_the_try_before_kept() -> None:
    with DAG("jobs") as dag:

        @task(retries=2)
        def submit(task_state_store: Any, ti: Any) -> Any:
            seen = task_state_store.get("tries", default=[])
            task_state_store.set("tries", [*seen, ti.try_number])
            if ti.try_number < 3:
                raise ValueError
            return task_state_store.get("tries")

        submit()
    assert value(dag.test(), "submit") == [1, 2, 3]


def test_a_coroutine_sees_at_once_what_it_kept_and_its_retry_too() -> None:
    with DAG("jobs") as dag:

        @task(retries=1)
        async def submit(task_state_store: Any, ti: Any) -> Any:
            seen = [task_state_store.get("a"), await task_state_store.aget("b", "none")]
            task_state_store.set("a", 1)
            await task_state_store.aset("b", {"x": [1.5, True, None]})
            seen += [task_state_store.get("a"), await task_state_store.aget("b")]
            if ti.try_number == 1:
                raise ValueError
            return seen

        submit()
    both = [1, {"x": [1.5, True, None]}]
    assert value(dag.test(), "submit") == both + both


def test_each_instance_has_its_own() -> None:
    with DAG("jobs") as dag:

        @task
        def keep(number: int, task_state_store: Any) -> Any:
            before = task_state_store.get("number")
            task_state_store.set("number", number)
            return [before, task_state_store.get("number")]

        keep.expand(number=[10, 20])
    run = dag.test()
    assert [run.as_dict()["xcoms"][f"keep[{i}]:return_value"] for i in (0, 1)] == [[None, 10], [None, 20]]


@pytest.mark.parametrize("on_the_loop", [False, True])
def test_what_was_said_last_holds(on_the_loop: bool) -> None:
    def said(store: Any) -> list[Any]:
        for key in ("a", "b", "c"):
            store.set(key, key)
        store.delete("a")
        first = [store.get(key) for key in ("a", "b", "c")]
        store.clear()
        store.set("b", "again")
        store.delete("nothing")
        return [first, [store.get(key) for key in ("a", "b", "c")]]

    with DAG("jobs") as dag:

        @task
        def blocking(task_state_store: Any) -> Any:
            return said(task_state_store)

        @task
        async def looping(task_state_store: Any) -> Any:
            first = said(task_state_store)
            await task_state_store.adelete("c")
            return [*first, await task_state_store.aget("b")]

        looping() if on_the_loop else blocking()
    expected: list[Any] = [[None, "b", "c"], [None, "again", None]]
    run = dag.test()
    assert value(run, "looping" if on_the_loop else "blocking") == (expected + ["again"] * on_the_loop)


@pytest.mark.anyio
async def test_it_is_on_file_before_set_returns_and_before_the_task_ends(tmp_path: Path) -> None:
    file = tmp_path / "flowlet.db"
    kept = "SELECT task_id, key, value FROM task_state_store ORDER BY task_id"
    with DAG("jobs") as dag:

        @task
        def blocking(task_state_store: Any) -> Any:
            task_state_store.set("job", "j1")
            return rows(file, kept)

        @task
        async def looping(task_state_store: Any) -> Any:
            await task_state_store.aset("job", "j2")
            found = rows(file, kept)
            task_state_store.set("more", "j3")
            return found

        blocking() >> looping()
    async with Engine(file, dags=[dag]) as engine:
        run = await (await engine.trigger("jobs")).wait()
    assert value(run, "blocking") == [["blocking", "job", '"j1"']]
    assert value(run, "looping") == [["blocking", "job", '"j1"'], ["looping", "job", '"j2"']]
    assert ("looping", "more", '"j3"') in rows(file, kept)


@pytest.mark.parametrize("wrong", [None, NEW_YEAR, {1: 2}, {"x": {1}}, float("nan"), b"x", "\ud800"])
def test_what_is_no_json_is_refused(wrong: Any) -> None:
    with DAG("jobs") as dag:

        @task
        def keep(task_state_store: Any) -> Any:
            with pytest.raises(StateStoreError):
                task_state_store.set("x", wrong)
            with pytest.raises(StateStoreError):
                task_state_store.set("", 1)
            return task_state_store.get("x", "nothing")

        keep()
    assert value(dag.test(), "keep") == "nothing"


@pytest.mark.anyio
async def test_what_its_time_is_over_for_goes_and_what_belongs_to_a_deleted_run(tmp_path: Path) -> None:
    file = tmp_path / "flowlet.db"
    with DAG("jobs") as dag:

        @task
        def keep(task_state_store: Any) -> None:
            task_state_store.set("for an hour", 1, retention=timedelta(hours=1))
            task_state_store.set("for thirty days", 1)
            task_state_store.set("for good", 1, retention=NEVER_EXPIRE)

        keep()
    clock = VirtualClock(to_micros(NEW_YEAR))
    async with Engine(file, dags=[dag], clock=clock) as engine:
        await (await engine.trigger("jobs")).wait()
        for days, left in ((0, 3), (1, 2), (31, 1)):
            await engine._store.prune(to_micros(NEW_YEAR) + days * DAY)  # it is open
            assert len(rows(file, "SELECT key FROM task_state_store")) == left
        await (await engine.trigger("jobs")).wait()
        await engine._store.prune(to_micros(NEW_YEAR) + 400 * DAY, keep_days=90, keep_runs=1)
        assert len(rows(file, "SELECT DISTINCT run_id FROM task_state_store")) == 1
        assert await engine._store.check() == []


@pytest.mark.parametrize("clears", ["true", "false"])
def test_it_may_go_with_success(clears: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLOWLET__STATE_STORE__CLEAR_ON_SUCCESS", clears)
    with DAG("jobs") as dag:

        @task
        async def keep(task_state_store: Any) -> None:
            task_state_store.set("x", 1)

        @task
        def fail(task_state_store: Any) -> None:
            task_state_store.set("x", 1)
            raise ValueError

        keep()
        fail()
    dag.test(db=tmp_path / "flowlet.db")
    left = [task_id for (task_id,) in rows(tmp_path / "flowlet.db", "SELECT task_id FROM task_state_store ORDER BY task_id")]
    assert left == (["fail"] if clears == "true" else ["fail", "keep"])


@pytest.mark.anyio
async def test_a_body_that_was_given_up_keeps_nothing_more() -> None:
    import threading

    go_on, told = threading.Event(), threading.Event()
    problems: list[str] = []
    with DAG("jobs") as dag:

        @task(execution_timeout=timedelta(seconds=0.05))
        def slow(task_state_store: Any) -> None:
            go_on.wait(20)
            try:
                task_state_store.set("late", 1)
            except StateStoreError as problem:
                problems.append(str(problem))
            told.set()

        @task(trigger_rule="all_done")
        def after(task_state_store: Any) -> None:
            go_on.set()
            assert told.wait(20)

        slow() >> after()
    async with Engine(dags=[dag]) as engine:
        run = await (await engine.trigger("jobs")).wait()
        assert await engine.fetch("task_state", scope=run._run.find("slow").id, key="late") == []
    assert [problem.partition(" (")[0] for problem in problems] == ["this attempt is over"]


CRASH = """
import os, signal, sys
from flowlet import DAG, task, Engine
import asyncio

with DAG("jobs") as dag:

    @task
    def submit(task_state_store, ti):
        job = task_state_store.get("job")
        if job:
            return [job, ti.try_number]
        task_state_store.set("job", "j1")
        os.kill(os.getpid(), signal.SIGKILL)

    submit()

async def main():
    async with Engine(sys.argv[1], dags=[dag]) as engine:
        run = await engine.trigger("jobs", run_id="one")
        print((await run.wait()).as_dict()["xcoms"])

asyncio.run(main())
"""


def test_what_was_kept_survives_the_end_of_the_process(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(CRASH)
    command = [sys.executable, str(tmp_path / "jobs.py"), str(tmp_path / "flowlet.db")]
    done = [subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=dict(os.environ)) for _ in (1, 2)]
    assert done[0].returncode == -signal.SIGKILL
    assert done[1].stdout.strip() == "{'submit:return_value': ['j1', 2]}", done[1].stderr


# -- of an asset -----------------------------------------------------------------------------------------


def test_an_asset_is_remembered_by_every_run_of_every_dag(tmp_path: Path) -> None:
    with DAG("producer") as producer:

        @task(outlets=[ORDERS])
        def load(asset_state_store: Any) -> Any:
            store = asset_state_store[ORDERS]
            store.set("runs", store.get("runs", default=0) + 1)
            return asset_state_store.get("runs")

        load()
    with DAG("consumer", schedule=None) as consumer:

        @task(inlets=[Asset.ref(name="orders"), RETURNS])
        async def read(asset_state_store: Any) -> Any:
            await asset_state_store[RETURNS].aset("seen", 1)
            return [await asset_state_store[Asset.ref(name="orders")].aget("runs"), await asset_state_store[RETURNS].aget("seen")]

        read()
    file = tmp_path / "flowlet.db"
    assert [value(dag.test(db=file), name) for dag, name in ((producer, "load"), (producer, "load"), (consumer, "read"))] == [1, 2, [2, 1]]
    assert rows(file, "SELECT asset, key, value, dag_id, task_id FROM asset_state_store ORDER BY asset") == [
        ("orders", "runs", "2", "producer", "load"), ("returns", "seen", "1", "consumer", "read"),
    ]  # fmt: skip


def test_a_reference_by_uri_finds_the_asset_that_a_dag_names() -> None:
    with DAG("producer") as dag:

        @task(outlets=[ORDERS])
        def load(asset_state_store: Any) -> None:
            asset_state_store.set("rows", 3)

        @task(inlets=[Asset.ref(uri="s3://lake/orders")])
        def read(asset_state_store: Any) -> Any:
            return asset_state_store.get("rows")

        @task(inlets=[Asset.ref(uri="s3://nowhere")])
        def lose(asset_state_store: Any) -> Any:
            with pytest.raises(StateStoreError, match="no DAG here names an asset with the uri"):
                asset_state_store.set("rows", 3)

        load() >> read() >> lose()
    run = dag.test()
    assert (run.state, value(run, "read")) == ("success", 3)


def test_an_alias_that_is_read_stands_for_what_was_written_by_it() -> None:
    alias = AssetAlias("daily")
    with DAG("producer") as dag:

        @task(outlets=[alias, ORDERS])
        def load(outlet_events: Any, asset_state_store: Any) -> None:
            asset_state_store.set("rows", 3)
            outlet_events[alias].add(ORDERS)

        @task(inlets=[alias])
        def read(asset_state_store: Any) -> Any:
            return asset_state_store[ORDERS].get("rows")

        load() >> read()
    assert value(dag.test(), "read") == 3


def test_a_task_reaches_only_the_assets_that_it_names() -> None:
    with DAG("producer") as dag:

        @task(outlets=[ORDERS, RETURNS])
        def several(asset_state_store: Any) -> None:
            with pytest.raises(StateStoreError, match="names 2 assets: say which"):
                asset_state_store.get("rows")
            with pytest.raises(KeyError, match="neither an inlet nor an outlet"):
                asset_state_store[Asset("other")]
            with pytest.raises(TypeError):
                asset_state_store["orders"]

        @task
        def none(asset_state_store: Any = None, task_state_store: Any = None) -> Any:
            return [asset_state_store is None, task_state_store is None]

        several() >> none()
    run = dag.test()
    assert (run.state, value(run, "none")) == ("success", [True, False])
