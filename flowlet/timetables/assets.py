"""Schedules by assets. No calendar makes them due; they hold the condition, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from flowlet.errors import TimetableError
from flowlet.timetables.aperiodic import NullTimetable
from flowlet.timetables.base import Interval, Timetable


class Condition(Protocol):
    """An asset, or assets joined by `&` and `|`."""

    def as_expression(self) -> Any:
        """The condition as JSON."""
        ...


class AssetTriggeredTimetable(NullTimetable):
    """Due when the assets of its condition have events. In this version nothing makes it due."""

    __slots__ = ("expression",)
    description = "Asset"

    def __init__(self, expression: Any) -> None:
        self.expression = expression

    def to_spec(self) -> dict[str, Any]:
        return {"type": "assets", "condition": self.expression}


#: What a schedule by time and assets has from its timetable.
_TRAITS = (
    "active_runs_limit", "can_be_scheduled", "catches_up_from_start_only", "floats", "owes_the_latest", "partitioned",
    "periodic", "run_ordering",
)  # fmt: skip


class AssetOrTimeSchedule(Timetable):
    """Due by a timetable, and when assets have events (Airflow: timetables/assets.py)."""

    def __init__(self, *, timetable: Timetable, assets: Condition | list[Condition] | Any) -> None:
        if not isinstance(timetable, Timetable):
            raise TimetableError(f"AssetOrTimeSchedule needs a timetable, not {timetable!r}")
        self.timetable = timetable
        self.asset_condition = assets
        self.expression = assets if isinstance(assets, dict) else expression_of(assets)
        for name in _TRAITS:
            setattr(self, name, getattr(timetable, name))

    @property
    def summary(self) -> str:
        return f"Asset or {self.timetable.description}"

    def next_after(self, moment: int) -> int | None:
        return self.timetable.next_after(moment)

    def latest_until(self, moment: int, after: int) -> int | None:
        return self.timetable.latest_until(moment, after)

    def count_between(self, after: int, until: int) -> int:
        return self.timetable.count_between(after, until)

    def interval_of(self, due: int) -> Interval:
        return self.timetable.interval_of(due)

    def partition_of(self, due: int) -> tuple[str, datetime] | None:
        return self.timetable.partition_of(due)

    def infer_manual(self, moment: int) -> Interval:
        return self.timetable.infer_manual(moment)

    def anchored(self, start: int) -> Timetable:
        return self.timetable.anchored(start)

    def to_spec(self) -> dict[str, Any]:
        return {"type": "assets_or_time", "condition": self.expression, "timetable": self.timetable.to_spec()}


def expression_of(assets: Any) -> Any:
    """The condition of one thing, or of a list of them, all of which are asked for."""
    if hasattr(assets, "as_expression"):
        return assets.as_expression()
    if isinstance(assets, (list, tuple, set)) and assets and all(hasattr(one, "as_expression") for one in assets):
        return {"all": [one.as_expression() for one in assets]}
    raise TimetableError(f"{assets!r} is no asset, and no list of assets")
