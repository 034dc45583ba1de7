"""A DAG and its runs as rows: for commands that need the stored description itself."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING, Any

from flowlet.cli import arguments
from flowlet.cli.exits import CommandError

if TYPE_CHECKING:
    from flowlet.authoring.spec import DagSpec
    from flowlet.store import Reader


def reader(args: argparse.Namespace) -> closing[Reader]:
    """The database, to read; closed at the end of the block."""
    from flowlet.store import Reader

    return closing(Reader(arguments.existing_database(args)))


def dag_row(db: Reader, dag_id: str) -> Any:
    """What the file has of a DAG; the error names those that it has."""
    rows = db.fetch("dag", dag_id=dag_id)
    if not rows:
        known = ", ".join(row[0] for row in db.fetch("dags")[:10]) or "none"
        raise CommandError(f"the database has no DAG {dag_id!r}; it has: {known}")
    return rows[0]


def spec_of(row: Any) -> DagSpec:
    from flowlet.authoring.spec import DagSpec

    return DagSpec.from_json(row[2])


def run_row(db: Reader, dag_id: str, run_id: str | None) -> Any:
    """A run; without an id the newest of the DAG."""
    if run_id is None:
        rows = db.fetch("last_runs", dag_id=dag_id, limit=1)
    else:
        rows = db.fetch("run", dag_id=dag_id, run_id=run_id)
    if not rows:
        what = f"no run {run_id!r}" if run_id else "no run"
        raise CommandError(f"the database has {what} of DAG {dag_id!r}: `flowlet runs list` names them")
    return rows[0]
