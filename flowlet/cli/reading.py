"""What commands read from the file, by the store's read-only reader: beside an owner or without one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flowlet.authoring.spec import DagSpec
from flowlet.cli import arguments
from flowlet.clock import iso
from flowlet.errors import DagNotFound, RunNotFound, TaskNotFound
from flowlet.named_tuple import NamedTuple

if TYPE_CHECKING:
    from flowlet.store import Reader


@contextmanager
def reading(args: argparse.Namespace) -> Iterator[Reader]:
    """The file, open for reading."""
    from flowlet.store import Reader

    reader = Reader(arguments.existing_database(args))
    try:
        yield reader
    finally:
        reader.close()


class Dag(NamedTuple):
    """A DAG as it is on file."""

    dag_id: str
    hash: str
    text: str
    paused: int
    cursor: int | None
    file: str | None

    @property
    def spec(self) -> DagSpec:
        return DagSpec.from_json(self.text)


class Run(NamedTuple):
    """A run's row."""

    id: int
    dag_id: str
    run_id: str
    run_type: str
    state: str
    logical_date: int | None
    interval_start: int | None
    interval_end: int | None
    run_after: int
    due_at: int | None
    queued_at: int
    started_at: int | None
    ended_at: int | None
    reason: str | None
    conf: str

    def shape(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "run_type": self.run_type,
            "state": self.state,
            "logical_date": moment(self.logical_date),
            "data_interval_start": moment(self.interval_start),
            "data_interval_end": moment(self.interval_end),
            "queued_at": moment(self.queued_at),
            "started_at": moment(self.started_at),
            "ended_at": moment(self.ended_at),
            "reason": self.reason,
            "conf": json.loads(self.conf),
        }


class Task(NamedTuple):
    """A task instance's row."""

    id: int
    run: int
    task_id: str
    map_index: int
    state: str
    try_number: int
    max_tries: int
    operator: str
    pool: str
    queued_at: int | None
    started_at: int | None
    ended_at: int | None
    outcome: str | None
    reason: str | None
    error: str | None
    crashes: int
    wake_at: int | None
    settled_at: int | None
    settled_because: str | None

    @property
    def key(self) -> str:
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"

    @property
    def over_at(self) -> int | None:
        return self.ended_at if self.settled_at is None else self.settled_at

    @property
    def because(self) -> str | None:
        return self.settled_because or (self.reason if self.outcome != "succeeded" else None)

    def shape(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "task_id": self.task_id,
            "map_index": self.map_index,
            "state": self.state,
            "try_number": self.try_number,
            "operator": self.operator,
            "pool": self.pool,
            "queued_at": moment(self.queued_at),
            "started_at": moment(self.started_at),
            "ended_at": moment(self.over_at),
            "reason": self.because,
            "error": self.error,
        }


def dags(reader: Reader) -> list[Dag]:
    """All DAGs on file."""
    return [Dag(*row) for row in reader.fetch("dags")]


def dag(reader: Reader, dag_id: str) -> Dag:
    """One DAG; DagNotFound names the nearest."""
    rows = reader.fetch("dag", dag_id=dag_id)
    if not rows:
        from flowlet.registry.registry import unknown_dag

        raise DagNotFound(unknown_dag(dag_id, [known.dag_id for known in dags(reader)]) + " in this database")
    return Dag(*rows[0])


def last_runs(reader: Reader, dag_id: str | None, limit: int) -> list[Run]:
    """The newest runs of a DAG, or of all."""
    if dag_id is None:
        return [Run(*row) for row in reader.fetch("last_runs_of_all", limit=limit)]
    return [Run(*row) for row in reader.fetch("last_runs", dag_id=dag_id, limit=limit)]


def run(reader: Reader, dag_id: str, run_id: str | None) -> Run:
    """A run by its id, or the newest of the DAG."""
    if run_id is not None:
        rows = reader.fetch("run", dag_id=dag_id, run_id=run_id)
        if rows:
            return Run(*rows[0])
    elif newest := last_runs(reader, dag_id, 1):
        return newest[0]
    dag(reader, dag_id)
    raise RunNotFound(
        f"DAG {dag_id!r} has no run {run_id!r}: `flowlet runs list {dag_id}` lists them"
        if run_id is not None
        else f"DAG {dag_id!r} has no runs yet"
    )


def tasks(reader: Reader, run: Run) -> list[Task]:
    """The task instances of a run, in topological order; of a mapped task in the order of its items."""
    found = [Task(*row) for row in reader.fetch("tasks_of_run", run=run.id)]
    if any(task.map_index >= 0 for task in found):  # they are made while the run goes on
        places = {task.task_id: task.index for task in dag(reader, run.dag_id).spec.tasks}
        found.sort(key=lambda task: (places.get(task.task_id, len(places)), task.map_index))
    return found


def task(reader: Reader, run: Run, name: str) -> Task:
    """A task instance by `task_id` or `task_id[3]`."""
    task_id, map_index = arguments.task(name)
    rows = reader.fetch("task", dag_id=run.dag_id, run_id=run.run_id, task_id=task_id, map_index=map_index)
    if rows:
        return Task(*rows[0])
    raise TaskNotFound(f"the run {run.run_id!r} of DAG {run.dag_id!r} {_no_task(name, tasks(reader, run))}")


def _no_task(name: str, known: list[Task]) -> str:
    mapped = sorted(task.map_index for task in known if task.task_id == name)
    if mapped:
        return f"has mapped {name!r}: name one of '{name}[{mapped[0]}]' to '{name}[{mapped[-1]}]'"
    from flowlet.authoring.places import nearest

    return f"has no task {name!r}{nearest(name, [task.key for task in known])}"


def moment(micros: int | None) -> str | None:
    """ISO 8601, or nothing."""
    return None if micros is None else iso(micros)


def short(micros: int | None) -> str | None:
    """To the second, for people: 2026-01-31 06:00:00Z."""
    return None if micros is None else f"{iso(micros)[:19].replace('T', ' ')}Z"
