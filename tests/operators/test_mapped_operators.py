"""Every ready-made operator can be mapped, over any of its own arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowlet import (
    DAG,
    BashOperator,
    BranchPythonOperator,
    EmptyOperator,
    PythonOperator,
    PythonSensor,
    ShortCircuitOperator,
    task,
    task_group,
)

Run = Callable[..., Any]


async def on_loop() -> str:
    return "a"


def test_callables_of_both_kinds_are_mapped_over(run: Run) -> None:
    with DAG("mapped") as dag:
        PythonOperator.partial(task_id="call").expand(python_callable=[on_loop, lambda: "b"])
        PythonSensor.partial(task_id="wait", poke_interval=5).expand(python_callable=[on_loop, lambda: 0], timeout=[10, 20])
    told = run(dag)
    assert [told.xcom(f"call[{index}]") for index in (0, 1)] == ["a", "b"]
    assert [told.tasks[f"wait[{index}]"] for index in range(4)] == ["success", "success", "failed", "failed"]


def test_commands_are_mapped_over_and_end_each_by_its_own_code(run: Run) -> None:
    with DAG("mapped") as dag:
        BashOperator.partial(task_id="sh").expand(bash_command=["echo {{ ds }}", "exit 99", "exit 1"])
    told = run(dag)
    assert [told.tasks[f"sh[{index}]"] for index in range(3)] == ["success", "skipped", "failed"]
    assert told.xcom("sh[0]") == "2026-01-01"


def test_a_branch_in_a_mapped_group_chooses_for_its_own_index(run: Run) -> None:
    @task.branch
    def choose(x: str) -> str:
        return f"g.{x}"

    with DAG("mapped") as dag:

        @task_group
        def g(x: str) -> None:
            choose(x) >> [EmptyOperator(task_id="a"), EmptyOperator(task_id="b")]

        g.expand(x=["a", "b"])
    told = run(dag)
    keys = ("g.a[0]", "g.b[0]", "g.a[1]", "g.b[1]")
    assert [told.tasks[key] for key in keys] == ["success", "skipped", "skipped", "success"]


def test_a_short_circuit_in_a_mapped_group_cuts_its_own_index_and_nothing_outside(run: Run) -> None:
    with DAG("mapped") as dag:

        @task_group
        def g(x: int) -> None:
            cut = ShortCircuitOperator(task_id="cut", python_callable=lambda x: x > 1, op_args=[x])
            cut >> EmptyOperator(task_id="near") >> EmptyOperator(task_id="far", trigger_rule="all_done")

        g.expand(x=[1, 2]) >> EmptyOperator(task_id="after", trigger_rule="all_done")
    told = run(dag)
    assert [told.tasks[key] for key in ("g.near[0]", "g.far[0]", "g.near[1]", "g.far[1]")] == [
        "skipped", "skipped", "success", "success",
    ]  # fmt: skip
    assert told.tasks["after"] == "success"


def test_of_a_mapped_branch_no_single_instance_decides_for_what_comes_after_all(run: Run) -> None:
    """Airflow skips by a mapped instance nothing that is not mapped with it."""
    with DAG("mapped") as dag:
        after = [EmptyOperator(task_id="a"), EmptyOperator(task_id="b")]
        ids = [{"x": "a"}, {"x": "b"}]
        BranchPythonOperator.partial(task_id="choose", python_callable=lambda x: x).expand(op_kwargs=ids) >> after
        wishes = [{"x": True}, {"x": False}]
        cut = ShortCircuitOperator.partial(task_id="cut", python_callable=lambda x: x).expand(op_kwargs=wishes)
        cut >> EmptyOperator(task_id="c")
    told = run(dag)
    assert [told.tasks[task_id] for task_id in "abc"] == ["success", "success", "success"]


def test_branches_may_be_mapped_over_callables_of_both_kinds(run: Run) -> None:
    with DAG("mapped") as dag:
        choose = BranchPythonOperator.partial(task_id="choose").expand(python_callable=[on_loop, lambda: "a"])
        choose >> EmptyOperator(task_id="a")
    told = run(dag)
    assert [told.xcom(f"choose[{index}]") for index in (0, 1)] == ["a", "a"]
