"""TaskGroup and `@task_group`: prefixes, default_args, nesting, edges to and from a whole group."""

from __future__ import annotations

from typing import Any

import pytest

from flowlet import DAG, BaseOperator, DagError, EmptyOperator, TaskGroup, task, task_group
from flowlet.errors import DuplicateTaskId


def empty(task_id: str, **arguments: Any) -> EmptyOperator:
    return EmptyOperator(task_id=task_id, **arguments)


def edges(dag: DAG) -> set[tuple[str, str]]:
    return {(up.task_id, down) for up in dag.tasks for down in up.downstream_task_ids}


# -- ids -------------------------------------------------------------------------------------------------


def test_ids_in_a_group_begin_with_its_id_and_that_of_the_groups_around_it() -> None:
    with DAG("d") as dag, TaskGroup("outer"):
        a = empty("a")
        with TaskGroup("inner") as inner:
            b = empty("b")
    assert dag.task_ids == ["outer.a", "outer.inner.b"]
    assert list(dag.task_group_dict) == ["outer", "outer.inner"]
    assert (a.label, b.label, inner.label, inner.group_id) == ("a", "b", "inner", "outer.inner")


def test_without_a_prefix_ids_stay_as_they_are() -> None:
    with DAG("d") as dag, TaskGroup("outer", prefix_group_id=False):
        empty("a")
        with TaskGroup("inner"):
            empty("b")
    assert dag.task_ids == ["a", "inner.b"]


def test_the_same_label_may_stand_in_several_groups() -> None:
    with DAG("d") as dag:
        for name in ("x", "y"):
            with TaskGroup(name):
                empty("a")
    assert dag.task_ids == ["x.a", "y.a"]


@pytest.mark.parametrize("clash", ["task/task", "task/group", "group/task", "group/group"])
def test_an_id_is_taken_once_and_both_places_are_named(clash: str) -> None:
    make = {"task": lambda: empty("same"), "group": lambda: TaskGroup("same")}

    def build() -> None:
        with DAG("d"), TaskGroup("g"):
            for kind in clash.split("/"):
                make[kind]()

    with pytest.raises(DuplicateTaskId) as caught:
        build()
    assert "the id 'g.same' is taken in DAG 'd'" in str(caught.value)
    assert str(caught.value).count("test_task_groups.py:") == 2


def test_a_second_group_of_the_same_id_gets_a_number_if_it_asks() -> None:
    with DAG("d") as dag:
        for _ in range(3):
            with TaskGroup("g", add_suffix_on_collision=True):
                empty("a")
    assert dag.task_ids == ["g.a", "g__1.a", "g__2.a"]


def test_the_number_of_an_inner_group_goes_on_from_the_outermost_ones_as_in_airflow() -> None:
    with DAG("d") as dag:
        for _ in range(2):
            TaskGroup("g", add_suffix_on_collision=True)
        with TaskGroup("outer"):
            for _ in range(3):
                TaskGroup("g", add_suffix_on_collision=True)
                TaskGroup("h", add_suffix_on_collision=True)
    assert list(dag.task_group_dict) == [
        "g", "g__1", "outer", "outer.g", "outer.h", "outer.g__2", "outer.h__1", "outer.g__3", "outer.h__2",
    ]  # fmt: skip


def test_a_group_may_be_given_its_parent_or_its_dag() -> None:
    with DAG("d") as dag:
        with TaskGroup("outer") as outer:
            pass
        with TaskGroup("inner", parent_group=outer):
            empty("a")
    with TaskGroup("late", dag=dag):
        empty("b")
    assert dag.task_ids == ["outer.inner.a", "late.b"]


def test_a_task_may_be_given_its_group() -> None:
    with DAG("d") as dag:
        with TaskGroup("g") as g:
            pass
        empty("a", task_group=g)
    assert dag.task_ids == ["g.a"]


def test_a_group_of_no_dag_or_of_two_is_refused() -> None:
    with pytest.raises(DagError, match=r"group 'g' is in no DAG.*test_task_groups\.py:\d+"):
        TaskGroup("g")
    with DAG("one"), TaskGroup("outer") as outer:
        pass
    with pytest.raises(DagError, match=r"group 'g' is of DAG 'two', its parent group of DAG 'one'"):
        TaskGroup("g", parent_group=outer, dag=DAG("two"))


@pytest.mark.parametrize("wrong", ["a.b", "a b", "", 5, "a/b"])
def test_a_group_id_holds_no_dots_and_no_spaces(wrong: Any) -> None:
    with pytest.raises(DagError, match=r"cannot be the id of a group.*test_task_groups\.py:\d+"), DAG("d"):
        TaskGroup(wrong)


def test_a_full_id_that_is_too_long_is_refused() -> None:
    with pytest.raises(DagError, match="it has 251 characters, at most 250 fit"), DAG("d"), TaskGroup("g" * 100):
        empty("t" * 150)


# -- default_args ----------------------------------------------------------------------------------------


def test_default_args_merge_from_the_dag_over_the_groups_to_the_task() -> None:
    class Loading(BaseOperator):
        def __init__(self, *, table: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.table = table

    with DAG("d", default_args={"owner": "dag", "retries": 1, "pool": "dag", "table": "dag"}):
        with TaskGroup("outer", default_args={"retries": 2, "pool": "outer", "table": "outer"}):
            with TaskGroup("inner", default_args={"pool": "inner"}):
                one = Loading(task_id="one")
                two = Loading(task_id="two", pool="own", default_args={"table": "own"})
            three = Loading(task_id="three")
        four = Loading(task_id="four")
    assert (one.owner, one.retries, one.pool, one.table) == ("dag", 2, "inner", "outer")
    assert (two.owner, two.retries, two.pool, two.table) == ("dag", 2, "own", "own")
    assert (three.retries, three.pool, three.table) == (2, "outer", "outer")
    assert (four.retries, four.pool, four.table) == (1, "dag", "dag")


# -- edges -----------------------------------------------------------------------------------------------


def test_an_edge_to_a_group_leads_to_its_roots_and_one_from_it_comes_from_its_leaves() -> None:
    with DAG("d") as dag:
        before, after = empty("before"), empty("after")
        with TaskGroup("g") as g:
            a, b, c, alone = empty("a"), empty("b"), empty("c"), empty("alone")
            a >> [b, c]
        before >> g >> after
    inside = {("g.a", "g.b"), ("g.a", "g.c")}
    assert edges(dag) - inside == {
        ("before", "g.a"), ("before", "g.alone"), ("g.b", "after"), ("g.c", "after"), ("g.alone", "after"),
    }  # fmt: skip
    assert (g.get_roots(), g.get_leaves()) == ([a, alone], [b, c, alone])


def test_groups_are_joined_with_groups() -> None:
    with DAG("d") as dag:
        with TaskGroup("g") as g:
            empty("a") >> empty("b")
        with TaskGroup("h") as h:
            empty("a") >> empty("b")
        g >> h
    assert ("g.b", "h.a") in edges(dag)
    assert len(edges(dag)) == 3


def test_the_ends_of_a_group_count_its_inner_groups() -> None:
    with DAG("d") as dag:
        before = empty("before")
        with TaskGroup("outer") as outer:
            with TaskGroup("inner") as inner:
                empty("a")
            inner >> empty("b")
        before >> outer >> empty("after")
    assert edges(dag) == {("before", "outer.inner.a"), ("outer.inner.a", "outer.b"), ("outer.b", "after")}


def test_an_empty_group_is_passed_through() -> None:
    with DAG("d") as dag:
        a, b = empty("a"), empty("b")
        with TaskGroup("nothing") as nothing, TaskGroup("inside") as inside:
            pass
        a >> nothing >> b
        c = empty("c")
        inside >> c  # the end before the beginning
        b >> inside
    assert edges(dag) == {("a", "b"), ("b", "c")}


def test_a_chain_of_empty_groups_is_passed_through() -> None:
    with DAG("d") as dag:
        with TaskGroup("one") as one, TaskGroup("two", parent_group=None) as two:
            pass
        empty("a") >> one
        one >> two
        two >> empty("b")
    assert edges(dag) == {("a", "b")}


# -- @task_group -----------------------------------------------------------------------------------------


def test_a_function_makes_a_group_at_each_call() -> None:
    @task
    def add(x: Any) -> Any:
        return x

    @task_group(default_args={"retries": 3})
    def twice(x: Any) -> Any:
        """Adds twice."""
        return add(add(x))

    with DAG("d") as dag:
        add(twice(twice(1)))
    assert dag.task_ids == ["twice.add", "twice.add__1", "twice__1.add", "twice__1.add__1", "add"]
    assert ("twice.add__1", "twice__1.add") in edges(dag)
    assert ("twice__1.add__1", "add") in edges(dag)
    assert dag.get_task("twice.add").retries == 3
    assert dag.task_group_dict["twice"].tooltip == "Adds twice."


def test_a_function_that_returns_nothing_gives_its_group_and_can_be_overridden() -> None:
    @task_group
    def work() -> None:
        empty("a")

    with DAG("d") as dag:
        group = work.override(group_id="other")()
        empty("before") >> group
    assert dag.task_ids == ["other.a", "before"]
    assert edges(dag) == {("before", "other.a")}


def test_a_group_whose_function_raises_is_closed() -> None:
    @task_group
    def broken() -> None:
        raise ValueError("x")

    with DAG("d") as dag:
        with pytest.raises(ValueError, match="x"):
            broken()
        empty("a")
    assert dag.task_ids == ["a"]
