"""Weights by code of the user's (Airflow: priority-weight.rst, "Custom weight rule")."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, Engine, PythonOperator
from flowlet.authoring.priority import PriorityWeightStrategy
from flowlet.errors import DagError

pytestmark = pytest.mark.anyio


class ByName(PriorityWeightStrategy):
    """The later in the alphabet, the heavier; keeps what it was shown."""

    seen: list[Any] = []  # noqa: RUF012  of the class, as strategies have no state

    def get_weight(self, ti: Any) -> int:
        self.seen.append(ti)
        return 10 * ord(ti.task_id) + ti.try_number


class Broken(PriorityWeightStrategy):
    def get_weight(self, ti: Any) -> int:
        if ti.task_id == "b":
            raise ValueError("no weight")
        return "heavy"  # as careless code does


async def order(rule: Any, **weights: int) -> tuple[list[str], list[tuple[str, str, str]]]:
    """In which order tasks of one slot go, and what is told."""
    begun: list[str] = []
    with DAG("dag") as dag:
        for name in "abc":
            PythonOperator(
                task_id=name, python_callable=begun.append, op_args=[name], weight_rule=rule, priority_weight=weights.get(name, 1)
            )
    async with Engine(dags=[dag], parallelism=1) as engine:
        for run_id in ("mine", "another"):
            assert (await (await engine.trigger("dag", run_id=run_id)).wait()).state == "success"
        told = [(kind, task_id, text) for _, kind, _, _, task_id, _, _, text in await engine.fetch("last_events", limit=9)]
    return begun[:3], told


async def test_the_weight_of_a_strategy_decides_who_goes_first() -> None:
    ByName.seen.clear()
    begun, told = await order(ByName(), a=9)
    assert (begun, told) == (["c", "b", "a"], [])
    shown = ByName.seen[0]
    assert (shown.task_id, shown.dag_id, shown.run_id, shown.try_number, shown.priority_weight) == ("a", "dag", "mine", 1, 9)
    assert shown.task.task_id == "a"


async def test_a_strategy_that_fails_costs_its_task_the_event_once_and_its_own_weight_counts() -> None:
    begun, told = await order(Broken(), b=5, c=9)
    assert begun == ["c", "b", "a"]
    path = f"{__name__}.Broken"
    assert sorted(told) == [
        ("weight_rule_failed", "a", f"the weight rule {path} of task 'a' must give a number, not str"),
        ("weight_rule_failed", "b", f"the weight rule {path} of task 'b' raised ValueError: no weight"),
        ("weight_rule_failed", "c", f"the weight rule {path} of task 'c' must give a number, not str"),
    ]


def test_a_strategy_is_on_file_by_its_path_and_one_of_a_class_is_as_another() -> None:
    def spec(rule: Any) -> Any:
        with DAG("dag") as dag:
            PythonOperator(task_id="a", python_callable=print, weight_rule=rule)
        return dag.spec

    assert spec(ByName()).tasks[0].weight_rule == f"{__name__}.ByName"
    assert spec(ByName()).hash == spec(ByName()).hash != spec(Broken()).hash
    assert ByName() == ByName() != Broken()


def test_a_strategy_may_be_named_by_the_path_of_its_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_weights.py").write_text(
        "from flowlet.authoring.priority import PriorityWeightStrategy\n"
        "class Heavy(PriorityWeightStrategy):\n"
        "    def get_weight(self, ti):\n"
        "        return 99\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with DAG("dag"):
        named = PythonOperator(task_id="a", python_callable=print, weight_rule="my_weights.Heavy")
        assert named.weight_rule.get_weight(None) == 99
        for wrong, why in (("my_weights.Light", "no attribute 'Light'"), ("no_weights.Heavy", "No module named 'no_weights'")):
            with pytest.raises(DagError, match=f"weight_rule '{wrong}' is no class that can be imported.*{why}"):
                PythonOperator(task_id=wrong, python_callable=print, weight_rule=wrong)
