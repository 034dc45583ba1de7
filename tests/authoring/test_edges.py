"""Edges: `>>`, `<<`, lists, chain, cross_downstream, labels; and what each is refused for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flowlet import (
    DAG,
    DagError,
    EmptyOperator,
    Label,
    PythonOperator,
    TaskGroup,
    chain,
    chain_linear,
    cross_downstream,
    task,
)
from flowlet.errors import DagCycle


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("d") as dag:
        yield dag


def tasks(names: str) -> list[EmptyOperator]:
    return [EmptyOperator(task_id=name) for name in names]


def edges(dag: DAG) -> set[str]:
    return {f"{up.task_id}{down}" for up in dag.tasks for down in up.downstream_task_ids}


def test_arrows_point_the_way_and_give_back_what_is_on_their_right(dag: DAG) -> None:
    a, b, c, d = tasks("abcd")
    assert (a >> b) is b
    assert (d << c) is c
    a >> b >> c
    assert edges(dag) == {"ab", "bc", "cd"}
    assert (b.upstream_list, b.downstream_list) == ([a], [c])


@pytest.mark.parametrize("kind", [list, tuple, set])
def test_lists_stand_for_their_members_on_either_side(dag: DAG, kind: Any) -> None:
    a, b, c, d, e = tasks("abcde")
    a >> kind([b, c]) >> d
    e << kind([d])
    assert edges(dag) == {"ab", "ac", "bd", "cd", "de"}


def test_lists_may_be_nested_and_hold_anything_that_has_edges(dag: DAG) -> None:
    a, b, c = tasks("abc")
    with TaskGroup("g") as g:
        EmptyOperator(task_id="x")
    a >> [b, [c.output, g]]
    assert edges(dag) == {"ab", "ac", "ag.x"}


def test_set_upstream_and_set_downstream_take_the_same(dag: DAG) -> None:
    a, b, c, d = tasks("abcd")
    b.set_upstream(a)
    b.set_downstream([c, d])
    dag.set_dependency("c", "d")
    assert edges(dag) == {"ab", "bc", "bd", "cd"}


def test_an_edge_said_twice_counts_once(dag: DAG) -> None:
    a, b = tasks("ab")
    a >> b
    a >> b
    b << a
    assert (a.downstream_list, b.upstream_list) == ([b], [a])
    assert dag.spec.tasks[1].upstream == (0,)


def test_a_chain_joins_neighbours_and_lists_pairwise(dag: DAG) -> None:
    a, b, c, d, e, f = tasks("abcdef")
    chain(a, [b, c], [d, e], f)
    assert edges(dag) == {"ab", "ac", "bd", "ce", "df", "ef"}


def test_a_chain_takes_groups_labels_and_outputs(dag: DAG) -> None:
    a, b = tasks("ab")
    with TaskGroup("g") as g:
        EmptyOperator(task_id="x")
    chain(a, Label("then"), g, b.output)
    assert edges(dag) == {"ag.x", "g.xb"}
    assert dag.get_edge_info("a", "g.x") == {"label": "then"}


def test_lists_of_different_lengths_cannot_be_chained(dag: DAG) -> None:
    a, b, c = tasks("abc")
    with pytest.raises(DagError, match=r"these have 2 and 1 members.*test_edges\.py:\d+"):
        chain([a, b], [c])


def test_a_linear_chain_joins_every_member_with_every_other(dag: DAG) -> None:
    a, b, c, d, e = tasks("abcde")
    chain_linear(a, [b, c], [d, e])
    assert edges(dag) == {"ab", "ac", "bd", "be", "cd", "ce"}


def test_cross_downstream_joins_every_one_with_every_one(dag: DAG) -> None:
    a, b, c, d = tasks("abcd")
    cross_downstream([a, b], [c, d])
    assert edges(dag) == {"ac", "ad", "bc", "bd"}


def test_a_label_stands_in_the_middle_of_an_edge(dag: DAG) -> None:
    a, b, c = tasks("abc")
    a >> Label("when empty") >> [b, c]
    assert edges(dag) == {"ab", "ac"}
    assert dag.get_edge_info("a", "b") == dag.get_edge_info("a", "c") == {"label": "when empty"}
    assert dag.get_edge_info("b", "c") == {}


def test_outputs_in_arguments_are_edges_however_deep(dag: DAG) -> None:
    a, b, c = tasks("abc")
    PythonOperator(task_id="x", python_callable=print, op_args=[a.output], op_kwargs={"k": {"deep": [b.output["key"]]}})

    @task
    def y(*args: Any, **kwargs: Any) -> None: ...

    y(c.output, k=(a.output,))
    assert edges(dag) == {"ax", "bx", "cy", "ay"}


def test_an_output_that_is_assigned_later_is_an_edge_too(dag: DAG) -> None:
    a, b = tasks("ab")
    x = PythonOperator(task_id="x", python_callable=print)
    assert dag.spec.by_id["x"].upstream == ()
    x.op_args = [a.output]
    x.op_kwargs = {"k": [b.output]}
    assert edges(dag) == {"ax", "bx"}
    assert dag.spec.by_id["x"].upstream == (0, 1)


def test_relatives_are_found_however_far(dag: DAG) -> None:
    a, b, c, d = tasks("abcd")
    a >> [b, c] >> d
    assert a.get_flat_relative_ids() == {"b", "c", "d"}
    assert d.get_flat_relative_ids(upstream=True) == {"a", "b", "c"}
    assert {t.task_id for t in b.get_flat_relatives()} == {"d"}
    assert (b.get_direct_relative_ids(), b.get_direct_relative_ids(upstream=True)) == ({"d"}, {"a"})
    assert (dag.roots, dag.leaves) == ([a], [d])


# -- refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", [5, "b", None, print, [1]])
def test_what_is_no_task_can_have_no_edge(dag: DAG, thing: Any) -> None:
    (a,) = tasks("a")
    with pytest.raises(DagError, match=r"cannot be upstream or downstream of a task.*test_edges\.py:\d+"):
        a >> thing


def test_a_task_cannot_come_before_itself(dag: DAG) -> None:
    (a,) = tasks("a")
    with pytest.raises(DagCycle, match=r"a>? is put before itself.*test_edges\.py:\d+"):
        a >> a


def test_edges_do_not_cross_dags(dag: DAG) -> None:
    (a,) = tasks("a")
    b = EmptyOperator(task_id="b", dag=DAG("other"))
    with pytest.raises(DagError, match=r"'a' is in DAG 'd' and task 'b' in 'other'.*test_edges\.py:\d+"):
        a >> b


def test_a_circle_is_refused_when_the_block_ends_and_named_whole() -> None:
    def build() -> None:
        with DAG("round"):
            a, b, c, d, e = tasks("abcde")
            a >> b >> c >> d >> b
            d >> e

    with pytest.raises(DagCycle, match=r"'round' form a circle: b >> c >> d >> b \(.*test_edges\.py:\d+\)"):
        build()


def test_a_circle_made_later_is_refused_by_whoever_asks() -> None:
    with DAG("round") as dag:
        a, b = tasks("ab")
        a >> b
    b >> a
    for ask in (dag.check_cycle, dag.topological_sort, lambda: dag.spec):
        with pytest.raises(DagCycle, match="a >> b >> a"):
            ask()


def test_a_long_circle_is_named_in_short() -> None:
    with DAG("long") as dag:
        ring = [EmptyOperator(task_id=f"t{n}") for n in range(100)]
        chain(*ring)
    ring[-1] >> ring[0]
    with pytest.raises(DagCycle, match=r"t0 >> t1 >> .* >> \.\.\. >> .*t99 >> t0"):
        dag.check_cycle()


def test_a_task_of_no_dag_behind_one_is_no_edge_unnoticed() -> None:
    with DAG("d") as dag:
        a = EmptyOperator(task_id="a")
    stranger = EmptyOperator(task_id="stranger")
    a << stranger
    assert dag.task_ids == ["a", "stranger"]
    assert dag.spec.by_id["a"].upstream == (0,)
