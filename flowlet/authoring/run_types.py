"""Which types of runs a DAG allows (Airflow 3.2: sdk/definitions/dag.py, `allowed_run_types`)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

from flowlet.timetables.assets import AssetTriggeredTimetable

if TYPE_CHECKING:
    from flowlet.timetables import Timetable

KNOWN = ("asset_materialization", "asset_triggered", "backfill", "manual", "operator_triggered", "scheduled")


def allowed(value: str | Enum | Iterable[str | Enum], timetable: Timetable | None) -> tuple[str, ...]:
    """The types, sorted. ValueError: an unknown type, or none for the runs of the DAG's own schedule."""
    kinds = tuple(sorted({_checked(kind) for kind in ([value] if isinstance(value, (str, Enum)) else value)}))
    own = _made_by(timetable)
    if kinds and own is not None and own not in kinds:
        raise ValueError(f"must include {own!r}: the DAG's schedule makes such runs")
    return kinds


def _checked(kind: object) -> str:
    name = str(kind.value if isinstance(kind, Enum) else kind)
    if name not in KNOWN:
        raise ValueError(f"knows no type of run {name!r}; the types are {', '.join(KNOWN)}")
    return name


def _made_by(timetable: Timetable | None) -> str | None:
    if isinstance(timetable, AssetTriggeredTimetable):
        return "asset_triggered"
    return "scheduled" if timetable is not None and timetable.can_be_scheduled else None
