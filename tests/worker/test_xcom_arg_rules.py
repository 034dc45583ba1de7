"""What a task is given for the output of another: each row was seen in the `dag.test()` of Airflow 3.3.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowlet import DAG, SkipTask, task, task_group


@task
def nothing() -> None:
    """Returns None."""


@task
def one(**context: Any) -> int:
    """Returns 1 and pushes k."""
    context["ti"].xcom_push("k", 7)
    return 1


@task
def skipped() -> None:
    """Skips itself."""
    raise SkipTask


@task(multiple_outputs=True)
def many() -> dict[str, int]:
    """Pushes a."""
    return {"a": 1}


@task(multiple_outputs=True)
def skipped_many() -> dict[str, int]:
    """Skips itself before it pushes its keys."""
    raise SkipTask


@task
def odd(n: int, **context: Any) -> int | None:
    """Pushes k of all, returns the odd ones and skips the last."""
    context["ti"].xcom_push("k", n * 10)
    if n == 9:
        raise SkipTask
    return n if n % 2 else None


@task
def numbers() -> list[int]:
    """What `odd` is mapped over."""
    return [1, 2, 3, 9]


@task(trigger_rule="all_done")
def see(value: Any) -> str:
    """What it was given; of a sequence its items, its length and its last."""
    if isinstance(value, (str, int, dict)) or value is None:
        return repr(value)
    return f"{list(value)!r} {len(value)} {value[-1]!r}"


FAILS = ("failed", None)
RULES: dict[str, tuple[Callable[[], Any], tuple[str, str | None], set[str]]] = {
    "nothing returned": (nothing, ("success", "None"), {"nothing"}),
    "a value": (one, ("success", "1"), {"one"}),
    "another key": (lambda: one()["k"], ("success", "7"), {"one"}),
    "a key not pushed": (lambda: one()["zz"], FAILS, {"one"}),
    "of a skipped task": (skipped, ("success", "None"), {"skipped"}),
    "a key of a skipped task": (lambda: skipped()["k"], FAILS, {"skipped"}),
    "one of many outputs": (lambda: many()["a"], ("success", "1"), {"many"}),
    "a missing one of many outputs": (lambda: many()["b"], ("success", "None"), {"many"}),
    "one of many, skipped": (lambda: skipped_many()["a"], ("success", "None"), {"skipped_many"}),
    "inside other values": (
        lambda: {"l": [one(), (one()["k"], many())]},
        ("success", "{'l': [1, (7, {'a': 1})]}"),
        {"one", "one__1", "many"},
    ),
    "of a mapped task, without None": (lambda: odd.expand(n=numbers()), ("success", "[1, 3] 2 3"), {"odd"}),
    "a key of a mapped task": (
        lambda: odd.expand(n=numbers())["k"],
        ("success", "[10, 20, 30, 90] 4 90"),
        {"odd"},
    ),
    "in a longer text, which makes no edge": (lambda: f"a {one()} b", ("success", "'a 1 b'"), set()),
}


@pytest.mark.parametrize("rule", RULES)
def test_the_output_of_a_task_as_an_argument(rule: str) -> None:
    make, (state, value), upstream = RULES[rule]
    with DAG("outputs") as dag:
        see(make())
    told = dag.test().as_dict()
    assert (told["tasks"]["see"], told["xcoms"].get("see:return_value")) == (state, value)
    assert dag.get_task("see").upstream_task_ids == upstream


def test_a_key_that_nobody_pushed_fails_inside_a_mapped_group_too() -> None:
    with DAG("d") as dag:

        @task_group
        def each(n: int) -> None:
            see.override(task_id="of_a_key")(one.override(task_id="pushes")()["no such key"])
            see.override(task_id="of_nothing")(nothing())

        each.expand(n=[1, 2])
    told = dag.test().as_dict()
    assert [told["tasks"][f"each.of_a_key[{n}]"] for n in (0, 1)] == ["failed", "failed"]
    assert told["errors"]["each.of_a_key[1]"] == ["XComNotFound"]
    assert told["xcoms"]["each.of_nothing[0]:return_value"] == "None"
