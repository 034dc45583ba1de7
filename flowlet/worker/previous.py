"""What the context says of the run before: looked up when it is looked at, see `authoring/later.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlet.authoring.later import Later
from flowlet.clock import from_micros

if TYPE_CHECKING:
    from flowlet.worker.workload import RunFacts

_NAMES = (
    "prev_data_interval_start_success", "prev_data_interval_end_success",
    "prev_start_date_success", "prev_end_date_success",
)  # fmt: skip


def previous_successes(run: RunFacts, reader: Any) -> dict[str, Any]:
    """Of the latest successful run with an earlier logical date: data interval, start and end; asked once a run."""
    look = getattr(reader, "previous_success", None)
    if run.logical_date is None or look is None:
        return dict.fromkeys(_NAMES if run.logical_date is not None else _NAMES[2:])
    found: list[Any] = []

    def moment(place: int) -> Any:
        if not found:
            found[:] = look(run.dag_id, run.logical_date)
        return None if found[place] is None else from_micros(found[place])

    return {name: Later(lambda place=place: moment(place)) for place, name in enumerate(_NAMES)}  # type: ignore[misc]  # a default binds it
