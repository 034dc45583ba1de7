"""By the day of the week: BranchDayOfWeekOperator and DayOfWeekSensor.

Airflow: providers/standard/operators/weekday.py, sensors/weekday.py and utils/weekday.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from flowlet.operators.branch import BaseBranchOperator
from flowlet.operators.moments import moment_of
from flowlet.operators.sensor import BaseSensorOperator

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class WeekDay(IntEnum):
    """The days of the week by ISO 8601's numbers."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7

    @classmethod
    def validate_week_day(cls, week_day: Any) -> set[int]:
        """The numbers of one day or of several, each a WeekDay or an English name in any case. ValueError."""
        several = isinstance(week_day, Iterable) and not isinstance(week_day, str)
        return {int(cls._read(day)) for day in (week_day if several else (week_day,))}

    @classmethod
    def _read(cls, day: Any) -> WeekDay:
        if isinstance(day, cls):
            return day
        name = day.upper() if isinstance(day, str) else ""
        if name not in cls.__members__:
            raise ValueError(f"must be days of the week such as 'Monday' or WeekDay.MONDAY, not {day!r}")
        return cls[name]


Days = str | WeekDay | Iterable[str] | Iterable[WeekDay]


class BranchDayOfWeekOperator(BaseBranchOperator):
    """Follows `follow_task_ids_if_true` on the days of `week_day`: today's in the DAG's time zone, or the run's."""

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Iterable[str],
        follow_task_ids_if_false: str | Iterable[str],
        week_day: Days,
        use_task_logical_date: bool = False,
        use_task_execution_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false
        self.week_day = week_day
        self.use_task_logical_date = use_task_logical_date or use_task_execution_day
        self._days = _days(self, week_day)

    def choose_branch(self, context: Context) -> Any:
        moment = moment_of(context, by_logical_date=self.use_task_logical_date)
        if not self.use_task_logical_date:
            moment = moment.astimezone(self.dag.timezone)
        return (
            self.follow_task_ids_if_true
            if moment.isoweekday() in self._days
            else self.follow_task_ids_if_false
        )


class DayOfWeekSensor(BaseSensorOperator):
    """Waits for one of the days of `week_day`, in UTC; or succeeds only if the run's date is one."""

    def __init__(
        self,
        *,
        week_day: Days,
        use_task_logical_date: bool = False,
        use_task_execution_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.week_day = week_day
        self.use_task_logical_date = use_task_logical_date or use_task_execution_day
        self._days = _days(self, week_day)

    async def poke(self, context: Context) -> bool:
        return moment_of(context, by_logical_date=self.use_task_logical_date).isoweekday() in self._days


def _days(task: BaseBranchOperator | BaseSensorOperator, week_day: Any) -> set[int]:
    try:
        return WeekDay.validate_week_day(week_day)
    except ValueError as error:
        raise task._refuse(f"week_day {error}") from None
