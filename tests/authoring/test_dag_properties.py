"""Laws of every DAG, held against random ones: order, circles, specs, ids."""

from __future__ import annotations

import itertools
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowlet import (
    DAG,
    DagError,
    EmptyOperator,
    PythonOperator,
    TaskGroup,
    TriggerRule,
    chain,
    cross_downstream,
)
from flowlet.authoring import topology
from flowlet.authoring.ids import check_id
from flowlet.authoring.spec import DagSpec
from flowlet.errors import DagCycle

LAW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

Graph = tuple[int, list[tuple[int, int]]]


@st.composite
def graphs(draw: st.DrawFn, *, may_circle: bool = False) -> Graph:
    """(how many tasks, edges by place of definition). Edges may point backwards, as they do in files."""
    count = draw(st.integers(1, 12))
    rank = draw(st.permutations(range(count)))
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30))
    edges = [(up, down) for up, down in pairs if up != down]
    if not may_circle:
        edges = [(up, down) if rank[up] < rank[down] else (down, up) for up, down in edges]
    return count, edges


def built(graph: Graph, dag_id: str = "random") -> DAG:
    count, edges = graph
    dag = DAG(dag_id)
    tasks = [EmptyOperator(task_id=f"t{number}", dag=dag) for number in range(count)]
    for up, down in edges:
        tasks[up] >> tasks[down]
    return dag


def places(dag: DAG) -> list[int]:
    return [int(task.task_id[1:]) for task in dag.topological_sort()]


def naive_order(graph: Graph) -> list[int]:
    """Again and again the first task, in the order of definition, all of whose upstreams are placed."""
    count, edges = graph
    order: list[int] = []
    while len(order) < count:
        free = [n for n in range(count) if n not in order and all(up in order for up, down in edges if down == n)]
        order.append(min(free))
    return order


# -- order -----------------------------------------------------------------------------------------------


@LAW
@given(graphs())
def test_the_order_puts_every_task_after_its_upstreams_and_ties_as_they_were_defined(graph: Graph) -> None:
    order = places(built(graph))
    assert all(order.index(up) < order.index(down) for up, down in graph[1])
    assert order == naive_order(graph)


@LAW
@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_when_the_edges_were_drawn(graph: Graph, random: Any) -> None:
    count, edges = graph
    shuffled = [*edges, *edges[:3]]
    random.shuffle(shuffled)
    assert places(built((count, shuffled))) == places(built(graph))


@LAW
@given(graphs(may_circle=True))
def test_a_circle_is_found_exactly_where_there_is_one_and_is_one(graph: Graph) -> None:
    count, edges = graph
    upstream = [sorted({up for up, down in edges if down == n}) for n in range(count)]
    circle = topology.find_circle(upstream)
    assert bool(circle) == (topology.sort(upstream) is None)
    assert len(set(circle)) == len(circle)
    assert all((up, down) in edges for up, down in itertools.pairwise([*circle, *circle[:1]]))
    assert (named_circle(built(graph)) is None) == (not circle)


def named_circle(dag: DAG) -> list[str] | None:
    """The ids that the error names, checked to be a circle of edges; None if there is no error."""
    try:
        dag.check_cycle()
    except DagCycle as error:
        found = re.search(r"circle: (.*) \(", str(error))
        assert found is not None
        ids = found[1].split(" >> ")
        assert all(down in dag.get_task(up).downstream_task_ids for up, down in itertools.pairwise(ids))
        assert ids[0] == ids[-1]
        return ids
    return None


# -- specs -----------------------------------------------------------------------------------------------

ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "retries": st.integers(0, 5),
        "retry_delay": st.integers(0, 10**6).map(lambda us: timedelta(microseconds=us)),
        "retry_exponential_backoff": st.sampled_from([True, False, 1.5, 0]),
        "max_retry_delay": st.integers(1, 10**5),
        "execution_timeout": st.integers(1, 10**9).map(lambda us: timedelta(microseconds=us)),
        "trigger_rule": st.sampled_from(list(TriggerRule)),
        "pool": st.sampled_from(["default_pool", "db", "größe"]),
        "pool_slots": st.integers(1, 9),
        "priority_weight": st.integers(-5, 5),
        "weight_rule": st.sampled_from(["downstream", "upstream", "absolute"]),
        "depends_on_past": st.booleans(),
        "wait_for_downstream": st.booleans(),
        "max_active_tis_per_dag": st.none() | st.integers(1, 3),
        "start_date": st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  bounds
        "owner": st.text(max_size=5),
        "on_crash": st.sampled_from(["requeue", "fail"]),
    },
)
OF_A_DAG = st.fixed_dictionaries(
    {},
    optional={
        "schedule": st.sampled_from([None, "@daily", "*/5 3 * * 1", "* * * * * 7", "@once", timedelta(hours=3)]),
        "start_date": st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  bounds
        "catchup": st.booleans(),
        "max_active_runs": st.integers(1, 99),
        "dagrun_timeout": st.none() | st.integers(1, 10**6),
        "tags": st.sets(st.text(max_size=5), max_size=3),
        "description": st.none() | st.text(max_size=20),
        "params": st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3),
        "is_paused_upon_creation": st.booleans(),
    },
)


@st.composite
def dags(draw: st.DrawFn) -> DAG:
    count, edges = draw(graphs())
    dag = DAG("random", **draw(OF_A_DAG))
    tasks = [
        PythonOperator(task_id=f"t{n}", python_callable=print, dag=dag, **draw(ARGUMENTS)) for n in range(count)
    ]
    for up, down in edges:
        tasks[up] >> tasks[down]
    return dag


@LAW
@given(dags())
def test_a_spec_survives_json(dag: DAG) -> None:
    spec = dag.spec
    again = DagSpec.from_json(spec.to_json())
    assert again.to_json() == spec.to_json()
    for field in type(spec).__attrs_attrs__:
        if field.name not in ("tasks", "timetable") and field.init:
            assert getattr(again, field.name) == getattr(spec, field.name), field.name
    for one, other in zip(again.tasks, spec.tasks, strict=True):
        for field in type(one).__attrs_attrs__:
            assert getattr(one, field.name) == getattr(other, field.name), field.name


@LAW
@given(dags())
def test_a_spec_tells_each_argument_and_each_edge_once(dag: DAG) -> None:
    spec = dag.spec
    assert [task.index for task in spec.tasks] == list(range(len(spec.tasks)))
    for task in spec.tasks:
        operator = dag.get_task(task.task_id)
        assert {spec.tasks[up].task_id for up in task.upstream} == operator.upstream_task_ids
        assert {spec.tasks[down].task_id for down in task.downstream} == operator.downstream_task_ids
        assert all(up < task.index for up in task.upstream)
        assert all(task.index < down for down in task.downstream)
        assert (task.retries, task.pool, task.trigger_rule) == (operator.retries, operator.pool, operator.trigger_rule)
        assert task.retry_delay == operator.retry_delay // timedelta(microseconds=1)
        assert task.depends_on_past == (operator.depends_on_past or operator.wait_for_downstream)


@LAW
@given(graphs())
def test_the_same_dag_compiles_to_the_same_spec(graph: Graph) -> None:
    assert built(graph).spec.to_json() == built(graph).spec.to_json()
    assert built(graph).spec.hash == built(graph).spec.hash


# -- edges -----------------------------------------------------------------------------------------------


@LAW
@given(st.integers(1, 5), st.integers(1, 5))
def test_cross_downstream_makes_every_edge_once(ups: int, downs: int) -> None:
    with DAG("cross") as dag:
        above = [EmptyOperator(task_id=f"u{n}") for n in range(ups)]
        below = [EmptyOperator(task_id=f"d{n}") for n in range(downs)]
        cross_downstream(above, below)
        cross_downstream(above, below)
    assert sum(len(task.upstream) for task in dag.spec.tasks) == ups * downs


@LAW
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_an_edge_through_groups_joins_what_is_not_empty_in_between(sizes: list[int]) -> None:
    """a >> group >> ... >> b: empty groups are passed through, full ones stand between."""
    with DAG("through") as dag:
        groups = []
        for number, size in enumerate(sizes):
            with TaskGroup(f"g{number}") as group:
                for member in range(size):
                    EmptyOperator(task_id=f"m{member}")
            groups.append(group)
        chain(EmptyOperator(task_id="a"), *groups, EmptyOperator(task_id="b"))
    layers = [["a"], *([f"g{n}.m{m}" for m in range(size)] for n, size in enumerate(sizes) if size), ["b"]]
    expected = {(up, down) for above, below in itertools.pairwise(layers) for up in above for down in below}
    assert {(up.task_id, down) for up in dag.tasks for down in up.downstream_task_ids} == expected


# -- ids -------------------------------------------------------------------------------------------------


@LAW
@given(st.text(max_size=260))
def test_any_text_is_an_id_in_one_spelling_or_is_refused(text: str) -> None:
    try:
        found = check_id("task", text, None)
    except DagError:
        return
    assert unicodedata.is_normalized("NFC", found)
    assert 1 <= len(found) <= 250
    assert all(letter.isalnum() or letter in "_.-" for letter in found)
    assert check_id("task", found, None) == found
    assert check_id("task", unicodedata.normalize("NFD", text), None) == found


@LAW
@given(st.from_regex(r"[A-Za-z0-9_.-]{1,250}", fullmatch=True).filter(lambda text: text not in (".", "..")))
def test_every_plain_id_of_airflow_is_one_here_unchanged(text: str) -> None:
    assert check_id("task", text, None) == text
