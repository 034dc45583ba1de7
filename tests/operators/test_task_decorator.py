"""`@task`: functions as tasks, through the whole engine; and EmptyOperator, which has no body at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypedDict

import pytest

from flowlet import (
    DAG,
    DagError,
    EmptyOperator,
    SkipTask,
    TaskGroup,
    XComArg,
    dag,
    get_current_context,
    task,
    task_group,
)

Run = Callable[..., Any]


class Point(TypedDict):
    x: int
    y: int


# -- calling ---------------------------------------------------------------------------------------------


def test_calling_makes_a_task_and_passing_its_output_makes_the_edge(run: Run) -> None:
    with DAG("flow") as flow:

        @task
        def one() -> int:
            return 1

        @task
        async def add(a: int, b: int = 10, *, c: int = 100) -> int:
            return a + b + c

        add(one(), c=one())
    assert flow.get_task("add").upstream_task_ids == {"one", "one__1"}
    assert run(flow).xcom("add") == 12


def test_outputs_inside_of_lists_and_dicts_are_edges_and_values_too(run: Run) -> None:
    with DAG("deep") as deep:

        @task
        def make(x: int) -> int:
            return x

        @task
        def collect(things: Any) -> Any:
            return things

        collect({"list": [make(1), [make(2)]], "plain": "x"})
    assert deep.get_task("collect").upstream_task_ids == {"make", "make__1"}
    assert run(deep).xcom("collect") == {"list": [1, [2]], "plain": "x"}


def test_templates_in_arguments_are_rendered_and_results_are_not(run: Run) -> None:
    with DAG("templates") as templates:

        @task
        def echo(text: str) -> str:
            return text

        echo(echo("{{ '{{ ds }}' }}"))
    told = run(templates)
    assert (told.xcom("echo"), told.xcom("echo__1")) == ("{{ ds }}", "{{ ds }}")


def test_the_context_comes_by_name_by_kwargs_or_by_asking(run: Run) -> None:
    with DAG("context") as context:

        @task
        def named(ds: str, ti: Any = None, unknown: Any = None) -> list[Any]:
            return [ds, ti.task_id, unknown]

        @task
        def everything(**kwargs: Any) -> str:
            return str(kwargs["ts_nodash"])

        @task
        async def asking() -> str:
            return str(get_current_context()["run_id"])[:6]

        named(ds=None)  # filled when it runs? no: what is given stands
        everything()
        asking()
    told = run(context)
    assert told.xcom("named") == [None, "named", None]
    assert told.xcom("everything") == "20260101T000000"
    assert told.xcom("asking") == "manual"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f(), "argument 'a' is missing"),
        (lambda f: f(1, 2, 3), "it takes 2 positional arguments, 3 are given"),
        (lambda f: f(1, a=2), "argument 'a' is given twice"),
        (lambda f: f(1, z=2), "it has no argument 'z'"),
    ],
)
def test_a_call_that_cannot_work_is_refused_where_it_is_written(call: Callable[[Any], Any], words: str) -> None:
    @task
    def f(a: int, b: int = 0) -> None: ...

    with pytest.raises(DagError, match=r"test_task_decorator\.py:\d+") as caught, DAG("d"):
        call(f)
    assert words in str(caught.value)


def test_a_function_may_be_given_by_name_or_with_the_arguments(run: Run) -> None:
    def one() -> int:
        return 1

    with DAG("forms") as forms:
        task(one, task_id="direct")()
        task(python_callable=one, task_id="named")()
        task()(one)()
    told = run(forms)
    assert [told.xcom(task_id) for task_id in ("direct", "named", "one")] == [1, 1, 1]


@pytest.mark.parametrize("decorate", [task, task.branch, task.sensor, task_group])
def test_what_is_no_function_is_refused_where_it_is_decorated(decorate: Any) -> None:
    with pytest.raises(DagError, match=r"takes a function.* not 'name'.*test_task_decorator\.py:\d+"):
        decorate("name")


def test_a_name_of_the_context_cannot_be_given_by_position() -> None:
    @task
    def f(ds: str) -> None: ...

    with pytest.raises(DagError, match="'ds' is filled from the task's context"), DAG("d"):
        f("2020-01-01")


def test_a_call_outside_of_a_dag_is_refused_and_tells_the_way_out() -> None:
    @task
    def f() -> int:
        return 5

    with pytest.raises(DagError, match=r"outside of a DAG.*f\.function.*test_task_decorator\.py:\d+"):
        f()
    assert f.function() == 5


# -- the arguments of the task ---------------------------------------------------------------------------


def test_arguments_of_the_operator_are_given_to_the_decorator_and_overridden_by_name(run: Run) -> None:
    with DAG("override") as override:

        @task(retries=2, retry_delay=timedelta(hours=1))
        def flaky(ti: Any) -> int:
            if ti.try_number < 3:
                raise ValueError("not yet")
            return int(ti.try_number)

        flaky()
        flaky.override(task_id="impatient", retries=0)()
    told = run(override)
    assert told.tasks == {"flaky": "success", "impatient": "failed"}
    assert told.tries == {"flaky": 3, "impatient": 1}
    assert override.get_task("impatient").retry_delay == timedelta(hours=1)


def test_an_unknown_argument_of_the_decorator_is_named() -> None:
    @task(retrys=2)
    def f() -> None: ...

    with pytest.raises(DagError, match=r"takes no argument 'retrys' \(did you mean 'retries'\?\)"), DAG("d"):
        f()


def test_ids_of_repeated_calls_are_numbered_in_each_group() -> None:
    @task
    def f() -> None: ...

    with DAG("ids") as ids:
        f(), f()
        with TaskGroup("g"):
            f(), f()
        f.override(task_id="f__7")()
        f()
    assert ids.task_ids == ["f", "f__1", "g.f", "g.f__1", "f__7", "f__8"]


# -- outputs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("annotation", [dict, dict[str, int], Mapping, Mapping[str, int], Point, "dict[str, int]", "Point"])
def test_a_function_that_returns_a_mapping_pushes_each_key(run: Run, annotation: Any) -> None:
    def make():
        return {"x": 1, "y": 2}

    make.__annotations__["return"] = annotation
    with DAG("keys") as keys:
        made = task(make)()

        @task
        def add(x: int, y: int) -> int:
            return x + y

        add(made["x"], made["y"])
    told = run(keys)
    assert told.pushed("make") == {"x", "y", "return_value"}
    assert told.xcom("add") == 3


@pytest.mark.parametrize("annotation", [int, list[dict[str, int]], "list", None, "NotDefinedAnywhere", Any])
def test_other_annotations_push_one_value(run: Run, annotation: Any) -> None:
    def make():
        return {"x": 1}

    make.__annotations__["return"] = annotation
    with DAG("whole") as whole:
        task(make)()
    assert run(whole).pushed("make") == {"return_value"}


def test_multiple_outputs_can_be_said_or_denied(run: Run) -> None:
    with DAG("said") as said:

        @task(multiple_outputs=False)
        def whole() -> dict[str, int]:
            return {"x": 1}

        @task(multiple_outputs=True)
        def keys():
            return {"x": 1}

        whole()
        keys()
    told = run(said)
    assert (told.pushed("whole"), told.pushed("keys")) == ({"return_value"}, {"x", "return_value"})


def test_an_output_that_was_not_pushed_fails_who_needs_it_by_name(run: Run) -> None:
    with DAG("missing") as missing:

        @task
        def make() -> Any:
            return {"x": 1}

        @task
        def need(x: Any) -> Any:
            return x

        made: XComArg = make()
        need(made["x"])
    assert "task 'make' did not push 'x'" in run(missing).reasons["need"]


def test_the_output_of_a_skipped_task_is_none_for_who_runs_all_the_same(run: Run) -> None:
    with DAG("skipped") as skipped:

        @task
        def make() -> int:
            raise SkipTask

        @task(trigger_rule="all_done")
        def need(x: Any) -> str:
            return repr(x)

        need(make())
    assert run(skipped).xcom("need") == "None"


# -- variants --------------------------------------------------------------------------------------------


def test_what_airflow_has_and_flowlet_has_not_is_said_in_so_many_words() -> None:
    with pytest.raises(DagError, match=r"@task\.docker comes with the package apache-airflow-providers-docker"):
        task.docker  # noqa: B018  the look-up is the test
    with pytest.raises(AttributeError, match=r"no decorator @task\.brunch \(did you mean 'branch'\?\)"):
        task.brunch  # noqa: B018  as above


def test_task_python_is_task(run: Run) -> None:
    with DAG("python") as python:

        @task.python
        def f() -> int:
            return 1

        f()
    assert run(python).xcom("f") == 1
    assert python.spec.by_id["f"].operator == "@task"


def test_a_dag_function_passes_the_runs_params_to_its_tasks(run: Run) -> None:
    @dag(schedule=None)
    def etl(day: str = "monday", size: int = 3) -> None:
        """What it is for."""

        @task
        def show(day: str, size: int) -> list[Any]:
            return [day, size]

        show(day, size)

    built = etl(size=5)
    assert (built.dag_id, built.doc_md) == ("etl", "What it is for.")
    assert run(built).xcom("show") == ["monday", 5]
    assert run(built, conf={"day": "friday"}).xcom("show") == ["friday", 5]


# -- EmptyOperator ---------------------------------------------------------------------------------------


def test_an_empty_task_succeeds_without_being_executed(run: Run) -> None:
    with DAG("empty") as empty:
        EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")
    assert empty.spec.by_id["a"].bodyless
    assert run(empty).tasks == {"a": "success", "b": "success"}


@pytest.mark.parametrize("name", ["on_execute_callback", "on_success_callback", "pre_execute", "post_execute"])
def test_an_empty_task_that_is_listened_to_is_executed(run: Run, name: str) -> None:
    heard: list[str] = []
    with DAG("empty") as empty:
        EmptyOperator(task_id="a", **{name: lambda *_: heard.append(name)})
    assert not empty.spec.by_id["a"].bodyless
    assert run(empty).tasks == {"a": "success"}
    assert heard == [name]


def test_a_subclass_with_a_body_is_executed(run: Run) -> None:
    class NotEmpty(EmptyOperator):
        def execute(self, context: Any) -> str:
            return "body"

    with DAG("empty") as empty:
        NotEmpty(task_id="a")
    assert run(empty).xcom("a") == "body"
