"""Retry policies: what a task says of its own failures (Airflow: task-sdk test_retry_policy.py, test_task_runner.py)."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlet import DAG, BaseSensorOperator, Engine, FailTask, LocalExecutor, PythonOperator
from flowlet.authoring.retry_policy import (
    ExceptionRetryPolicy,
    RetryAction,
    RetryDecision,
    RetryPolicy,
    RetryRule,
)
from flowlet.errors import DagError, SensorTimeout

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Says(RetryPolicy):
    """Gives what it is told to give, or raises it; keeps what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> Any:
        self.asked.append({"exception": exception, "try": try_number, "max": max_tries, "context": context})
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def failing(policy: RetryPolicy | None, body: Any, **arguments: Any) -> DAG:
    given = {"retries": 2, "retry_delay": HOUR, **arguments}
    with DAG("failing") as dag:
        PythonOperator(task_id="body", python_callable=body, retry_policy=policy, **given)
    return dag


def raising(*errors: BaseException, seen: list[int] | None = None) -> Any:
    """A body that raises one after the other, then succeeds."""
    left = list(errors)

    def body() -> None:
        if seen is not None:
            seen.append(len(left))
        if left:
            raise left.pop(0)

    return body


def as_async(body: Any) -> Any:
    async def on_loop() -> None:
        body()

    return on_loop


@pytest.fixture(params=[lambda body: body, as_async], ids=["def", "async def"])
def either(request: pytest.FixtureRequest) -> Any:
    return request.param


def told(dag: DAG) -> dict[str, Any]:
    return dag.test(logical_date=NEW_YEAR).as_dict()


def took(dag: DAG) -> timedelta:
    story = told(dag)
    return datetime.fromisoformat(story["ended_at"]) - datetime.fromisoformat(story["started_at"])


def test_fail_ends_the_task_whatever_retries_are_left(either: Any) -> None:
    policy, seen = Says(RetryDecision.fail("no such user")), []
    dag = failing(policy, either(raising(ValueError("x"), ValueError("y"), seen=seen)))
    assert told(dag)["tasks"] == {"body": "failed"}
    assert len(seen) == 1
    (asked,) = policy.asked
    assert (str(asked["exception"]), asked["try"], asked["max"]) == ("x", 1, 2)
    assert asked["context"]["ti"].task_id == "body"


def test_retry_has_a_delay_of_its_own_that_no_other_rule_changes(either: Any) -> None:
    policy = Says(RetryDecision.retry(timedelta(hours=3)))
    body = either(raising(ValueError("x"), ValueError("y")))
    dag = failing(policy, body, max_retry_delay=MINUTE, retry_exponential_backoff=2.0)
    assert timedelta(hours=6) <= took(dag) < timedelta(hours=6, minutes=1)


def test_retry_without_a_delay_waits_as_the_task_says() -> None:
    assert HOUR <= took(failing(Says(RetryDecision.retry()), raising(ValueError("x")))) < HOUR + MINUTE


def test_a_delay_of_nothing_is_none() -> None:
    assert took(failing(Says(RetryDecision.retry(timedelta(0))), raising(ValueError("x")))) < MINUTE


def test_a_policy_gives_no_further_try_than_retries_do() -> None:
    seen: list[int] = []
    dag = failing(Says(RetryDecision.retry(MINUTE)), raising(*[ValueError(str(n)) for n in range(9)], seen=seen), retries=2)
    assert told(dag)["tasks"] == {"body": "failed"}
    assert len(seen) == 3


def test_what_is_final_is_not_asked_about() -> None:
    policy = Says(RetryDecision.retry(MINUTE))
    assert told(failing(policy, raising(FailTask("enough"))))["tasks"] == {"body": "failed"}
    assert told(failing(policy, raising(SensorTimeout("late"))))["tasks"] == {"body": "failed"}
    assert policy.asked == []


@pytest.mark.parametrize("answer", [RuntimeError("its own"), SystemExit(3), None, "retry", RetryDecision("odd")])
async def test_a_policy_that_fails_is_told_and_the_task_goes_on_as_without_it(answer: Any, either: Any) -> None:
    dag = failing(Says(answer), either(raising(ValueError("x"))), retry_delay=timedelta(0))
    async with Engine(dags=[dag]) as engine:
        run = await (await engine.trigger("failing")).wait()
        assert run.task_states == {"body": "success"}
        events = [(kind, text) for _, kind, *_, text in await engine.fetch("last_events", limit=9)]
    assert [kind for kind, _ in events] == ["retry_policy_failed"]
    assert events[0][1].startswith(("the retry policy Says raised ", "the retry policy Says called sys.exit(3)"))


def test_the_reason_says_who_decided() -> None:
    run = failing(Says(RetryDecision.fail("no such user")), raising(ValueError("x"))).test(logical_date=NEW_YEAR)
    assert run._run.tasks[0].reason == "ValueError: x (retry policy: fail, no such user)"


def test_a_failing_sensor_and_each_instance_of_a_mapped_task_are_asked_about() -> None:
    policy = Says(RetryDecision.fail())

    class Broken(BaseSensorOperator):
        def poke(self, context: Any) -> bool:
            raise ValueError(self.task_id)

    def body(x: int) -> None:
        raise ValueError(x)

    with DAG("failing") as dag:
        Broken(task_id="sensor", retries=2, retry_policy=policy)
        PythonOperator.partial(task_id="mapped", python_callable=body, retries=2, retry_policy=policy).expand(op_args=[[1], [2]])
    assert set(told(dag)["tasks"].values()) == {"failed"}
    assert sorted(str(asked["exception"]) for asked in policy.asked) == ["1", "2", "sensor"]


@pytest.mark.parametrize("kind", ["coroutine", "stubborn coroutine", "thread"])
async def test_a_body_that_ran_too_long_is_asked_about_and_never_on_the_loop(kind: str) -> None:
    """A thread that cannot be stopped is given up: its policy is asked in a thread, for it may block."""
    policy, here, enough = Says(RetryDecision.fail("too slow")), threading.get_ident(), threading.Event()
    where: list[int] = []
    ask = policy.evaluate
    policy.evaluate = lambda **facts: (where.append(threading.get_ident()), ask(**facts))[1]

    async def coroutine() -> None:
        await asyncio.Event().wait()

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    def thread() -> None:
        enough.wait(30)

    body = {"coroutine": coroutine, "stubborn coroutine": stubborn, "thread": thread}[kind]
    dag = failing(policy, body, execution_timeout=timedelta(milliseconds=20))
    async with Engine(dags=[dag], executor=LocalExecutor(patience=0.02)) as engine:
        run = await (await engine.trigger("failing")).wait()
        enough.set()
        assert run.task_states == {"body": "failed"}
        assert run._run.tasks[0].reason.endswith("(retry policy: fail, too slow)")
    (asked,) = policy.asked
    assert type(asked["exception"]).__name__ == "TaskTimeout"
    assert (where[0] == here) is (kind == "coroutine")


def test_rules_are_tried_in_order_and_the_first_that_matches_decides() -> None:
    policy = ExceptionRetryPolicy(
        [
            RetryRule(ConnectionResetError, RetryAction.RETRY, timedelta(hours=2)),
            RetryRule([ConnectionError, "builtins.TimeoutError"], RetryAction.FAIL, reason="down"),
            RetryRule("no.such.module.Error", RetryAction.FAIL),
            RetryRule(LookupError, RetryAction.FAIL, match_subclasses=False),
        ],
        default=RetryAction.DEFAULT,
    )

    def answer(error: BaseException) -> tuple[RetryAction, timedelta | None, str | None]:
        said = policy.evaluate(error, 1, 2)
        return said.action, said.retry_delay, said.reason

    assert answer(ConnectionResetError()) == (RetryAction.RETRY, timedelta(hours=2), "a rule for ConnectionResetError")
    assert answer(ConnectionRefusedError()) == (RetryAction.FAIL, None, "down")
    assert answer(TimeoutError()) == (RetryAction.FAIL, None, "down")
    assert answer(KeyError()) == (RetryAction.DEFAULT, None, None)
    assert answer(LookupError())[0] is RetryAction.FAIL
    assert ExceptionRetryPolicy.deserialize(policy.serialize()).serialize() == policy.serialize()


def test_what_is_no_policy_and_no_path_is_refused_where_it_is_written() -> None:
    with pytest.raises(DagError, match="retry_policy must be a RetryPolicy, not 'never'"):
        failing("never", raising())
    with pytest.raises(ValueError, match="'ValueError' of a RetryRule is no dotted path"):
        RetryRule("ValueError")
