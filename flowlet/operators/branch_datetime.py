"""BranchDateTimeOperator: follow one way inside a span of time, else another.

Airflow: providers/standard/operators/datetime.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from flowlet.operators.branch import BaseBranchOperator
from flowlet.operators.moments import as_moment, at_time, moment_of

if TYPE_CHECKING:
    from flowlet.authoring.context import Context

Bound = datetime | time | None


class BranchDateTimeOperator(BaseBranchOperator):
    """Follows `follow_task_ids_if_true` if now (or the logical date) lies in [target_lower, target_upper].

    A bound may be a moment or a time of day; of two times of day the upper one may lie on the next day.
    One of the two bounds may be None. Naive bounds are read in the DAG's time zone.
    """

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Iterable[str],
        follow_task_ids_if_false: str | Iterable[str],
        target_lower: Bound,
        target_upper: Bound,
        use_task_logical_date: bool = False,
        use_task_execution_date: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if target_lower is None and target_upper is None:
            raise self._refuse("target_lower and target_upper are both None: one of them must be given")
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false
        self.target_lower = target_lower
        self.target_upper = target_upper
        self.use_task_logical_date = use_task_logical_date or use_task_execution_date

    def choose_branch(self, context: Context) -> Any:
        now = moment_of(context, by_logical_date=self.use_task_logical_date)
        lower, upper = target_times_as_dates(now, self.target_lower, self.target_upper)
        zone = self.dag.timezone
        late = upper is not None and as_moment(upper, zone) < now
        early = lower is not None and as_moment(lower, zone) > now
        return self.follow_task_ids_if_false if late or early else self.follow_task_ids_if_true


def target_times_as_dates(
    base_date: datetime, lower: Bound, upper: Bound
) -> tuple[datetime | None, datetime | None]:
    """Bounds as moments: times of day on `base_date`; an upper one before the lower is a day later."""
    both_are_moments = isinstance(lower, datetime) and isinstance(upper, datetime)
    low = at_time(base_date, lower, None) if isinstance(lower, time) else lower
    high = at_time(base_date, upper, None) if isinstance(upper, time) else upper
    if not both_are_moments and low is not None and high is not None and high < low:
        high += timedelta(days=1)
    return low, high
