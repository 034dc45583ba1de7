"""Variables and connections: from the environment, then from the engine's file; never to be read in a log.

(Airflow: TS:definitions/test_variables.py, test_connections.py of the task SDK.)
"""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, BashOperator, Engine, FlowletError, TaskState, get_current_context, task
from flowlet.engine.verbs import perform
from flowlet.errors import ConnectionNotFound, VariableNotFound
from flowlet.worker.connections import BaseHook, Connection
from flowlet.worker.secrets import SECRETS
from flowlet.worker.variables import Variable

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def a_dag(*bodies: Any) -> DAG:
    with DAG("dag") as dag:
        last: Any = None
        for body in bodies:
            done = task(body)()
            if last is not None:
                last >> done
            last = done
    return dag


async def outcome(engine: Engine, dag: DAG) -> Any:
    await engine.add(dag)
    run = await (await engine.trigger(dag.dag_id)).wait()
    assert run.state == "success", run.as_dict()
    return run


# -- what a task sees ---------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_task_reads_what_the_engine_keeps() -> None:
    def sync() -> Any:
        return [Variable.get("place"), Variable.get("limits", deserialize_json=True), BaseHook.get_connection("shop").host]

    async def on_the_loop() -> Any:
        return [Variable.get("place"), Variable.get("nowhere", "a default"), Variable.get("nowhere", default_var=None)]

    async with Engine() as engine:
        await engine.set_variable("place", "Oslo")
        await engine.set_variable("limits", {"n": [1, 2]})
        await engine.set_connection("shop", "http://shop.example/")
        run = await outcome(engine, a_dag(sync, on_the_loop))
        assert await run.xcom("sync") == ["Oslo", {"n": [1, 2]}, "shop.example"]
        assert await run.xcom("on_the_loop") == ["Oslo", "a default", None]


@pytest.mark.anyio
async def test_templates_read_it_too() -> None:
    with DAG("dag") as dag:
        BashOperator(
            task_id="say",
            bash_command="echo {{ var.value.place }} {{ var.json.limits.n[1] }} {{ var.value.get('nowhere', 'else') }}"
            " {{ conn.shop.host }}:{{ conn.shop.port }} {{ conn.shop.extra_dejson.mode }} {{ conn.get('nowhere', 'none') }}",
        )
    async with Engine() as engine:
        await engine.set_variable("place", "Oslo")
        await engine.set_variable("limits", '{"n": [1, 2]}')
        await engine.set_connection("shop", {"conn_type": "http", "host": "shop.example", "port": 8080, "extra": {"mode": "test"}})
        run = await outcome(engine, dag)
        assert await run.xcom("say") == "Oslo 2 else shop.example:8080 test none"


@pytest.mark.anyio
async def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PLACE", "there")
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", "http://there/")

    def body() -> Any:
        return [Variable.get("place"), Connection.get("shop").host]

    async with Engine() as engine:
        await engine.set_variable("place", "here")
        await engine.set_connection("shop", "http://here/")
        assert await (await outcome(engine, a_dag(body))).xcom("body") == ["there", "there"]
        monkeypatch.setenv("FLOWLET_VAR_PLACE", "nearer")
        assert await (await outcome(engine, a_dag(body))).xcom("body") == ["nearer", "there"]


@pytest.mark.anyio
async def test_what_a_task_sets_is_seen_at_once_and_on_file_with_its_success(tmp_path: Path) -> None:
    def setting() -> Any:
        Variable.set("day", "monday")
        Variable.set("limits", {"n": 3}, description="how many", serialize_json=True)
        Variable.set("old", "x")
        Variable.delete("old")
        return [Variable.get("day"), Variable.get("old", None), Variable.keys(), Variable.keys("d")]

    async def on_the_loop() -> Any:
        Variable.set("hour", 12)
        return [Variable.get("day"), Variable.get("hour"), Variable.setdefault("day", "tuesday"), Variable.setdefault("minute", 5)]

    file = tmp_path / "flowlet.db"
    async with Engine(file) as engine:
        run = await outcome(engine, a_dag(setting, on_the_loop))
        assert await run.xcom("setting") == ["monday", None, ["day", "limits"], ["day"]]
        assert await run.xcom("on_the_loop") == ["monday", "12", "monday", 5]
        with sqlite3.connect(file) as reader:
            rows = reader.execute("SELECT name, description FROM secret ORDER BY name").fetchall()
        reader.close()
        assert rows == [("day", ""), ("hour", ""), ("limits", "how many"), ("minute", "")]
    async with Engine(file) as engine:
        assert await engine.get_variable("limits") == '{\n  "n": 3\n}'
        assert await engine.get_variable("old") is None


@pytest.mark.anyio
async def test_deleted_and_set_again_in_one_breath_it_is_set_and_the_other_way_round_it_is_gone(tmp_path: Path) -> None:
    async def body() -> None:  # on the loop, so that all of it comes to one turn of the scheduler
        Variable.delete("kept")
        Variable.set("kept", "again")
        Variable.set("gone", "for a moment")
        Variable.delete("gone")

    file = tmp_path / "flowlet.db"
    async with Engine(file) as engine:
        await engine.set_variable("kept", "before")
        await outcome(engine, a_dag(body))
    async with Engine(file) as engine:
        assert [await engine.get_variable(key) for key in ("kept", "gone")] == ["again", None]


@pytest.mark.anyio
async def test_what_is_missing_fails_the_task_with_the_name_and_the_way_out() -> None:
    def variable() -> None:
        Variable.get("nowhere")

    async def connection() -> None:
        await Connection.async_get("nowhere")

    with DAG("dag") as dag:
        task(variable)()
        task(connection)()
    async with Engine(dags=[dag]) as engine:
        run = await (await engine.trigger("dag")).wait()
        assert run.task_states == {"variable": TaskState.FAILED, "connection": TaskState.FAILED}
        assert run.as_dict()["errors"] == {"variable": ["VariableNotFound"], "connection": ["ConnectionNotFound"]}
        why = await engine.why("dag", run.run_id, "variable")
        assert "variable 'nowhere' is not set: give FLOWLET_VAR_NOWHERE in the environment" in why
    with pytest.raises(KeyError, match="variable 'nowhere' is not set"):
        Variable.get("nowhere")
    with pytest.raises(LookupError, match="connection 'nowhere' is not set"):
        BaseHook.get_connection("nowhere")
    assert str(VariableNotFound("x")) == "x" and issubclass(ConnectionNotFound, LookupError)


def test_without_an_engine_nothing_can_be_set() -> None:
    with pytest.raises(FlowletError, match=r"Variable.set\('x'\) needs an open Engine"):
        Variable.set("x", "1")
    assert Variable.keys() == []


@pytest.mark.anyio
async def test_code_outside_of_a_task_asks_the_engine_opened_last() -> None:
    async with Engine() as outer, Engine() as inner:
        await outer.set_variable("place", "outer")
        await inner.set_variable("place", "inner")
        assert Variable.get("place") == "inner"

        def body() -> str:
            return str(Variable.get("place"))

        assert await (await outcome(outer, a_dag(body))).xcom("body") == "outer"
    assert Variable.get("place", None) is None


# -- secrets stay secret ------------------------------------------------------------------------------


def log_of(file: Path) -> str:
    (log,) = Path(f"{file}.logs").rglob("1.log")
    return log.read_text()


@pytest.mark.anyio
async def test_values_are_masked_in_logs_and_stand_in_no_spec_and_no_event(tmp_path: Path) -> None:
    def body() -> None:
        print("token", Variable.get("api_token"), "password", BaseHook.get_connection("shop").password)
        print("member", Variable.get("settings", deserialize_json=True)["password"])

    file = tmp_path / "flowlet.db"
    async with Engine(file, capture="all") as engine:
        await engine.set_variable("api_token", "tok-4711-x")
        await engine.set_variable("settings", {"password": "in-json-4711"})
        await engine.set_connection("shop", "http://me:pw-4711-y@shop.example/")
        run = await outcome(engine, a_dag(body))
        assert "token *** password ***" in (log := log_of(file)) and "member ***" in log
        assert "4711" not in json.dumps(run.as_dict())
        store = engine._parts()[1]
        told = [await store.fetch("last_events", limit=100), await store.fetch("dags")]
        assert "4711" not in str(told)
        assert await engine.variables() == [
            {"key": "api_token", "value": "***", "description": ""},
            {"key": "settings", "value": '{"password": "***"}', "description": ""},
        ]
        (shop,) = await engine.connections()
        assert (shop["login"], shop["password"], shop["host"]) == ("me", "***", "shop.example")
    assert SECRETS.mask("pw-4711-y") == "***"


# -- the verbs ----------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_verbs_may_come_over_the_control_socket() -> None:
    async with Engine() as engine:
        await perform(engine, "set_variable", {"key": "day", "value": "monday", "description": "the first"})
        assert await perform(engine, "variables", {}) == [{"key": "day", "value": "monday", "description": "the first"}]
        assert await perform(engine, "get_variable", {"key": "day"}) == "monday"
        assert await perform(engine, "delete_variable", {"key": "day"}) is True
        assert await perform(engine, "delete_variable", {"key": "day"}) is False
        await perform(engine, "set_connection", {"conn_id": "shop", "connection": "http://shop.example/"})
        assert [shape["conn_id"] for shape in await perform(engine, "connections", {})] == ["shop"]
        assert await perform(engine, "delete_connection", {"conn_id": "shop"}) is True
        assert await engine.get_connection("shop") is None


@pytest.mark.anyio
async def test_what_is_wrong_is_refused() -> None:
    async with Engine() as engine:
        for name in ("", "x" * 251, 5):
            with pytest.raises(FlowletError, match="1 to 250 characters"):
                await engine.set_variable(name, "1")  # the mistake
        with pytest.raises(FlowletError, match="connection 'shop' has no part 'hots'; there are conn_type"):
            await engine.set_connection("shop", {"hots": "shop.example"})
        with pytest.raises(FlowletError, match="the port must be a number, not 'http'"):
            await engine.set_connection("shop", {"port": "http"})
        with pytest.raises(FlowletError, match="is no URI"):
            await engine.set_connection("shop", "http://shop:port/")


# -- connections and their spellings ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("postgresql://me:p%2Fw@db:5432/shop", {"conn_type": "postgres", "login": "me", "password": "p/w", "host": "db", "port": 5432, "schema": "shop"}),
        ("my-sql://host/db?charset=utf8", {"conn_type": "my_sql", "host": "host", "schema": "db", "extra": {"charset": "utf8"}}),
        ("http://https%3A%2F%2Fhost%2Fpath", {"conn_type": "http", "host": "https://host/path"}),
        ("http://https://host:8080/path", {"conn_type": "http", "host": "https://host", "port": 8080, "schema": "path"}),
        ("aws://?__extra__=%7B%22a%22%3A+%7B%22b%22%3A+1%7D%7D", {"conn_type": "aws", "extra": {"a": {"b": 1}}}),
        ("sqlite:///file", {"conn_type": "sqlite", "schema": "file"}),
    ],
)  # fmt: skip
def test_a_uri_says_the_parts_and_the_parts_a_uri(uri: str, parts: dict[str, Any]) -> None:
    connection = Connection.from_uri(uri, "shop")
    assert connection.to_dict(prune_empty=True) == {"conn_id": "shop", **parts}
    assert Connection("shop", connection.get_uri()) == connection
    assert Connection.from_json(connection.as_json(), "shop") == connection
    assert Connection("shop", **{**parts, "extra": json.dumps(parts.get("extra", {}))}) == connection


def test_extra_that_is_json_within_json() -> None:
    connection = Connection("shop", extra={"keyfile": '{"id": 1}', "mode": "test"})
    assert connection.get_extra_dejson() == {"keyfile": '{"id": 1}', "mode": "test"}
    assert connection.get_extra_dejson(nested=True) == {"keyfile": {"id": 1}, "mode": "test"}


def test_a_uri_and_parts_at_once_are_refused() -> None:
    with pytest.raises(FlowletError, match="give a URI or its parts, not both"):
        Connection("shop", uri="http://host", host="host")


# -- what the context knows of the run before ---------------------------------------------------------


@pytest.mark.anyio
async def test_the_context_knows_the_latest_successful_run_before() -> None:
    def body(
        dag_run: Any, prev_data_interval_start_success: Any, prev_data_interval_end_success: Any,
        prev_start_date_success: Any, prev_end_date_success: Any,
    ) -> Any:  # fmt: skip
        if dag_run.conf.get("fail"):
            raise RuntimeError
        if prev_start_date_success is None:
            return None
        assert prev_start_date_success <= prev_end_date_success < datetime(2100, 1, 1, tzinfo=UTC)
        assert isinstance(prev_start_date_success, datetime)
        shown = get_current_context()["prev_data_interval_start_success"]
        assert shown == prev_data_interval_start_success and shown.isoformat() == f"{shown.date()}T00:00:00+00:00"
        get_current_context()["ti"].xcom_push("shown", [shown])
        return [f"{prev_data_interval_start_success}", prev_data_interval_end_success.isoformat()]

    with DAG("dag") as dag:
        task(body)()
        BashOperator(task_id="say", bash_command="echo {{ prev_data_interval_start_success | ds }} {{ prev_end_date_success is none }}", trigger_rule="always")
    async with Engine(dags=[dag]) as engine:

        async def told(day: int, *, fail: bool = False) -> Any:
            date = datetime(2026, 1, day, tzinfo=UTC)
            run = await (await engine.trigger("dag", logical_date=date, conf={"fail": fail})).wait()
            return await run.xcom("body")

        assert await told(2) is None
        assert await told(3, fail=True) is None
        assert await told(4) == ["2026-01-02 00:00:00+00:00", "2026-01-02T00:00:00+00:00"]
        assert await told(1) is None
        assert await told(5) == ["2026-01-04 00:00:00+00:00", "2026-01-04T00:00:00+00:00"]
        run = await engine.run("dag", "manual__2026-01-05T00:00:00+00:00")
        assert await run.xcom("body", key="shown") == [datetime(2026, 1, 4, tzinfo=UTC)]
        assert await run.xcom("say") == "2026-01-04 False"
        undated = await (await engine.trigger("dag", logical_date=None, run_id="undated")).wait()
        assert undated.task_states["body"] == TaskState.FAILED  # there is no prev_data_interval_start_success


@pytest.mark.anyio
async def test_what_is_set_is_masked_before_anybody_reads_it() -> None:
    async with Engine() as engine:
        await engine.set_variable("new_token", "tok-set-0815")
        await engine.set_variable("new_settings", {"password": "mem-set-0815"})
        await engine.set_connection("c0815", "x://me:pw-set-0815@h")
    assert SECRETS.mask("tok-set-0815 mem-set-0815 pw-set-0815") == "*** *** ***"
