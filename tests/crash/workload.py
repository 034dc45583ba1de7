"""The DAGs of a campaign: random shapes from a seed, bodies that tell the journal when they begin and what they read."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio

from flowlet import DAG, BashOperator, EmptyOperator, SkipTask, get_current_context, task
from tests.scheduler.rule_oracle import RULES

from .journal import Journal

SECONDS, TENTHS, KILLER, SLEEPER, FORKER = "seconds", "tenths", "killer", "sleeper", "forker"
PERIODS = {SECONDS: 1_000_000, TENTHS: 100_000}
"""Microseconds from tick to tick."""
POOL, SLOTS = "narrow", 2
KINDS = ("coroutine", "thread", "coroutine", "thread", "bash", "poke", "reschedule", "branch", "skip", "empty")
_START = datetime(2024, 1, 1, tzinfo=UTC)


def build(seed: int, journal: Journal) -> list[DAG]:
    """Three random DAGs that are triggered, two with ticks, and those that are as bad as they may be."""
    rng = random.Random(seed)
    shapes = [_shape(rng, f"random{number}") for number in range(3)]
    shapes += [_plain(name, "beat", "coroutine") for name in PERIODS]
    shapes += [_plain(KILLER, "kill", "killer"), _plain(SLEEPER, "sleep", "sleeper"), _plain(FORKER, "fork", "forker")]
    for shape in shapes:
        journal.note("shape", **shape)
    return [_dag(shape, journal) for shape in shapes]


def _plain(dag_id: str, task_id: str, kind: str) -> dict[str, Any]:
    """A DAG of one task."""
    one = {"kind": kind, "fails": 0, "rule": "all_success", "pool": "default_pool", "on_crash": "requeue", "up": [], "follows": []}
    return {"dag": dag_id, "tasks": {task_id: one}, "max_active_runs": 16, "max_active_tasks": 16, "retries": 2}


def _shape(rng: random.Random, dag_id: str) -> dict[str, Any]:
    names = [f"t{number}" for number in range(rng.randint(3, 8))]
    tasks = {}
    for place, name in enumerate(names):
        kind = rng.choice(KINDS)
        tasks[name] = {
            "kind": kind,
            "fails": rng.choice((0, 0, 0, 1, 1, 9)) if kind in ("coroutine", "thread") else 0,
            "rule": rng.choice(RULES) if rng.random() < 0.4 else rng.choice(("all_success", "all_done")),
            "pool": POOL if rng.random() < 0.3 else "default_pool",
            "on_crash": "fail" if rng.random() < 0.1 else "requeue",
            "up": [up for up in names[:place] if rng.random() < 0.4],
        }
    for name in names:
        below = [down for down in names if name in tasks[down]["up"]]
        tasks[name]["follows"] = rng.sample(below, rng.randint(0, len(below)))
    return {"dag": dag_id, "tasks": tasks, "max_active_runs": 3, "max_active_tasks": rng.randint(2, 6), "retries": 2}


def _dag(shape: dict[str, Any], journal: Journal) -> DAG:
    schedule = {SECONDS: "* * * * * *", TENTHS: timedelta(milliseconds=100)}.get(shape["dag"])
    limits = {name: shape[name] for name in ("max_active_runs", "max_active_tasks")}
    with DAG(dag_id=shape["dag"], start_date=_START, schedule=schedule, catchup=False, **limits) as dag:
        made = {name: _operator(name, of, journal) for name, of in shape["tasks"].items()}
        for name, of in shape["tasks"].items():
            for up in of["up"]:
                made[up] >> made[name]
    return dag


def _operator(name: str, of: dict[str, Any], journal: Journal) -> Any:
    more: dict[str, Any] = {
        "task_id": name, "trigger_rule": of["rule"], "pool": of["pool"], "on_crash": of["on_crash"],
        "retries": 2, "retry_delay": timedelta(milliseconds=5),
    }  # fmt: skip
    return _MAKE[of["kind"]](of, journal, more)


def _coroutine(of: dict[str, Any], journal: Journal, more: dict[str, Any]) -> Any:
    @task(**more)
    async def body() -> int:
        number = _act(journal, of)
        await anyio.sleep(random.random() * 0.01)
        return number

    return body()


def _thread(of: dict[str, Any], journal: Journal, more: dict[str, Any]) -> Any:
    @task(**more)
    def body() -> int:
        threading.Event().wait(random.random() * 0.01)
        return _act(journal, of)

    return body()


def _act(journal: Journal, of: dict[str, Any]) -> int:
    """Tell that the attempt began and what it reads; fail the first `fails` tries; the value is the try's number."""
    ti = get_current_context()["ti"]
    where = {"dag": ti.dag_id, "run": ti.run_id, "task": ti.task_id, "number": ti.try_number}
    journal.note("began", **where)
    for up in of["up"]:
        journal.note("read", **where, up=up, value=ti.xcom_pull(task_ids=up))
    if ti.try_number <= of["fails"]:
        raise ValueError(f"try {ti.try_number} of {ti.task_id} fails as it should")
    return int(ti.try_number)


def _bash(of: dict[str, Any], journal: Journal, more: dict[str, Any]) -> Any:
    return BashOperator(bash_command="echo done", **more)


def _sensor(mode: str) -> Callable[..., Any]:
    def make(of: dict[str, Any], journal: Journal, more: dict[str, Any]) -> Any:
        @task.sensor(mode=mode, poke_interval=0.02, timeout=60, **more)
        async def look() -> bool:
            return random.random() < 0.5

        return look()

    return make


def _branch(of: dict[str, Any], journal: Journal, more: dict[str, Any]) -> Any:
    @task.branch(**more)
    def choose() -> list[str]:
        return list(of["follows"])

    return choose()


def _skip(of: dict[str, Any], journal: Journal, more: dict[str, Any]) -> Any:
    @task(**more)
    async def body() -> None:
        raise SkipTask("as it should")

    return body()


def _empty(of: dict[str, Any], journal: Journal, more: dict[str, Any]) -> Any:
    return EmptyOperator(**more)


def _killer(of: dict[str, Any], journal: Journal, more: dict[str, Any]) -> Any:
    """Takes the process down, each time."""

    @task(**more)
    async def body() -> None:
        _act(journal, of)
        os.kill(os.getpid(), signal.SIGKILL)
        await anyio.sleep(60)

    return body()


def _sleeper(of: dict[str, Any], journal: Journal, more: dict[str, Any]) -> Any:
    """A command that outlives a killed engine; its second try is short."""
    note = f"echo '{{\"kind\": \"asleep\", \"pid\": '$$'}}' >> '{journal.path}'"
    command = f'[ "$AIRFLOW_CTX_TRY_NUMBER" -gt 1 ] || {{ {note}; exec sleep 600; }}; echo awake'
    return BashOperator(bash_command=command, **more)


def _forker(of: dict[str, Any], journal: Journal, more: dict[str, Any]) -> Any:
    """Forks a process that outlives its owner and then kills the owner, the first time."""

    @task(**more)
    def body() -> None:
        if _act(journal, of) > 1:
            return
        owner = os.getpid()
        if os.fork() == 0:
            journal.note("forked", pid=os.getpid())
            os.kill(owner, signal.SIGKILL)
            while True:
                signal.pause()
        threading.Event().wait(60)

    return body()


_MAKE: dict[str, Callable[..., Any]] = {
    "coroutine": _coroutine, "thread": _thread, "bash": _bash, "poke": _sensor("poke"), "reschedule": _sensor("reschedule"),
    "branch": _branch, "skip": _skip, "empty": _empty, "killer": _killer, "sleeper": _sleeper, "forker": _forker,
}  # fmt: skip
