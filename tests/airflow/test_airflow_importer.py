"""`import airflow...` means flowlet: which names there are, what they are, and what is said of those there are not."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import flowlet
from flowlet import errors
from flowlet.airflow import NotInFlowlet, names
from flowlet.airflow.finder import install
from flowlet.airflow.modules import MODULES


def test_a_name_is_the_flowlet_thing_itself() -> None:
    from airflow.operators.bash_operator import BashOperator
    from airflow.providers.standard.operators.bash import (
        BashOperator as ProvidersBashOperator,
    )
    from airflow.sdk import DAG, task

    assert BashOperator is ProvidersBashOperator is flowlet.BashOperator
    assert DAG is flowlet.DAG
    assert task is flowlet.task


@pytest.mark.parametrize(
    ("airflows", "flowlets"),
    [
        ("AirflowException", errors.FlowletError),
        ("AirflowSkipException", errors.SkipTask),
        ("AirflowFailException", errors.FailTask),
        ("AirflowSensorTimeout", errors.SensorTimeout),
        ("AirflowTaskTimeout", errors.TaskTimeout),
        ("AirflowNotFoundException", errors.ConnectionNotFound),
        ("XComNotFound", errors.XComNotFound),
        ("DuplicateTaskIdFound", errors.DuplicateTaskId),
        ("AirflowDagCycleException", errors.DagCycle),
        ("ParamValidationError", errors.ParamError),
        ("NodeNotFound", errors.TaskNotFound),
        ("TaskAlreadyInTaskGroup", errors.DagError),
        ("FailFastDagInvalidTriggerRule", errors.DagError),
    ],
)
def test_exceptions_are_flowlets_own(airflows: str, flowlets: type) -> None:
    for module in ("airflow.exceptions", "airflow.sdk.exceptions"):
        assert getattr(importlib.import_module(module), airflows) is flowlets


def test_the_database_s_not_found_errors_are_those_of_dags_and_tasks() -> None:
    from airflow.exceptions import DagCodeNotFound, TaskInstanceNotFound

    assert DagCodeNotFound is errors.DagNotFound
    assert TaskInstanceNotFound is errors.TaskNotFound


def test_every_name_of_the_table_that_has_a_home_is_found_there() -> None:
    for module in MODULES:
        for name in names.available(module):
            assert names.find(module, name) is not names.ABSENT


def test_every_name_of_the_table_of_homes_is_in_some_module() -> None:
    listed = set().union(*MODULES.values())
    assert set(names._homes()) <= listed


def test_submodules_are_attributes_as_everywhere() -> None:
    import airflow
    from airflow.utils import timezone

    assert airflow.utils.timezone is timezone
    assert timezone.utcnow().tzinfo is not None
    assert airflow.__version__ == "3.3.2"


def test_a_star_import_brings_what_flowlet_has() -> None:
    space: dict[str, object] = {}
    exec("from airflow.sdk import *", space)
    assert space["DAG"] is flowlet.DAG
    assert "__version__" not in space


ALIASES: dict[str, str] = json.loads((Path(__file__).parent / "airflow_aliases.json").read_text())
ABSENT = frozenset((Path(__file__).parent / "airflow_absent.txt").read_text().split())


@pytest.mark.parametrize("old", ALIASES)
def test_an_old_path_means_what_it_meant_or_says_in_a_line_why_not(old: str) -> None:
    """The paths that Airflow 3.3 itself still forwards, to where they lead."""
    module, _, name = old.rpartition(".")
    provider = package_of(ALIASES[old])
    try:
        importlib.import_module(module)
        if name != "*":
            exec(f"from {module} import {name}", {})
    except NotInFlowlet as error:
        (line,) = str(error).splitlines()
        assert line.startswith((f"{module}.{name} is not available: ", f"{module} is not available: "))
        if provider is not None:
            assert f"it comes with the package {provider}, which is not installed" in line
        else:
            assert "this version of flowlet does not have it" in line
            assert old in ABSENT
    else:
        assert provider is None or old in HERE


HERE = frozenset({"airflow.operators.email.EmailOperator"})
"""What is a provider's in Airflow 3, and here too because it was Airflow's own before."""


def package_of(path: str) -> str | None:
    """The provider package in which a path leads, if that is one of its own."""
    return None if ".common.compat." in path or not path.startswith("airflow.providers.") else names.provider_of(path)


def test_an_absent_attribute_is_asked_for_as_of_any_module() -> None:
    import airflow

    assert not hasattr(airflow, "nonsense")
    assert getattr(airflow, "nonsense", 1) == 1


def test_an_optional_import_falls_through(dag_of) -> None:
    dag = dag_of("""
        try:
            from airflow.sdk import Nonsense
        except ImportError:
            Nonsense = None
        try:
            import airflow.providers.nothing.at.all
        except ImportError:
            pass
        from airflow import DAG
        with DAG("d"):
            assert Nonsense is None
    """)
    assert dag.dag_id == "d"


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "from airflow.providers.amazon.aws.operators.s3 import S3CreateBucketOperator",
            (
                "airflow.providers.amazon.aws.operators.s3 is not available: it comes with the package"
                " apache-airflow-providers-amazon, which is not installed"
            ),
        ),
        (
            "import airflow.providers.apache.spark.operators.spark_submit",
            (
                "airflow.providers.apache.spark.operators.spark_submit is not available: it comes with the package"
                " apache-airflow-providers-apache-spark, which is not installed"
            ),
        ),
        (
            "from airflow.operators.postgres_operator import PostgresOperator",
            (
                "airflow.operators.postgres_operator is not available: it comes with the package"
                " apache-airflow-providers-postgres, which is not installed"
            ),
        ),
        (
            "from airflow.providers.common.compat.sdk import Nonsense",
            "airflow.providers.common.compat.sdk.Nonsense is not available: flowlet does not know it",
        ),
        (
            "from airflow.utils.session import provide_session",
            (
                "airflow.utils.session.provide_session is not available: this version of flowlet does not have it:"
                " it comes with a metadata database, which there is none of"
            ),
        ),
        (
            "from airflow.sdk import TaskGruop",
            "airflow.sdk.TaskGruop is not available: flowlet does not know it (did you mean 'TaskGroup'?)",
        ),
        (
            "import airflow.utils.timezones",
            "airflow.utils.timezones is not available: flowlet does not know it (did you mean 'timezone'?)",
        ),
    ],
)
def test_what_flowlet_does_not_have_is_said_in_one_line(load, statement: str, sentence: str) -> None:
    loaded = load(f"import os\n{statement}\n")
    (problem,) = loaded.problems
    assert (problem.line, problem.kind) == (2, "NotInFlowlet")
    assert problem.text == f"{sentence} ({loaded.file}:2)"


def test_the_real_airflow_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ModuleType("airflow")
    real.__file__ = "/opt/airflow/__init__.py"
    monkeypatch.setitem(sys.modules, "airflow", real)
    with pytest.raises(
        ImportError, match=r"the real Airflow is loaded already \(from /opt/airflow/__init__.py\)"
    ):
        install()


def test_a_provider_package_that_is_installed_runs_on_flowlet(tmp_path, monkeypatch, dag_of) -> None:
    package = tmp_path / "site" / "airflow" / "providers" / "acme"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "operators.py").write_text(
        "from airflow.sdk import BaseOperator\n"
        "class AcmeOperator(BaseOperator):\n"
        "    def execute(self, context):\n"
        "        return 'acme'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    dag = dag_of("""
        from airflow import DAG
        from airflow.providers.acme.operators import AcmeOperator
        with DAG("d"):
            AcmeOperator(task_id="a")
    """)
    assert dag.test().as_dict()["xcoms"] == {"a:return_value": "acme"}


def test_errors_of_that_kind_are_import_errors() -> None:
    assert issubclass(NotInFlowlet, ImportError)
    assert issubclass(NotInFlowlet, errors.FlowletError)


def test_nothing_is_imported_before_a_file_asks(tmp_path) -> None:
    script = (
        "import sys, flowlet.airflow\n"
        "assert 'flowlet.airflow.names' not in sys.modules\n"
        "import airflow.sdk\n"
        "assert 'flowlet.authoring.dag' not in sys.modules\n"
        "from airflow.sdk import DAG\n"
        "assert 'flowlet.engine' not in sys.modules and 'flowlet.operators.bash' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, timeout=60)
