"""A job elsewhere is submitted once, however often the task that waits for it is tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowlet import DAG, BaseOperator
from flowlet.operators.resumable import ResumableJobMixin

Run = Callable[..., Any]


class Elsewhere:
    """Where jobs run: `ends` tells how the job stands each time somebody asks."""

    def __init__(self, *ends: str) -> None:
        self.submitted = 0
        self.ends = list(ends)


class Job(ResumableJobMixin, BaseOperator):
    def __init__(self, *, place: Elsewhere, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.place = place

    def execute(self, context: Any) -> Any:
        return self.execute_resumable(context)

    def submit_job(self, context: Any) -> Any:
        self.place.submitted += 1
        return f"job-{self.place.submitted}"

    def get_job_status(self, external_id: Any, context: Any) -> str:
        return self.place.ends[0]

    def is_job_active(self, status: str) -> bool:
        return status == "running"

    def is_job_succeeded(self, status: str) -> bool:
        return status == "done"

    def poll_until_complete(self, external_id: Any, context: Any) -> None:
        if context["ti"].try_number == 1:
            raise ConnectionError("the way to the job is lost")

    def get_job_result(self, external_id: Any, context: Any) -> Any:
        return external_id


@pytest.mark.parametrize(
    ("status", "durable", "result"),
    [("running", True, "job-1"), ("done", True, "job-1"), ("failed", True, "job-2"), ("running", False, "job-2")],
)
def test_a_retry_finds_the_job_again(run: Run, status: str, durable: bool, result: str) -> None:
    place = Elsewhere(status)
    with DAG("jobs") as dag:
        Job(task_id="job", place=place, retries=1, durable=durable)
    told = run(dag)
    assert (told.state, told.xcom("job"), place.submitted) == ("success", result, int(result[-1]))
