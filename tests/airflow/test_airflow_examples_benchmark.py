"""The comparison with Airflow's examples, on a folder that looks like the unpacked wheels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout
    lines = {line.split()[0]: line for line in told.splitlines() if line.strip()}
    assert "as there" in lines["same"]
    assert "as there" in lines["same@conf"]
    assert "differs" in lines["other"]
    assert "say 'success', Airflow 'failed'" in told
    assert "value of say 'none', Airflow 'some'" in told
    assert "airflow.sdk.Nonsense is not available" in told
    assert "of 4 in the truth: 2 as there, 1 differ, 1 did not load" in told

    again = subprocess.run([*command, "--json", "--only", "same"], capture_output=True, text=True, check=True, timeout=100)
    rows = {row["dag_id"]: row for row in json.loads(again.stdout)}
    assert rows["same"]["tasks"] == {"say": "success", "write": "success"}
    assert rows["same"]["asset_events"] == [{"name": "x", "uri": "x", "task_id": "write", "extra": {}}]
