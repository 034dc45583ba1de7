"""A secret that bodies, callbacks and triggers let slip in every way they can stands in no file of the engine."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, BaseOperator, BashOperator, Connection, Engine, PythonOperator, SkipTask, Variable
from flowlet.authoring.triggers import BaseTrigger, TriggerEvent

pytestmark = pytest.mark.anyio
PASSWORD, TOKEN = "pw-of-the-warehouse", "tok-0815-of-the-shop"


def password() -> str:
    return str(Connection.get("warehouse").password)


def token() -> str:
    return str(Variable.get("shop_token"))


def raises() -> None:
    try:
        raise KeyError(password())
    except KeyError as error:
        error.add_note(f"noted: {token()}")
        raise ValueError(f"cannot log in as {token()}") from error


def raises_a_group() -> None:
    raise ExceptionGroup(password(), [ValueError(token()), OSError(2, password(), token())])


def exits() -> None:
    raise SystemExit(f"{password()} {token()}")


def skips() -> None:
    raise SkipTask(f"no {token()}")


def tells() -> None:
    print("printed", password())
    logging.getLogger("mine").warning("logged %s %r", token(), {"x": [password()]})
    try:
        raises()
    except ValueError:
        logging.getLogger("mine").exception("in vain")


def calls_back(context: Any) -> None:
    print(password())
    raise RuntimeError(f"called back with {token()}")


class Leaks(BaseTrigger):
    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "Leaks", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        raise ValueError(f"the trigger has {password()}")
        yield TriggerEvent(None)


class Defers(BaseOperator):
    def execute(self, context: Any) -> None:
        self.defer(trigger=Leaks(), method_name="execute")


BODIES: dict[str, Callable[[], None]] = {
    "raises": raises, "raises_a_group": raises_a_group, "exits": exits, "skips": skips, "tells": tells,
}  # fmt: skip


def leaking() -> DAG:
    with DAG("leaking", on_failure_callback=calls_back) as dag:
        for name, body in BODIES.items():
            PythonOperator(
                task_id=name, python_callable=body, retries=1, retry_delay=0, on_execute_callback=calls_back,
                on_failure_callback=calls_back, on_retry_callback=calls_back, on_success_callback=calls_back, on_skipped_callback=calls_back,
            )  # fmt: skip
        Defers(task_id="defers")
        BashOperator(
            task_id="bash", bash_command="echo {{ conn.warehouse.password }}; echo $TOKEN >&2; exit 3",
            env={"TOKEN": "{{ var.value.shop_token }}"}, append_env=True,
        )  # fmt: skip
        BashOperator(task_id="template", bash_command="{{ conn.warehouse.password | nothing }}{{ var.value.shop_token }}")
        PythonOperator.partial(
            task_id="mapped", python_callable=lambda x: x, map_index_template="{{ var.value.shop_token }}", do_xcom_push=False
        ).expand(op_args=[["{{ conn.warehouse.get_uri() }}"]])
    return dag


def files_in(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


async def test_no_secret_stands_in_the_database_or_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET_CONN_WAREHOUSE", f"postgres://me:{PASSWORD}@host/db")
    monkeypatch.setenv("AIRFLOW_VAR_SHOP_TOKEN", TOKEN)
    async with Engine(tmp_path / "f.db", dags=[leaking()], schedules=False, capture="all") as engine:
        run = await (await engine.trigger("leaking", run_id="r")).wait()
        told = json.dumps(run.as_dict())
        assert run.task_states == {
            "raises": "failed", "raises_a_group": "failed", "exits": "failed", "skips": "skipped", "tells": "success",
            "defers": "failed", "bash": "failed", "template": "failed", "mapped[0]": "success",
        }  # fmt: skip
    assert run.as_dict()["map_labels"] == {"mapped[0]": "***"}
    assert run.as_dict()["rendered"]["mapped[0]"]["op_args"] == ["postgres://me:***@host/db"]
    files = files_in(tmp_path)
    logs = [file for file in files if file.suffix == ".log"]
    assert (len(logs) > 8, "***" in told) == (True, True)
    assert sum(file.read_text().count("***") for file in logs) > 30
    for word in (PASSWORD, TOKEN):
        assert word not in told
        assert [file.name for file in files if word.encode() in file.read_bytes()] == []
