"""What flowlet's runs of Airflow's examples are compared with, and what of them no two runs share.

`airflow_answers.json` is what Airflow 3.3.2 itself did (`airflow_oracle.py` asked it): by DAG id, or `id@conf`
with the conf in its note, `run_state`, `tasks`, `tries` above 1, `xcom` (by task what it returned, by
`task:key` what it pushed besides), `asset_events`, `other_runs`, and the seconds that `dag.test()` took.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Facts = dict[str, Any]
ANSWERS = Path(__file__).with_name("airflow_answers.json")

#: Values that no two runs share, as `dag.task` or `dag.task:key`, and why.
UNSTEADY = {
    "example_bash_decorator.get_file_stats": "the time",
    "example_bash_decorator.describe_dag_folder": "a folder of the machine",
    "example_bash_decorator.show_dag_folder_stats": "a folder of the machine",
    "example_bash_operator.describe_dag_folder": "a folder of the machine",
    "example_bash_operator.show_dag_folder_stats": "a folder of the machine",
    "example_task_state_store.run_job": "a random number",
    "example_task_state_store_mapped.process_table": "random numbers, the time",
    "example_asset_state_store_producer.load": "a random number",
    "tutorial.print_date": "the time",
}

#: DAGs whose way through branches hangs on chance or on the clock: their run's state is compared only.
CHANCE = {
    "example_branch_python_operator_decorator": "random branches",
    "example_branch_operator": "random branches",
    "example_branch_datetime_operator_2": "the time of the clock",
    "example_branch_datetime_operator_3": "the time of the clock",
    "example_weekday_branch_operator": "the weekday of the clock",
}

#: DAGs and files that need more than this machine, and what.
OFFLINE = {
    "example_dag_decorator": "asks https://httpbingo.org",
    "tutorial_objectstorage": "asks an API on the network and a bucket of S3",
    "example_kubernetes_executor": "needs the provider cncf.kubernetes and a cluster",
    "example_local_kubernetes_executor": "needs the provider cncf.kubernetes and a cluster",
}


class Row(NamedTuple):
    """What became of one DAG."""

    dag_id: str
    file: str
    seconds: float
    state: str | None
    tasks: dict[str, str]
    tries: dict[str, int]
    xcoms: dict[str, Any]
    asset_events: Sequence[Any] = ()
    triggered: Sequence[Any] = ()
    problem: str | None = None


def answers(paths: Sequence[Path]) -> dict[str, Facts]:
    """All that Airflow did, by DAG id: several files about one DAG add to each other."""
    merged: dict[str, Facts] = {}
    for path in paths:
        for name, facts in json.loads(path.read_text(encoding="utf-8")).items():
            merged.setdefault(name, {}).update(facts)
    return merged


def offline(name: str) -> str | None:
    """Why a DAG, or a file that is written as `(file)`, cannot run here; None if it can."""
    return OFFLINE.get(name.strip("()").removesuffix("@conf"))


def is_endless(facts: Facts) -> bool:
    """Airflow did not end it in its time: that is no truth."""
    return facts.get("run_state") == "running"


def compare(row: Row, facts: Facts | None) -> list[str]:
    """The differences, in words; none if there is nothing to compare with."""
    if facts is None or is_endless(facts) or offline(row.dag_id):
        return []
    if row.state is None:
        return [] if facts.get("run_state") is None and row.problem else [f"run: {row.problem}"]
    found = _unlike("", {"run": row.state}, {"run": facts["run_state"]})
    return found if row.dag_id in CHANCE else [*found, *_by_task(row, facts)]


def _by_task(row: Row, facts: Facts) -> Iterator[str]:
    yield from _unlike("", row.tasks, facts["tasks"])
    if "tries" in facts:
        several = {task: count for task, count in row.tries.items() if count > 1}
        yield from _unlike("tries of ", several, facts["tries"])
    if "asset_events" in facts:
        events = [[event["uri"], event["task_id"], json.dumps(event["extra"])] for event in row.asset_events]
        yield from _unlike("", {"asset events": sorted(events)}, {"asset events": sorted(facts["asset_events"])})
    if "other_runs" in facts:
        made = [[run["dag_id"], run["state"]] for run in row.triggered]
        yield from _unlike("", {"other runs": made}, {"other runs": [[one[0], one[-1]] for one in facts["other_runs"]]})
    yield from _values(row, facts.get("xcom", {}))


def _values(row: Row, theirs: Mapping[str, Any]) -> Iterator[str]:
    """Values that Airflow kept; what no two runs share is left out."""
    told = {key: json.loads(value) if isinstance(value, str) else value for key, value in theirs.items()}
    ours = {key: row.xcoms.get(key if ":" in key else f"{key}:return_value") for key in told}
    left = {key for key in told if unsteady(row.dag_id, key)}
    yield from _unlike("value of ", *({key: value[key] for key in told if key not in left} for value in (ours, told)))


def unsteady(dag_id: str, key: str) -> str | None:
    """Why the value of a task (`task[index]:key`) is not compared; None if it is."""
    task, colon, name = key.partition(":")
    if name.startswith("_link_"):
        return "a link of Airflow's web page"
    if name == "skipmixin_key":
        return "in the order of a set"
    task = f"{dag_id.removesuffix('@conf')}.{task.partition('[')[0]}"
    return UNSTEADY.get(f"{task}{colon}{name}") or UNSTEADY.get(task)


def _unlike(what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    keys = sorted(ours.keys() | theirs.keys())
    return [
        f"{what}{key} {ours.get(key)!r}, Airflow {theirs.get(key)!r}" for key in keys if ours.get(key) != theirs.get(key)
    ]
