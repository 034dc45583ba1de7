"""Params as Airflow's users know them (sdk/definitions/param.py; TS:definitions/test_param.py of the task SDK)."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from flowlet import DAG, BashOperator, DagError, Engine, Param, dag, task
from flowlet.authoring.params import ParamsDict, merge_params
from flowlet.errors import ParamError


def showing(**params: Any) -> DAG:
    with DAG("showing", params=params) as dag:

        @task
        def show(params: dict[str, Any]) -> dict[str, Any]:
            return dict(params)

        show()
    return dag


# -- an error names the param, whose it is, and the place ---------------------------------------------


def test_a_missing_value_is_refused_before_a_run_is_made_and_says_whose_it_is() -> None:
    with pytest.raises(ParamError, match=r"^param 'day' of DAG 'showing' \(.*test_params_rules\.py:\d+\) has no value and no default$"):
        showing(day=Param(type="string")).test()
    with pytest.raises(ValueError, match="no default"):  # as Airflow's ParamValidationError, it is one
        showing(day=Param(type="string")).test()


@pytest.mark.anyio
async def test_a_trigger_with_a_wrong_conf_makes_no_run() -> None:
    with DAG("etl", params={"n": Param(1, type="integer", maximum=5)}) as etl:
        BashOperator(task_id="t", bash_command="true")
    async with Engine(dags=[etl]) as engine:
        with pytest.raises(ParamError, match=r"param 'n' of DAG 'etl' \(.*\) is not valid: 9 is greater than the maximum of 5"):
            await engine.trigger("etl", conf={"n": 9})
        assert await engine._parts()[1].fetch("last_runs", dag_id="etl", limit=9) == []


def test_a_tasks_own_param_is_checked_in_the_task_and_named_as_its() -> None:
    with DAG("etl") as etl:
        BashOperator(task_id="t", bash_command="true", params={"n": Param(type="integer")})
    run = etl.test()
    assert run.as_dict()["errors"] == {"t": ["ParamError"]}
    with pytest.raises(ParamError, match=r"param 'n' of task 't' \(.*test_params_rules\.py:\d+\) has no value"):
        merge_params(etl.params, etl.get_task("t").params, {})
    assert etl.test(conf={"n": 5}).state == "success"
    assert etl.test(run_conf={"n": 5}).state == "success"


def test_a_conf_that_a_setting_forbids_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's `[core] dag_run_conf_overrides_params`."""
    monkeypatch.setenv("FLOWLET__CORE__DAG_RUN_CONF_OVERRIDES_PARAMS", "False")
    assert merge_params(ParamsDict({"a": 1}), ParamsDict({"b": 2}), {"a": 9, "c": 3}) == {"a": 1, "b": 2}


def test_params_that_the_arguments_of_a_dag_function_bring_are_checked_too() -> None:
    @dag(schedule="@daily")
    def etl(day: str = Param(type="string")) -> None:  # as Airflow's users write it
        BashOperator(task_id="t", bash_command="true")

    with pytest.raises(DagError, match="needs valid defaults: param 'day' of DAG 'etl'"):
        etl()


# -- formats ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("time", "12:13:14", "25:00:00"),
        ("date-time", "2026-01-01T12:00:00+00:00", 5),
        ("date", "2026-01-01", "01/01/2026"),
        ("idn-email", "me@example.com", "nobody"),
        ("multiline", "anything\nat all", 5),
    ],
)
def test_formats_are_checked(form: str, good: str, bad: Any) -> None:
    param = Param(good, type="string", format=form)
    assert param.resolve() == good
    with pytest.raises(ParamError, match="is not valid"):
        param.resolve(bad)


def test_only_texts_have_a_format() -> None:
    assert Param(None, type=["null", "string"], format="date").resolve() is None
    assert Param(5, type="integer", format="time").resolve() == 5


# -- the classes --------------------------------------------------------------------------------------


def test_a_suppressed_error_is_none() -> None:
    assert Param("x", type="integer").resolve(suppress_exception=True) is None
    assert Param().resolve(suppress_exception=True) is None
    assert ParamsDict({"p": Param("x", type="integer")}, suppress_exception=True)["p"] is None
    assert ParamsDict({"p": Param("x", type="integer"), "q": 1}).dump() == {"p": None, "q": 1}


def test_a_param_survives_being_written_down() -> None:
    param = Param([1], "how many", "dag", type="array", items={"type": "integer"})
    again = Param.deserialize(param.serialize(), 1)
    assert again.serialize() == param.serialize() == copy.copy(param).serialize()
    assert param.dump() == {"value": [1], "description": "how many", "schema": {"type": "array", "items": {"type": "integer"}}, "source": "dag"}
    assert Param().dump()["value"] is None


def test_params_compare_as_their_values_and_are_told_by_their_source() -> None:
    params = ParamsDict({"a": Param(1, source="dag"), "b": Param(2, source="task")})
    assert params == {"a": 1, "b": 2} == ParamsDict.deserialize(params.serialize(), 1)
    assert params != {"a": 1}
    assert ParamsDict.filter_params_by_source(params, "task") == {"b": 2}
    assert copy.copy(params).get_param("a") is params.get_param("a")


def test_an_update_with_params_takes_their_schemas_with_them() -> None:
    params = ParamsDict({"a": 1})
    params.update(ParamsDict({"a": Param(2, type="integer")}))
    params["a"] = "x"
    with pytest.raises(ParamError, match="is not valid"):
        params["a"]
    params.update({"a": 3}, b=4)
    assert params == {"a": 3, "b": 4}


def test_what_a_body_does_to_its_params_stays_in_it() -> None:
    with DAG("etl", params={"days": [1, 2]}) as etl:

        @task
        def spoil(params: dict[str, Any]) -> None:
            params["days"].append(3)

        @task
        def look(params: dict[str, Any]) -> Any:
            return params["days"]

        spoil() >> look()
    assert etl.test(logical_date=datetime(2026, 1, 1, tzinfo=UTC)).as_dict()["xcoms"]["look:return_value"] == [1, 2]
