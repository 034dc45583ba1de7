"""PythonOperator: how its callable is called, and what becomes of what it gives."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from flowlet import DAG, DagError, FailTask, PythonOperator, SkipTask, get_current_context
from flowlet.errors import FlowletError, XComError

Run = Callable[..., Any]


def output_of(run: Run, python_callable: Callable[..., Any], **arguments: Any) -> Any:
    """What a task with this callable returns."""
    with DAG("calling") as dag:
        PythonOperator(task_id="call", python_callable=python_callable, **arguments)
    told = run(dag)
    assert told.state == "success", told.reasons
    return told.story["xcoms"].get("call:return_value")


# -- arguments -------------------------------------------------------------------------------------------


def test_positional_and_named_arguments_reach_the_callable_rendered(run: Run) -> None:
    def join(a: str, b: str, *, c: str) -> list[str]:
        return [a, b, c]

    found = output_of(run, join, op_args=["{{ ds }}", "plain"], op_kwargs={"c": "{{ task.task_id }}"})
    assert found == ["2026-01-01", "plain", "call"]


def test_a_callable_gets_of_the_context_what_it_names(run: Run) -> None:
    def named(ds: str, ti: Any, *, params: dict[str, Any]) -> list[Any]:
        return [ds, ti.task_id, dict(params)]

    assert output_of(run, named, params={"x": 1}) == ["2026-01-01", "call", {"x": 1}]


def test_a_callable_with_kwargs_gets_the_whole_context_and_its_own_arguments(run: Run) -> None:
    def takes_all(**context: Any) -> list[Any]:
        return [context["mine"], context["ds"], context["ti"].task_id, "dag_run" in context]

    assert output_of(run, takes_all, op_kwargs={"mine": 5}) == [5, "2026-01-01", "call", True]


def test_own_arguments_stand_above_the_context(run: Run) -> None:
    assert output_of(run, lambda ds: ds, op_kwargs={"ds": "mine"}) == "mine"


def test_a_context_name_with_a_default_is_filled_and_another_default_is_kept(run: Run) -> None:
    assert output_of(run, lambda ds=None, other=None: [ds, other]) == ["2026-01-01", None]


def test_what_the_callable_does_not_name_is_not_passed_to_it(run: Run) -> None:
    """Airflow's rule (`KeywordParameters.determine`): only a callable with **kwargs gets the rest."""
    assert output_of(run, lambda a: a, op_kwargs={"a": 1, "surplus": 2}) == 1


def test_a_name_of_the_context_cannot_be_given_by_position(run: Run) -> None:
    with DAG("reserved") as dag:
        PythonOperator(task_id="call", python_callable=lambda ds: ds, op_args=["x"])
    assert "'ds'" in run(dag).reasons["call"]


def test_a_missing_argument_fails_the_task_and_names_it(run: Run) -> None:
    with DAG("missing") as dag:
        PythonOperator(task_id="call", python_callable=lambda wanted: wanted)
    assert "wanted" in run(dag).reasons["call"]


def test_templates_dict_is_rendered_and_offered(run: Run) -> None:
    def read(templates_dict: dict[str, str]) -> str:
        return templates_dict["day"]

    assert output_of(run, read, templates_dict={"day": "{{ ds_nodash }}"}) == "20260101"


def test_an_output_of_another_task_arrives_as_a_value(run: Run) -> None:
    with DAG("flow") as dag:
        first = PythonOperator(task_id="first", python_callable=lambda: {"deep": [1, 2]})
        PythonOperator(task_id="second", python_callable=lambda x, y: [x, y], op_args=[first.output], op_kwargs={"y": [first.output]})
    assert dag.get_task("second").upstream_task_ids == {"first"}
    assert run(dag).xcom("second") == [{"deep": [1, 2]}, [{"deep": [1, 2]}]]


# -- kinds of callables ----------------------------------------------------------------------------------


class Adder:
    def __init__(self, base: int) -> None:
        self.base = base

    def __call__(self, x: int, ds: str) -> list[Any]:
        return [self.base + x, ds]

    def method(self, ds: str) -> list[Any]:
        return [self.base, ds]

    async def on_loop(self, ds: str) -> list[Any]:
        return [self.base, ds]

    @staticmethod
    def static(ds: str) -> str:
        return ds

    @classmethod
    def of_class(cls, ds: str) -> list[str]:
        return [cls.__name__, ds]


async def slowly(x: int, ds: str) -> list[Any]:
    return [x, ds]


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return ["wrapped", function(*args, **kwargs)]

    return outer


@pytest.mark.parametrize(
    ("python_callable", "arguments", "expected"),
    [
        (slowly, {"op_args": [1]}, [1, "2026-01-01"]),
        (functools.partial(slowly, 2), {}, [2, "2026-01-01"]),
        (functools.partial(lambda a, b, ds: [a, b, ds], 1, b=2), {}, [1, 2, "2026-01-01"]),
        (Adder(10), {"op_args": [5]}, [15, "2026-01-01"]),
        (Adder(10).method, {}, [10, "2026-01-01"]),
        (Adder(10).on_loop, {}, [10, "2026-01-01"]),
        (functools.partial(Adder(10).on_loop), {}, [10, "2026-01-01"]),
        (Adder.static, {}, "2026-01-01"),
        (Adder.of_class, {}, ["Adder", "2026-01-01"]),
        (wrapped(lambda ds: ds), {}, ["wrapped", "2026-01-01"]),
        (max, {"op_args": [[1, 3, 2]]}, 3),
        (str.upper, {"op_args": ["abc"]}, "ABC"),
    ],
    ids=[
        "async def", "partial of async def", "partial", "object", "method", "async method",
        "partial of async method", "static method", "class method", "wrapped", "builtin", "method descriptor",
    ],
)  # fmt: skip
def test_any_callable_is_called_as_it_asks(
    run: Run, python_callable: Callable[..., Any], arguments: dict[str, Any], expected: Any
) -> None:
    assert output_of(run, python_callable, **arguments) == expected


@pytest.mark.parametrize(
    ("python_callable", "on_loop"),
    [
        (slowly, True),
        (functools.partial(functools.partial(slowly, 1), ds="x"), True),
        (Adder(1).on_loop, True),
        (Adder(1), False),
        (print, False),
        (lambda: slowly(1, ""), False),
    ],
)
def test_what_is_async_is_known_before_it_is_called(python_callable: Callable[..., Any], on_loop: bool) -> None:
    with DAG("d"):
        assert PythonOperator(task_id="call", python_callable=python_callable).is_async is on_loop


def test_a_coroutine_that_a_plain_function_gives_is_run_to_its_end(run: Run) -> None:
    assert output_of(run, lambda ds: slowly(7, ds)) == [7, "2026-01-01"]


def test_async_bodies_run_on_the_loop_and_others_in_a_thread(run: Run) -> None:
    import threading

    names: dict[str, str] = {}

    async def on_loop() -> None:
        names["loop"] = threading.current_thread().name

    def in_thread() -> None:
        names["thread"] = threading.current_thread().name

    with DAG("places") as dag:
        PythonOperator(task_id="a", python_callable=on_loop)
        PythonOperator(task_id="b", python_callable=in_thread)
    run(dag)
    assert names["loop"] == threading.current_thread().name
    assert names["thread"] != names["loop"]


def test_a_generator_is_run_to_its_end_and_returns_its_output(run: Run) -> None:
    reached: list[str] = []

    def steps(ds: str) -> Iterator[int]:
        yield 1
        yield 2
        reached.append(ds)
        return "done"

    with DAG("generating") as dag:
        PythonOperator(task_id="steps", python_callable=steps)
    told = run(dag, logs=True)
    assert (told.xcom("steps"), reached) == ("done", ["2026-01-01"])
    assert told.log("steps").count("Ignoring what the task yielded, of type int") == 2


def test_an_async_generator_gives_the_list_of_what_it_yields(run: Run) -> None:
    async def numbers(ds: str) -> AsyncIterator[Any]:
        yield 1
        yield ds

    assert output_of(run, numbers) == [1, "2026-01-01"]


def test_a_generator_that_is_only_a_value_is_refused_as_one(run: Run) -> None:
    with DAG("value") as dag:
        PythonOperator(task_id="call", python_callable=lambda: (n for n in [1]))
    assert "generator" in run(dag).reasons["call"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"python_callable": "print"}, "python_callable must be callable, not 'print'"),
        ({"op_args": 5}, "op_args must be a list or a tuple, not 5"),
        ({"op_kwargs": [1]}, "op_kwargs must be a dict, not [1]"),
    ],
)
def test_what_cannot_be_called_is_refused_where_it_is_written(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(DagError, match=r"'call' of DAG 'd'.*test_python_operator\.py:\d+") as caught, DAG("d"):
        PythonOperator(task_id="call", **{"python_callable": print, **arguments})
    assert words in str(caught.value)


def test_arguments_may_be_the_output_of_a_task_or_a_template(run: Run) -> None:
    with DAG("whole", render_template_as_native_obj=True) as dag:
        args = PythonOperator(task_id="args", python_callable=lambda: [1, 2])
        PythonOperator(task_id="add", python_callable=lambda a, b: a + b, op_args=args.output)
        PythonOperator(task_id="native", python_callable=lambda n: n, op_kwargs="{{ {'n': 5} }}")
    assert dag.get_task("add").upstream_task_ids == {"args"}
    told = run(dag)
    assert (told.xcom("add"), told.xcom("native")) == (3, 5)


# -- outputs ---------------------------------------------------------------------------------------------


def test_nothing_returned_pushes_nothing(run: Run) -> None:
    with DAG("nothing") as dag:
        PythonOperator(task_id="none", python_callable=lambda: None)
        PythonOperator(task_id="kept_back", python_callable=lambda: 1, do_xcom_push=False)
    told = run(dag)
    assert (told.pushed("none"), told.pushed("kept_back")) == (set(), set())


def test_multiple_outputs_push_each_key_and_the_whole(run: Run) -> None:
    with DAG("many") as dag:
        PythonOperator(task_id="many", python_callable=lambda: {"a": 1, "b": None}, multiple_outputs=True)
    told = run(dag)
    assert told.pushed("many") == {"a", "b", "return_value"}
    assert (told.xcom("many", "a"), told.xcom("many")) == (1, {"a": 1, "b": None})


@pytest.mark.parametrize("wrong", [[1], {1: "a"}])
def test_multiple_outputs_need_a_dict_with_string_keys(run: Run, wrong: Any) -> None:
    with DAG("many") as dag:
        PythonOperator(task_id="many", python_callable=lambda: wrong, multiple_outputs=True)
    assert "multiple_outputs must return a dict" in run(dag).reasons["many"]


@pytest.mark.parametrize("wrong", [[1], {1: "a"}])
def test_the_wrong_shape_for_multiple_outputs_is_a_type_error_to_callbacks(run: Run, wrong: Any) -> None:
    seen: list[BaseException] = []
    with DAG("many") as dag:
        PythonOperator(
            task_id="many",
            python_callable=lambda: wrong,
            multiple_outputs=True,
            on_failure_callback=lambda context: seen.append(context["exception"]),
        )
    run(dag)
    assert [(isinstance(error, TypeError), isinstance(error, XComError)) for error in seen] == [(True, True)]


def test_the_returned_value_is_logged_only_if_asked_for(run: Run) -> None:
    with DAG("logging") as dag:
        PythonOperator(task_id="said", python_callable=lambda: "the value", show_return_value_in_logs=True)
    assert "Returned value was: the value" in run(dag, logs=True).log("said")


# -- what a body may raise, and where it may look --------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_skip_task_skips_and_fail_task_fails_without_a_retry(run: Run, kind: str) -> None:
    def as_asked(error: Exception) -> Callable[[], Any]:
        def raises() -> None:
            raise error

        async def raises_on_loop() -> None:
            raise error

        return raises if kind == "def" else raises_on_loop

    with DAG("raising") as dag:
        PythonOperator(task_id="skip", python_callable=as_asked(SkipTask("not today")), retries=2)
        PythonOperator(task_id="fail", python_callable=as_asked(FailTask("never")), retries=2)
        PythonOperator(task_id="retry", python_callable=as_asked(ValueError("again")), retries=2)
    told = run(dag)
    assert told.tasks == {"skip": "skipped", "fail": "failed", "retry": "failed"}
    assert told.tries == {"skip": 1, "fail": 1, "retry": 3}
    assert told.reasons["skip"] == "not today"


def test_get_current_context_is_that_of_the_running_task_in_threads_and_coroutines(run: Run) -> None:
    def deep() -> list[str]:
        context = get_current_context()
        return [context["ti"].task_id, context["ds"]]

    async def deep_async() -> list[str]:
        return deep()

    with DAG("context") as dag:
        PythonOperator(task_id="sync", python_callable=deep)
        PythonOperator(task_id="on_loop", python_callable=deep_async)
    told = run(dag)
    assert told.xcom("sync") == ["sync", "2026-01-01"]
    assert told.xcom("on_loop") == ["on_loop", "2026-01-01"]


def test_get_current_context_outside_of_a_task_says_so() -> None:
    with pytest.raises(FlowletError, match="outside of a running task"):
        get_current_context()


def test_an_attempt_never_writes_on_the_dags_operator(run: Run) -> None:
    class Writing(PythonOperator):
        def execute(self, context: Any) -> Any:
            self.op_args = ["overwritten"]
            self.seen = True
            return super().execute(context)

    with DAG("copying") as dag:
        task = Writing(task_id="w", python_callable=lambda x: x, op_args=["{{ ds }}"])
    assert run(dag).xcom("w") == "overwritten"
    assert task.op_args == ["{{ ds }}"]
    assert not hasattr(task, "seen")


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_subclass_may_put_another_call_in_the_place_of_the_call(run: Run, kind: str) -> None:
    class Doubling(PythonOperator):
        def execute_callable(self) -> Any:
            return 2 * super().execute_callable()

        async def aexecute_callable(self) -> Any:
            return 2 * await super().aexecute_callable()

    async def on_loop(ds: str) -> str:
        return ds

    async def short() -> int:
        return 3

    with DAG("doubling") as dag:
        Doubling(task_id="call", python_callable=on_loop if kind == "async def" else lambda ds: ds)
        Doubling(task_id="short", python_callable=short if kind == "async def" else lambda: 3)
    told = run(dag)
    assert (told.xcom("call"), told.xcom("short")) == ("2026-01-012026-01-01", 6)


def test_hooks_run_before_and_after_the_body_with_its_result(run: Run) -> None:
    seen: list[Any] = []
    with DAG("hooks") as dag:
        PythonOperator(
            task_id="call",
            python_callable=lambda: seen.append("body") or 5,
            pre_execute=lambda context: seen.append(context["ds"]),
            post_execute=lambda context, result: seen.append(result),
        )
    run(dag)
    assert seen == ["2026-01-01", "body", 5]
