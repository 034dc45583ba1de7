"""Dynamic mapping as Airflow has it (docs: authoring-and-scheduling/dynamic-task-mapping.rst), through the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet import (
    DAG,
    BashOperator,
    DagError,
    EmptyOperator,
    Engine,
    PythonOperator,
    SkipTask,
    TaskGroup,
    get_current_context,
    task,
    task_group,
)  # fmt: skip

pytestmark = pytest.mark.anyio


@task
def numbers(count: int = 3) -> list[int]:
    return list(range(1, count + 1))


@task
def add(x: int, y: int = 0) -> int:
    return x + y


@task
def total(values: Any) -> int:
    return sum(values)


@task
def same(value: Any) -> Any:
    return value


def ran(dag: DAG, **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = dag.test(**options).as_dict()
    return result


def outputs(result: dict[str, Any], task_id: str) -> list[Any]:
    """What the instances of a task returned, in order."""
    wanted = f"{task_id}["
    return [value for key, value in result["xcoms"].items() if key.startswith(wanted)]


def dag_of(make: Callable[[], object]) -> DAG:
    with DAG("mapped") as dag:
        make()
    return dag


def test_a_task_runs_once_for_each_item_and_the_next_gets_them_all() -> None:
    result = ran(dag_of(lambda: total(add.partial(y=10).expand(x=numbers()))))
    assert result["tasks"] == {
        "numbers": "success", "add[0]": "success", "add[1]": "success", "add[2]": "success", "total": "success",
    }  # fmt: skip
    assert outputs(result, "add") == [11, 12, 13]
    assert result["xcoms"]["total:return_value"] == 36


def test_several_arguments_are_a_cross_product_whose_last_varies_fastest() -> None:
    result = ran(dag_of(lambda: add.expand(x=[1, 2], y=[10, 20, 30])))
    assert outputs(result, "add") == [11, 21, 31, 12, 22, 32]


def test_a_dict_is_mapped_over_as_its_pairs() -> None:
    result = ran(dag_of(lambda: same.expand(value={"a": 1, "b": 2})))
    assert outputs(result, "same") == [["a", 1], ["b", 2]]


def test_each_instance_may_have_arguments_of_its_own() -> None:
    result = ran(dag_of(lambda: add.expand_kwargs([{"x": 1, "y": 2}, {"x": 5}])))
    assert outputs(result, "add") == [3, 5]


def test_arguments_may_come_from_a_task_as_a_whole() -> None:
    @task
    def rows() -> list[dict[str, int]]:
        return [{"x": 1, "y": 1}, {"x": 2, "y": 2}]

    assert outputs(ran(dag_of(lambda: add.expand_kwargs(rows()))), "add") == [2, 4]


def test_outputs_can_be_mapped_zipped_and_concatenated() -> None:
    def make() -> None:
        three, two = numbers(), numbers.override(task_id="two")(2)
        same.override(task_id="doubled").expand(value=three.map(lambda item: item * 2))
        same.override(task_id="short").expand(value=three.zip(two))
        same.override(task_id="long").expand(value=three.zip(two, fillvalue=0))
        same.override(task_id="all").expand(value=three.concat(two.map(str)))

    result = ran(dag_of(make))
    assert outputs(result, "doubled") == [2, 4, 6]
    assert outputs(result, "short") == [[1, 1], [2, 2]]
    assert outputs(result, "long") == [[1, 1], [2, 2], [3, 0]]
    assert outputs(result, "all") == [1, 2, 3, "1", "2"]


def test_a_function_of_map_that_skips_costs_its_own_item_only() -> None:
    def odd(item: int) -> int:
        if item % 2 == 0:
            raise SkipTask("even")
        return item

    def make() -> None:
        each = add.expand(x=numbers().map(odd))
        total.override(trigger_rule="none_failed")(each)

    result = ran(dag_of(make))
    assert [result["tasks"][f"add[{index}]"] for index in range(3)] == ["success", "skipped", "success"]
    assert result["xcoms"]["total:return_value"] == 4


def test_a_mapped_task_can_be_mapped_over_and_nothing_returned_is_no_item() -> None:
    @task
    def maybe(x: int) -> int | None:
        return x if x != 2 else None

    result = ran(dag_of(lambda: add.expand(x=maybe.expand(x=numbers()))))
    assert outputs(result, "add") == [1, 3]


@pytest.mark.parametrize("rule", ["all_success", "all_done"])
def test_nothing_to_map_over_is_one_skipped_instance_whatever_the_rule(rule: str) -> None:
    result = ran(dag_of(lambda: add.override(trigger_rule=rule).expand(x=numbers(0))))
    assert result["tasks"] == {"numbers": "success", "add": "skipped"}
    assert result["reasons"]["add"] == "it is mapped over nothing"


@pytest.mark.parametrize(("outcome", "becomes"), [("fail", "upstream_failed"), ("skip", "skipped")])
@pytest.mark.parametrize("rule", ["all_success", "all_done", "one_failed"])
def test_a_source_that_did_not_succeed_decides_whatever_the_rule(outcome: str, becomes: str, rule: str) -> None:
    @task
    def source() -> list[int]:
        raise SkipTask("no") if outcome == "skip" else ValueError("no")

    result = ran(dag_of(lambda: add.override(trigger_rule=rule).expand(x=source())))
    assert result["tasks"]["add"] == becomes


@pytest.mark.parametrize(
    ("returned", "error"),
    [(None, "XComForMappingNotPushed"), (5, "UnmappableXComTypePushed"), ("text", "UnmappableXComTypePushed"), (list(range(1025)), "UnmappableXComLengthPushed")],
)  # fmt: skip
def test_what_cannot_be_mapped_over_fails_the_task_that_returned_it(returned: Any, error: str) -> None:
    @task
    def source() -> Any:
        return returned

    result = ran(dag_of(lambda: add.expand(x=source())))
    assert result["tasks"] == {"source": "failed", "add": "upstream_failed"}
    assert result["errors"] == {"source": [error]}


def test_an_instance_that_fails_is_one_upstream_among_all() -> None:
    @task
    def fragile(x: int) -> int:
        if x == 2:
            raise ValueError("two")
        return x

    def make() -> None:
        each = fragile.expand(x=numbers())
        total.override(task_id="strict")(each)
        total.override(task_id="done", trigger_rule="all_done")(each)
        EmptyOperator(task_id="one", trigger_rule="one_failed") << each

    result = ran(dag_of(make))
    assert [result["tasks"][f"fragile[{index}]"] for index in range(3)] == ["success", "failed", "success"]
    assert {name: result["tasks"][name] for name in ("strict", "done", "one")} == {
        "strict": "upstream_failed", "done": "success", "one": "success",
    }  # fmt: skip
    assert result["xcoms"]["done:return_value"] == 4


def test_each_instance_retries_by_itself() -> None:
    @task(retries=2)
    def flaky(x: int) -> int:
        if get_current_context()["ti"].try_number <= x:
            raise ValueError("not yet")
        return x

    result = ran(dag_of(lambda: flaky.expand(x=[0, 1, 2])))
    assert {key: tries for key, tries in result["tries"].items() if "flaky" in key} == {
        "flaky[0]": 1, "flaky[1]": 2, "flaky[2]": 3,
    }  # fmt: skip


def test_any_operator_can_be_mapped_and_only_what_was_written_is_a_template() -> None:
    @task
    def commands() -> list[str]:
        return ["echo '{{ ds }}'"]

    def make() -> None:
        BashOperator.partial(task_id="written", append_env=True).expand(bash_command=["echo {{ ds }}", "echo b"])
        BashOperator.partial(task_id="given", append_env=True).expand(bash_command=commands())

    result = ran(dag_of(make), logical_date="2026-01-15T00:00:00Z")
    assert outputs(result, "written") == ["2026-01-15", "b"]
    assert outputs(result, "given") == ["{{ ds }}"]


def test_an_instance_knows_its_index_and_how_many_there_are() -> None:
    @task
    def place(x: int, ti: Any = None, expanded_ti_count: int | None = None) -> str:
        return f"{ti.map_index} of {expanded_ti_count}, {ti.task_id}"

    assert outputs(ran(dag_of(lambda: place.expand(x=[7, 8]))), "place") == ["0 of 2, place", "1 of 2, place"]


def test_an_instance_is_called_by_its_template_also_when_it_fails() -> None:
    @task(map_index_template="{{ name }}")
    def named(x: int) -> None:
        get_current_context()["name"] = f"number {x}"
        if x == 2:
            raise ValueError("two")

    result = ran(dag_of(lambda: named.expand(x=[1, 2])))
    assert result["map_labels"] == {"named[0]": "number 1", "named[1]": "number 2"}


def test_a_group_that_is_mapped_over_a_task_has_no_place_for_always() -> None:
    """Source: Airflow's taskgroup.py, MappedTaskGroup."""

    @task_group
    def each(x: int) -> None:
        same.override(trigger_rule="always")(x)

    with pytest.raises(DagError, match="the trigger_rule cannot be 'always'"):
        dag_of(lambda: each.expand(x=numbers()))
    assert ran(dag_of(lambda: each.expand(x=[1])))["tasks"] == {"each.same[0]": "success"}


def test_a_name_that_cannot_be_rendered_fails_an_instance_that_succeeded_and_hides_no_failure() -> None:
    """Source: Airflow's task_runner.py `run`."""

    @task(map_index_template="{{ nowhere }}")
    def named(x: int) -> int:
        if x == 2:
            raise ValueError("two")
        return x

    result = ran(dag_of(lambda: named.expand(x=[1, 2])))
    assert result["errors"] == {"named[0]": ["UndefinedError"], "named[1]": ["ValueError"]}
    assert result["xcoms"] == {}


def test_a_source_that_returns_nothing_to_map_over_leaves_no_value() -> None:
    """Source: Airflow's task_runner.py `_push_xcom_if_needed`."""
    result = ran(dag_of(lambda: add.expand(x=same(5))))
    assert (result["tasks"]["same"], result["xcoms"]) == ("failed", {})


def test_arguments_of_all_operators_go_to_partial() -> None:
    limits: list[int] = []

    def make() -> None:
        PythonOperator.partial(
            task_id="body", python_callable=limits.append, retries=3, max_active_tis_per_dagrun=1,
        ).expand(op_args=[[1], [2]])  # fmt: skip

    dag = dag_of(make)
    assert (dag.spec.tasks[0].retries, dag.spec.tasks[0].max_active_tis_per_dagrun) == (3, 1)
    assert ran(dag)["state"] == "success"
    assert sorted(limits) == [1, 2]


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (add.expand, "needs something to map over"),
    "a number": (lambda: add.expand(x=1), "cannot map x=1"),
    "a string": (lambda: add.expand(x="abc"), "cannot map x='abc'"),
    "an unknown argument": (lambda: add.expand(z=[1]), "'z' is none of its arguments"),
    "a key of the context": (lambda: same.expand(ti=[1]), "filled from the task's context"),
    "both": (lambda: add.partial(x=1).expand(x=[1]), "'x' is given to partial"),
    "a missing argument": (lambda: add.expand(y=[1]), "argument 'x' is missing"),
    "an operator's unknown argument": (lambda: BashOperator.partial(task_id="b").expand(command=["a"]), "takes no argument 'command'"),
    "an argument of all operators": (lambda: BashOperator.partial(task_id="b", bash_command="a").expand(retries=[1]), "cannot be mapped"),
    "dicts that are none": (lambda: add.expand_kwargs([1]), "takes a list of dicts"),
    "another key": (lambda: add.expand(x=numbers()["other"]), "only over what a task returns"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_mapped_is_said_when_the_dag_is_built(case: str) -> None:
    make, said = WRONG[case]
    with pytest.raises(DagError, match=said) as raised:
        _ = dag_of(make).spec
    assert "test_mapped_tasks.py" in str(raised.value)


# -- groups ----------------------------------------------------------------------------------------------


@task_group
def worked(v: Any) -> Any:
    @task
    def one(v: int) -> int:
        return v * 10

    @task
    def two(w: int) -> int:
        return w + 1

    return two(one(v))


def test_a_mapped_group_runs_each_index_for_itself() -> None:
    result = ran(dag_of(lambda: total(worked.expand(v=numbers()))))
    assert outputs(result, "worked.one") == [10, 20, 30]
    assert outputs(result, "worked.two") == [11, 21, 31]
    assert result["xcoms"]["total:return_value"] == 63


def test_in_a_mapped_group_a_failure_stays_with_its_index() -> None:
    @task_group
    def group(v: Any) -> Any:
        @task
        def first(v: int) -> int:
            if v == 2:
                raise ValueError("two")
            return v

        @task
        def second(v: int) -> int:
            return v

        return second(first(v))

    def make() -> None:
        total.override(trigger_rule="all_done")(group.expand(v=numbers()))

    result = ran(dag_of(make))
    assert [result["tasks"][f"group.second[{index}]"] for index in range(3)] == ["success", "upstream_failed", "success"]
    assert result["xcoms"]["total:return_value"] == 4


def test_an_empty_mapped_group_is_skipped() -> None:
    result = ran(dag_of(lambda: worked.expand(v=numbers(0))))
    assert {result["tasks"]["worked.one"], result["tasks"]["worked.two"]} == {"skipped"}


def test_partial_arguments_of_a_group_are_every_instances() -> None:
    @task_group
    def group(a: int, b: int) -> Any:
        return add(a, b)

    assert outputs(ran(dag_of(lambda: group.partial(a=100).expand(b=[1, 2]))), "group.add") == [101, 102]


def test_nothing_in_a_mapped_group_is_mapped_again() -> None:
    @task_group
    def outer(v: Any) -> None:
        add.expand(x=[1, 2])

    with pytest.raises(DagError, match="cannot stand in a mapped group"):
        dag_of(lambda: outer.expand(v=[1]))


def test_a_mapped_task_in_a_group_has_its_prefix() -> None:
    def make() -> None:
        with TaskGroup("load"):
            add.expand(x=[1, 2])

    assert outputs(ran(dag_of(make)), "load.add") == [1, 2]


# -- limits, restarts, laws --------------------------------------------------------------------------------


async def test_a_restart_between_a_source_and_its_instances_changes_nothing(tmp_path: Path) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    @task
    async def other() -> None:
        began.set()
        await go.wait()

    with DAG("mapped") as dag:
        source = numbers()
        each = add.partial(y=1).expand(x=source)
        source >> other() >> each
        total(each)
    path = tmp_path / "flowlet.db"
    async with Engine(path, dags=[dag], durability="process", grace=0) as engine:
        await engine.trigger("mapped", run_id="r")
        await began.wait()
    go.set()
    async with Engine(path, dags=[dag], durability="process") as engine:
        run = await engine.run("mapped", "r")
        await run.wait()
        assert run.as_dict()["xcoms"]["total:return_value"] == 9
        assert await run.xcom("add", map_index=2) == 4
    async with Engine(path, dags=[dag], durability="process") as engine:
        assert (await engine.run("mapped", "r")).task_states["add[2]"] == "success"


async def test_instances_share_their_tasks_limit() -> None:
    now, most = 0, 0

    @task(max_active_tis_per_dagrun=2)
    async def body(x: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        others = asyncio.Event()
        asyncio.get_running_loop().call_soon(others.set)
        await others.wait()
        now -= 1

    with DAG("mapped") as dag:
        body.expand(x=list(range(20)))
    async with Engine(dags=[dag]) as engine:
        run = await engine.trigger("mapped")
        await run.wait()
    assert (run.state, most) == ("success", 2)


def test_a_product_beyond_measure_makes_no_rows() -> None:
    @task
    def three(a: int, b: int, c: int) -> None: ...

    result = ran(dag_of(lambda: three.expand(a=list(range(100)), b=list(range(100)), c=list(range(100)))))
    assert result["tasks"] == {"three": "failed"}
    assert "1000000 instances" in result["reasons"]["three"]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    chained=st.integers(0, 2),
    rule=st.sampled_from(["all_success", "all_done", "none_failed", "one_success"]),
)
def test_chains_of_maps_of_any_length_end_and_count(sizes: list[int], chained: int, rule: str) -> None:
    names = ["a", "b", "c"][: len(sizes)]

    def product(a: int = 0, b: int = 0, c: int = 0) -> int:
        return a + b + c

    def make() -> None:
        each: Any = PythonOperator.partial(task_id="first", python_callable=product).expand_kwargs(
            [{"op_kwargs": dict.fromkeys(names, 1)}] * _product(sizes)
        )
        out = each.output
        for number in range(chained):
            out = same.override(task_id=f"next{number}", trigger_rule=rule).expand(value=out)
        EmptyOperator(task_id="end", trigger_rule="all_done") << out.operator

    result = ran(dag_of(make))
    count = _product(sizes)
    assert result["tasks"]["end"] == "success"
    for name in ("first", *(f"next{number}" for number in range(chained))):
        found = [key for key in result["tasks"] if key == name or key.startswith(f"{name}[")]
        assert found == ([f"{name}[{index}]" for index in range(count)] if count else [name])


def _product(sizes: list[int]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product
