"""What Airflow itself does with its example DAGs: `airflow_answers.json` is made by this, in an hour.

    python benchmarks/airflow_oracle.py [--only WORD] > benchmarks/airflow_answers.json

in an environment that has `apache-airflow==3.3.2`. Each DAG is run by `dag.test()` at 2026-01-15, with random
seed 0, in a process with a metadata database of its own; what has not ended after 90 seconds is `running`.
The confs are those that a DAG needs to run, or that change its way.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFS: dict[str, Any] = {
    "example_params_trigger_ui": {"names": ["Linda"], "english": True, "german": False, "french": True},
    "example_params_ui_tutorial": {"required_field": "a required value"},
    "example_passing_params_via_test_command": {"foo": "bar"},
    "example_trigger_target_dag": {"message": "Hello World"},
    "tutorial_taskflow_templates": {"foobar": "other", "other_param": "x"},
}
SECONDS = 90

#: In the process of one DAG: arguments are the file, the DAG id ("" to list them all) and the conf.
ONE = '''
import importlib.util, json, logging, os, random, signal, sys, time
from datetime import datetime, timezone
logging.disable(60)
file, dag_id, conf = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
answer = os.dup(1); os.dup2(2, 1)
from airflow.sdk import DAG
from airflow.sdk.definitions._internal.contextmanager import DagContext
from airflow.utils.session import create_session
from sqlalchemy import text

spec = importlib.util.spec_from_file_location("the_file", file)
module = sys.modules["the_file"] = importlib.util.module_from_spec(spec)
DagContext.current_autoregister_module_name = "the_file"
spec.loader.exec_module(module)
dags = {dag.dag_id: dag for dag, _ in DagContext.autoregistered_dags}
dags |= {dag.dag_id: dag for dag in vars(module).values() if isinstance(dag, DAG)}
if not dag_id:
    os.write(answer, json.dumps(sorted(dags)).encode()); os._exit(0)

class TooLong(BaseException): ...
def late(*_): raise TooLong
signal.signal(signal.SIGALRM, late); signal.alarm(SECONDS)
random.seed(0)
facts, began = {}, time.perf_counter()
try:
    dags[dag_id].test(logical_date=datetime(2026, 1, 15, tzinfo=timezone.utc), run_conf=conf)
except BaseException as error:
    facts["error"] = f"{type(error).__name__}: {error}".partition("\\n")[0][:200]
signal.alarm(0)
facts["seconds"] = round(time.perf_counter() - began, 1)

def key(task, index): return task if index in (None, -1) else f"{task}[{index}]"
with create_session() as session:
    def rows(sql): return [list(row) for row in session.execute(text(sql), {"dag": dag_id})]
    runs = rows("SELECT run_id, state FROM dag_run WHERE dag_id = :dag")
    run_id, facts["run_state"] = runs[0] if runs else (None, None)
    tasks = [row[1:] for row in sorted(rows("SELECT run_id, task_id, map_index, state, try_number FROM task_instance WHERE dag_id = :dag")) if row[0] == run_id]
    facts["tasks"] = {key(task, index): state for task, index, state, _ in tasks}
    facts["tries"] = {key(task, index): tries for task, index, _, tries in tasks if tries > 1}
    xcoms = rows("SELECT run_id, task_id, map_index, key, value FROM xcom WHERE dag_id = :dag ORDER BY 2, 3, 4")
    facts["xcom"] = {key(task, index) + ("" if name == "return_value" else f":{name}"): value for run, task, index, name, value in xcoms if run == run_id}
    facts["other_runs"] = sorted(rows("SELECT dag_id, state FROM dag_run WHERE dag_id != :dag"))
    events = rows("SELECT a.uri, e.source_task_id, e.source_map_index, e.extra FROM asset_event e JOIN asset a ON a.id = e.asset_id WHERE e.source_dag_id = :dag")
    facts["asset_events"] = sorted([uri, key(task, index), extra if isinstance(extra, str) else json.dumps(extra)] for uri, task, index, extra in events)
if facts.get("error", "").startswith("TooLong"):
    facts["run_state"] = "running"
os.write(answer, json.dumps(facts).encode()); os._exit(0)
'''  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="only files whose name holds this")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        answers = dict(_answers(Path(folder), only))
    lines = [f"{json.dumps(name)}: {json.dumps(answers[name], sort_keys=True)}" for name in sorted(answers)]
    print("{\n" + ",\n".join(lines) + "\n}")
    return 0


def _answers(folder: Path, only: str) -> Iterator[tuple[str, Any]]:
    import airflow

    site = Path(airflow.__file__).parents[1]
    empty = folder / "empty.db"
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=_environment(folder, empty), check=True, stdout=sys.stderr)
    for part in ("airflow/example_dags", "airflow/providers/standard/example_dags"):
        for file in sorted((site / part).glob(f"*{only}*.py")):
            for dag_id in _ask(folder, empty, file, "", None) or []:
                yield dag_id, {"file": str(file.relative_to(site)), **(_ask(folder, empty, file, dag_id, None) or _ENDLESS)}
                if conf := CONFS.get(dag_id):
                    facts = _ask(folder, empty, file, dag_id, conf) or _ENDLESS
                    yield f"{dag_id}@conf", {"file": str(file.relative_to(site)), "note": f"conf {json.dumps(conf)}", **facts}


_ENDLESS = {"run_state": "running", "tasks": {}}


def _ask(folder: Path, empty: Path, file: Path, dag_id: str, conf: Any) -> Any:
    """The answer of one process; None if it had to be killed, or the file does not load there."""
    print(file.name, dag_id, conf or "", file=sys.stderr)
    database = folder / "airflow.db"
    shutil.copy(empty, database)
    try:
        done = subprocess.run(
            [sys.executable, "-c", ONE.replace("SECONDS", str(SECONDS)), str(file), dag_id, json.dumps(conf)], env=_environment(folder, database), check=False,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS + 30,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.decode().replace(str(folder), "FOLDER")) if done.stdout else None


def _environment(folder: Path, database: Path) -> dict[str, str]:
    (folder / "dags").mkdir(exist_ok=True)
    return {
        **os.environ, "AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__LOAD_EXAMPLES": "True",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
