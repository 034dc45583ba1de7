"""Who names an instance that there is not is told what there is, whatever he wanted of it."""

from __future__ import annotations

import pytest

from flowlet import DAG, Engine, task
from flowlet.errors import TaskNotFound

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("task_id", "map_index", "told"),
    [
        ("each", -1, r"'each' of the run 'r' of DAG 'd' is mapped: name one of its 2, from each\[0\] on"),
        ("each", 2, r"the run 'r' of DAG 'd' has no each\[2\]; it has 2, from 0 on"),
        ("plain", 1, r"the run 'r' of DAG 'd' has no plain\[1\]: it is not expanded"),
        ("other", -1, r"the run 'r' of DAG 'd' has no task 'other'"),
        ("other", 1, r"the run 'r' of DAG 'd' has no task 'other'"),
    ],
)
async def test_a_task_that_there_is_is_never_said_to_be_absent(task_id: str, map_index: int, told: str) -> None:
    @task
    def each(x: int) -> int:
        return x

    @task
    def plain() -> int:
        return 1

    with DAG("d") as dag:
        each.expand(x=[1, 2])
        plain()
    async with Engine(dags=[dag]) as engine:
        run = await (await engine.trigger("d", run_id="r")).wait()
        for asked in (
            engine.answer("d", "r", task_id, "yes", map_index=map_index),
            engine.why("d", "r", task_id, map_index),
            run.xcom(task_id, map_index=map_index),
        ):
            with pytest.raises(TaskNotFound, match=f"^{told}$"):
                await asked
