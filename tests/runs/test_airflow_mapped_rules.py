"""Mapped tasks and mapped groups beside Airflow's own scheduler (`airflow_mapped_rules.py` made the answers)."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

import flowlet
from flowlet.authoring.spec import DagSpec
from flowlet.runs import plan
from flowlet.runs.following import propagate
from flowlet.runs.instances import ActiveRun, TaskInstance
from flowlet.runs.rows import settle
from flowlet.runs.rules import RULES
from flowlet.runs.states import TERMINAL
from flowlet.runs.turn import Turn

_HERE = Path(__file__).parent
NOW = 1_767_225_600_000_000


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("airflow_mapped_rules", _HERE / "airflow_mapped_rules.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = _script()
ANSWERS: dict[str, dict[str, str]] = json.loads((_HERE / "airflow_mapped_rules.json").read_text())


def spec_of(shape: str) -> DagSpec:
    with flowlet.DAG("shape") as dag:
        script.SHAPES[shape][0](script.Maker(flowlet))
    return dag.spec


class Asked:
    """A run in which tasks end as a case says, one after another."""

    def __init__(self, spec: DagSpec) -> None:
        self.run = ActiveRun(
            id=1, spec=spec, run_id="r", run_type="manual", logical_date=NOW, interval_start=NOW,
            interval_end=NOW, run_after=NOW, queued_at=NOW,
        )  # fmt: skip
        self.run.populate(1)
        ids = count(1000)
        self.turn = Turn(NOW, lambda wanted: min(next(ids) for _ in range(wanted)))

    def end(self, task_id: str, map_index: int, state: str, length: int | None) -> None:
        ti = self.run.find(task_id, map_index)
        if ti is None or ti.state in TERMINAL:
            return
        ti.length = length
        settle(ti, state, None, self.turn)
        propagate([ti], self.turn)

    def answer(self) -> str:
        spec = self.run.spec
        asked = sorted(task.task_id for task in spec.tasks if task.task_id.startswith("t_"))
        return " ".join(self._letters(task_id) for task_id in asked)

    def _letters(self, task_id: str) -> str:
        told = [(ti.map_index, self._letter(ti)) for ti in self.run.of_task(task_id)]
        return str(script.letters_of(told, is_mapped=self.run.spec.by_id[task_id].mapping is not None))

    @staticmethod
    def _letter(ti: TaskInstance) -> str:
        return script.LETTERS.get(ti.state) or ("R" if ti.released else "W")


def answer(spec: DagSpec, case: str) -> str:
    """What becomes of the tasks if all that the case says happens one after another."""
    asked = Asked(spec)
    plan.begin(asked.run, asked.turn)
    for ended in script.steps(case):
        asked.end(*ended)
    return asked.answer()


EARLY = ("always", "one_done", "one_failed", "one_success")
"""Rules that may let a task go before the values that it is mapped over are there."""


def answers_beside(shape: str) -> Iterator[tuple[str, str, str, str]]:
    """(case, rule, Airflow's answer, ours)."""
    spec = spec_of(shape)
    asked = sorted(task.task_id for task in spec.tasks if task.task_id.startswith("t_"))
    for case, theirs in ANSWERS[shape].items():
        for task_id, one, other in zip(asked, theirs.split(), answer(spec, case).split(), strict=True):
            yield case, task_id.removeprefix("t_"), one, other


def is_given_up(shape: str, rule: str, theirs: str) -> bool:
    """Whether Airflow's scheduler looked between the rule's word and the values, and so set upstream_failed."""
    return "mapped over" in shape and rule in EARLY and theirs == "~U"


@pytest.mark.parametrize("shape", ANSWERS)
def test_mapped_tasks_become_what_airflow_makes_of_them(shape: str) -> None:
    differ = [
        (case, rule, theirs, ours)
        for case, rule, theirs, ours in answers_beside(shape)
        if ours != theirs and not is_given_up(shape, rule, theirs)
    ]
    assert differ == []


def test_a_mapped_task_that_is_let_go_early_waits_for_its_values_where_airflow_gives_it_up() -> None:
    """On purpose: whether Airflow's scheduler looks in between is chance, and its own `dag.test()` does not."""
    spec = spec_of("mapped over a task, after another")
    early = {rule: answer(spec, case).split()[script.RULES.index(rule)] for rule, case in (
        ("one_success", "o=S"), ("one_failed", "o=F"), ("one_done", "o=F"), ("always", "o=."),
    )}  # fmt: skip
    assert early == dict.fromkeys(early, "~W")
    late = answer(spec, "o=S s=S:2").split()
    assert [late[script.RULES.index(rule)] for rule in ("one_success", "one_done", "always")] == ["[RR]"] * 3


def test_every_rule_and_every_shape_is_asked() -> None:
    assert set(ANSWERS) == set(script.SHAPES)
    assert set(script.RULES) == set(RULES)
    assert sum(len(theirs.split()) for cases in ANSWERS.values() for theirs in cases.values()) > 10_000
