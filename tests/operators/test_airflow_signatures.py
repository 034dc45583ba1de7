"""Names, order, defaults and template fields are those of Airflow 3.3.2, restated here; what differs is listed.

Source: the constructors of apache-airflow-task-sdk 1.3.2 and apache-airflow-providers-standard 1.21.0.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import flowlet
from flowlet import DAG, BaseOperator, TaskGroup
from flowlet.authoring.arguments import CHECKS
from flowlet.authoring.edges import EdgeModifier

EMPTY = inspect.Parameter.empty

#: What a task has when nothing is said: `BaseOperator(...)`, all of them keyword-only.
OPERATOR: dict[str, Any] = {
    "owner": "airflow", "email": None, "email_on_retry": True, "email_on_failure": True, "retries": 0,
    "retry_delay": timedelta(seconds=300), "retry_exponential_backoff": 0, "max_retry_delay": None, "retry_policy": None,
    "start_date": None, "end_date": None, "depends_on_past": False, "ignore_first_depends_on_past": False,
    "wait_for_past_depends_before_skipping": False, "wait_for_downstream": False, "params": None, "priority_weight": 1,
    "weight_rule": "downstream", "queue": "default", "pool": "default_pool", "pool_slots": 1, "sla": None,
    "execution_timeout": None, "on_execute_callback": (), "on_failure_callback": (), "on_success_callback": (),
    "on_retry_callback": (), "on_skipped_callback": (), "trigger_rule": "all_success", "resources": None,
    "run_as_user": None, "map_index_template": None, "max_active_tis_per_dag": None, "max_active_tis_per_dagrun": None,
    "executor": None, "executor_config": None, "do_xcom_push": True, "multiple_outputs": False, "inlets": (),
    "outlets": (), "doc": None, "doc_md": None, "doc_json": None, "doc_yaml": None, "doc_rst": None,
    "task_display_name": None, "logger_name": None, "allow_nested_operators": True, "render_template_as_native_obj": None,
}  # fmt: skip

#: flowlet's own argument of every operator: what becomes of an attempt that a crash interrupted.
OURS = {"on_crash": "requeue"}

#: Class to the keyword-only parameters that it adds.
ADDED: dict[str, dict[str, Any]] = {
    "EmptyOperator": {},
    "BaseBranchOperator": {},
    "BranchPythonOperator": {},
    "PythonOperator": {
        "python_callable": EMPTY, "op_args": None, "op_kwargs": None, "templates_dict": None, "templates_exts": None,
        # Airflow: True. Here the value is in the XCom, and a log file costs more than most tasks.
        "show_return_value_in_logs": None,
    },
    "ShortCircuitOperator": {"ignore_downstream_trigger_rules": True},
    "BashOperator": {
        "bash_command": EMPTY, "env": None, "append_env": False, "output_encoding": "utf-8", "skip_on_exit_code": 99,
        "cwd": None, "output_processor": None,  # Airflow: a lambda that gives back what it gets
    },
    "BaseSensorOperator": {
        "poke_interval": 60, "timeout": None, "soft_fail": False, "mode": "poke", "exponential_backoff": False,
        "max_wait": None, "silent_fail": False, "never_fail": False,
    },
    "PythonSensor": {"python_callable": EMPTY, "op_args": None, "op_kwargs": None, "templates_dict": None},
}  # fmt: skip

TEMPLATES: dict[str, tuple[list[str], list[str]]] = {
    "BaseOperator": ([], []),
    "EmptyOperator": ([], []),
    "BaseBranchOperator": ([], []),
    "BaseSensorOperator": ([], []),
    "PythonOperator": (["templates_dict", "op_args", "op_kwargs"], []),
    "BranchPythonOperator": (["templates_dict", "op_args", "op_kwargs"], []),
    "ShortCircuitOperator": (["templates_dict", "op_args", "op_kwargs"], []),
    "PythonSensor": (["templates_dict", "op_args", "op_kwargs"], []),
    "BashOperator": (["bash_command", "env", "cwd"], [".sh", ".bash"]),
}

#: All but dag_id are keyword-only. What Airflow makes by a factory is None here.
OF_A_DAG: dict[str, Any] = {
    "dag_id": EMPTY, "description": None, "default_args": None, "start_date": None, "end_date": None, "schedule": None,
    "template_searchpath": None, "template_undefined": None, "user_defined_macros": None, "user_defined_filters": None,
    "max_active_tasks": None, "max_active_runs": None, "max_consecutive_failed_dag_runs": None, "dagrun_timeout": None,
    "deadline": None, "sla_miss_callback": None, "catchup": None, "on_success_callback": None,
    "on_failure_callback": None, "doc_md": None, "params": None, "access_control": None,
    "is_paused_upon_creation": None, "jinja_environment_kwargs": None, "render_template_as_native_obj": False,
    "tags": None, "owner_links": None, "auto_register": True, "fail_fast": False, "allowed_run_types": None,
    "dag_display_name": None, "disable_bundle_versioning": None, "rerun_with_latest_version": None,
}  # fmt: skip

#: Function or class to its parameters in order, as they may be given by position.
CALLS: dict[str, dict[str, Any]] = {
    "chain": {"tasks": EMPTY},
    "chain_linear": {"elements": EMPTY},
    "cross_downstream": {"from_tasks": EMPTY, "to_tasks": EMPTY},
    "Label": {"label": EMPTY},
    "get_current_context": {},
    "PokeReturnValue": {"is_done": EMPTY, "xcom_value": None},
    "Param": {"default": flowlet.Param().value, "description": None, "source": None, "kwargs": EMPTY},
    "task_group": {"python_callable": None, "arguments": EMPTY},
    "DeltaTriggerTimetable": {"delta": EMPTY, "interval": timedelta(0)},
    "TaskGroup": {
        "group_id": EMPTY, "group_display_name": "", "prefix_group_id": True, "parent_group": None, "dag": None,
        "default_args": None, "tooltip": "", "doc_md": None, "ui_color": "CornflowerBlue", "ui_fgcolor": "#000",
        "add_suffix_on_collision": False,
    },
}  # fmt: skip


def parameters(call: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    found = dict(inspect.signature(call).parameters)
    found.pop("self", None)
    return found


def test_every_operator_takes_airflows_arguments_with_airflows_defaults() -> None:
    assert {*CHECKS} == {*OPERATOR, *OURS, "pre_execute", "post_execute"}
    for name, default in {**OPERATOR, **OURS}.items():
        assert getattr(BaseOperator, name) == default, name


@pytest.mark.parametrize("name", ADDED)
def test_an_operator_adds_airflows_parameters_by_keyword_only(name: str) -> None:
    found = parameters(vars(getattr(flowlet, name)).get("__init__", BaseOperator.__init__))
    if not ADDED[name]:  # it adds none: its constructor is inherited
        assert "__init__" not in vars(getattr(flowlet, name))
        return
    assert found.popitem()[1].kind is inspect.Parameter.VAR_KEYWORD
    assert {p.name: p.default for p in found.values()} == ADDED[name]
    assert {p.kind for p in found.values()} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_fields_are_airflows(name: str) -> None:
    cls = getattr(flowlet, name)
    assert (list(cls.template_fields), list(cls.template_ext)) == TEMPLATES[name]


def test_a_dag_takes_airflows_arguments() -> None:
    found = parameters(DAG.__init__)
    assert found.pop("unknown").kind is inspect.Parameter.VAR_KEYWORD  # they are refused by name
    assert {p.name: p.default for p in found.values()} == OF_A_DAG
    assert found.pop("dag_id").kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {p.kind for p in found.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_what_a_dag_is_when_nothing_is_said() -> None:
    dag = DAG("d")
    assert (dag.max_active_runs, dag.max_active_tasks, dag.max_consecutive_failed_dag_runs) == (16, 16, 0)
    assert (dag.catchup, dag.tags, dag.owner_links, dag.dag_display_name) == (False, set(), {}, "d")
    assert (dag.start_date, dag.end_date, dag.dagrun_timeout, dag.default_args) == (None, None, None, {})


@pytest.mark.parametrize("name", CALLS)
def test_functions_and_small_classes_are_called_as_in_airflow(name: str) -> None:
    thing = getattr(flowlet, name)
    found = parameters(thing.__init__ if isinstance(thing, type) else thing)
    assert {p.name: p.default for p in found.values()} == CALLS[name]


def test_labels_and_groups_are_called_by_position_as_in_airflow() -> None:
    assert parameters(EdgeModifier.__init__)["label"].default is None
    kinds = {p.kind for p in parameters(TaskGroup.__init__).values()}
    assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD}


def test_the_names_of_airflows_base_classes_are_kept() -> None:
    assert issubclass(flowlet.BranchPythonOperator, flowlet.BaseBranchOperator)
    assert issubclass(flowlet.BranchPythonOperator, flowlet.PythonOperator)
    assert issubclass(flowlet.ShortCircuitOperator, flowlet.PythonOperator)
    assert issubclass(flowlet.PythonSensor, flowlet.BaseSensorOperator)
