"""What templates render, beside what Airflow's own do (`airflow_templates.py` made the answers)."""

from __future__ import annotations

import importlib.util
import json
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import flowlet

_HERE = Path(__file__).parent


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("airflow_templates", _HERE / "airflow_templates.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = _script()
AIRFLOW: dict[str, Any] = json.loads((_HERE / "airflow_templates.json").read_text())

#: Members print as their values, as Airflow 2's did; what a file is named after `{{ dag_run.run_type }}` can be read.
PRINTED = {
    "dag_run.run_type": "manual", "dag_run.run_type ~ '!'": "manual!", "dag_run.state": "running", "ti.state": "running",
    "task.trigger_rule": "all_success", "task.weight_rule": "downstream",
}  # fmt: skip
#: What is wider here, or has no fixed text: keys of Airflow 2 and of callbacks, a default that is heeded, other
#: classes' names, naive moments in a macro.
WIDER = {
    "try_number": "1", "expanded_ti_count": "None", "test_mode": "False", "ti.xcom_pull('nobody', default=3)": "3",
    "task.task_type": "DecoratedPython", "inlet_events": "{}", "triggering_asset_events": "{}",
    "macros.datetime_diff_for_humans(macros.datetime(2026, 1, 2), macros.datetime(2026, 1, 5))": "3 days before",
}  # fmt: skip
#: A dated run that is asked for waits for its date; Airflow's begins now and leaves waiting to its scheduler.
WAITS = "dag_run.run_after == logical_date"
#: These need pendulum or PyYAML, which a DAG's own environment has or has not.
BORROWED = {
    "logical_date.add(days=1)", "data_interval_end - data_interval_start", "data_interval_start.int_timestamp",
    "data_interval_start.in_timezone('Asia/Kolkata')", "macros.yaml.safe_load('a: 1')",
}  # fmt: skip
NAMES = SimpleNamespace(
    timedelta=timedelta, CronTriggerTimetable=flowlet.CronTriggerTimetable, EventsTimetable=flowlet.EventsTimetable,
    CronDataIntervalTimetable=flowlet.CronDataIntervalTimetable, DeltaTriggerTimetable=flowlet.DeltaTriggerTimetable,
    DeltaDataIntervalTimetable=flowlet.DeltaDataIntervalTimetable,
)  # fmt: skip


def of_airflow(value: str, name: str) -> Any:
    """Its answer in that run, or the one that is meant to differ."""
    if value == WAITS and name.endswith("_dated"):
        return "True"
    answer = (PRINTED | WIDER).get(value, AIRFLOW[value])
    return answer[name] if isinstance(answer, dict) else answer


@pytest.mark.parametrize("run", script.RUNS)
@pytest.mark.parametrize("kind", script.dags(NAMES))
def test_every_variable_macro_and_filter_renders_as_airflow_renders_it(
    kind: str, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in script.ENVIRONMENT.items():
        monkeypatch.setenv(f"AIRFLOW_{name}", value)
    answers: dict[str, str | None] = {}
    name = f"{kind}_{run}"
    script.told(flowlet.DAG, flowlet.task, name, script.dags(NAMES)[kind], answers).test(**script.RUNS[run])
    asked = [value for value in script.VALUES if value not in BORROWED]
    assert {value: answers[value] for value in asked} == {value: of_airflow(value, name) for value in asked}


def test_what_is_said_to_differ_does_differ() -> None:
    for value, ours in (PRINTED | WIDER).items():
        assert AIRFLOW[value] != ours, value
