"""Params: defaults, schemas, and which value wins (DAG, then task, then the run's conf)."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from flowlet import DAG, DagError, Param, PythonOperator, task
from flowlet.authoring.params import NOTSET, ParamsDict, merge_params
from flowlet.errors import ParamError


def showing(**params: Any) -> DAG:
    with DAG("showing", params=params) as dag:

        @task
        def show(params: dict[str, Any]) -> dict[str, Any]:
            return dict(params)

        show()
    return dag


def shown(dag: DAG, **conf: Any) -> Any:
    return dag.test(conf=conf).as_dict()["xcoms"]["show:return_value"]


def as_dict(params: dict[str, Any]) -> dict[str, Any]:
    return dict(params)


# -- which value wins ------------------------------------------------------------------------------------


def test_the_runs_conf_stands_above_the_defaults_and_may_bring_more() -> None:
    dag = showing(a=1, b=Param("x", description="what it is"))
    assert shown(dag) == {"a": 1, "b": "x"}
    assert shown(dag, a=2, more=[3]) == {"a": 2, "b": "x", "more": [3]}
    assert dag.spec.params == {"a": 1, "b": "x"}


def test_a_tasks_own_stand_above_the_dags_and_below_the_conf() -> None:
    with DAG("levels", params={"a": 1, "b": 1}) as dag:
        PythonOperator(task_id="show", python_callable=as_dict, params={"b": 2, "c": Param(3)})
    assert shown(dag) == {"a": 1, "b": 2, "c": 3}
    assert shown(dag, b=5, c=6) == {"a": 1, "b": 5, "c": 6}


def test_params_of_default_args_come_under_the_dags_own() -> None:
    dag = DAG("d", default_args={"params": {"q": 1, "z": 1}}, params={"z": 2})
    assert dag.params.dump() == {"q": 1, "z": 2}


def test_a_param_is_an_argument_for_a_task() -> None:
    with DAG("d") as dag:

        @task
        def show(x: Any) -> Any:
            return x

        show([dag.param("day", "monday")])
    assert shown(dag) == ["monday"]
    assert shown(dag, day="friday") == ["friday"]


# -- schemas ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, 5, "5"),
        ({"type": ["null", "integer"]}, None, "x"),
        ({"type": "integer", "minimum": 3}, 3, 2),
        ({"enum": ["a", "b"]}, "b", "c"),
        ({"type": "string", "pattern": "^a"}, "abc", "bcd"),
        ({"type": "string", "format": "date"}, "2024-02-29", "2023-02-29"),
        ({"type": "array", "items": {"type": "integer"}}, [1], ["x"]),
        ({"schema": {"type": "object", "required": ["k"]}}, {"k": 1}, {}),
    ],
)
def test_a_value_satisfies_its_schema_or_is_refused_by_name(schema: dict[str, Any], good: Any, bad: Any) -> None:
    dag = showing(p=Param(good, **schema))
    assert shown(dag) == shown(dag, p=good) == {"p": good}
    with pytest.raises(ParamError, match=r"param 'p'.* is not valid"):
        dag.test(conf={"p": bad})


@pytest.mark.parametrize(
    ("param", "words"),
    [
        (Param(type="integer"), "has no value and no default"),
        (Param("x", type="integer"), "is not valid: 'x' is not of type 'integer'"),
        (Param("x", type="nonsense"), "has a wrong schema"),
    ],
)
def test_a_scheduled_dag_needs_valid_defaults_another_one_a_valid_conf(param: Param, words: str) -> None:
    with pytest.raises(DagError, match=r"'etl': a DAG with a schedule needs valid defaults.*test_params\.py:\d+") as caught:
        DAG("etl", schedule="@daily", params={"p": param})
    assert words in str(caught.value)
    with pytest.raises(ParamError, match="param 'p'"):
        showing(p=param).test()


def test_a_schema_without_jsonschema_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DagError, match=r"pip install 'flowlet\[params\]'.*test_params\.py:\d+"):
        Param(1, type="integer")
    assert Param(1, description="no schema").resolve() == 1


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x"])
def test_a_default_that_is_no_json_is_refused_at_once(value: Any) -> None:
    with pytest.raises(DagError, match=r"param 'p' of DAG 'd' .*test_params\.py:\d+.* must be JSON"):
        DAG("d", params={"p": value})


# -- the dict --------------------------------------------------------------------------------------------


def test_writing_a_param_changes_its_value_and_keeps_its_schema() -> None:
    params = ParamsDict({"a": Param(1, type="integer", description="d")})
    params["a"] = 2
    params["b"] = "new"
    assert params.dump() == {"a": 2, "b": "new"}
    assert params.get_param("a").description == "d"
    params["a"] = "x"
    with pytest.raises(ParamError, match="is not valid"):
        params["a"]


def test_merging_changes_none_of_what_is_merged() -> None:
    dag, own = ParamsDict({"a": Param(1, type="integer")}), ParamsDict({"a": 2})
    assert merge_params(dag, own, {"a": 3}) == {"a": 3}
    assert (dag.dump(), own.dump()) == ({"a": 1}, {"a": 2})


def test_no_value_is_not_none() -> None:
    assert Param().value is NOTSET
    assert not Param().has_value
    assert Param(None).resolve() is None
