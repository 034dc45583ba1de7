"""What a run that somebody asks for is called, and whether it is one that there is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flowlet.clock import from_micros
from flowlet.errors import RunExists
from flowlet.scheduler import requests

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun


def same_run(known: ActiveRun, request: requests.Trigger) -> ActiveRun:
    """A run_id given twice is the same run, if all else is the same; else RunExists."""
    date = known.logical_date if request.logical_date == requests.NOW else request.logical_date
    if known.conf == request.conf and known.logical_date == date:
        return known
    raise RunExists(
        f"the run {known.run_id!r} of DAG {known.dag_id!r} exists with another conf or logical date;"
        " leave out run_id, or give another"
    )


def backfill_run_id(run_after: int) -> str:
    """The id of a run that a backfill makes: named after its tick, as Airflow's are."""
    return f"backfill__{from_micros(run_after).isoformat()}"


def manual_run_id(date: int | None, now: int) -> str:
    """The id of a run that was asked for without one (Airflow: models/dagrun.py `generate_run_id`)."""
    if date is not None:
        return f"manual__{from_micros(date).isoformat()}"
    return f"manual__{from_micros(now).isoformat()}_{os.urandom(4).hex()}"
