"""The DAGs of a campaign: random shapes from a seed, bodies that tell the journal when they begin."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from flowlet import DAG, BashOperator, get_current_context, task

from .journal import Journal

TICKS = "ticks"
_START = datetime(2024, 1, 1, tzinfo=UTC)


def build(seed: int, journal: Journal) -> list[DAG]:
    """An every-second DAG and three that are triggered; their shapes go into the journal."""
    rng = random.Random(seed)
    shapes = [_shape(rng, f"random{number}") for number in range(3)]
    dags = [_ticking(journal), *(_dag(shape, journal) for shape in shapes)]
    for shape in shapes:
        journal.note("shape", **shape)
    journal.note("shape", dag=TICKS, tasks={"beat": "coroutine"}, edges=[])
    return dags


def _ticking(journal: Journal) -> DAG:
    with DAG(dag_id=TICKS, start_date=_START, schedule="* * * * * *", catchup=False) as dag:
        _coroutine(journal, "beat", fails=0)
    return dag


def _shape(rng: random.Random, dag_id: str) -> dict[str, Any]:
    names = [f"t{number}" for number in range(rng.randint(3, 8))]
    kinds = {name: rng.choice(("coroutine", "thread", "coroutine", "thread", "bash")) for name in names}
    fails = {name: rng.choice((0, 0, 0, 1, 1, 9)) if kinds[name] != "bash" else 0 for name in names}
    rules = {name: rng.choice(("all_success", "all_success", "all_done")) for name in names}
    edges = [
        (names[up], names[down]) for down in range(len(names)) for up in range(down) if rng.random() < 0.4
    ]
    return {"dag": dag_id, "tasks": kinds, "edges": edges, "fails": fails, "rules": rules}


def _dag(shape: dict[str, Any], journal: Journal) -> DAG:
    with DAG(dag_id=shape["dag"], start_date=_START, schedule=None) as dag:
        made = {name: _operator(name, shape, journal) for name in shape["tasks"]}
        for up, down in shape["edges"]:
            made[up] >> made[down]
    return dag


def _operator(name: str, shape: dict[str, Any], journal: Journal) -> Any:
    rule, fails = shape["rules"][name], shape["fails"][name]
    match shape["tasks"][name]:
        case "coroutine":
            return _coroutine(journal, name, fails=fails, trigger_rule=rule)
        case "thread":
            return _thread(journal, name, fails=fails, trigger_rule=rule)
    return BashOperator(task_id=name, bash_command="echo done", trigger_rule=rule)


def _coroutine(journal: Journal, name: str, *, fails: int, **arguments: Any) -> Any:
    @task(task_id=name, retries=2, retry_delay=timedelta(milliseconds=5), **arguments)
    async def body() -> int:
        return _act(journal, fails)

    return body()


def _thread(journal: Journal, name: str, *, fails: int, **arguments: Any) -> Any:
    @task(task_id=name, retries=2, retry_delay=timedelta(milliseconds=5), **arguments)
    def body() -> int:
        return _act(journal, fails)

    return body()


def _act(journal: Journal, fails: int) -> int:
    """Tell that the attempt began; fail the first `fails` tries; the value is the try's number."""
    ti = get_current_context()["ti"]
    journal.note("began", dag=ti.dag_id, run=ti.run_id, task=ti.task_id, number=ti.try_number)
    if ti.try_number <= fails:
        raise ValueError(f"try {ti.try_number} of {ti.task_id} fails as it should")
    return ti.try_number
