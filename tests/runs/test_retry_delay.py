"""How long until the next try: what Airflow 3.3.2's own `TaskInstance.next_retry_datetime` gave for the same instances."""

from __future__ import annotations

import pytest

from flowlet.authoring.spec import DagSpec, TaskSpec
from flowlet.runs.instances import ActiveRun
from flowlet.runs.retry import retry_delay

START = 1_767_225_600_000_000
SECOND = 1_000_000


@pytest.mark.parametrize(
    ("multiplier", "delay", "cap", "try_number", "date", "seconds"),
    [
        (0, 3600, 60, 1, START, 3600),
        (1.0, 3600, 60, 1, START, 3600),
        (2.0, 300, None, 1, START, 379),
        (2.0, 300, None, 3, START, 1477),
        (3.0, 0.5, None, 2, START, 2),
        (2.0, 0, None, 1, None, 1),
        (2.0, 300, 1000, 4, START, 1000),
        (2.0, 300, None, 400, START, 86400),
        (2.0, 300, None, 5000, START, 86400),
        (0.5, 300, None, 3, START, 127),
    ],
)
def test_it_is_airflows(multiplier: float, delay: float, cap: int | None, try_number: int, date: int | None, seconds: int) -> None:
    task = TaskSpec(
        task_id="t0", index=0, operator="Op", retries=9999, retry_delay=round(delay * SECOND), retry_multiplier=multiplier,
        max_retry_delay=None if cap is None else cap * SECOND,
    )  # fmt: skip
    run = ActiveRun(
        id=1, spec=DagSpec(dag_id="d", tasks=(task,)), run_id="r", run_type="manual", logical_date=date, interval_start=date,
        interval_end=date, run_after=START, queued_at=START,
    )  # fmt: skip
    run.populate(1)
    run.tasks[0].try_number = try_number
    assert retry_delay(run.tasks[0]) == seconds * SECOND
