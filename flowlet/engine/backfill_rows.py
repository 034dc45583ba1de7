"""What the engine reads from the file about backfills: those that go on, and what stands at their dates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowlet.clock import iso
from flowlet.scheduler.backfills import Date, Plan
from flowlet.scheduler.requests import BackfillOnFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowlet.store import Store


def plan_of(row: Sequence[Any]) -> Plan:
    """What was asked for, from the row of a backfill."""
    _, dag_id, _, first, last, backwards, reprocess, most, conf, _, _ = row
    return Plan(dag_id, first, last, bool(backwards), reprocess, most, conf)


def shape_of(row: Sequence[Any]) -> dict[str, Any]:
    """A backfill as plain JSON, in Airflow's names (api_fastapi/core_api/datamodels/backfills.py)."""
    import json

    number, dag_id, state, first, last, backwards, reprocess, most, conf, created_at, ended_at = row
    return {
        "id": number,
        "dag_id": dag_id,
        "state": state,
        "from_date": iso(first),
        "to_date": iso(last),
        "run_backwards": bool(backwards),
        "reprocess_behavior": reprocess,
        "max_active_runs": most,
        "dag_run_conf": None if conf is None else json.loads(conf),
        "created_at": None if created_at is None else iso(created_at),
        "completed_at": None if ended_at is None else iso(ended_at),
    }


def date_shape(_ordinal: int, logical_date: int, run_id: str | None, state: str | None, reason: str | None) -> dict[str, Any]:
    """One of its dates."""
    return {"logical_date": iso(logical_date), "run_id": run_id, "state": state, "reason": reason}


async def active_backfills(store: Store) -> dict[str, BackfillOnFile]:
    """dag_id to the backfill that goes on: a question for all DAGs, and some for each that has one."""
    return {row[1]: await _on_file(store, row) for row in await store.fetch("active_backfills")}


async def active_backfill(store: Store, dag_id: str) -> BackfillOnFile | None:
    """The one of a DAG, if it has one."""
    found = await store.fetch("active_backfill", dag_id=dag_id)
    return await _on_file(store, found[0]) if found else None


async def _on_file(store: Store, row: Sequence[Any]) -> BackfillOnFile:
    dates = [Date(*date) for date in await store.fetch("dates_to_come", backfill=row[0])]
    links: list[Any] = list(await store.fetch("runs_of_backfill", backfill=row[0]))
    return BackfillOnFile(row[0], plan_of(row), row[2], dates, links)


async def runs_at(store: Store, dag_id: str, dates: Iterable[Date]) -> dict[int, tuple[str, str]]:
    """Logical date to the id and the state of the run that stands there."""
    moments = [date.logical_date for date in dates]
    if not moments:
        return {}
    found = await store.fetch("states_between", dag_id=dag_id, first=min(moments), last=max(moments))
    return {date: (run_id, state) for date, run_id, state in found}
