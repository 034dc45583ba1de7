"""Sensors that wait for a moment (Airflow: providers/standard/sensors/date_time.py, time.py, time_delta.py).

One that waits takes no thread, and it is looked at again when its moment has come, not a poke interval later.
`deferrable` makes it `deferred` meanwhile: it takes no slot of its pool and of its run either.
`start_from_trigger` is accepted and needs nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.clock import to_micros
from flowlet.errors import FlowletError
from flowlet.operators.deferring import DEFERRABLE
from flowlet.operators.moments import as_moment, at_time
from flowlet.operators.sensor import BaseSensorOperator
from flowlet.operators.triggers import DateTimeTrigger

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class MomentSensor(BaseSensorOperator):
    """Waits until a moment lies behind; subclasses say which."""

    _due: int | None = None

    def __init__(
        self,
        *,
        deferrable: bool = DEFERRABLE,
        end_from_trigger: bool = False,
        start_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,  # noqa: ARG002  Airflow's, see above
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.end_from_trigger = end_from_trigger
        self.start_from_trigger = start_from_trigger

    def moment(self, context: Context) -> datetime:
        """What it waits for."""
        raise NotImplementedError(f"{type(self).__name__} defines no moment()")

    async def aexecute(self, context: Context) -> Any:
        """If it is deferrable and the moment lies ahead, it defers until then."""
        if self.deferrable and (moment := self.moment(context)) > context["ti"].now():
            trigger = DateTimeTrigger(moment, end_from_trigger=self.end_from_trigger)
            self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))
        return await super().aexecute(context)

    async def execute_complete(self, context: Context, event: Any = None) -> None:
        """The moment has come."""

    async def poke(self, context: Context) -> bool:
        self._due = to_micros(self.moment(context))
        return to_micros(context["ti"].now()) > self._due

    def next_poke_at(self, started_at: int, now: int, pokes: int) -> int:
        """As any sensor, and not later than a moment after the one that it waits for."""
        at = super().next_poke_at(started_at, now, pokes)
        return at if self._due is None or self._due < now else min(at, self._due + 1)


class DateTimeSensor(MomentSensor):
    """Waits for `target_time`, a datetime or its ISO text; a naive one is read in the DAG's time zone."""

    template_fields: ClassVar[Sequence[str]] = ("target_time",)

    def __init__(self, *, target_time: str | datetime, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_time = target_time

    def moment(self, context: Context) -> datetime:  # noqa: ARG002  of the class
        return as_moment(self.target_time, self.dag.timezone)


class TimeSensor(MomentSensor):
    """Waits for a time of the day on which the try starts, in the DAG's time zone."""

    def __init__(self, *, target_time: time, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(target_time, time):
            raise self._refuse(f"target_time must be a datetime.time, not {target_time!r}")
        self.target_time = target_time

    def moment(self, context: Context) -> datetime:
        zone = self.dag.timezone
        return at_time(context["ti"].start_date.astimezone(zone), self.target_time, zone)


class TimeDeltaSensor(MomentSensor):
    """Waits until `delta` after the end of the data interval (after `run_after` in a run without one).

    A number, or what a template gives, is minutes.
    """

    template_fields: ClassVar[Sequence[str]] = ("delta",)

    def __init__(self, *, delta: timedelta | int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.delta = delta

    def moment(self, context: Context) -> datetime:
        start: datetime = context.get("data_interval_end") or context["dag_run"].run_after
        return start + _span(self.delta, "delta")


class WaitSensor(MomentSensor):
    """Waits for a while from the start of the try; a number is minutes."""

    template_fields: ClassVar[Sequence[str]] = ("time_to_wait",)

    def __init__(self, *, time_to_wait: timedelta | int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.time_to_wait = time_to_wait

    def moment(self, context: Context) -> datetime:
        start: datetime = context["ti"].start_date
        return start + _span(self.time_to_wait, "time_to_wait")


class DateTimeSensorAsync(DateTimeSensor):
    """A DateTimeSensor that is deferrable unless told otherwise."""

    def __init__(self, *, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(deferrable=deferrable, **kwargs)


class TimeSensorAsync(TimeSensor):
    """A TimeSensor that is deferrable unless told otherwise."""

    def __init__(self, *, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(deferrable=deferrable, **kwargs)


class TimeDeltaSensorAsync(TimeDeltaSensor):
    """A TimeDeltaSensor that is deferrable unless told otherwise."""

    def __init__(self, *, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(deferrable=deferrable, **kwargs)


def _span(value: Any, name: str) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(minutes=int(value))
    except (TypeError, ValueError):
        raise FlowletError(f"{name} must be a timedelta or a number of minutes, not {value!r}") from None
