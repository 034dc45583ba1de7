"""`flowlet check`: findings for people and for programs, and an exit status for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .process import Done, Process

Write = Callable[[str, str], Path]
Flowlet = Callable[..., Done]

NEVER = """\
with DAG("etl"):
    EmptyOperator(task_id="a") >> EmptyOperator(task_id="b", trigger_rule="all_failed")
"""


def test_what_will_not_work_is_a_line_with_its_place_and_status_1(write: Write, flowlet: Flowlet) -> None:
    write("etl.py", "from flowlet.operators.empty import EmptyOperator\n" + NEVER)
    done = flowlet("check", "etl.py")
    assert done.status == 1
    assert done.out.startswith("etl.py:4: error: DAG etl, task b: never runs: ")
    assert done.out.endswith("1 file, 1 DAG: 1 error, 0 warnings, 0 hints\n")


def test_hints_and_warnings_are_status_0(write: Write, flowlet: Flowlet) -> None:
    write("etl.py", 'dag = DAG("etl", start_date=datetime(2026, 1, 1))\n')
    done = flowlet("check", "etl.py")
    assert (done.status, done.out.splitlines()[-1]) == (0, "1 file, 1 DAG: 0 errors, 1 warning, 1 hint")


def test_json_has_every_finding_and_what_files_print_is_not_in_it(write: Write, flowlet: Flowlet) -> None:
    write("etl.py", "from flowlet.operators.empty import EmptyOperator\nprint('loading')\n" + NEVER)
    shape = json.loads(flowlet("check", "etl.py", "--json").out)
    (finding,) = shape.pop("findings")
    assert shape == {"ok": False, "files": 1, "dags": 1}
    assert (finding["level"], finding["check"], finding["line"], finding["task"]) == ("error", "unreachable", 5, "b")


def test_pools_of_the_database_exist(write: Write, flowlet: Flowlet) -> None:
    write("etl.py", 'from flowlet.operators.empty import EmptyOperator\nwith DAG("etl"):\n    EmptyOperator(task_id="a", pool="narrow")\n')
    assert "the pool 'narrow' is not in the database" in flowlet("check", "etl.py").out
    write("first.py", 'with DAG("first"):\n    task(print)()\n')
    assert flowlet("run", "first.py").status == 0
    assert flowlet("pools", "set", "narrow", "1").status == 0
    assert flowlet("check", "etl.py").out == "1 file, 1 DAG: 0 errors, 0 warnings, 0 hints\n"


def test_airflows_names_are_understood(write: Write, start: Callable[..., Process]) -> None:
    """In a process of its own: a file that imports Airflow changes what contexts hold, for all that follows."""
    write("etl.py", 'from airflow.sdk import DAG as AirflowDag, task\n@task\ndef a(): ...\nwith AirflowDag("etl"):\n    a()\n')
    assert start("check", "etl.py").end().status == 0


# -- files that take the process with them ---------------------------------------------------------------

SOUND = "from flowlet import DAG\nfrom flowlet.operators.empty import EmptyOperator\nwith DAG('sound'):\n    EmptyOperator(task_id='a')\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import os\nos._exit(0)\n", "ends the process while it is loaded (exit status 0)"),
        ("import os\nos.kill(os.getpid(), 9)\n", "ends the process while it is loaded (exit status -9)"),
        ("import sys\nsys.exit(3)\n", "ends the process (exit status 3)"),
        ("raise KeyboardInterrupt\n", "interrupted while it was loaded"),
        ("import sys\nsys.stdout.close()\nprint()\n", "closed file"),
        ("print('noise', flush=True)\nimport os\nos.system('echo noise')\nos.write(1, b'noise')\n1 / 0\n", "division by zero"),
        ("while True:\n    pass\n", "took longer than 1 s"),
    ],
    ids=["exits at once", "is killed", "exits", "interrupts", "closes its output", "prints", "hangs"],
)
def test_a_file_that_ends_or_hangs_the_process_is_one_finding_and_the_others_are_looked_at(
    text: str, says: str, folder: Path, start: Callable[..., Process]
) -> None:
    (folder / "m_bad.py").write_text(f"from flowlet import DAG\n{text}")
    for name in ("a_sound", "z_sound"):
        (folder / f"{name}.py").write_text(SOUND.replace("sound", name))
    shape = json.loads(start("check", ".", "--json", env={"FLOWLET__CORE__DAGBAG_IMPORT_TIMEOUT": "1"}).end().out)
    (finding,) = shape["findings"]
    assert (shape["files"], shape["dags"], finding["level"], finding["check"]) == (3, 2, "error", "loading")
    assert Path(finding["file"]).name == "m_bad.py"
    assert says in finding["text"]
