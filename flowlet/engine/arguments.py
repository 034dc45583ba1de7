"""What the engine's verbs are given, checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowlet.clock import to_micros
from flowlet.errors import FlowletError, XComError

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG

FIRST, LAST = -(1 << 62), 1 << 62
"""Before and after all moments."""


def conf_text(dag: DAG | None, conf: Mapping[str, Any] | None) -> str:
    """conf as JSON, refused with a clear error; the DAG's params are checked with it."""
    import json

    if conf is not None and not isinstance(conf, Mapping):
        raise XComError(f"conf must be a mapping, not {type(conf).__name__}")
    if dag is not None and len(dag.params):
        from flowlet.authoring.params import merge_params

        merge_params(dag.params, None, conf or {})
    if not conf:
        return "{}"
    try:
        text = json.dumps(conf, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise XComError(f"conf is not JSON: {error}") from None
    return text


def moment_of(date: datetime | str | None) -> int | None:
    """A logical date as microseconds; naive ones are read in the default time zone."""
    if date is None:
        return None
    if isinstance(date, str):
        try:
            date = datetime.fromisoformat(date)
        except ValueError:
            raise FlowletError(f"logical_date {date!r} is no ISO 8601 date") from None
    if not isinstance(date, datetime):
        raise FlowletError(f"logical_date must be a datetime, ISO 8601 text or None, not {type(date).__name__}")
    if date.tzinfo is None:
        from flowlet.authoring.dates import default_timezone, zone_of

        date = date.replace(tzinfo=zone_of(default_timezone()))
    return to_micros(date)


def dates_between(start_date: datetime | str | None, end_date: datetime | str | None) -> tuple[int, int] | None:
    """The moments from one date to another, each open if it is not given; None if neither is."""
    first, last = moment_of(start_date), moment_of(end_date)
    if first is None and last is None:
        return None
    return FIRST if first is None else first, LAST if last is None else last


def checked_run_id(run_id: object) -> str | None:
    """1 to 250 of letters, digits and `_.-:+~`; not one that a schedule would give."""
    if run_id is None:
        return None
    import re

    if not isinstance(run_id, str) or not re.fullmatch(r"[\w.\-:+~]{1,250}", run_id) or run_id in (".", ".."):
        raise RunIdError(f"run_id {run_id!r}: must be 1 to 250 letters, digits and _ . - : + ~, and not '.' or '..'")
    if run_id.startswith("scheduled__"):
        raise RunIdError(f"run_id {run_id!r}: ids that begin with 'scheduled__' belong to the schedule; give another")
    return run_id


class RunIdError(FlowletError, ValueError):
    """A run_id that cannot be used."""
