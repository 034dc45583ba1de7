"""Which moment an operator looks at, and how it reads the moments of others."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from flowlet.authoring import dates
from flowlet.errors import FlowletError

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


def moment_of(context: Context, *, by_logical_date: bool) -> datetime:
    """The run's own date (its `run_after` if it has none), or now by the engine's clock."""
    if not by_logical_date:
        now: datetime = context["ti"].now()
        return now
    moment: datetime = context.get("logical_date") or context["dag_run"].run_after
    return moment


def as_moment(value: Any, zone: Any) -> datetime:
    """A datetime or its ISO text, as an aware datetime; FlowletError for anything else."""
    try:
        return dates.aware(value, zone)
    except (TypeError, ValueError) as error:
        raise FlowletError(f"{value!r} is no moment: {error}") from None


def at_time(day: date, value: time, zone: Any) -> datetime:
    """A time of that day; a naive one is read in the zone."""
    return datetime.combine(day, value, value.tzinfo or zone)
