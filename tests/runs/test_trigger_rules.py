"""Trigger rules, against what Airflow's own rule answered (airflow/ti_deps/deps/trigger_rule_dep.py, 3.3.2)."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from flowlet.runs.rules import RULES, judge

CASES: dict[str, str] = json.loads((Path(__file__).parent / "trigger_rules.json").read_text())


def tally(states: list[str]) -> SimpleNamespace:
    setups = [state.removeprefix("S:") for state in states if state.startswith("S:")]
    states = [state.removeprefix("S:") for state in states]
    return SimpleNamespace(
        total=len(states),
        succeeded=states.count("success"),
        failed=states.count("failed"),
        skipped=states.count("skipped"),
        upstream_failed=states.count("upstream_failed"),
        removed=states.count("removed"),
        setups=len(setups),
        setups_succeeded=setups.count("success"),
        setups_skipped=setups.count("skipped"),
    )


@pytest.mark.parametrize("rule", sorted({case.split("|")[0] for case in CASES}))
def test_a_rule_answers_as_airflow_does(rule: str) -> None:
    cases = {case: answer for case, answer in CASES.items() if case.startswith(rule + "|")}
    answers = {case: judge(rule, tally(case.split("|")[1].split(","))).value for case in cases}
    assert answers == cases


def test_every_rule_has_cases() -> None:
    assert {case.split("|")[0] for case in CASES} == set(RULES)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_task_without_upstreams_runs_whatever_its_rule(rule: str) -> None:
    assert judge(rule, tally([])).value == "run"
