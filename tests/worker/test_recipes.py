"""How an attempt of an operator goes: as a call and no more, or with all that a body may look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowlet import DAG, PythonOperator, task
from flowlet.worker.worker import Recipe


def taking_values(value: int = 0, *others: Any) -> int:
    return value


def taking_context(value: int = 0, ds: str = "") -> int:
    return value


def taking_all(**context: Any) -> int:
    return 1


CASES: dict[str, tuple[Callable[..., Any], dict[str, Any], bool]] = {
    "values": (taking_values, {"op_args": [1, 2]}, True),
    "nothing": (taking_values, {}, True),
    "a template": (taking_values, {"op_args": ["{{ ds }}"]}, False),
    "a key of the context": (taking_context, {}, False),
    "the whole context": (taking_all, {}, False),
    "a callback": (taking_values, {"on_success_callback": print}, False),
    "a surplus argument": (taking_values, {"op_kwargs": {"other": 1}}, False),
    "templates_dict": (taking_values, {"templates_dict": {"a": 1}}, False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_call_that_nobody_can_tell_from_the_long_way_takes_the_short_one(case: str) -> None:
    function, arguments, plain = CASES[case]
    with DAG("dag"):
        operator = PythonOperator(task_id="body", python_callable=function, **arguments)
    assert Recipe(operator).plain is plain


def test_outputs_of_other_tasks_take_the_short_way_wherever_they_stand() -> None:
    with DAG("dag"):
        first = task(taking_values).override(task_id="first")()
        calls = [
            task(taking_values)(first), task(taking_values)(value=first), task(taking_values)(0, [first, {"a": first}]),
        ]  # fmt: skip
    assert [Recipe(call.operator).plain for call in calls] == [True, True, True]
