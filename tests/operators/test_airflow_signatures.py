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
from flowlet.airflow import names
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

#: The rest of the standard provider, by the names under which the shim finds them: what each class adds itself.
PROVIDER: dict[str, dict[str, Any]] = {
    "operators.datetime.BranchDateTimeOperator": {
        "follow_task_ids_if_true": EMPTY, "follow_task_ids_if_false": EMPTY, "target_lower": EMPTY, "target_upper": EMPTY,
        "use_task_logical_date": False,
    },
    "operators.weekday.BranchDayOfWeekOperator": {
        "follow_task_ids_if_true": EMPTY, "follow_task_ids_if_false": EMPTY, "week_day": EMPTY, "use_task_logical_date": False,
    },
    "operators.hitl.HITLOperator": {
        "subject": EMPTY, "options": EMPTY, "body": None, "defaults": None, "multiple": False, "notifiers": None,
        "assigned_users": None, "response_timeout": None,
    },
    "operators.hitl.ApprovalOperator": {"ignore_downstream_trigger_rules": False, "fail_on_reject": False},
    "operators.hitl.HITLBranchOperator": {"options_mapping": None},
    "operators.python.PythonVirtualenvOperator": {
        "python_callable": EMPTY, "requirements": None, "python_version": None, "serializer": None,
        "system_site_packages": True, "pip_install_options": None, "op_args": None, "op_kwargs": None, "string_args": None,
        "templates_dict": None, "templates_exts": None, "expect_airflow": True, "skip_on_exit_code": None,
        "index_urls": None, "index_urls_from_connection_ids": None, "venv_cache_path": None, "env_vars": None,
        "inherit_env": True,
    },
    "operators.python.ExternalPythonOperator": {
        "python": EMPTY, "python_callable": EMPTY, "serializer": None, "op_args": None, "op_kwargs": None,
        "string_args": None, "templates_dict": None, "templates_exts": None, "expect_airflow": True,
        "expect_pendulum": False, "skip_on_exit_code": None, "env_vars": None, "inherit_env": True,
    },
    "sensors.bash.BashSensor": {"bash_command": EMPTY, "env": None, "output_encoding": "utf-8", "retry_exit_code": None},
    "sensors.date_time.DateTimeSensor": {"target_time": EMPTY},
    "sensors.external_task.ExternalTaskMarker": {
        "external_dag_id": EMPTY, "external_task_id": EMPTY, "logical_date": "{{ logical_date.isoformat() }}",
        "recursion_depth": 10,
    },
    "sensors.external_task.ExternalTaskSensor": {  # Airflow has poll_interval, too, for poke_interval when deferrable
        "external_dag_id": EMPTY, "external_task_id": None, "external_task_ids": None, "external_task_group_id": None,
        "allowed_states": None, "skipped_states": None, "failed_states": None, "execution_delta": None,
        "execution_date_fn": None, "check_existence": False, "deferrable": False,
    },
    "sensors.filesystem.FileSensor": {
        "filepath": EMPTY, "fs_conn_id": "fs_default", "recursive": False, "deferrable": False, "start_from_trigger": False,
        "trigger_kwargs": None,
    },
    "sensors.time_delta.TimeDeltaSensor": {"delta": EMPTY, "deferrable": False, "end_from_trigger": False},
    "sensors.time_delta.WaitSensor": {"time_to_wait": EMPTY, "deferrable": False},
    "sensors.weekday.DayOfWeekSensor": {"week_day": EMPTY, "use_task_logical_date": False},
    "triggers.file.FileTrigger": {"filepath": EMPTY, "recursive": False, "poke_interval": 5.0},
    "triggers.file.FileDeleteTrigger": {"filepath": EMPTY, "poke_interval": 5.0},
    "triggers.file.DirectoryFileDeleteTrigger": {"directory": EMPTY, "filename": EMPTY, "poke_interval": 5.0},
    "triggers.temporal.TimeDeltaTrigger": {"delta": EMPTY, "end_from_trigger": False},
    "hooks.filesystem.FSHook": {"fs_conn_id": "fs_default"},
}  # fmt: skip

#: The same of the names in `airflow.sdk` that are about partitions, assets and jobs elsewhere.
SDK: dict[str, dict[str, Any]] = {
    "AllowedKeyMapper": {"allowed_keys": EMPTY, "max_downstream_keys": None},
    "AssetWatcher": {"name": EMPTY, "trigger": EMPTY},
    "ChainMapper": {"mapper0": EMPTY, "mapper1": EMPTY, "max_downstream_keys": None},
    "CronPartitionTimetable": {
        "cron": EMPTY, "timezone": EMPTY, "run_offset": None, "run_immediately": False, "key_format": "%Y-%m-%dT%H:%M:%S",
    },
    "FanOutMapper": {"upstream_mapper": EMPTY, "window": EMPTY, "downstream_mapper": None, "max_downstream_keys": None},
    "FixedKeyMapper": {"downstream_key": EMPTY, "max_downstream_keys": None},
    "Metadata": {"asset": EMPTY, "alias": None},
    "MinimumCount": {"n": EMPTY},
    "ProductMapper": {"mapper0": EMPTY, "mapper1": EMPTY, "delimiter": "|", "max_downstream_keys": None},
    "ResumableJobMixin": {"durable": True},
    "SegmentWindow": {"segments": EMPTY},
    "StartOfDayMapper": {"timezone": "UTC", "input_format": "%Y-%m-%dT%H:%M:%S", "output_format": None, "max_downstream_keys": None},
    "WaitForAll": {},
    "WeekWindow": {"direction": "forward"},
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


def taken(cls: type) -> dict[str, Any]:
    """What a class takes, with what it hands on to its bases, and the defaults."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if base is BaseOperator or base is object or "__init__" not in vars(base):
            continue
        own = parameters(vars(base)["__init__"])
        for parameter in own.values():
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                found.setdefault(parameter.name, parameter.default)
        if all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in own.values()):
            break
    return found


@pytest.mark.parametrize("path", PROVIDER)
def test_the_standard_providers_classes_take_airflows_parameters(path: str) -> None:
    module, _, name = path.rpartition(".")
    cls = names.find(f"airflow.providers.standard.{module}", name)
    found = taken(cls)
    assert {name: found.get(name, "absent") for name in PROVIDER[path]} == PROVIDER[path]


@pytest.mark.parametrize("name", SDK)
def test_the_sdks_classes_take_airflows_parameters(name: str) -> None:
    found = taken(names.find("airflow.sdk", name))
    assert {name: found.get(name, "absent") for name in SDK[name]} == SDK[name]
