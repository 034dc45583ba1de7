"""`flowlet.load`: files give their DAGs, or one error that lists everything that is wrong with any of them."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import flowlet
from flowlet import DagFileError
from flowlet.worker.secrets import mask_secret

Write = Callable[..., Path]
GOOD = "from airflow import DAG\nfrom airflow.operators.bash import BashOperator\nwith DAG({dag_id!r}): BashOperator(task_id='t', bash_command='echo')\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def wrong(*paths: Path) -> list[tuple[str, int, str, str]]:
    """The errors, of which the message has a line each."""
    with pytest.raises(DagFileError) as caught:
        flowlet.load(*paths)
    errors = caught.value.errors
    assert str(caught.value).splitlines() == [f"{file}:{line}: {kind}: {' '.join(text.split())}" for file, line, kind, text in errors]
    return [tuple(error) for error in errors]


def test_a_file_gives_its_dags_by_id(write: Write) -> None:
    one, two = write("one.py", GOOD.format(dag_id="a") + GOOD.format(dag_id="b")), write("two.py", GOOD.format(dag_id="c"))
    assert list(flowlet.load(one, str(two))) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "line", "kind", "says"),
    [
        ("with DAG('x' as dag:\n", 1, "SyntaxError", "invalid syntax"),
        ("import os\nraise ValueError('one\\n two')\n", 2, "ValueError", "one\n two"),
        ("from flowlet import *\nwith DAG('x'):\n    EmptyOperator(task_id='a')\n    1 / 0\n", 4, "ZeroDivisionError", "division by zero"),
        ("import no_such_thing\n", 1, "ModuleNotFoundError", "No module named 'no_such_thing'"),
        ("x = 1\n", 1, "NoDag", "describes no DAG: build one with `with DAG(...):`, or call the function under @dag"),
        ("raise SystemExit(3)\n", 1, "SystemExit", "the file ends the process (exit status 3) while it is loaded"),
        (
            "from flowlet import *\nwith DAG('x'): a = EmptyOperator(task_id='a'); EmptyOperator(task_id='a')\n",
            2, "DuplicateTaskId", "the id 'a' is taken in DAG 'x': first by <Task(EmptyOperator): a> ({file}:2), again by a EmptyOperator ({file}:2)",
        ),
        (
            "from airflow.providers.slack.hooks.slack import SlackHook\n", 1, "NotInFlowlet",
            ("airflow.providers.slack.hooks.slack is not available: it comes with the package apache-airflow-providers-slack,"
            " which is not installed ({file}:1)"),
        ),
    ],
    ids=["syntax", "raises", "raises in a DAG", "import", "no DAG", "exit", "a task's id twice", "a name of a provider"],
)  # fmt: skip
def test_what_is_wrong_with_a_file(write: Write, text: str, line: int, kind: str, says: str) -> None:
    file = write("bad.py", text)
    ((where, at, what, text),) = wrong(file)
    assert (where, at, what) == (str(file), line, kind)
    assert text.startswith(says.format(file=file))


def test_every_dag_of_a_file_that_is_wrong_is_told(write: Write) -> None:
    file = write("two.py", "from flowlet import *\n" + "".join(
        f"with DAG({name!r}):\n    a = EmptyOperator(task_id='a')\n    a >> EmptyOperator(task_id='b') >> a\n" for name in "xyz"
    ))  # fmt: skip
    told = [(line, kind, text.partition(" form")[0]) for _, line, kind, text in wrong(file)]
    assert told == [(2 + 3 * number, "DagCycle", f"the tasks of DAG {name!r}") for number, name in enumerate("xyz")]


def test_all_files_are_told_of_also_ids_that_two_of_them_give(write: Write) -> None:
    bad, worse = write("bad.py", "1 / 0"), write("worse.py", "raise LookupError")
    one, two = write("one.py", GOOD.format(dag_id="d")), write("two.py", "\n" + GOOD.format(dag_id="d"))
    errors = wrong(bad, one, worse, two)
    assert [(Path(file).name, line, kind) for file, line, kind, _ in errors] == [
        ("bad.py", 1, "ZeroDivisionError"), ("worse.py", 1, "LookupError"), ("two.py", 4, "DuplicateDagId"),
    ]  # fmt: skip
    assert errors[-1][3] == f"the DAG id 'd' is taken: first at {one}:3, again at {two}:4. Give one of them another dag_id."


def test_a_file_that_takes_too_long(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET__CORE__DAGBAG_IMPORT_TIMEOUT", "0.05")
    file = write("slow.py", "x = 1\nwhile True:\n    x += 1\n")
    ((_, line, kind, text),) = wrong(file)
    assert (line in (2, 3), kind, text) == (True, "Timeout", "took longer than 0.05 s to load")


def test_no_error_tells_a_secret(write: Write) -> None:
    mask_secret("hunter-two-load")
    ((_, _, _, text),) = wrong(write("bad.py", "raise ValueError('cannot log in with hunter-two-load')"))
    assert text == "cannot log in with ***"


def test_the_error_can_be_sent_to_another_process(write: Write) -> None:
    with pytest.raises(DagFileError) as caught:
        flowlet.load(write("bad.py", "1 / 0"))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.errors, str(again)) == (caught.value.errors, str(caught.value))


def test_where_the_real_airflow_is_loaded_it_stays(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ModuleType("airflow")
    monkeypatch.setitem(sys.modules, "airflow", real)
    dag = flowlet.load(write("one.py", "import airflow\nfrom flowlet import *\nwith DAG('d', doc_md=str(airflow.__name__)): EmptyOperator(task_id='t')"))
    assert sys.modules["airflow"] is real
    assert list(dag) == ["d"]
