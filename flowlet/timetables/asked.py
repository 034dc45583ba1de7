"""Timetables that users write for Airflow: asked for one run after the other.

Such a class (Airflow: timetables/base.py, docs "howto/timetable") says from the last run's data interval
and the DAG's dates when the next run is due. Its ticks are what it answers, in that order, kept as far as
they were asked for; what it leaves out without catchup is its own decision. No other process has the
class, so its spec only describes it.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from datetime import datetime
from typing import Any

from flowlet.clock import iso, to_micros
from flowlet.errors import TimetableError
from flowlet.timetables.base import Interval, Timetable, Told
from flowlet.timetables.guard import ask
from flowlet.timetables.info import ASKED_AT, DataInterval, TimeRestriction, moment_for_users
from flowlet.timetables.window import LONG_AGO, Ticks

#: How many runs are asked for in one go.
LONGEST_WALK = 100_000
#: So many ticks of the past are kept.
_KEPT = 2_048


class AskedTimetable(Timetable):
    """A user's timetable as flowlet asks it; in another process (`user` None) only its description."""

    __slots__ = ("_spec", "user")
    description = Told(lambda timetable: timetable._spec["description"])

    def __init__(self, user: Any, spec: dict[str, Any] | None = None) -> None:
        self.user = user
        self._spec: dict[str, Any] = _spec_of(user) if spec is None else spec

    @property
    def periodic(self) -> bool:  # type: ignore[override]  # told by the user's
        """As the user's class says."""
        return bool(self._spec.get("periodic", True))

    @property
    def can_be_scheduled(self) -> bool:  # type: ignore[override]  # told by the user's
        """As the user's class says."""
        return bool(getattr(self.user, "can_be_scheduled", True))

    @property
    def active_runs_limit(self) -> int | None:  # type: ignore[override]  # told by the user's
        """As the user's class says."""
        return getattr(self.user, "active_runs_limit", None)

    @property
    def name(self) -> str:
        """For messages: the class."""
        return str(self._spec["class"])

    @property
    def summary(self) -> str:
        return self.description

    def ticks(self, start: int | None, end: int | None, *, catchup: bool) -> AskedTicks:
        return AskedTicks(self, start, end, catchup=catchup)

    def first_cursor(self, now: int) -> int:  # noqa: ARG002  what it answers first is its first tick
        return LONG_AGO

    def next_after(self, moment: int) -> int | None:
        """Without a DAG: as one that has no dates."""
        return self.ticks(None, None, catchup=True).next_after(moment)

    def infer_manual(self, moment: int) -> Interval:
        about = f"timetable {self.name}: infer_manual_data_interval"
        self.must_be_here()
        given = ask(lambda: self.user.infer_manual_data_interval(run_after=moment_for_users(moment)), about)
        start, end = _moments(given, about)
        return Interval(moment, start, end)

    def must_be_here(self) -> None:
        """TimetableError if only another process can evaluate it."""
        if self.user is None:
            raise TimetableError(
                f"the schedule is {self.name}, a timetable class of the DAG's own code ({self.description}): only"
                " the process that has loaded the DAG's file can say when it is due (flowlet daemon FILE, flowlet run FILE)"
            )

    def to_spec(self) -> dict[str, Any]:
        return self._spec


class AskedTicks(Ticks):
    """The ticks of one DAG, as far as its timetable was asked."""

    __slots__ = ("_dues", "_intervals", "_limit", "_over", "_restriction", "_timetable")

    def __init__(self, timetable: AskedTimetable, start: int | None, end: int | None, *, catchup: bool) -> None:
        self._timetable = timetable
        self._limit = end
        self._restriction = TimeRestriction(_for_users(start), _for_users(end), catchup)
        self._dues: list[int] = []
        self._intervals: list[Interval] = []
        self._over = False
        self.now = 0

    def learn(self, due: int, interval: Interval) -> None:
        """The last run that the schedule made, as the file has it: the next one follows it."""
        if not self._dues:
            self._dues, self._intervals = [due], [interval]

    def next_after(self, cursor: int) -> int | None:
        self._reach(cursor)
        at = bisect_right(self._dues, cursor)
        return self._dues[at] if at < len(self._dues) else None

    def latest_until(self, moment: int, cursor: int) -> int | None:
        self._reach(moment)
        at = bisect_right(self._dues, moment)
        return self._dues[at - 1] if at and self._dues[at - 1] > cursor else None

    def count_between(self, cursor: int, moment: int) -> int:
        self._reach(moment)
        return max(0, bisect_right(self._dues, moment) - bisect_right(self._dues, cursor))

    def interval_of(self, due: int) -> Interval:
        at = bisect_right(self._dues, due) - 1
        if at < 0 or self._dues[at] != due:
            raise TimetableError(f"timetable {self._timetable.name} gave no run at {iso(due)}")
        return self._intervals[at]

    def _reach(self, moment: int) -> None:
        """Ask until a tick is known that is later, or there is none."""
        if self._over or (self._dues and self._dues[-1] > moment):
            return
        self._timetable.must_be_here()
        ask(lambda: self._walk(moment), f"timetable {self._timetable.name}: next_dagrun_info")
        if len(self._dues) > 2 * _KEPT and self._dues[-_KEPT] < moment:
            del self._dues[:-_KEPT], self._intervals[:-_KEPT]

    def _walk(self, moment: int) -> None:
        ASKED_AT.set(self.now or None)  # in the context of this call alone
        for _ in range(LONGEST_WALK):
            self._ask_once()
            if self._over or self._dues[-1] > moment:
                return
        raise TimetableError(f"timetable {self._timetable.name}: more than {LONGEST_WALK:,} runs are due at once")

    def _ask_once(self) -> None:
        info = self._timetable.user.next_dagrun_info(
            last_automated_data_interval=self._last_interval(), restriction=self._restriction
        )
        about = f"timetable {self._timetable.name}: next_dagrun_info"
        if info is None:
            self._over = True
            return
        due = _micros(getattr(info, "run_after", None), f"{about} gave {info!r}: run_after")
        start, end = _moments(getattr(info, "data_interval", None), f"{about} gave {info!r}")
        if self._limit is not None and start > self._limit:
            self._over = True
            return
        if self._dues and due <= self._dues[-1]:
            raise TimetableError(f"{about} gave a run at {iso(due)} after the one at {iso(self._dues[-1])}: it does not lead on")
        self._dues.append(due)
        self._intervals.append(Interval(start, start, end))

    def _last_interval(self) -> DataInterval | None:
        if not self._intervals:
            return None
        last = self._intervals[-1]
        return DataInterval(moment_for_users(last.start), moment_for_users(last.end))


def _for_users(moment: int | None) -> Any:
    return None if moment is None else moment_for_users(moment)


def _moments(interval: Any, about: str) -> tuple[int, int]:
    """The ends of a data interval that user code gave."""
    start = _micros(getattr(interval, "start", None), f"{about}: the start of data_interval")
    end = _micros(getattr(interval, "end", None), f"{about}: the end of data_interval")
    if end < start:
        raise TimetableError(f"{about}: the data interval ends at {iso(end)}, before it starts at {iso(start)}")
    return start, end


def _micros(moment: Any, about: str) -> int:
    if not isinstance(moment, datetime):
        raise TimetableError(f"{about} is {moment!r}, not a datetime")
    if moment.tzinfo is None:
        raise TimetableError(f"{about} is {moment!r}, without a time zone")
    return to_micros(moment)


def _spec_of(user: Any) -> dict[str, Any]:
    """What tells a user's timetable from another: its class, and what it serializes to, if it does."""
    kind = type(user)
    name = f"{_module_of(kind)}.{kind.__qualname__}"
    about = f"timetable {name}"
    spec: dict[str, Any] = {"type": "asked", "class": name}
    description = ask(lambda: getattr(user, "description", "") or getattr(user, "summary", ""), about)
    spec["description"] = str(description or kind.__qualname__)
    if not getattr(user, "periodic", True):
        spec["periodic"] = False
    data = ask(lambda: user.serialize() if hasattr(user, "serialize") else {}, f"{about}: serialize")
    if data:
        spec["data"] = _as_json(data, about)
    return spec


def _module_of(kind: type) -> str:
    """The file that defines a class, wherever it lies: a DAG file that is moved has the schedule that it had."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return str(file).rpartition("/")[2].removesuffix(".py") if file else kind.__module__


def _as_json(data: Any, about: str) -> Any:
    import json

    try:
        return json.loads(json.dumps(data))
    except (TypeError, ValueError) as error:
        raise TimetableError(f"{about}: what serialize gives must be JSON: {error}") from None
