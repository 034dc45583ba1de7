"""LatestOnlyOperator: go on only in the newest run (Airflow: providers/standard/operators/latest_only.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlet.clock import to_micros
from flowlet.operators.branch import BaseBranchOperator

if TYPE_CHECKING:
    from datetime import datetime

    from flowlet.authoring.context import Context


class LatestOnlyOperator(BaseBranchOperator):
    """Skips what comes directly after it in a run that is not the newest of its schedule.

    A run is the newest from the start of its data interval to the end of the next one. Runs that somebody
    asked for, and those of a DAG whose schedule has no next date, always go on.
    """

    ui_color = "#e9ffdb"

    def choose_branch(self, context: Context) -> Any:
        return sorted(self.downstream_task_ids) if self._is_newest(context) else []

    def _is_newest(self, context: Context) -> bool:
        run, timetable = context["dag_run"], self.dag.timetable
        if run.run_type == "manual" or timetable is None:
            return True
        date: datetime = run.logical_date or run.run_after
        start, end = run.data_interval_start or date, run.data_interval_end or date
        following = timetable.next_after(to_micros(end))
        if following is None:
            return True
        now = to_micros(context["ti"].now())
        return to_micros(start) < now <= timetable.interval_of(following).end
