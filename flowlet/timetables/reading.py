"""From what a user wrote, or a spec holds, to a timetable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flowlet import settings
from flowlet.clock import from_micros
from flowlet.errors import TimetableError
from flowlet.timetables.aperiodic import ContinuousTimetable, NullTimetable, OnceTimetable
from flowlet.timetables.asked import AskedTimetable
from flowlet.timetables.assets import AssetOrTimeSchedule, AssetTriggeredTimetable, expression_of
from flowlet.timetables.base import Timetable
from flowlet.timetables.cron_trigger import CronTriggerTimetable, MultipleCronTriggerTimetable, age_from_json
from flowlet.timetables.data_intervals import CronDataIntervalTimetable, DeltaDataIntervalTimetable
from flowlet.timetables.delta import DeltaTriggerTimetable
from flowlet.timetables.guard import ask
from flowlet.timetables.listed import EventsTimetable
from flowlet.timetables.spans import from_json

_PARTITIONS = "flowlet.timetables.partitions"
"""Loaded when somebody uses them: their mappers are many classes."""

_WORDS: dict[str, type[NullTimetable]] = {"@once": OnceTimetable, "@continuous": ContinuousTimetable}


def timetable_for(schedule: object, *, timezone: Any = "UTC", where: str) -> Timetable:
    """What `DAG(schedule=...)` takes, as Airflow reads it.

    `timezone` (a name or a tzinfo) is that of cron expressions. Raises TimetableError, `where` in front.
    """
    try:
        return _read(schedule, timezone)
    except TimetableError as error:
        raise TimetableError(f"{where}: {error}") from error


def _read(schedule: Any, timezone: Any) -> Timetable:
    if schedule is None:
        return NullTimetable()
    if _is_timetable(schedule):
        return _of_object(schedule)
    if hasattr(schedule, "as_expression") or isinstance(schedule, (list, tuple, set)):
        return AssetTriggeredTimetable(expression_of(schedule))
    if isinstance(schedule, str):
        word = _WORDS.get(schedule.strip().lower())
        return word() if word else _interval_or_trigger(CronDataIntervalTimetable, CronTriggerTimetable)(schedule, timezone)
    if isinstance(schedule, timedelta) or type(schedule).__name__ == "relativedelta":
        return _interval_or_trigger(DeltaDataIntervalTimetable, DeltaTriggerTimetable)(schedule)
    raise TimetableError(
        f"schedule={schedule!r} is no schedule. Give a cron expression, a preset such as '@daily',"
        " a timedelta, '@once', '@continuous', a Timetable, or None."
    )


def _interval_or_trigger(interval: Callable[..., Timetable], trigger: Callable[..., Timetable]) -> Callable[..., Timetable]:
    """Airflow's setting `[scheduler] create_cron_data_intervals`, which it asks for deltas as well."""
    return interval if settings.get_bool("scheduler", "create_cron_data_intervals", False) else trigger


def _is_timetable(schedule: Any) -> bool:
    """One of ours, or an object that answers what Airflow asks a timetable."""
    return isinstance(schedule, Timetable) or (
        not isinstance(schedule, type)
        and hasattr(schedule, "next_dagrun_info")
        and hasattr(schedule, "infer_manual_data_interval")
    )


def _of_object(timetable: Any) -> Timetable:
    """Ours as it is; a class of somebody's own is asked through the methods that Airflow knows."""
    if type(timetable) in _OURS or type(timetable).__module__ == _PARTITIONS:
        return timetable  # type: ignore[no-any-return]  # one of the classes
    if isinstance(timetable, AskedTimetable):
        return timetable
    asked = AskedTimetable(timetable)
    if hasattr(timetable, "validate"):
        ask(timetable.validate, f"timetable {asked.name}: validate")
    return asked


def timetable_from_spec(spec: Mapping[str, Any]) -> Timetable:
    """The inverse of `Timetable.to_spec`. What a user's own class says is not in it, see `AskedTimetable`."""
    make = _MAKERS.get(spec.get("type", "null"))
    if make is None:
        raise TimetableError(f"this version of flowlet knows no timetable of type {spec.get('type')!r}.")
    return make(spec)


def _cron(spec: Mapping[str, Any]) -> Timetable:
    return CronTriggerTimetable(
        spec["cron"], spec.get("timezone", "UTC"), gap=spec.get("gap"), fold=spec.get("fold"), **_triggering(spec)
    )


def _crons(spec: Mapping[str, Any]) -> Timetable:
    return MultipleCronTriggerTimetable(*spec["cron"], timezone=spec.get("timezone", "UTC"), **_triggering(spec))


def _partitioned(spec: Mapping[str, Any]) -> Timetable:
    from flowlet.timetables import partitions

    if spec["type"] == "partitioned_assets":
        return partitions.PartitionedAssetTimetable.from_spec(dict(spec))
    if spec["type"] == "partitioned_at_runtime":
        return partitions.PartitionedAtRuntime()
    return partitions.CronPartitionTimetable(
        spec["cron"], timezone=spec["timezone"], run_offset=spec["run_offset"], key_format=spec["key_format"],
        run_immediately=age_from_json(spec.get("run_immediately", False)),
    )  # fmt: skip


def _triggering(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "interval": from_json(spec.get("interval", 0)),
        "run_immediately": age_from_json(spec.get("run_immediately", False)),
    }


def _cron_interval(spec: Mapping[str, Any]) -> Timetable:
    return CronDataIntervalTimetable(spec["cron"], spec.get("timezone", "UTC"))


def _delta(spec: Mapping[str, Any]) -> Timetable:
    return DeltaTriggerTimetable(from_json(spec["delta"]), interval=from_json(spec.get("interval", 0)))


def _events(spec: Mapping[str, Any]) -> Timetable:
    return EventsTimetable(
        map(from_micros, spec["events"]),
        restrict_to_events=spec.get("restrict_to_events", False),
        description=spec.get("description"),
    )


_MAKERS: dict[str, Callable[[Mapping[str, Any]], Timetable]] = {
    "null": lambda _: NullTimetable(),
    "once": lambda _: OnceTimetable(),
    "continuous": lambda _: ContinuousTimetable(),
    "cron": _cron,
    "crons": _crons,
    "cron_interval": _cron_interval,
    "delta": _delta,
    "delta_interval": lambda spec: DeltaDataIntervalTimetable(from_json(spec["delta"])),
    "events": _events,
    "assets": lambda spec: AssetTriggeredTimetable(spec["condition"]),
    "assets_or_time": lambda spec: AssetOrTimeSchedule(
        timetable=timetable_from_spec(spec["timetable"]), assets=spec["condition"]
    ),
    "cron_partition": _partitioned,
    "partitioned_assets": _partitioned,
    "partitioned_at_runtime": _partitioned,
    "asked": lambda spec: AskedTimetable(None, dict(spec)),
}

#: Whatever is derived from these is a class of somebody's own.
_OURS = frozenset({
    AssetOrTimeSchedule, AssetTriggeredTimetable, ContinuousTimetable, CronDataIntervalTimetable, CronTriggerTimetable, DeltaDataIntervalTimetable,
    DeltaTriggerTimetable, EventsTimetable, MultipleCronTriggerTimetable, NullTimetable, OnceTimetable,
})  # fmt: skip
