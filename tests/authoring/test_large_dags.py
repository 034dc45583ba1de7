"""Large DAGs: deep and wide ones are built without recursion, in time and memory that follow their size."""

from __future__ import annotations

import sys
import tracemalloc

import pytest

from flowlet import DAG, EmptyOperator, TaskGroup, chain, cross_downstream
from flowlet.errors import DagCycle


@pytest.fixture(autouse=True)
def _shallow_stack() -> object:
    """What would recurse by the depth of a DAG fails early."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(limit)


def row(dag: DAG, count: int) -> list[EmptyOperator]:
    return [EmptyOperator(task_id=f"t{number}", dag=dag) for number in range(count)]


def test_a_chain_of_50000_is_built_sorted_and_compiled() -> None:
    with DAG("deep") as dag:
        tasks = row(dag, 50_000)
        chain(*reversed(tasks))
    spec = dag.spec
    assert [task.task_id for task in spec.tasks[:2]] == ["t49999", "t49998"]
    assert len(tasks[0].get_flat_relatives(upstream=True)) == 49_999


def test_a_circle_of_50000_is_found_and_named_in_short() -> None:
    with DAG("round") as dag:
        tasks = row(dag, 50_000)
        chain(*tasks)
    tasks[-1] >> tasks[0]
    with pytest.raises(DagCycle) as caught:
        dag.check_cycle()
    assert len(str(caught.value)) < 1000


def test_a_fan_of_100000_is_built_sorted_and_compiled() -> None:
    dag = DAG("wide")
    root, *tasks = row(dag, 100_000)
    root >> tasks
    assert len(dag.spec.tasks[0].downstream) == 99_999


def test_a_task_with_all_that_belongs_to_it_takes_less_than_3_kb() -> None:
    dag = DAG("wide")
    tracemalloc.start()
    try:
        root, *tasks = row(dag, 10_000)
        root >> tasks
        assert dag.spec.by_id
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / 10_000 < 3000


def test_groups_a_thousand_deep_are_walked_without_recursion() -> None:
    with DAG("nested") as dag:
        group = TaskGroup("g0", prefix_group_id=False)
        for number in range(1, 1000):
            group = TaskGroup(f"g{number}", parent_group=group, prefix_group_id=False)
        with group:
            EmptyOperator(task_id="inner")
        EmptyOperator(task_id="before") >> dag.task_group_dict["g0"]
    assert dag.get_task("inner").upstream_task_ids == {"before"}


def test_a_dense_dag_keeps_each_edge_once() -> None:
    with DAG("dense") as dag:
        tasks = row(dag, 300)
        cross_downstream(tasks[:150], tasks[150:])
    assert sum(len(task.upstream) for task in dag.spec.tasks) == 150 * 150
