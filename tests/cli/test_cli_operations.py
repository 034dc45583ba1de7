"""clear and set-state, without an owner and with one; what they say, ask and refuse."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from .process import Process, until

FLAKY = """
with DAG("etl"):
    @task
    def extract(): return 1
    @task
    def load():
        assert Path("fixed").exists()
    extract() >> load()
"""


@pytest.fixture
def failed(write: Any, flowlet: Any) -> None:
    """A run that failed in its second task; nobody owns the file."""
    write("etl.py", FLAKY)
    assert flowlet("run", "etl.py", "--run-id", "r").status == 1


def states(flowlet: Any) -> dict[str, tuple[str, int]]:
    return {task["task_id"]: (task["state"], task["try_number"]) for task in flowlet("runs", "show", "etl", "r", "--json").json["tasks"]}


@pytest.mark.usefixtures("failed")
def test_what_is_cleared_without_an_owner_waits_for_one(flowlet: Any, start: Any, folder: Path) -> None:
    done = flowlet("tasks", "clear", "etl", "r", "load")
    assert (done.status, done.out) == (0, "1 task of etl cleared\n")
    assert "no scheduler runs on flowlet.db: `flowlet daemon FILE --db flowlet.db` will go on with it" in done.err
    assert states(flowlet) == {"extract": ("success", 1), "load": ("none", 1)}
    (folder / "fixed").touch()
    start("daemon", "etl.py")
    until(lambda: flowlet("runs", "list", "etl", "--json").json[0]["state"] == "success")
    assert states(flowlet) == {"extract": ("success", 1), "load": ("success", 2)}


@pytest.mark.usefixtures("failed")
def test_an_owner_clears_and_marks_at_once(flowlet: Any, start: Any, folder: Path) -> None:
    owner: Process = start("daemon", "etl.py", "--json")
    owner.line_with('"event":"started"')
    done = flowlet("tasks", "set-state", "etl", "r", "load", "success")
    assert (done.out, done.err) == ("1 task of etl marked success\n", "")
    assert flowlet("runs", "list", "etl", "--json").json[0]["state"] == "success"
    (folder / "fixed").touch()
    assert flowlet("runs", "clear", "etl", "r", "--json").json == {
        "dag_id": "etl", "dry_run": False,
        "cleared": [{"run_id": "r", "task_id": name, "map_index": -1} for name in ("extract", "load")],
    }  # fmt: skip
    until(lambda: states(flowlet) == {"extract": ("success", 2), "load": ("success", 2)})


@pytest.mark.usefixtures("failed")
def test_a_dry_run_lists_and_does_nothing(flowlet: Any) -> None:
    done = flowlet("tasks", "clear", "etl", "--only-failed", "--dry-run")
    assert done.out == "r  load\n1 task of etl would be cleared\n"
    assert flowlet("tasks", "set-state", "etl", "r", "extract", "skipped", "--downstream", "--dry-run").out == (
        "r  extract\nr  load\n2 tasks of etl would be marked skipped\n"
    )
    assert states(flowlet) == {"extract": ("success", 1), "load": ("failed", 1)}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("failed")
def test_on_a_terminal_it_is_asked_first(flowlet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert flowlet("runs", "clear", "etl", "r").out == "r  extract\nr  load\nClear 2 tasks? [y/N] 0 tasks of etl cleared\n"
    assert states(flowlet)["load"] == ("failed", 1)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert flowlet("runs", "clear", "etl", "r", "-f").out == "r  load\nClear 1 task? [y/N] 1 task of etl cleared\n"
    assert states(flowlet)["load"] == ("none", 1)
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert flowlet("runs", "clear", "etl", "r", "--yes").out == "1 task of etl cleared\n"


@pytest.mark.usefixtures("failed")
def test_a_run_is_marked(flowlet: Any) -> None:
    assert flowlet("runs", "set-state", "etl", "r", "success").out == "r of etl is success: marked success\n"
    assert flowlet("runs", "set-state", "etl", "r", "queued").out == "r of etl is queued\n"
    assert states(flowlet) == {"extract": ("success", 1), "load": ("failed", 1)}


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("tasks clear x", "no DAG 'x' is registered; known: etl"),
        ("tasks clear etl x", "DAG 'etl' has no run 'x'; its latest are r"),
        ("tasks clear etl r x", "DAG 'etl' has no task 'x'; it has extract, load"),
        ("tasks clear etl r load[2]", "the run 'r' of DAG 'etl' has no load[2]: it is not expanded"),
        ("tasks clear etl r load extract --map-index 1", "an index is one of one task's: clear tasks with an index one by one"),
        ("tasks set-state etl r load running", "a task cannot be set to 'running'; it can be success, failed, skipped"),
        ("runs set-state etl r done", "a run cannot be set to 'done'; it can be success, failed, queued"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(words: str, says: str, flowlet: Any) -> None:
    done = flowlet(*words.split())
    assert (done.status, done.out) == (2, "")
    assert says in done.err


@pytest.mark.usefixtures("failed")
def test_tasks_and_runs_are_named_as_airflow_does(flowlet: Any) -> None:
    assert flowlet("tasks", "clear", "etl", "-t", "^lo", "-s", "2000-01-01", "-e", "9000-01-01", "--dry-run").out == (
        "r  load\n1 task of etl would be cleared\n"
    )
    assert flowlet("tasks", "clear", "etl", "-t", "^lo", "-e", "2000-01-01", "--dry-run").out == "0 tasks of etl would be cleared\n"
    assert "either a run is named" in flowlet("tasks", "clear", "etl", "r", "-s", "2000-01-01").err
