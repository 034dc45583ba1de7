"""Code of somebody's that would have a say in what runs when: refused where it is written, or its DAG's own error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlet import DAG, CronTriggerTimetable, DagError, EmptyOperator, PythonOperator
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class Weights:
    def get_weight(self, ti: Any) -> int:
        raise RuntimeError


@pytest.mark.parametrize("arguments", [{"weight_rule": Weights()}, {"retry_policy": Weights()}])
def test_strategies_of_somebodys_own_are_refused_where_they_are_written(arguments: Any) -> None:
    with DAG("mine"), pytest.raises(DagError, match="task 'body' of DAG 'mine'"):
        PythonOperator(task_id="body", python_callable=lambda: 1, **arguments)


async def test_a_schedule_that_fails_when_it_is_planned_stands_still_and_the_others_go_on(
    engine_of: Any, book: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the time zone's file is gone from the machine."""
    clock = VirtualClock(NEW_YEAR)

    def scheduled(dag_id: str, cron: str) -> DAG:
        with DAG(dag_id, schedule=cron) as dag:
            EmptyOperator(task_id="empty")
        return dag

    next_after = CronTriggerTimetable.next_after

    def fails(timetable: CronTriggerTimetable, moment: int) -> int | None:
        if timetable.to_spec()["cron"] == "30 * * * *" and moment >= clock.now():
            raise KeyError("no such zone")
        return next_after(timetable, moment)

    async with engine_of(
        scheduled("bad", "30 * * * *"), scheduled("good", "@hourly"), schedules=True, clock=clock
    ) as engine:
        monkeypatch.setattr(CronTriggerTimetable, "next_after", fails)
        await clock.run_until(NEW_YEAR + timedelta(hours=2, minutes=40))
        run = await (await engine.trigger("bad")).wait()
    assert run.state == "success"
    assert book.rows("SELECT dag_id, count(*) FROM runs WHERE run_type = 'scheduled' GROUP BY dag_id") == [("good", 3)]
    failed = book.rows("SELECT dag_id, text FROM events WHERE kind = 'schedule_failed'")
    assert failed == [("bad", "the schedule of DAG 'bad' stands still: KeyError: 'no such zone'")]
