"""Whatever a body does, its attempt ends with one outcome and one readable reason."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from flowlet import DAG, BashOperator, FailTask, SkipTask, task
from flowlet.errors import SensorTimeout, TaskTimeout
from flowlet.runs.values import decode
from flowlet.worker.logs import Logs
from flowlet.worker.worker import Worker
from flowlet.worker.workload import Outcome, Workload

Run = Callable[..., Outcome]
Both = Callable[[Callable[..., Any]], Callable[..., Any]]
Of = Callable[..., DAG]


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("never")

    __repr__ = __str__


class Sneaky(BaseException):
    pass


def raising(problem: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise problem

    return body


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (ValueError("no such thing"), "ValueError: no such thing"),
        (ValueError(), "ValueError"),
        (ValueError("two\nlines\t here"), "ValueError: two lines here"),
        (SystemExit(3), "the task called sys.exit(3)"),
        (SystemExit(), "the task called sys.exit()"),
        (SystemExit(0), "the task called sys.exit(0)"),
        (KeyboardInterrupt(), "the task was interrupted (KeyboardInterrupt)"),
        (GeneratorExit(), "GeneratorExit"),
        (StopAsyncIteration("x"), "StopAsyncIteration: x"),
        (asyncio.CancelledError(), "CancelledError"),
        (Sneaky("s"), "Sneaky: s"),
        (Unspeakable(), "Unspeakable: (its text cannot be shown: __str__ raised RuntimeError)"),
        (MemoryError(), "MemoryError"),
        (
            ExceptionGroup("several", [ValueError("a"), ExceptionGroup("more", [KeyError("b")])]),
            "several (2 sub-exceptions): ValueError: a; more (1 sub-exception): KeyError: 'b'",
        ),
        (BaseExceptionGroup("bad", [SystemExit(1)]), "bad (1 sub-exception): the task called sys.exit(1)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_is_raised_fails_the_attempt_readably(
    run: Run, both: Both, of: Of, problem: BaseException, reason: str
) -> None:
    outcome = run(of(both(raising(problem))))
    assert (outcome.kind, outcome.reason, outcome.retry) == ("failed", reason, True)
    assert outcome.exception is problem
    assert str(outcome.error).endswith(type(problem).__name__)


def test_stop_iteration_from_a_thread_and_from_a_coroutine(run: Run, of: Of) -> None:
    def ends() -> None:
        raise StopIteration(1)

    async def aends() -> None:
        raise StopIteration(1)

    assert run(of(ends)).reason == "StopIteration: 1"
    assert run(of(aends)).reason == "RuntimeError: coroutine raised StopIteration"


def test_a_deep_recursion_is_a_failure(run: Run, both: Both, of: Of) -> None:
    def body() -> None:
        body()

    outcome = run(of(both(body)))
    assert outcome.kind == "failed"
    assert str(outcome.reason).startswith("RecursionError: maximum recursion depth exceeded")


def test_a_long_reason_is_cut(run: Run, of: Of) -> None:
    reason = str(run(of(raising(ValueError("x" * 10_000)))).reason)
    assert len(reason) == 500
    assert reason.endswith("…")


def test_skip(run: Run, both: Both, of: Of) -> None:
    outcome = run(of(both(raising(SkipTask("not today")))))
    assert (outcome.kind, outcome.reason, outcome.error) == ("skipped", "not today", "SkipTask")
    assert run(of(both(raising(SkipTask())))).reason is None


@pytest.mark.parametrize(
    ("problem", "kind", "retry"),
    [
        (FailTask("no use"), "failed", False),
        (SensorTimeout("too late"), "timed_out", False),
        (TaskTimeout("too long"), "timed_out", True),
    ],
)
def test_what_a_task_may_raise_on_purpose(
    run: Run, both: Both, of: Of, problem: Exception, kind: str, retry: bool
) -> None:
    outcome = run(of(both(raising(problem))))
    assert (outcome.kind, outcome.retry) == (kind, retry)


# -- values -------------------------------------------------------------------------------------------


def test_the_returned_value_is_pushed(run: Run, both: Both, of: Of) -> None:
    outcome = run(of(both(lambda: {"a": 1})))
    assert outcome.kind == "succeeded"
    assert outcome.xcoms == (("return_value", '{"a":1}'),)


def test_none_is_not_pushed_and_nothing_without_do_xcom_push(run: Run, of: Of) -> None:
    def pushes(ti: Any) -> int:
        ti.xcom_push("k", 1)
        return 2

    assert run(of(lambda: None)).xcoms == ()
    assert run(of(lambda: 0)).xcoms == (("return_value", "0"),)
    assert run(of(pushes, do_xcom_push=False)).xcoms == (("k", "1"),)


def test_multiple_outputs_pushes_each_and_all(run: Run, of: Of) -> None:
    outcome = run(of(lambda: {"a": 1, "b": [2]}, multiple_outputs=True))
    assert dict(outcome.xcoms) == {"a": "1", "b": "[2]", "return_value": '{"a":1,"b":[2]}'}


@pytest.mark.parametrize(
    ("value", "said"),
    [([1], "must return a dict, not list"), ({1: 2}, "must return a dict with str keys, not 1")],
)
def test_multiple_outputs_needs_a_dict_with_str_keys(run: Run, of: Of, value: Any, said: str) -> None:
    outcome = run(of(lambda: value, multiple_outputs=True))
    assert outcome.kind == "failed"
    assert said in str(outcome.reason)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "XCom 'return_value' of task 'body': an XCom cannot hold an object of type object"),
        (float("nan"), "the float nan"),
        ("x" * 200, "the value is at least 202 bytes as JSON, the limit is 100"),
    ],
)
def test_a_value_that_cannot_be_kept_fails_the_attempt(
    clock: Any, logs: Logs, workload: Callable[..., Workload], of: Of, both: Both, value: Any, said: str
) -> None:
    worker = Worker(clock=clock, logs=logs, xcom_limit=100)
    try:
        attempt = worker.begin(workload(of(both(lambda: value))))
        finish = (lambda: asyncio.run(attempt.run())) if attempt.work.task.is_async else attempt.run_sync
        outcome = contextvars.copy_context().run(finish)
    finally:
        worker.close()
    assert (outcome.kind, outcome.error) == ("failed", "XComError")
    assert said in str(outcome.reason)


@pytest.mark.parametrize("ending", [ValueError("x"), SkipTask("x"), FailTask("x")])
def test_what_was_pushed_before_is_kept_with_any_outcome(
    run: Run, both: Both, of: Of, ending: Exception
) -> None:
    def body(ti: Any) -> None:
        ti.xcom_push("so far", 3)
        raise ending

    assert run(of(both(body))).xcoms == (("so far", "3"),)


def test_a_pushed_value_is_what_it_was_when_it_was_pushed(run: Run, of: Of) -> None:
    def body(ti: Any) -> Any:
        value = [1]
        ti.xcom_push("k", value)
        value.append(2)
        ti.xcom_pull(key="k").append(3)
        return ti.xcom_pull(key="k")

    assert dict(run(of(body)).xcoms) == {"k": "[1]", "return_value": "[1]"}


@pytest.mark.parametrize("key", ["", 1, None])
def test_a_key_is_a_non_empty_str(run: Run, of: Of, key: Any) -> None:
    assert "must be a non-empty str" in str(run(of(lambda ti: ti.xcom_push(key, 1))).reason)


@attrs.define
class Reading:
    value: int


def test_classes_of_the_modules_of_a_dag_need_no_registration(run: Run, of: Of, xcoms: Any) -> None:
    outcome = run(of(lambda: Reading(4)))
    text = '{"__type__":"object","class":"Reading","fields":{"value":4}}'
    assert outcome.xcoms == (("return_value", text),)
    assert decode(text, {"Reading": Reading}) == Reading(4)
    xcoms.rows["dag", "run", "up", "return_value"] = {-1: text}
    assert run(of(lambda ti: ti.xcom_pull("up").value)).xcoms == (("return_value", "4"),)


# -- around the body ----------------------------------------------------------------------------------


def test_the_operator_of_the_dag_is_never_written(run: Run, of: Of) -> None:
    def body(task: Any) -> None:
        task.note = "mine"
        task.op_args = (1,)

    dag = of(body)
    before = dict(vars(dag.get_task("body")))
    assert run(dag).kind == "succeeded"
    assert vars(dag.get_task("body")) == before


def test_hooks_run_around_the_body(run: Run, both: Both, of: Of) -> None:
    seen: list[Any] = []
    dag = of(
        both(lambda: seen.append("body") or 5),  # append gives None
        pre_execute=lambda context: seen.append(("before", context["ti"].task_id)),
        post_execute=lambda _, result: seen.append(("after", result)),
    )
    run(dag)
    assert seen == [("before", "body"), "body", ("after", 5)]


def test_a_hook_that_raises_fails_the_attempt(run: Run, both: Both, of: Of) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("refused")

    assert run(of(both(lambda: 1), pre_execute=refuse)).reason == "ValueError: refused"
    assert run(of(both(lambda: 1), post_execute=refuse)).kind == "failed"


def test_wishes_to_skip_go_with_a_success_only(run: Run, of: Of) -> None:
    def body(ti: Any) -> None:
        ti.skip(["b", "a"])

    def fails(ti: Any) -> None:
        ti.skip(["b"])
        raise ValueError

    assert run(of(body)).skip == ("b", "a")
    assert run(of(fails)).skip == ()


def test_a_cancellation_by_somebody_else_goes_on_as_one(
    worker: Worker, workload: Callable[..., Workload], of: Of
) -> None:
    begun = asyncio.Event()

    async def body() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def story() -> bool:
        running = asyncio.get_running_loop().create_task(worker.begin(workload(of(body))).run())
        await begun.wait()
        running.cancel()
        await asyncio.wait({running})
        return running.cancelled()

    assert asyncio.run(story())


def test_values_of_upstreams_arrive_wherever_they_stand(run: Run, xcoms: Any) -> None:
    with DAG("dag") as dag:

        @task
        def up() -> int:
            return 1

        @task
        async def body(x: int, *, words: list[Any]) -> Any:
            return [x, words]

        body(up(), words=[up(), {"deep": (up(),)}])
    for task_id, value in (("up", 1), ("up__1", 2), ("up__2", 3)):
        xcoms.put(task_id, value)
    assert decode(run(dag).xcoms[0][1]) == [1, [2, {"deep": (3,)}]]


def test_the_reason_says_in_which_field_a_template_failed(run: Run) -> None:
    with DAG("dag") as dag:
        BashOperator(task_id="body", bash_command="echo {{ nothing_like_it }}")
    assert (
        run(dag).reason
        == "UndefinedError: 'nothing_like_it' is undefined (in the template field 'bash_command')"
    )
