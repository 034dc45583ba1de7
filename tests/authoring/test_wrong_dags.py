"""What is wrong with a DAG is said when it is built: what it is, where it stands, and the way out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from flowlet import (
    DAG,
    BashOperator,
    CronTriggerTimetable,
    DagError,
    EmptyOperator,
    Param,
    PythonOperator,
    TaskGroup,
    task,
)
from flowlet.errors import DuplicateTaskId, TimetableError

NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


def described(**arguments: Any) -> DAG:
    return DAG("etl", **arguments)


def a_task(**arguments: Any) -> None:
    with DAG("etl"):
        EmptyOperator(**{"task_id": "load", **arguments})


def text_of(build: Callable[[], Any], kind: type[DagError] = DagError) -> str:
    """The error of a description, which always names this file and the line."""
    with pytest.raises(kind) as caught:
        build()
    text = str(caught.value)
    assert re.search(rf"{re.escape(__file__)}:\d+\b", text), text
    return text


def test_the_line_is_that_of_the_statement() -> None:
    def build() -> None:
        with DAG("etl"):
            EmptyOperator(task_id="one")
            EmptyOperator(
                task_id="bad id",
            )

    first = build.__code__.co_firstlineno
    assert text_of(build).endswith(f"test_wrong_dags.py:{first + 3})")


# -- arguments -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"retrys": 1}, "EmptyOperator takes no argument 'retrys' (did you mean 'retries'?) (task 'load'"),
        ({"zzz": 1}, "EmptyOperator takes no argument 'zzz' (task 'load'"),
        ({"retries": -1}, "task 'load' of DAG 'etl': retries must be at least 0, not -1 (EmptyOperator"),
        ({"retries": "many"}, "retries must be a whole number, not 'many'"),
        ({"retries": 1.5}, "retries must be a whole number, not 1.5"),
        ({"retries": True}, "retries must be a whole number, not True"),
        ({"retry_delay": timedelta(-1)}, "retry_delay must not be negative"),
        ({"retry_delay": "5m"}, "retry_delay must be a timedelta or a number of seconds, not '5m'"),
        ({"execution_timeout": 60}, "execution_timeout must be a timedelta, not int"),
        ({"execution_timeout": timedelta(0)}, "execution_timeout must be longer than nothing"),
        ({"trigger_rule": "all_sucess"}, "'all_sucess' is no trigger rule; there are all_success, all_failed"),
        ({"weight_rule": "heavy"}, "'heavy' is no weight rule; there are downstream, upstream, absolute"),
        ({"pool_slots": 0}, "pool_slots must be at least 1, not 0"),
        ({"pool": ""}, "pool must be the name of a pool, not ''"),
        ({"priority_weight": "high"}, "priority_weight must be a whole number, not 'high'"),
        ({"max_active_tis_per_dag": 0}, "max_active_tis_per_dag must be at least 1, not 0"),
        ({"on_failure_callback": "mail"}, "on_failure_callback must be callable, not 'mail'"),
        ({"on_failure_callback": [print, 5]}, "on_failure_callback must be callable, not 5"),
        ({"start_date": 5}, "start_date must be a datetime, not int"),
        ({"start_date": "yesterday"}, "start_date Invalid isoformat string: 'yesterday'"),
        ({"on_crash": "explode"}, "on_crash must be 'requeue' or 'fail', not 'explode'"),
        ({"params": [1]}, "params of task 'load'"),
        ({"params": {"x": object()}}, "param 'x' of task 'load'"),
        ({"retry_delay": float("nan")}, "retry_delay must be a timedelta or a number of seconds, not nan"),
        ({"retry_exponential_backoff": float("inf")}, "retry_exponential_backoff must be finite"),
        ({"retries": 10**30}, "retries must be at most 2,147,483,647"),
        ({"priority_weight": -(10**30)}, "priority_weight must be at most 2,147,483,647"),
        ({"owner": None}, "owner must be a string, not None"),
        ({"owner": "\ud800"}, "owner 'utf-8' codec can't encode"),
        ({"dag": 5}, "task 'load': dag=5, task_group=None: not a DAG, not a TaskGroup"),
        ({"task_group": "g"}, "task 'load': dag=None, task_group='g': not a DAG, not a TaskGroup"),
        ({"default_args": 5}, "task 'load': default_args must be a dict, not 5"),
        ({"retry_policy": object()}, "retry_policy must be a RetryPolicy, not <object"),
    ],
)
def test_a_wrong_argument_of_a_task_is_named(arguments: dict[str, Any], words: str) -> None:
    assert words in text_of(lambda: a_task(**arguments))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shedule": "@daily"}, "DAG 'etl' takes no argument 'shedule' (did you mean 'schedule'?)"),
        ({"schedule_interval": "@daily"}, "DAG 'etl' takes no argument 'schedule_interval'"),
        ({"max_active_runs": 0}, "DAG 'etl': max_active_runs must be at least 1, not 0"),
        ({"max_active_tasks": "x"}, "max_active_tasks must be a whole number, not 'x'"),
        ({"tags": "a"}, "tags must be a list of strings, not the string 'a'"),
        ({"tags": [5]}, "tags must be strings, not 5"),
        ({"tags": ["t" * 101]}, "tags must have at most 100 characters"),
        ({"default_args": [1]}, "default_args must be a dict, not [1]"),
        ({"description": 5}, "description must be a string, not 5"),
        ({"description": "\ud800"}, "description 'utf-8' codec can't encode"),
        ({"doc_md": b"x"}, "doc_md must be a string, not b'x'"),
        ({"template_searchpath": 5}, "template_searchpath must be a path or a list of paths, not 5"),
        ({"user_defined_macros": [print]}, "user_defined_macros must be a dict"),
        ({"user_defined_filters": 5}, "user_defined_filters must be a dict, not 5"),
        ({"jinja_environment_kwargs": 5}, "jinja_environment_kwargs must be a dict, not 5"),
        ({"start_date": datetime(2024, 1, 1, tzinfo=timezone(timedelta(seconds=3661)))}, "not of whole minutes"),
        ({"params": {"x": float("nan")}}, "must be JSON: Out of range float values"),
        ({"params": {"x": "\ud800"}}, "must be JSON: 'utf-8' codec can't encode"),
        ({"dagrun_timeout": timedelta(-1)}, "dagrun_timeout must not be negative"),
        ({"on_success_callback": 5}, "on_success_callback must be callable, not 5"),
        ({"start_date": 5}, "start_date must be a datetime, not int"),
        ({"start_date": NEW_YEAR, "end_date": NEW_YEAR - timedelta(1)}, "is before start_date 2024-01-01"),
        ({"params": {"x": object()}}, "param 'x' of DAG 'etl'"),
        ({"params": {1: 1}}, "must be a string, not 1"),
        ({"deadline": object()}, "deadline is not supported by this version of flowlet"),
        ({"schedule": "@daily", "params": {"x": Param(type="string")}}, "a DAG with a schedule needs valid defaults"),
        ({"schedule": "@continuous", "max_active_runs": 2}, "'@continuous' runs one at a time, not 2"),
    ],
)
def test_a_wrong_argument_of_a_dag_is_named(arguments: dict[str, Any], words: str) -> None:
    assert words in text_of(lambda: described(**arguments))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: PythonOperator(task_id="load"), "PythonOperator needs the argument 'python_callable' (task 'load'"),
        (EmptyOperator, "EmptyOperator needs the argument 'task_id' ("),
        (BashOperator, "BashOperator needs the argument"),
        (lambda: EmptyOperator("load"), "EmptyOperator takes keyword arguments only, not 'load': write task_id="),
    ],
)  # fmt: skip
def test_a_missing_or_positional_argument_is_named(build: Callable[[], Any], words: str) -> None:
    def in_a_dag() -> None:
        with DAG("etl"):
            build()

    assert words in text_of(in_a_dag)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"default_args": 5}, "group 'g': default_args must be a dict, not 5"),
        ({"dag": 5}, "group 'g': dag=5, parent_group=None: not a DAG, not a TaskGroup"),
        ({"parent_group": "g"}, "group 'g': dag=None, parent_group='g': not a DAG, not a TaskGroup"),
    ],
)
def test_a_wrong_argument_of_a_group_is_named(arguments: dict[str, Any], words: str) -> None:
    assert words in text_of(lambda: TaskGroup("g", **arguments))


def test_the_longest_durations_are_a_thousand_years() -> None:
    """`timedelta.max` says "for ever"; a moment so far away fits into no file."""
    ever = timedelta.max
    with DAG("etl", dagrun_timeout=ever) as dag:
        task = EmptyOperator(
            task_id="load", retry_delay=float("inf"), max_retry_delay=ever, execution_timeout=ever, retries=1
        )
    assert {dag.dagrun_timeout, task.retry_delay, task.max_retry_delay, task.execution_timeout} == {timedelta(365_000)}


def test_an_argument_that_default_args_give_wrongly_is_named() -> None:
    def build() -> None:
        with DAG("etl", default_args={"retries": "x"}):
            EmptyOperator(task_id="load")

    assert "task 'load' of DAG 'etl': retries must be a whole number, not 'x'" in text_of(build)


def test_fail_fast_allows_no_task_to_wait_for_a_failure() -> None:
    def build() -> None:
        with DAG("etl", fail_fast=True):
            EmptyOperator(task_id="load", trigger_rule="all_done")

    assert "fail_fast allows no trigger_rule but 'all_success', not all_done" in text_of(build)


# -- schedules and zones ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("* * * *", "'* * * *'"),
        ("61 * * * *", "'61 * * * *'"),
        ("@sometimes", "'@sometimes'"),
        ("every day", "'every day'"),
        ("0 0 30 2 *", "never"),
        ("0 0 31 4,6 *", "never"),
        (timedelta(0), "a delta of 0 would be due for ever"),
        (timedelta(-1), "-1 day"),
        (5, "5"),
        ("", "''"),
    ],
)
def test_a_schedule_that_is_wrong_or_never_fires_is_refused_when_the_dag_is_built(schedule: Any, words: str) -> None:
    text = text_of(lambda: described(schedule=schedule), TimetableError)
    assert "'etl'" in text
    assert words in text


def test_an_unknown_zone_of_a_timetable_is_refused() -> None:
    with pytest.raises(DagError, match="Mars/Olympus"):
        described(schedule=CronTriggerTimetable("0 0 * * *", timezone="Mars/Olympus"))


def test_an_unknown_default_zone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET__CORE__DEFAULT_TIMEZONE", "Europe/Berlim")
    assert "unknown time zone 'Europe/Berlim'" in text_of(described)
    with pytest.raises(DagError, match="Europe/Berlim"):
        EmptyOperator(task_id="load", start_date="2024-01-01")


def test_a_naive_date_is_no_error() -> None:
    assert described(start_date="2024-01-01", schedule="@daily").start_date == NEW_YEAR


# -- ids -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task_id", "words"),
    [
        ("", "it is empty"),
        (".", "letters, digits, '_', '-' and '.' only"),
        ("..", "letters, digits, '_', '-' and '.' only"),
        ("a b", "letters, digits"),
        ("a/b", "letters, digits"),
        ("a\n", "letters, digits"),
        ("../etc", "letters, digits"),
        ("a\x00", "letters, digits"),
        ("a\u200b", "letters, digits"),
        ("a\u202e", "letters, digits"),
        ("😀", "letters, digits"),
        ("t" * 251, "it has 251 characters, at most 250 fit"),
        (5, "it must be a string, not int"),
        (None, "it must be a string, not NoneType"),
        (b"load", "it must be a string, not bytes"),
    ],
)
def test_a_wrong_id_is_refused_with_the_reason(task_id: Any, words: str) -> None:
    for build, kind in ((lambda: a_task(task_id=task_id), "task"), (lambda: DAG(task_id), "DAG")):
        text = text_of(build)
        assert f"cannot be the id of a {kind}: " in text
        assert words in text


@pytest.mark.parametrize(
    "task_id", ["a", "A_b-c.d", "0", "-", "_", "...", "t" * 250, "Grüße", "数据", "задача", "é", "٣"]
)
def test_ids_hold_the_letters_and_digits_of_any_script(task_id: str) -> None:
    with DAG(task_id) as dag:
        EmptyOperator(task_id=task_id)
    assert (dag.dag_id, dag.task_ids) == (task_id, [task_id])


def test_an_id_typed_in_two_ways_is_one() -> None:
    composed, decomposed = "é", "e\u0301"
    assert DAG(decomposed).dag_id == composed

    def build() -> None:
        with DAG("etl"):
            EmptyOperator(task_id=composed)
            EmptyOperator(task_id=decomposed)

    assert "the id 'é' is taken" in text_of(build, DuplicateTaskId)


def test_a_task_is_found_by_either_way_to_type_its_id() -> None:
    with DAG("etl") as dag, TaskGroup("gru\u0308n"):
        found = EmptyOperator(task_id="e\u0301")
    assert dag.get_task("grün.é") is found
    assert all(unicodedata.is_normalized("NFC", task_id) for task_id in dag.task_ids)


def test_look_alikes_are_different_ids() -> None:
    with DAG("etl") as dag:
        for letter in ("a", "а", "ａ"):  # noqa: RUF001  Latin, Cyrillic, fullwidth: that is the test
            EmptyOperator(task_id=letter)
    assert len(dag.task_ids) == 3


def test_250_characters_are_counted_after_composing() -> None:
    with DAG("etl"):
        assert len(EmptyOperator(task_id="e\u0301" * 250).task_id) == 250


def test_an_id_that_is_taken_names_both_places() -> None:
    def build() -> None:
        with DAG("etl"):
            EmptyOperator(task_id="load")
            BashOperator(task_id="load", bash_command="true")

    text = text_of(build, DuplicateTaskId)
    first = build.__code__.co_firstlineno + 2
    assert f"first by <Task(EmptyOperator): load> ({__file__}:{first})" in text
    assert f"again by a BashOperator ({__file__}:{first + 1})" in text


def test_the_name_of_a_function_that_cannot_be_an_id_is_refused() -> None:
    def build() -> None:
        with DAG("etl"):
            task(lambda: 1)()

    assert "'<lambda>' cannot be the id of a task" in text_of(build)


def test_slas_are_told_to_have_no_effect() -> None:
    """As in Airflow 3, which removed them (sdk/bases/operator.py); `default_args` tell once for a DAG."""
    with pytest.warns(UserWarning, match="sla_miss_callback has no effect"):
        dag = DAG("d", sla_miss_callback=print, default_args={"sla": timedelta(hours=1)})
    with pytest.warns(UserWarning, match="^sla has no effect"):
        EmptyOperator(task_id="a", dag=dag)


# -- what Airflow's sdk/bases/decorator.py and operator.py refuse ------------------------------------------


def test_a_function_mapped_over_what_a_task_returns_has_no_place_for_always() -> None:
    """It has to wait for that task. Over values that the file holds it may run always."""

    @task
    def rows() -> list[Any]:
        return []

    @task(trigger_rule="always")
    def load(x: Any) -> None: ...

    def build(source: Callable[[], Any]) -> None:
        with DAG("etl"):
            load.expand(x=source())

    assert "its trigger_rule cannot be 'always'" in text_of(lambda: build(rows))
    build(lambda: [1])


@pytest.mark.parametrize("value", [3, "2024-01-01", ""])
def test_what_the_context_fills_has_no_default_but_none(value: Any) -> None:
    @task
    def hidden(ds: Any = value) -> None: ...

    @task
    def plain(ds: Any = None) -> None: ...

    with DAG("etl"):
        plain()
        assert "'ds' is filled from the task's context, its default can only be None" in text_of(hidden)


@pytest.mark.parametrize("value", ["x", 1, ""])
def test_multiple_outputs_is_true_or_false(value: Any) -> None:
    def call() -> None:
        with DAG("etl"):
            task(task_id="load", multiple_outputs=value)(lambda: {"rows": 1})()

    assert f"multiple_outputs must be True or False, not {value!r}" in text_of(call)
    assert f"multiple_outputs must be True or False, not {value!r}" in text_of(lambda: a_task(multiple_outputs=value))
