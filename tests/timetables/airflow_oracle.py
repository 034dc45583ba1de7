"""What Airflow itself answers, for many timetables, zones and moments: `airflow_answers.json` is made by this.

    python tests/timetables/airflow_oracle.py > tests/timetables/airflow_answers.json

in an environment that has `apache-airflow==3.3.2`. Each case is a timetable, the dates of a DAG and the time
of day; the answers are the runs that follow one another.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

#: A day in a quiet month, then the eve of each change of the clocks in 2026.
STARTS = {
    "UTC": ("2026-06-10T07:45",),
    "Europe/Berlin": ("2026-06-10T07:45", "2026-03-28T22:50", "2026-10-24T21:50"),
    "America/New_York": ("2026-03-08T04:10", "2026-11-01T03:10"),
    "Australia/Lord_Howe": ("2026-04-04T12:00", "2026-10-03T13:00"),
    "Asia/Kolkata": ("2026-06-10T07:45",),
}
CRONS = (
    "0 * * * *", "*/20 * * * *", "0 0 * * *", "30 2 * * *", "0 1,2,3 * * *", "0 6 * * 1-5", "0 0 1 * *", "15 3 */2 * *",
)  # fmt: skip
DELTAS: tuple[dict[str, int], ...] = ({"hours": 6}, {"days": 1}, {"minutes": 90}, {"months": 1}, {"months": 1, "days": 3}, {"years": 1})
EVENTS = ("2026-03-29T01:30", "2026-06-11T00:00", "2026-06-12T10:00", "2026-06-12T10:00", "2026-12-24T18:00")


def cases() -> list[dict[str, Any]]:
    """Timetable, arguments and the DAG's dates; without answers."""
    found: list[dict[str, Any]] = []
    for zone, starts in STARTS.items():
        for cron in CRONS:
            on = {"crons": [cron], "zone": zone}
            kinds = ("CronTrigger", "CronDataInterval")
            found += [{"kind": kind, **on, "start": start, "catchup": True} for start in starts for kind in kinds]
            if zone in ("UTC", "Asia/Kolkata"):
                dates = {"start": "2026-05-02T11:00", "catchup": False, "now": "2026-06-10T07:45"}
                found.append({"kind": "CronTrigger", **on, **dates, "interval": {"days": 1}})
                found.append({"kind": "CronDataInterval", **on, **dates})
                found.append({"kind": "CronDataInterval", **on, "catchup": False, "now": "2026-06-10T07:45"})
        several = {"kind": "MultipleCron", "zone": zone, "start": "2026-05-30T00:00"}
        found.append({**several, "crons": ["0 6 * * *", "30 4 * * 1", "0 6 1 * *"], "catchup": True})
        found.append({**several, "crons": ["0 6 * * *", "0 */5 * * *"], "catchup": False, "now": "2026-06-10T07:45"})
    for delta in DELTAS:
        for start in ("2026-01-31T00:00", "2026-06-01T06:00"):
            found.append({"kind": "DeltaDataInterval", "delta": delta, "start": start, "catchup": True})
            found.append({"kind": "DeltaTrigger", "delta": delta, "start": start, "catchup": True})
            found.append({"kind": "DeltaTrigger", "delta": delta, "interval": {"hours": 2}, "start": start, "end": "2026-08-31T00:00", "catchup": True})
        if "months" not in delta and "years" not in delta:
            found.append({"kind": "DeltaDataInterval", "delta": delta, "catchup": False, "now": "2026-06-10T07:45"})
    for catchup, more in ((True, {}), (False, {"now": "2026-06-11T12:00"}), (True, {"end": "2026-06-12T10:00"})):
        found.append({"kind": "Events", "events": list(EVENTS), "start": "2026-06-01T00:00", "catchup": catchup, **more})
    for kind in ("CronTrigger", "CronDataInterval"):  # a tick, or an interval, that begins exactly at the ends
        for end in ("2026-06-03T00:00", "2026-06-02T23:59"):
            found.append({"kind": kind, "crons": ["0 0 * * *"], "zone": "UTC", "start": "2026-06-01T00:00", "end": end, "catchup": True})
    return found


def moment(text: str | None) -> datetime | None:
    """A naive text is UTC."""
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def short(value: datetime) -> str:
    """To the minute, in UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


def answer(info: Any) -> str:
    """When it runs; of the data interval what differs from that."""
    start, end = info.data_interval
    begin = "" if start == info.run_after else f" from {short(start)}"
    return short(info.run_after) + begin + ("" if end == info.run_after else f" to {short(end)}")


def length(parts: dict[str, int] | None) -> Any:
    """A timedelta, or a relativedelta where months are in it."""
    if not parts:
        return timedelta(0)
    if "months" in parts or "years" in parts:
        from dateutil.relativedelta import relativedelta

        return relativedelta(**parts)  # whole numbers
    return timedelta(**parts)


def build(case: dict[str, Any], classes: Any, instance: Callable[[str], Any] = moment) -> Any:
    """The timetable of a case out of a namespace of classes: Airflow's or ours."""
    kind = case["kind"]
    if kind == "CronTrigger":
        return classes.CronTriggerTimetable(*case["crons"], timezone=case["zone"], interval=length(case.get("interval")))
    if kind == "CronDataInterval":
        return classes.CronDataIntervalTimetable(*case["crons"], timezone=case["zone"])
    if kind == "MultipleCron":
        return classes.MultipleCronTriggerTimetable(*case["crons"], timezone=case["zone"])
    if kind == "DeltaTrigger":
        return classes.DeltaTriggerTimetable(length(case["delta"]), interval=length(case.get("interval")))
    if kind == "DeltaDataInterval":
        return classes.DeltaDataIntervalTimetable(length(case["delta"]))
    return classes.EventsTimetable([instance(text) for text in case["events"]])


def main() -> None:
    """Ask Airflow."""
    from types import SimpleNamespace

    import pendulum
    from airflow.timetables import base, events, interval, trigger

    classes = SimpleNamespace(**{**vars(interval), **vars(trigger), **vars(events)})

    def instance(text: str | None) -> Any:
        found = moment(text)
        return None if found is None else pendulum.instance(found)

    answered = []
    for case in cases():
        now = instance(case.get("now", "2026-06-10T07:45"))
        restriction = base.TimeRestriction(instance(case.get("start")), instance(case.get("end")), case["catchup"])
        timetable, last = build(case, classes, instance), None
        answers: list[str | None] = []
        with (
            patch("airflow.timetables.interval.utcnow", lambda: now),  # noqa: B023  used within the turn
            patch("airflow.timetables.trigger.utcnow", lambda: now),  # noqa: B023
            patch("airflow.timetables.trigger.time.time", now.timestamp),
            patch("airflow.timetables.events.timezone.utcnow", lambda: now),  # noqa: B023
        ):
            for _ in range(5):
                try:
                    info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
                except ValueError:  # where clocks are put back it does not always get further
                    answers.append("error")
                    break
                if info is None:
                    answers.append(None)
                    break
                last = info.data_interval
                answers.append(answer(info))
        answered.append({**case, "answers": answers})
    print("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in answered) + "\n]")


if __name__ == "__main__":
    main()
