"""Mapped tasks that are cleared: they stay expanded, and get as many instances as there are items when they run again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, DagRun, Engine, task, task_group
from flowlet.errors import TaskNotFound

pytestmark = pytest.mark.anyio


class Numbers:
    """What is mapped over, and how often bodies ran."""

    def __init__(self) -> None:
        self.items: Any = [1, 2, 3]
        self.failing: set[int] = set()

    def dag(self) -> DAG:
        with DAG("numbers") as dag:

            @task
            async def items() -> Any:
                if self.items is None:
                    raise ValueError("nothing to give")
                return self.items

            @task
            async def double(x: int) -> int:
                if x in self.failing:
                    raise ValueError(x)
                return 2 * x

            @task(trigger_rule="none_failed")
            async def total(xs: Any) -> int:
                return sum(xs or ())

            total(double.expand(x=items()))
        return dag

    def grouped(self) -> DAG:
        with DAG("numbers") as dag:

            @task
            async def items() -> Any:
                return self.items

            @task_group
            def each(x: int) -> Any:
                @task
                async def first(x: int) -> int:
                    return x

                @task
                async def second(x: int) -> int:
                    return 10 * x

                return second(first(x))

            @task
            async def total(xs: Any) -> int:
                return sum(xs)

            total(each.expand(x=items()))
        return dag


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
async def engine(numbers: Numbers) -> AsyncIterator[Engine]:
    async with Engine(dags=[numbers.dag()]) as engine:
        yield engine


def tries(run: DagRun) -> dict[str, int]:
    found: dict[str, int] = run.as_dict()["tries"]
    return found


async def test_more_items_than_before_make_more_instances(engine: Engine, numbers: Numbers) -> None:
    run = await (await engine.trigger("numbers")).wait()
    numbers.items = [1, 2, 3, 4, 5]
    assert len(await run.clear()) == 5
    await run.wait()
    assert tries(run) == {"items": 2, **{f"double[{i}]": 2 if i < 3 else 1 for i in range(5)}, "total": 2}
    assert (run.state, await run.xcom("total")) == ("success", 30)


async def test_of_fewer_items_the_surplus_is_removed_and_comes_back_with_its_tries(engine: Engine, numbers: Numbers) -> None:
    run = await (await engine.trigger("numbers")).wait()
    numbers.items = [7]
    await run.clear()
    await run.wait()
    assert {key: str(state) for key, state in run.task_states.items()} == {
        "items": "success", "double[0]": "success", "total": "success", "double[1]": "removed", "double[2]": "removed",
    }  # fmt: skip
    assert await run.xcom("total") == 14
    assert run.as_dict()["reasons"]["double[2]"] == "it is mapped over fewer items now"
    numbers.items = [1, 2, 3, 4]
    await run.clear()
    await run.wait()
    assert tries(run) == {"items": 3, "double[0]": 3, "double[1]": 2, "double[2]": 2, "double[3]": 1, "total": 3}
    assert await run.xcom("total") == 20


async def test_over_nothing_it_is_skipped(engine: Engine, numbers: Numbers) -> None:
    run = await (await engine.trigger("numbers")).wait()
    numbers.items = []
    await run.clear()
    await run.wait()
    states = [str(run.task_states[f"double[{index}]"]) for index in range(3)]
    assert states == ["skipped", "removed", "removed"]
    assert run.as_dict()["reasons"]["double[0]"] == "it is mapped over nothing"
    assert run.state == "success"


async def test_one_index_is_cleared_alone(engine: Engine, numbers: Numbers) -> None:
    numbers.failing = {2}
    run = await (await engine.trigger("numbers")).wait()
    assert run.state == "failed"
    numbers.failing = set()
    cleared = await run.clear(task_ids="double", map_indexes=1, downstream=True)
    assert [key[1:] for key in cleared] == [("double", 1), ("total", -1)]
    await run.wait()
    assert tries(run) == {"items": 1, "double[0]": 1, "double[1]": 2, "double[2]": 1, "total": 1}
    assert await run.xcom("total") == 12
    with pytest.raises(TaskNotFound, match=r"has no double\[7\]; it has 3"):
        await run.clear(task_ids="double", map_indexes=[0, 7])


async def test_when_its_source_fails_nothing_is_mapped(engine: Engine, numbers: Numbers) -> None:
    run = await (await engine.trigger("numbers")).wait()
    numbers.items = None
    await run.clear()
    await run.wait()
    assert {str(run.task_states[f"double[{index}]"]) for index in range(3)} == {"upstream_failed"}
    assert run.state == "failed"


async def test_a_source_cleared_alone_resizes_nothing_until_its_mapped_task_is_cleared(engine: Engine, numbers: Numbers) -> None:
    run = await (await engine.trigger("numbers")).wait()
    numbers.items = [1, 1]
    await run.clear(task_ids="items")
    await run.wait()
    assert len(tries(run)) == 5
    assert set(run.task_states.values()) == {"success"}
    await run.clear(task_ids="double", map_indexes=0, downstream=True)
    await run.wait()
    assert run.task_states["double[2]"] == "removed"
    assert await run.xcom("total") == 2 + 4  # the second instance was not cleared: its value is that of its time


@pytest.mark.parametrize(("before", "after"), [(3, 5), (4, 2), (2, 0)])
async def test_a_mapped_group_is_resized_as_a_whole(numbers: Numbers, before: int, after: int) -> None:
    numbers.items = list(range(before))
    async with Engine(dags=[numbers.grouped()]) as engine:
        run = await (await engine.trigger("numbers")).wait()
        numbers.items = list(range(after))
        await run.clear()
        await run.wait()
        states = {key: str(state) for key, state in run.task_states.items()}
        for name in ("each.first", "each.second"):
            of_task = [states[f"{name}[{index}]"] for index in range(max(before, after))]
            surplus = ["removed"] * (before - max(after, 1))
            assert of_task == (["success"] * after if after else ["skipped"]) + surplus
        assert run.state == "success"
        if after:
            assert await run.xcom("total") == 10 * sum(range(after))


async def test_a_restart_between_clear_and_run_resizes_as_well(tmp_path: Path, numbers: Numbers) -> None:
    path = tmp_path / "flowlet.db"
    for items in ([1, 2, 3], [5], [1, 1, 1, 1], [2, 2]):
        numbers.items = items
        async with Engine(path, dags=[numbers.dag()], durability="process") as engine:
            await engine.unpause("numbers")
            run = await (await engine.trigger("numbers", run_id="r")).wait()
            if items != [1, 2, 3]:
                states = [str(run.task_states[f"double[{index}]"]) for index in range(len(items))]
                assert (run.state, states) == ("success", ["success"] * len(items))
                assert await run.xcom("total") == 2 * sum(items)
                alive = [key for key, state in run.task_states.items() if state != "removed"]
                assert len(alive) == len(items) + 2
            await engine.pause("numbers")
            await run.clear()


async def test_what_is_surplus_stays_removed_when_something_else_is_cleared_after_a_restart(tmp_path: Path, numbers: Numbers) -> None:
    path = tmp_path / "flowlet.db"
    async with Engine(path, dags=[numbers.dag()], durability="process") as engine:
        run = await (await engine.trigger("numbers", run_id="r")).wait()
        numbers.items = [4]
        await run.clear()
        await run.wait()
    async with Engine(path, dags=[numbers.dag()], durability="process") as engine:
        await engine.clear("numbers", "r", task_ids="total")
        run = await (await engine.run("numbers", "r")).wait()
        assert (run.task_states["double[1]"], tries(run)["double[1]"], tries(run)["total"]) == ("removed", 1, 3)
        assert await run.xcom("total") == 8


@pytest.mark.parametrize(("items", "states"), [([1, 2, 3, 4], ["success"] * 4), ([1], ["success"]), ([], ["skipped"])])
async def test_a_cleared_task_that_waits_while_its_file_changes_has_as_many_as_the_file_says(tmp_path: Path, items: list[int], states: list[str]) -> None:
    def dag(items: list[int]) -> DAG:
        with DAG("literal") as dag:

            @task
            async def double(x: int) -> int:
                return 2 * x

            double.expand(x=items)
        return dag

    file = tmp_path / "x.db"
    run = await dag([1, 2]).run(db=file, run_id="r")
    assert run.state == "success"
    async with Engine(file, dags=[dag([1, 2])], execute=False) as engine:
        assert len(await engine.clear("literal", "r")) == 2
    async with Engine(file, dags=[dag(items)]) as engine:
        run = await (await engine.run("literal", "r")).wait()
        assert [state for key, state in run.task_states.items() if state != "removed"] == states
