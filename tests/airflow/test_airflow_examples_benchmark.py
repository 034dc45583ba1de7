"""The comparison with Airflow's examples, on a folder that looks like the unpacked wheels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.beside_airflow import Row, compare, unsteady

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "airflow_examples.py"

DAGS = '''
from airflow.sdk import DAG, Asset, task
from airflow.providers.standard.operators.bash import BashOperator
for name in ("same", "other"):
    with DAG(name) as dag:
        BashOperator(task_id="say", bash_command="echo {{ dag_run.conf.get('word', 'none') }}")
        BashOperator(task_id="write", bash_command="true", outlets=[Asset("x")], do_xcom_push=False)
    globals()[name] = dag
'''


def entry(word: str, note: str | None = None) -> dict[str, object]:
    return {
        "run_state": "success", "tasks": {"say": "success", "write": "success"}, "tries": {}, "note": note,
        "xcom": {"say": json.dumps(word)}, "asset_events": [["x", "write", "{}"]], "other_runs": [],
    }  # fmt: skip


def test_what_differs_is_named(tmp_path: Path) -> None:
    for folder in ("airflow/example_dags", "airflow/providers/standard/example_dags"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "airflow/example_dags/example.py").write_text(DAGS)
    (tmp_path / "airflow/example_dags/broken.py").write_text("from airflow.sdk import Nonsense\n")
    truth = {
        "same": entry("none"),
        "same@conf": entry("hello", 'conf {"word": "hello"}'),
        "other": {**entry("some"), "tasks": {"say": "failed", "write": "success"}},
        "absent": entry("none"),
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    command = [sys.executable, str(SCRIPT), "--into", str(tmp_path), "--truth", str(tmp_path / "truth.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    told = done.stdout
    assert done.returncode == 1
    lines = {line.split()[0]: line for line in told.splitlines() if line.strip()}
    assert "as there" in lines["same"]
    assert "as there" in lines["same@conf"]
    assert "differs" in lines["other"]
    assert "say 'success', Airflow 'failed'" in told
    assert "value of say 'none', Airflow 'some'" in told
    assert "airflow.sdk.Nonsense is not available" in told
    assert "3 of 4 that Airflow ran: 2 as there, 1 differ, 1 did not load" in told
    assert "did not load: absent" in told

    again = subprocess.run([*command, "--json", "--only", "same"], capture_output=True, text=True, check=True, timeout=100)
    rows = {row["dag_id"]: row for row in json.loads(again.stdout)}
    assert rows["same"]["tasks"] == {"say": "success", "write": "success"}
    assert rows["same"]["asset_events"] == [{"name": "x", "uri": "x", "task_id": "write", "extra": {}}]


def row(**facts: Any) -> Row:
    shape: dict[str, Any] = {"dag_id": "etl", "file": "etl.py", "seconds": 0.1, "state": "success", "tasks": {}, "tries": {}, "xcoms": {}}
    return Row(**{**shape, **facts})


SAME = {"run_state": "success", "tasks": {"a": "success"}, "tries": {"a": 2}, "xcom": {"a": "[1]", "a:n": 2}, "asset_events": [], "other_runs": []}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"state": "failed"}, ["run 'failed', Airflow 'success'"]),
        ({"tasks": {"a": "failed"}}, ["a 'failed', Airflow 'success'"]),
        ({"tries": {}}, ["tries of a None, Airflow 2"]),
        ({"xcoms": {"a:return_value": [2], "a:n": 2}}, ["value of a [2], Airflow [1]"]),
        ({"xcoms": {"a:return_value": [1]}}, ["value of a:n None, Airflow 2"]),
        ({"triggered": [{"dag_id": "b", "state": "queued"}]}, ["other runs [['b', 'queued']], Airflow []"]),
        ({"state": None, "problem": "it broke"}, ["run: it broke"]),
    ],
    ids=["nothing", "state", "task", "tries", "value", "key", "other run", "no run"],
)
def test_each_fact_that_differs_is_told(changed: dict[str, Any], said: list[str]) -> None:
    sound = {"tasks": {"a": "success"}, "tries": {"a": 2}, "xcoms": {"a:return_value": [1], "a:n": 2}}
    assert compare(row(**{**sound, **changed}), dict(SAME)) == said


def test_what_has_no_end_under_airflow_and_what_needs_a_network_are_not_compared() -> None:
    assert compare(row(state="failed"), {"run_state": "running", "tasks": {"a": "none"}}) == []
    assert compare(row(dag_id="example_dag_decorator", state="failed"), dict(SAME)) == []


def test_values_that_no_two_runs_share_are_left_out_with_a_reason() -> None:
    assert unsteady("tutorial", "print_date") == "the time"
    assert unsteady("tutorial", "sleep") is None
    assert unsteady("example_task_state_store_mapped", "process_table[2]") == "random numbers, the time"
