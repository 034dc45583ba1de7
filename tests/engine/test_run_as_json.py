"""What `run.as_dict()` tells of a run, while it lives, when it is over, after a restart, for another process."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, BashOperator, Engine, PythonOperator, get_current_context, task
from flowlet.events import Event, TaskEnded
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
DAY = datetime(2026, 1, 15, tzinfo=UTC)


class Boom(Exception):
    pass


def many_faces() -> DAG:
    with DAG("many") as dag:
        day = BashOperator(task_id="day", bash_command="echo {{ ds }}", env={"TOKEN": "t", "RUN": "{{ run_id }}"})
        BashOperator(task_id="plain", bash_command="echo hi", append_env=True)

        @task
        def nothing() -> int:
            return 1

        @task
        def takes(rows: list[Any], factor: int = 2) -> int:
            return factor

        @task.bash
        def said() -> str:
            return "echo {{ ds_nodash }}"

        @task(map_index_template="{{ word }}!")
        def each(word: str) -> str:
            get_current_context()["word"] = word.upper()
            return word

        takes([nothing(), 7], factor=day.output)
        said()
        takes.override(task_id="all")(each.expand(word=["a", "b"]))
    return dag


BASH: dict[str, Any] = {"env": None, "cwd": None}
CALL: dict[str, Any] = {"templates_dict": None, "op_args": [], "op_kwargs": {}}
RENDERED = {  # as Airflow 3.3 has it for these tasks
    "day": {**BASH, "bash_command": "echo 2026-01-15", "env": {"TOKEN": "***", "RUN": "r"}},
    "plain": {**BASH, "bash_command": "echo hi"},
    "nothing": CALL,
    "takes": {**CALL, "op_args": [[1, 7]], "op_kwargs": {"factor": "2026-01-15"}},
    "said": {**BASH, "op_args": [], "op_kwargs": {}, "bash_command": "echo 20260115"},
    "each[0]": {**CALL, "op_kwargs": {"word": "a"}},
    "each[1]": {**CALL, "op_kwargs": {"word": "b"}},
    "all": {**CALL, "op_args": [["a", "b"]]},
}


def test_fields_are_told_as_they_were_rendered_and_instances_by_their_labels() -> None:
    told = many_faces().test(logical_date=DAY, run_id="r").as_dict()
    assert told["rendered"] == RENDERED
    assert told["map_labels"] == {"each[0]": "A!", "each[1]": "B!"}
    assert json.loads(json.dumps(told, allow_nan=False)) == told


async def test_a_later_engine_tells_the_same(tmp_path: Path) -> None:
    async with Engine(tmp_path / "f.db", dags=[many_faces()], schedules=False) as engine:
        told = (await (await engine.trigger("many", run_id="r", logical_date=DAY)).wait()).as_dict()
        assert (await engine.run("many", "r")).as_dict() == told
    async with Engine(tmp_path / "f.db", dags=[many_faces()], schedules=False) as engine:
        again = (await engine.run("many", "r")).as_dict()
    assert told["state"] == "success"
    assert again == told
    assert again["rendered"] == RENDERED


async def test_what_rendered_nothing_has_no_row(tmp_path: Path) -> None:
    async with Engine(tmp_path / "f.db", dags=[many_faces()], schedules=False) as engine:
        await (await engine.trigger("many", run_id="r", logical_date=DAY)).wait()
    with sqlite3.connect(tmp_path / "f.db") as db:
        found = db.execute("SELECT task_id FROM rendered JOIN task_instance ti ON ti.id = rendered.ti ORDER BY 1").fetchall()
    db.close()
    assert [task_id for (task_id,) in found] == ["day", "each", "each", "said"]


async def test_what_a_run_under_way_has_rendered_is_told(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    with DAG("d") as dag:

        async def wait() -> None:
            await go_on.wait()

        PythonOperator(task_id="wait", python_callable=wait)
        first = PythonOperator(task_id="first", python_callable=str, op_args=["{{ ds }}"])
    ended = asyncio.Event()

    def listen(event: Event) -> None:
        if isinstance(event, TaskEnded) and event.task_id == first.task_id:
            ended.set()

    async with Engine(tmp_path / "f.db", dags=[dag], schedules=False) as engine:
        engine.listeners.subscribe(listen)
        run = await engine.trigger("d", logical_date=DAY)
        async with asyncio.timeout(20):
            await ended.wait()
        assert run.as_dict()["rendered"] == {"wait": CALL, "first": {**CALL, "op_args": ["2026-01-15"]}}
        go_on.set()
        await run.wait()


def test_the_fields_are_those_of_the_last_try_as_they_were_when_it_began() -> None:
    with DAG("d") as dag:

        def body(rows: list[str], **context: Any) -> None:
            rows.append("mine")
            if context["ti"].try_number < 3:
                raise Boom

        PythonOperator(task_id="t", python_callable=body, op_args=[["{{ ti.try_number }}"]], retries=3)
    told = dag.test().as_dict()
    assert (told["state"], told["rendered"]) == ("success", {"t": {**CALL, "op_args": [["3"]]}})


def test_what_could_not_be_rendered_is_not_told() -> None:
    with DAG("d") as dag:
        BashOperator(task_id="b", bash_command="echo {{ nobody }}")

        @task
        def takes(value: int) -> int:
            return value

        @task
        def source() -> Any:
            return {}

        takes(source()["absent"])
    told = dag.test().as_dict()
    assert (told["tasks"], told["rendered"]) == ({"b": "failed", "source": "success", "takes": "failed"}, {"source": CALL})


def test_a_field_that_cannot_be_shown_costs_the_task_nothing() -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("no")

    with DAG("d") as dag:
        PythonOperator(task_id="t", python_callable=lambda *_: None, op_args=["{{ ds }}", Mute(), "half \ud800"])
    told = dag.test().as_dict()
    assert (told["state"], list(told["rendered"])) == ("success", ["t"])
    json.dumps(told)


async def test_the_error_of_each_failed_try_is_told_also_of_those_before_a_restart(tmp_path: Path) -> None:
    errors = [Boom, ValueError, KeyError, TypeError]

    def dag() -> DAG:
        with DAG("d") as dag:

            def body(**context: Any) -> None:
                raise errors[context["ti"].try_number - 1]("no")

            PythonOperator(task_id="t", python_callable=body, retries=3, retry_delay=timedelta(hours=1))
        return dag

    clock = VirtualClock(DAY)
    async with Engine(tmp_path / "f.db", dags=[dag()], schedules=False, clock=clock) as engine:
        run = await engine.trigger("d", run_id="r")
        await clock.run_until(DAY + timedelta(minutes=30))
        assert run.as_dict()["errors"] == {"t": ["Boom"]}
        await clock.run_until(DAY + timedelta(minutes=90))
        assert run.as_dict()["errors"] == {"t": ["Boom", "ValueError"]}
    async with Engine(tmp_path / "f.db", dags=[dag()], schedules=False, clock=clock) as engine:
        run = await engine.run("d", "r")
        assert run.as_dict()["errors"] == {"t": ["Boom", "ValueError"]}
    async with Engine(tmp_path / "f.db", dags=[dag()], schedules=False, clock=clock) as engine:
        await clock.run_until(DAY + timedelta(minutes=150))
        run = await engine.run("d", "r")
        assert run.as_dict()["errors"] == {"t": ["Boom", "ValueError", "KeyError"]}
        await clock.run_until(DAY + timedelta(minutes=210))
        told = (await run.wait()).as_dict()
        assert (told["tries"], told["errors"]) == ({"t": 4}, {"t": ["Boom", "ValueError", "KeyError", "TypeError"]})
        assert (await engine.run("d", "r")).as_dict() == told


def test_secrets_of_variables_and_connections_are_in_no_field_and_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET_VAR_MY_PASSWORD", "hunter-two")
    monkeypatch.setenv("FLOWLET_CONN_DB", "postgres://me:s3cretpass@host/db?api_key=k3y-of-db")
    with DAG("d") as dag:

        def body(*words: str) -> None:
            raise ValueError(" ".join(words))

        args = ["{{ var.value.my_password }}", "{{ conn.db.password }}", "{{ conn.db.get_uri() }}"]
        PythonOperator(task_id="t", python_callable=body, op_args=args)
        BashOperator(task_id="b", bash_command="echo {{ conn.db.extra_dejson.api_key }} && exit 1")
    told = dag.test().as_dict()
    assert told["rendered"]["t"]["op_args"][:2] == ["***", "***"]
    assert told["rendered"]["b"]["bash_command"] == "echo *** && exit 1"
    for word in ("hunter-two", "s3cretpass", "k3y-of-db"):
        assert word not in json.dumps(told)


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize(
    ("verb", "args"), [("set_run_state", {"state": "success"}), ("trigger", {"logical_date": DAY}), ("cancel", {})]
)
async def test_whatever_verb_gives_a_run_it_tells_what_its_tasks_left_before_a_restart(
    tmp_path: Path, verb: str, args: dict[str, Any], goes_on: bool
) -> None:
    @task
    def left() -> int:
        return 7

    @task.bash
    def said() -> str:
        return "exit 3"

    with DAG("kept") as dag:
        left()
        said()
    async with Engine(tmp_path / "f.db", dags=[dag], schedules=False) as engine:
        before = await (await engine.trigger("kept", run_id="r", logical_date=DAY)).wait()
    async with Engine(tmp_path / "f.db", dags=[dag], schedules=False) as engine:
        if goes_on:
            await engine.pause("kept")
            await engine.clear("kept", "r", task_ids="said")
        run = await getattr(engine, verb)("kept", run_id="r", **args)
        assert run.as_dict()["xcoms"] == before.as_dict()["xcoms"] == {"left:return_value": 7}
        assert run.as_dict()["errors"] == before.as_dict()["errors"] != {}
