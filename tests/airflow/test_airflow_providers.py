"""What provider packages take from Airflow beside operators and hooks."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from flowlet.errors import FlowletError
from flowlet.worker.connections import Connection


def test_small_functions() -> None:
    from airflow.utils.helpers import exactly_one, merge_dicts, prune_dict
    from airflow.utils.module_loading import import_string, qualname
    from airflow.utils.strings import to_boolean

    assert merge_dicts({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "c": 4}) == {"a": {"x": 1, "y": 3}, "b": 1, "c": 4}
    assert (exactly_one(1, None, 0), exactly_one(1, 2), exactly_one()) == (True, False, False)
    assert prune_dict({"a": None, "b": {"c": None, "d": 0}, "e": [None, 1]}) == {"b": {"d": 0}, "e": [1]}
    assert prune_dict({"a": 0, "b": 1}, mode="truthy") == {"b": 1}
    assert [to_boolean(text) for text in ("Yes", "on", "0", None)] == [True, True, False, False]
    assert import_string("pathlib.Path") is Path
    from airflow.lineage.hook import get_hook_lineage_collector

    assert get_hook_lineage_collector().add_extra(context=None, key="x", value=1) is None
    assert qualname(Path) == "pathlib.Path"
    for wrong in ("pathlib", "pathlib.Nothing"):
        with pytest.raises(ImportError):
            import_string(wrong)


def test_installed_packages_tell_their_hooks_and_dialects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers_manager import ProvidersManager

    (tmp_path / "acme_provider.py").write_text(
        dedent("""
        class AcmeHook:
            conn_name_attr = "acme_conn_id"
            def __init__(self, acme_conn_id, schema=None):
                self.about = (acme_conn_id, schema)

        def info():
            return {
                "package-name": "acme-provider",
                "connection-types": [{"connection-type": "acme", "hook-class-name": "acme_provider.AcmeHook"}],
                "dialects": [{"dialect-type": "acmesql", "dialect-class-name": "acme_provider.Dialect"}],
            }
        """)
    )
    about = tmp_path / "acme_provider-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-provider\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[apache_airflow_provider]\nprovider_info = acme_provider:info\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert ProvidersManager().hooks["acme"].hook_class_name == "acme_provider.AcmeHook"
    connection = Connection("mine", "acme://host")
    assert connection.get_hook(hook_params={"schema": "x"}).about == ("mine", "x")
    with pytest.raises(FlowletError, match="connection 'other' is of type 'none', for which no installed provider"):
        Connection("other", "none://host").get_hook()
    assert ProvidersManager().dialects["acmesql"].dialect_class_name == "acme_provider.Dialect"


def test_a_decorator_of_a_package_makes_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dag_of: Any) -> None:
    package = tmp_path / "airflow" / "providers" / "acme"
    package.mkdir(parents=True)
    (package / "ask.py").write_text(
        dedent("""
        from airflow.decorators.base import DecoratedOperator, task_decorator_factory
        from airflow.providers.common.compat.sdk import SET_DURING_EXECUTION, BaseOperator, context_merge, determine_kwargs

        class AskOperator(BaseOperator):
            template_fields = ("question",)
            def __init__(self, *, question, **kwargs):
                super().__init__(**kwargs)
                self.question = question
            def execute(self, context):
                return f"asked {self.question}"

        class _AskDecoratedOperator(DecoratedOperator, AskOperator):
            template_fields = (*DecoratedOperator.template_fields, *AskOperator.template_fields)
            custom_operator_name = "@task.ask"
            overwrite_rtif_after_execution = True
            def __init__(self, *, python_callable, op_args=None, op_kwargs=None, **kwargs):
                super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, question=SET_DURING_EXECUTION, **kwargs)
            def execute(self, context):
                context_merge(context, self.op_kwargs)
                kwargs = determine_kwargs(self.python_callable, self.op_args, context)
                self.question = self.python_callable(*self.op_args, **kwargs)
                context["ti"].render_templates()
                return super().execute(context)

        def ask_task(python_callable=None, **kwargs):
            return task_decorator_factory(python_callable=python_callable, decorated_operator_class=_AskDecoratedOperator, **kwargs)

        def info():
            return {"package-name": "acme", "task-decorators": [{"name": "ask", "class-name": "airflow.providers.acme.ask.ask_task"}]}
        """)
    )
    about = tmp_path / "acme-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[apache_airflow_provider]\nprovider_info = airflow.providers.acme.ask:info\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    dag = dag_of("""
        from airflow.decorators import dag, task

        @task
        def number():
            return "{{ 7 }}"

        @task.ask
        def plain(n, ds=None):
            return f"{len(n)} on {ds}, {{{{ run_id }}}}"

        @task.ask(retries=1)
        def other():
            return "what {{ ds_nodash }}"

        @dag(schedule=None)
        def asks():
            plain(number()) >> other()
        asks()
    """)
    told = dag.test(logical_date=datetime(2026, 1, 15, tzinfo=UTC), run_id="r").as_dict()
    assert {key: value for key, value in told["xcoms"].items() if "number" not in key} == {
        "plain:return_value": "asked 7 on 2026-01-15, r", "other:return_value": "asked what 20260115",
    }  # fmt: skip
    assert told["rendered"]["plain"] == {"op_args": ["{{ 7 }}"], "op_kwargs": {}, "question": "7 on 2026-01-15, r"}


def test_a_decorator_whose_package_is_missing_names_it(problem_of: Any) -> None:
    told = problem_of("from airflow.decorators import task\n@task.docker(image='x')\ndef f(): ...\n")
    assert "@task.docker comes with the package apache-airflow-providers-docker, which is not installed" in told


def test_hooks_for_folders_and_processes(monkeypatch: pytest.MonkeyPatch, dag_of: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FS_DEFAULT", "fs:///?path=%2Fsrv%2Fdata")
    dag = dag_of("""
        from airflow.decorators import dag, task
        from airflow.hooks.filesystem import FSHook
        from airflow.hooks.subprocess import SubprocessHook

        @task
        def both():
            done = SubprocessHook().run_command(["sh", "-c", "echo one; echo $AIRFLOW_CTX_TASK_ID; exit 3"])
            return [FSHook().get_path(), *done]

        @dag(schedule=None)
        def hooks():
            both()
        hooks()
    """)
    assert dag.test().as_dict()["xcoms"] == {"both:return_value": ["/srv/data", 3, "both"]}


def test_values_of_other_tasks_by_their_key(dag_of: Any) -> None:
    dag = dag_of("""
        from airflow.decorators import dag, task
        from airflow.models import XCom
        from airflow.models.taskinstance import TaskInstanceKey

        @task
        def one():
            return 1

        @task
        def looks(ti=None):
            XCom.set("mine", 2, task_id="looks")
            key = TaskInstanceKey(ti.dag_id, "one", ti.run_id)
            assert ti.key == (ti.dag_id, "looks", ti.run_id, 1, -1) and ti.key.task_id == "looks"
            return [XCom.get_one(task_id="one", run_id=ti.run_id), XCom.get_value(ti_key=key, key="return_value"), XCom.get_one(task_id="none")]

        @dag(schedule=None)
        def values():
            one() >> looks()
        values()
    """)
    told = dag.test().as_dict()["xcoms"]
    assert (told["looks:return_value"], told["looks:mine"]) == ([1, 1, None], 2)


def test_small_tools_of_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.configuration import conf
    from airflow.listeners import hookimpl
    from airflow.stats import Stats
    from airflow.utils.helpers import chunks, convert_camel_to_snake
    from airflow.utils.process_utils import execute_in_subprocess, patch_environ

    with Stats.timer("x"), patch_environ({"FACE": "1"}):
        Stats.incr("x")
        assert os.environ["FACE"] == "1"
        execute_in_subprocess(["sh", "-c", "test $FACE = 1"])
    assert "FACE" not in os.environ
    with pytest.raises(subprocess.CalledProcessError):
        execute_in_subprocess(["false"])
    assert hookimpl(len) is len
    assert list(chunks([1, 2, 3], 2)) == [[1, 2], [3]]
    assert convert_camel_to_snake("SomeOperator") == "some_operator"
    for name, text in {"JSON": '{"a": 1}', "LIST": "a, b", "IMPORT": "pathlib.Path"}.items():
        monkeypatch.setenv(f"AIRFLOW__ACME__{name}", text)
    assert (conf.getjson("acme", "json"), conf.getlist("acme", "list"), conf.getimport("acme", "import")) == ({"a": 1}, ["a", "b"], Path)
    assert conf.getsection("acme") == {"json": '{"a": 1}', "list": "a, b", "import": "pathlib.Path"}


def test_a_bag_of_dags_as_peoples_tests_load_it(tmp_path: Path) -> None:
    from airflow.models import DagBag

    (tmp_path / "good.py").write_text("from airflow import DAG\nfrom airflow.operators.empty import EmptyOperator\nwith DAG('good'): EmptyOperator(task_id='t')\n")
    (tmp_path / "bad.py").write_text("from airflow import DAG  # a dag\n1 / 0\n")
    (tmp_path / "helper.py").write_text("# helps with every airflow dag\n")
    bag = DagBag(dag_folder=str(tmp_path), include_examples=False)
    assert (bag.dag_ids, bag.size(), bag.get_dag("good").task_ids, bag.get_dag("nix")) == (["good"], 1, ["t"], None)
    assert bag.import_errors == {str(tmp_path / "bad.py"): "ZeroDivisionError: division by zero (line 2)"}
    assert [dag.dag_id for dag in DagBag(tmp_path / "good.py").process_file(str(tmp_path / "good.py"))] == ["good"]
