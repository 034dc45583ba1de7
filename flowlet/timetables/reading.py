"""From what a user wrote, or a spec holds, to a timetable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flowlet.errors import TimetableError
from flowlet.timetables.aperiodic import ContinuousTimetable, NullTimetable, OnceTimetable
from flowlet.timetables.base import Timetable
from flowlet.timetables.cron import CronTriggerTimetable
from flowlet.timetables.delta import DeltaTriggerTimetable

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
    if isinstance(schedule, Timetable):
        return _rebuilt(schedule)
    if isinstance(schedule, str):
        word = _WORDS.get(schedule.strip().lower())
        return word() if word else CronTriggerTimetable(schedule, timezone)
    if isinstance(schedule, timedelta) or type(schedule).__name__ == "relativedelta":
        return DeltaTriggerTimetable(schedule)
    raise TimetableError(
        f"schedule={schedule!r} is no schedule. Give a cron expression, a preset such as '@daily',"
        " a timedelta, '@once', '@continuous', a Timetable, or None."
    )


def _rebuilt(timetable: Timetable) -> Timetable:
    """The timetable, if what the scheduler makes of its spec is the same: it runs on that, in any process."""
    name = type(timetable).__name__
    try:
        again = timetable_from_spec(timetable.to_spec())
    except Exception as problem:  # a class of somebody's own
        said = "it has no to_spec()" if isinstance(problem, NotImplementedError) else f"{type(problem).__name__}: {problem}"
        raise TimetableError(
            f"schedule={name} cannot be kept on file ({said}). Give one of flowlet's own timetables."
        ) from problem
    if type(again) is not type(timetable):
        raise TimetableError(
            f"schedule={name} would run as a plain {type(again).__name__}, without what {name} changes."
            " Give one of flowlet's own timetables."
        )
    return timetable


def timetable_from_spec(spec: Mapping[str, Any]) -> Timetable:
    """The inverse of `Timetable.to_spec`."""
    make = _MAKERS.get(spec.get("type", "null"))
    if make is None:
        raise TimetableError(f"this version of flowlet knows no timetable of type {spec.get('type')!r}.")
    return make(spec)


def _cron(spec: Mapping[str, Any]) -> Timetable:
    age = spec.get("run_immediately", False)
    return CronTriggerTimetable(
        spec["cron"],
        spec.get("timezone", "UTC"),
        interval=_span(spec.get("interval", 0)),
        run_immediately=age if isinstance(age, bool) or age is None else _span(age),
        gap=spec.get("gap"),
        fold=spec.get("fold"),
    )


def _delta(spec: Mapping[str, Any]) -> Timetable:
    return DeltaTriggerTimetable(_span(spec["delta"]), interval=_span(spec.get("interval", 0)))


def _span(micros: int) -> timedelta:
    return timedelta(microseconds=micros)


_MAKERS: dict[str, Callable[[Mapping[str, Any]], Timetable]] = {
    "null": lambda _: NullTimetable(),
    "once": lambda _: OnceTimetable(),
    "continuous": lambda _: ContinuousTimetable(),
    "cron": _cron,
    "delta": _delta,
}
