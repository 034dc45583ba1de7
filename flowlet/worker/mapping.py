"""What a task over which others are mapped has to return (Airflow: task_runner.py `_push_xcom_if_needed`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from flowlet import settings
from flowlet.errors import UnmappableXComLengthPushed, UnmappableXComTypePushed, XComForMappingNotPushed

if TYPE_CHECKING:
    from flowlet.authoring.operator import BaseOperator


def checked_length(result: Any, task: BaseOperator) -> int:
    """How many items; an error for what cannot be mapped over."""
    if result is None or not task.do_xcom_push:
        raise XComForMappingNotPushed(f"task {task.task_id!r} returned nothing, but others are mapped over what it returns")
    if not isinstance(result, Collection) or isinstance(result, (str, bytes)):
        kind = type(result).__name__
        raise UnmappableXComTypePushed(
            f"task {task.task_id!r} returned a {kind}, but others are mapped over what it returns: return a list or a dict"
        )
    most = settings.get_int("core", "max_map_length", 1024, at_least=0)
    if len(result) > most:
        raise UnmappableXComLengthPushed(
            f"task {task.task_id!r} returned {len(result)} items, and others are mapped over them: at most {most} may be"
            " (FLOWLET__CORE__MAX_MAP_LENGTH)"
        )
    return len(result)
