"""Schedules whose runs are about a partition (Airflow: timetables/trigger.py `CronPartitionTimetable`, timetables/assets.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from flowlet.clock import SECOND, from_micros
from flowlet.errors import TimetableError
from flowlet.timetables.aperiodic import NullTimetable
from flowlet.timetables.assets import AssetTriggeredTimetable, expression_of
from flowlet.timetables.cron_trigger import CronTriggerTimetable
from flowlet.timetables.partition_mappers import IdentityMapper, PartitionMapper, to_json
from flowlet.timetables.window import LONG_AGO


class CronPartitionTimetable(CronTriggerTimetable):
    """Due whenever a cron expression matches; each run has a partition, named by the moment in the timetable's zone.

    `run_offset`: the partition is that of so many ticks later (or, negative, earlier). A run that somebody asks for has none.
    """

    __slots__ = ("key_format", "run_offset")

    partitioned = True

    def __init__(
        self,
        cron: str,
        *,
        timezone: str | tzinfo,
        run_offset: int | None = None,
        run_immediately: bool | timedelta | None = False,
        key_format: str = "%Y-%m-%dT%H:%M:%S",
    ) -> None:
        super().__init__(cron, timezone, run_immediately=run_immediately)
        if not isinstance(run_offset, int) and run_offset is not None:
            raise TimetableError(f"CronPartitionTimetable({self.cron!r}): run_offset={run_offset!r} must be a whole number, or None.")
        self.run_offset = run_offset or 0
        self.key_format = key_format

    def partition_of(self, due: int) -> tuple[str, datetime] | None:
        """Key and moment (UTC) of the partition of the run that a tick makes; None where there is no such tick."""
        moment: int | None = due
        for _ in range(abs(self.run_offset)):
            if moment is not None:
                moment = self.next_after(moment) if self.run_offset > 0 else self.latest_until(moment - 1, LONG_AGO)
        if moment is None:
            return None
        wall = from_micros(moment + self._zone.span_at(moment // SECOND).offset * SECOND)
        return wall.strftime(self.key_format), from_micros(moment).astimezone(UTC)

    def to_spec(self) -> dict[str, Any]:
        return {**super().to_spec(), "type": "cron_partition", "run_offset": self.run_offset, "key_format": self.key_format}


class PartitionedAtRuntime(NullTimetable):
    """Nothing makes it due; the tasks of a run say which partitions they wrote."""

    __slots__ = ()
    partitioned_at_runtime = True
    description = "Partitioned at runtime"

    def to_spec(self) -> dict[str, Any]:
        return {"type": "partitioned_at_runtime"}


class PartitionedAssetTimetable(AssetTriggeredTimetable):
    """Due for each partition of which the assets have events, as the mappers say. In this version nothing makes it due.

    `partition_mapper_config` gives single assets a mapper of their own.
    """

    __slots__ = ("asset_condition", "default_partition_mapper", "partition_mapper_config")
    description = "Asset (partitioned)"
    partitioned = True

    def __init__(
        self,
        *,
        assets: Any,
        partition_mapper_config: dict[Any, PartitionMapper] | None = None,
        default_partition_mapper: PartitionMapper | dict[str, Any] | None = None,
    ) -> None:
        super().__init__(assets if isinstance(assets, dict) else expression_of(assets))
        self.asset_condition = assets
        self.partition_mapper_config = partition_mapper_config or {}
        self.default_partition_mapper = IdentityMapper() if default_partition_mapper is None else default_partition_mapper

    def to_spec(self) -> dict[str, Any]:
        own = [[_named(asset), to_json(mapper)] for asset, mapper in self.partition_mapper_config.items()]
        spec = {"type": "partitioned_assets", "condition": self.expression, "mapper": to_json(self.default_partition_mapper)}
        return {**spec, "mappers": own} if own else spec

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> PartitionedAssetTimetable:
        """Assets and mappers as the spec has them."""
        made = cls(assets=spec["condition"], default_partition_mapper=spec["mapper"])
        made.partition_mapper_config = {_Named(asset): mapper for asset, mapper in spec.get("mappers", ())}
        return made


class _Named:
    """An asset of which only the expression is known."""

    def __init__(self, expression: Any) -> None:
        self.expression = expression


def _named(asset: Any) -> Any:
    return asset.expression if isinstance(asset, _Named) else expression_of(asset)
