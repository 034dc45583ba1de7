"""Functions run by another interpreter: what goes over, what comes back, and virtual environments."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, DagError, EmptyOperator, task
from flowlet.operators.external_python import BranchExternalPythonOperator, ExternalPythonOperator
from flowlet.operators.virtualenv import PythonVirtualenvOperator

Run = Callable[..., Any]


def call(run: Run, function: Any, **arguments: Any) -> Any:
    """Run a function by this same interpreter, in a process of its own."""
    with DAG("other") as dag:
        ExternalPythonOperator(task_id="call", python=sys.executable, python_callable=function, **arguments)
    return run(dag)


def test_arguments_go_over_and_the_result_comes_back(run: Run) -> None:
    def whole(a, b=0, *, day, ds, logical_date):
        import os

        return {"sum": a + b, "next": day.replace(day=day.day + 1), "ds": ds, "at": logical_date, "pid": os.getpid()}

    value = call(run, whole, op_args=[1], op_kwargs={"b": 2, "day": date(2026, 2, 3)}).xcom("call")
    assert value.pop("pid") != __import__("os").getpid()
    assert (value["sum"], value["ds"]) == (3, "2026-01-01")
    assert "2026-02-04" in str(value["next"])
    assert "2026-01-01T00:00:00+00:00" in str(value["at"])


def test_moments_and_spans_come_back_as_what_they_were(run: Run) -> None:
    def give(at, span):
        return [at, at.date(), at.time(), span * 2]

    with DAG("other") as dag:

        @task
        def take(values: Any) -> Any:
            return [repr(value) for value in values]

        arguments = {"at": datetime(2026, 1, 2, 3, tzinfo=UTC), "span": timedelta(hours=1)}
        given = ExternalPythonOperator(
            task_id="give", python=sys.executable, python_callable=give, op_kwargs=arguments
        )
        take(given.output)
    assert run(dag).xcom("take") == [
        "datetime.datetime(2026, 1, 2, 3, 0, tzinfo=datetime.timezone.utc)", "datetime.date(2026, 1, 2)",
        "datetime.time(3, 0)", "datetime.timedelta(seconds=7200)",
    ]  # fmt: skip


def test_string_args_are_a_global_there(run: Run) -> None:
    def shout():
        return [word.upper() for word in virtualenv_string_args]  # noqa: F821  the other interpreter's

    assert call(run, shout, string_args=["a", 1]).xcom("call") == ["A", "1"]


def test_what_it_prints_is_logged_and_what_it_raises_is_told(run: Run) -> None:
    def fail():
        print("on the way")
        raise ValueError("no such thing")

    with DAG("other") as dag:
        ExternalPythonOperator(task_id="call", python=sys.executable, python_callable=fail)
    told = run(dag, logs=True)
    assert told.reasons == {"call": "FlowletError: the function raised ValueError: no such thing"}
    assert "on the way" in told.log("call")
    assert "in fail" in told.log("call")


def test_an_exit_code_may_say_to_skip(run: Run) -> None:
    def leave():
        raise SystemExit(7)

    assert call(run, leave, skip_on_exit_code=7).tasks == {"call": "skipped"}
    assert call(run, leave, skip_on_exit_code=[5, 6]).reasons == {"call": "FlowletError: the process ended with exit code 7"}


def test_what_is_no_json_needs_to_be_pickled(run: Run) -> None:
    def same(x):
        return x

    told = call(run, same, op_args=[{1, 2}])
    assert told.reasons == {
        "call": "FlowletError: the arguments cannot be handed over by json: a set is no JSON; serializer='pickle' takes more"
    }
    assert "1, 2" in str(call(run, same, op_args=[{1, 2}], serializer="pickle").xcom("call"))

    def complex_number():
        return 1j

    assert "what the function returned cannot be handed back by json" in call(run, complex_number).reasons["call"]


def test_the_environment_of_the_process(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def look():
        import os

        return [os.environ.get(name) for name in ("OUTER", "OWN", "AIRFLOW_CTX_TASK_ID")]

    monkeypatch.setenv("OUTER", "outer")
    assert call(run, look, env_vars={"OWN": "own"}).xcom("call") == ["outer", "own", "call"]
    assert call(run, look, env_vars={"OWN": "own"}, inherit_env=False).xcom("call") == [None, "own", "call"]


def test_only_plain_functions_go_over() -> None:
    async def later() -> None: ...

    for function, text in ((lambda: 1, "must be a function with a name"), (later, "must be a plain function")):
        with DAG("other"), pytest.raises(DagError, match=text):
            ExternalPythonOperator(task_id="call", python=sys.executable, python_callable=function)

    def plain() -> None: ...

    with DAG("other"), pytest.raises(DagError, match="serializer must be one of json, pickle"):
        ExternalPythonOperator(task_id="call", python=sys.executable, python_callable=plain, serializer="yaml")


def test_an_interpreter_that_there_is_not_is_named(run: Run) -> None:
    def nothing():
        return None

    with DAG("other") as dag:
        ExternalPythonOperator(task_id="call", python="/no/python", python_callable=nothing)
    assert run(dag).reasons == {"call": "FlowletError: python of task 'call' is no program: /no/python"}


def test_a_branch_by_another_python(run: Run) -> None:
    def choose():
        return "b"

    with DAG("other") as dag:
        choice = BranchExternalPythonOperator(task_id="choice", python=sys.executable, python_callable=choose)
        choice >> [EmptyOperator(task_id="a"), EmptyOperator(task_id="b")]
    assert run(dag).tasks == {"choice": "success", "a": "skipped", "b": "success"}


def test_decorators(run: Run, tmp_path: Path) -> None:
    with DAG("other") as dag:

        @task.external_python(python=sys.executable, multiple_outputs=True)
        def make(n: int):
            return {"a": n, "b": n + 1}

        @task.virtualenv(venv_cache_path=str(tmp_path))
        def double(n: int):
            return 2 * n

        double(make(1)["b"])
    assert run(dag).xcom("double") == 4
    assert task.virtualenv is task.virtualenv


# -- virtual environments --------------------------------------------------------------------------------


def wheel(folder: Path) -> Path:
    """A package of one module, installable without a network."""
    path = folder / "answer-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("answer.py", "VALUE = 42\n")
        archive.writestr("answer-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: answer\nVersion: 1.0\n")
        archive.writestr("answer-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("answer-1.0.dist-info/RECORD", "")
    return path


def test_an_environment_is_made_once_and_has_its_requirements(run: Run, tmp_path: Path) -> None:
    def ask():
        import sys

        import answer

        return [answer.VALUE, sys.prefix]

    with DAG("other") as dag:
        for name in ("one", "two"):
            PythonVirtualenvOperator(
                task_id=name, python_callable=ask, requirements=[str(wheel(tmp_path))], system_site_packages=False,
                pip_install_options=["--no-index"], venv_cache_path=tmp_path / "venvs",
            )  # fmt: skip
    told = run(dag)
    assert told.xcom("one") == told.xcom("two")
    assert told.xcom("one")[0] == 42
    assert len([path for path in (tmp_path / "venvs").iterdir() if path.is_dir()]) == 1


def test_an_environment_that_was_not_finished_is_made_anew(run: Run, tmp_path: Path) -> None:
    def where():
        import sys

        return sys.prefix

    with DAG("other") as dag:
        PythonVirtualenvOperator(task_id="call", python_callable=where, venv_cache_path=tmp_path)
    folder = Path(run(dag).xcom("call"))
    (folder / "flowlet-complete").unlink()
    (folder / "bin" / "python").unlink()
    assert run(dag).xcom("call") == str(folder)


def test_requirements_that_cannot_be_met_fail_the_task(run: Run, tmp_path: Path) -> None:
    def nothing():
        return None

    with DAG("other") as dag:
        PythonVirtualenvOperator(
            task_id="call", python_callable=nothing, requirements="./nowhere.whl", pip_install_options=["--no-index"],
            venv_cache_path=tmp_path,
        )  # fmt: skip
    told = run(dag)
    assert told.reasons["call"].startswith("FlowletError: the virtual environment cannot be made:")
    assert not list(tmp_path.rglob("flowlet-complete"))
