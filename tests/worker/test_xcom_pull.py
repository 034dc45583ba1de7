"""xcom_pull as in Airflow 3 (sdk/execution_time/task_runner.py): whose values, in which order, what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowlet import DAG
from flowlet.runs.values import decode
from flowlet.worker.workload import Outcome


@pytest.fixture
def pulled(run: Callable[..., Outcome], of: Callable[..., DAG], xcoms: Any) -> Callable[..., Any]:
    """What a body pulls with these arguments."""
    xcoms.put("plain", 1)
    xcoms.put("plain", 2, key="k")
    xcoms.put("other", [3])
    for index, value in ((2, "c"), (0, "a"), (10, "k")):
        xcoms.put("mapped", value, map_index=index)
    xcoms.put("single", "only", map_index=0)
    xcoms.put("plain", "before", run_id="earlier")

    def pulled(*args: Any, push: Any = None, **kwargs: Any) -> Any:
        def body(ti: Any) -> Any:
            if push is not None:
                ti.xcom_push(*push)
            return [ti.xcom_pull(*args, **kwargs)]

        outcome = run(of(body))
        assert outcome.kind == "succeeded", outcome.reason
        return decode(dict(outcome.xcoms)["return_value"])[0]

    return pulled


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ({"task_ids": "plain"}, 1),
        ({"task_ids": "plain", "key": "k"}, 2),
        ({"task_ids": "nobody"}, None),
        ({"task_ids": "nobody", "default": 7}, 7),
        ({"task_ids": "plain", "key": "never"}, None),
        ({"task_ids": ["other", "plain"]}, [[3], 1]),
        ({"task_ids": ("plain", "nobody")}, [1, None]),
        ({"task_ids": []}, []),
        ({"task_ids": "mapped"}, ["a", "c", "k"]),
        ({"task_ids": "single"}, "only"),
        ({"task_ids": ["mapped", "plain"]}, ["a", "c", "k", 1]),
        ({"task_ids": "mapped", "map_indexes": 2}, "c"),
        ({"task_ids": "mapped", "map_indexes": 1}, None),
        ({"task_ids": "mapped", "map_indexes": 1, "default": 0}, 0),
        ({"task_ids": "mapped", "map_indexes": [10, 0]}, ["k", "a"]),
        ({"task_ids": ["mapped", "single"], "map_indexes": 0}, ["a", "only"]),
        ({"task_ids": "plain", "run_id": "earlier"}, "before"),
        ({"task_ids": "plain", "dag_id": "another"}, None),
        ({}, None),
        ({"default": 5}, 5),
    ],
)
def test_pull(pulled: Callable[..., Any], arguments: dict[str, Any], value: Any) -> None:
    assert pulled(**arguments) == value


def test_positions_are_airflows(pulled: Callable[..., Any]) -> None:
    assert pulled("plain", "dag", "k") == 2


@pytest.mark.parametrize(
    "whose", [{}, {"task_ids": "body"}, {"task_ids": "body", "run_id": "run", "dag_id": "dag"}]
)
def test_its_own_pushes_are_seen_before_they_are_on_file(
    pulled: Callable[..., Any], whose: dict[str, Any]
) -> None:
    assert pulled(push=("k", {"n": 1}), key="k", **whose) == {"n": 1}


def test_what_an_earlier_try_pushed_is_gone(pulled: Callable[..., Any], xcoms: Any) -> None:
    xcoms.put("body", "of try 1")
    assert pulled(task_ids="body") is None


def test_its_own_value_in_another_run(pulled: Callable[..., Any], xcoms: Any) -> None:
    xcoms.put("body", "then", run_id="earlier")
    assert pulled(task_ids="body", run_id="earlier") == "then"
