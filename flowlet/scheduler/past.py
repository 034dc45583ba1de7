"""Which run is the one before: for depends_on_past and wait_for_downstream.

It is the previous one by logical date; with catchup the previous one that nobody made by hand, else of any
type (Airflow: ti_deps/deps/prev_dagrun_dep.py, models/dagrun.py `get_previous_scheduled_dagrun`). Runs come in any order of dates, so a new one may take its place
between two that are known.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Mapping
from operator import itemgetter

from flowlet.runs.instances import ActiveRun

Known = tuple[int, Mapping[str, str]]
"""Logical date and task states of a run as the file has it."""

#: So many runs that have ended are remembered, of the newest dates and of those that were told last: a scheduled run
#: may come after manual ones with later dates, a backfill goes on from dates long before them.
REMEMBERED = 100
_date = itemgetter(0)


class Past:
    """The runs of one DAG that have ended, by logical date."""

    __slots__ = ("_ended", "_told", "only_scheduled")

    def __init__(self) -> None:
        self.only_scheduled = False
        """With catchup manual runs are nobody's past."""
        self._ended: list[Known] = []
        self._told: deque[int] = deque(maxlen=REMEMBERED)
        """Dates of those that were told last."""

    def learn(self, known: Iterable[Known]) -> None:
        """Runs that the file has; what is remembered of one is newer."""
        for date, states in known:
            if not self._find(date):
                self._enter(date, states)

    def remember(self, run: ActiveRun) -> None:
        """A run has ended."""
        if self._counts(run) and run.logical_date is not None:
            self._enter(run.logical_date, {ti.spec.task_id: run.state_of(ti.spec.task_id) or ti.state for ti in run.tasks if ti.id})

    def forget(self) -> None:
        """Nobody asks any more; what was learned gets out of date."""
        self._ended.clear()
        self._told.clear()

    def link_all(self, active: Iterable[ActiveRun]) -> None:
        """Anew: while no task looked at the past nobody kept account."""
        runs = list(active)
        for run in runs:
            run.past = run.past_date = None
            run.followers.clear()
        for run in runs:
            self.link(run, runs)

    def link(self, run: ActiveRun, active: Iterable[ActiveRun]) -> None:
        """The run looks at the one before it, and those after it look at this one if none lies between."""
        date = run.logical_date
        if date is None:
            return
        others = [other for other in active if other is not run and other.logical_date is not None]
        if not run.ignores_past:
            _look_at(run, *self._before(date, others))
        if not self._counts(run):
            return
        for other in others:
            if other.logical_date > date and not other.ignores_past and (other.past_date is None or other.past_date <= date):  # type: ignore[operator]  # filtered
                _look_at(other, date, run)

    def _before(self, date: int, others: list[ActiveRun]) -> tuple[int | None, ActiveRun | Mapping[str, str] | None]:
        at = bisect_left(self._ended, date, key=_date)
        best: tuple[int | None, ActiveRun | Mapping[str, str] | None] = self._ended[at - 1] if at else (None, None)
        for other in others:
            if self._counts(other) and other.logical_date < date and (best[0] is None or other.logical_date >= best[0]):  # type: ignore[operator]  # filtered
                best = other.logical_date, other
        return best

    def _counts(self, run: ActiveRun) -> bool:
        return not self.only_scheduled or run.run_type != "manual"

    def _find(self, date: int) -> list[Known]:
        at = bisect_left(self._ended, date, key=_date)
        return [known for known in self._ended[at : at + 1] if known[0] == date]

    def _enter(self, date: int, states: Mapping[str, str]) -> None:
        for former in self._find(date):
            self._ended.remove(former)
        insort(self._ended, (date, states), key=_date)
        self._told.append(date)
        if len(self._ended) > 3 * REMEMBERED:
            told = set(self._told)
            self._ended[:-REMEMBERED] = [known for known in self._ended[:-REMEMBERED] if known[0] in told]


def _look_at(run: ActiveRun, date: int | None, past: ActiveRun | Mapping[str, str] | None) -> None:
    if isinstance(run.past, ActiveRun) and run in run.past.followers:  # one that has ended keeps no account any more
        run.past.followers.remove(run)
    run.past_date, run.past = date, past
    if isinstance(past, ActiveRun):
        past.followers.append(run)
