"""Whatever somebody's code raises, and wherever: a failed attempt with a reason, and the loop lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flowlet import DAG, BashOperator, EmptyOperator, PythonOperator, TriggerRule

pytestmark = pytest.mark.anyio


class Mute(Exception):
    """An exception that shows nothing of itself."""

    def __str__(self) -> str:
        raise SystemExit("from __str__")

    __repr__ = __str__


class Vexing(Exception):
    """An exception that raises whatever is asked of it."""

    @property
    def __notes__(self) -> list[str]:
        raise KeyboardInterrupt


def recursing() -> None:
    recursing()


RAISED: dict[str, tuple[Callable[[], BaseException], str]] = {
    "exception": (lambda: ValueError("x"), "ValueError: x"),
    "silent": (ValueError, "ValueError"),
    "base": (lambda: BaseException("x"), "BaseException: x"),
    "exit_0": (lambda: SystemExit(0), "the task called sys.exit(0)"),
    "exit_1": (lambda: SystemExit(1), "the task called sys.exit(1)"),
    "exit_text": (lambda: SystemExit("bye"), "the task called sys.exit('bye')"),
    "interrupt": (KeyboardInterrupt, "the task was interrupted (KeyboardInterrupt)"),
    "generator_exit": (GeneratorExit, "GeneratorExit"),
    "stop": (lambda: StopIteration(1), "StopIteration: 1"),
    "stop_async": (StopAsyncIteration, "StopAsyncIteration"),
    "cancelled": (asyncio.CancelledError, "CancelledError"),
    "group": (
        lambda: ExceptionGroup("two", [ValueError("a"), KeyError("b")]),
        "two (2 sub-exceptions): ValueError: a; KeyError: 'b'",
    ),
    "base_group": (
        lambda: BaseExceptionGroup("one", [KeyboardInterrupt()]),
        "one (1 sub-exception): the task was interrupted (KeyboardInterrupt)",
    ),
    "mute": (Mute, "Mute: (its text cannot be shown: __str__ raised SystemExit)"),
    "vexing": (lambda: Vexing("x"), "Vexing: x"),
    "memory": (MemoryError, "MemoryError"),
}
#: A coroutine cannot raise StopIteration: Python says what it made of it (PEP 479).
OF_A_COROUTINE = {"stop": "RuntimeError: coroutine raised StopIteration"}


def raising(make: Callable[[], BaseException], *, asynchronous: bool) -> Callable[[], Any]:
    def call() -> None:
        raise make()

    async def coroutine() -> None:
        raise make()

    return coroutine if asynchronous else call


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async def"])
async def test_a_body_that_raises_fails_with_a_reason_and_the_rest_goes_on(
    engine_of: Any, book: Any, asynchronous: bool
) -> None:
    with DAG("raising") as dag:
        after = PythonOperator(task_id="zz_after", python_callable=lambda: 1, trigger_rule=TriggerRule.ALL_DONE)
        for name, (make, _) in RAISED.items():
            body = raising(make, asynchronous=asynchronous)
            PythonOperator(task_id=name, python_callable=body) >> after
        PythonOperator(task_id="recursing", python_callable=recursing) >> after
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("raising")).wait()
    expected = {name: reason for name, (_, reason) in RAISED.items()}
    expected |= OF_A_COROUTINE if asynchronous else {}
    *failed, after_row = book.attempts()
    reasons = {task_id: reason for task_id, _, outcome, reason in failed if outcome == "failed"}
    assert reasons.pop("recursing").startswith("RecursionError: maximum recursion depth exceeded")
    assert reasons == expected
    assert after_row == ("zz_after", 1, "succeeded", None)
    assert {run.task_states[name] for name in expected} == {"failed"}
    assert run.state == "success"
    assert book.events() == []
    assert "raise make()" in book.log(run, "exception")


class Hooked(PythonOperator):
    """Raises beside its body."""

    def __init__(self, *, at: str, problem: BaseException, **kwargs: Any) -> None:
        super().__init__(python_callable=lambda: 1, **kwargs)
        self._at, self._problem = at, problem

    def _maybe(self, place: str) -> None:
        if place == self._at:
            raise self._problem

    def pre_execute(self, context: Any) -> None:
        self._maybe("pre_execute")

    def post_execute(self, context: Any, result: Any = None) -> None:
        self._maybe("post_execute")

    def copy_for_attempt(self) -> Any:
        self._maybe("copy")
        return super().copy_for_attempt()

    @property
    def is_async(self) -> bool:
        if getattr(self, "_at", None) == "is_async":
            raise self._problem
        return False


@pytest.mark.parametrize("problem", [ValueError("x"), SystemExit(3), asyncio.CancelledError(), StopIteration()])
@pytest.mark.parametrize("at", ["pre_execute", "post_execute", "copy", "is_async"])
async def test_code_beside_the_body_that_raises_fails_the_attempt(
    engine_of: Any, book: Any, at: str, problem: BaseException
) -> None:
    with DAG("hooked") as dag:
        Hooked(task_id="body", at=at, problem=problem)
        EmptyOperator(task_id="other")
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("hooked")).wait()
        assert (await (await engine.trigger("hooked")).wait()).state == "failed"
    assert run.task_states == {"body": "failed", "other": "success"}
    ((_, _, outcome, reason), *_) = book.attempts()
    assert outcome == "failed"
    expected = "the task called sys.exit(3)" if isinstance(problem, SystemExit) else type(problem).__name__
    assert expected in reason


class Unready:
    """What a template asks for."""

    def __init__(self, problem: BaseException) -> None:
        self._problem = problem

    @property
    def now(self) -> str:
        raise self._problem


async def test_templates_that_raise_fail_the_attempt_and_name_the_field(engine_of: Any, book: Any) -> None:
    macros = {"bad": Unready(ValueError("x")), "leaves": Unready(SystemExit(2))}
    with DAG("templates", user_defined_macros=macros) as dag:
        BashOperator(task_id="bad", bash_command="echo {{ bad.now }}")
        BashOperator(task_id="leaves", bash_command="echo {{ leaves.now }}")
        BashOperator(task_id="missing", bash_command="echo {{ nobody }}")
        BashOperator(task_id="syntax", bash_command="echo {{ ds")
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("templates")).wait()
    assert set(run.task_states.values()) == {"failed"}
    reasons = {task_id: reason for task_id, _, _, reason in book.attempts()}
    assert reasons["bad"].startswith("ValueError: x (")
    assert reasons["leaves"] == "the task called sys.exit(2)"
    assert reasons["missing"].startswith("UndefinedError: 'nobody' is undefined (")
    assert reasons["syntax"].startswith("TemplateSyntaxError")
    for task_id in ("bad", "missing", "syntax"):
        assert "bash_command" in reasons[task_id]


async def test_a_command_and_what_stands_around_it(engine_of: Any, book: Any) -> None:
    def bad(_: str) -> None:
        raise StopIteration

    class BadHook(BashOperator):
        def post_execute(self, context: Any, result: Any = None) -> None:
            raise KeyboardInterrupt

    with DAG("shell") as dag:
        BashOperator(task_id="code", bash_command="exit 3")
        BashOperator(task_id="hook", bash_command="echo 1", output_processor=bad)
        BadHook(task_id="interrupted", bash_command="true")
        BashOperator(task_id="killed", bash_command="kill -9 $$")
        BashOperator(task_id="skips", bash_command="exit 99")
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("shell")).wait()
    assert {name: str(state) for name, state in run.task_states.items()} == {
        "code": "failed", "hook": "failed", "interrupted": "failed", "killed": "failed", "skips": "skipped",
    }  # fmt: skip
    reasons = {task_id: reason for task_id, _, _, reason in book.attempts()}
    assert reasons["code"] == "FlowletError: the command ended with exit code 3"
    assert reasons["hook"] == "RuntimeError: coroutine raised StopIteration"
    assert reasons["interrupted"] == "the task was interrupted (KeyboardInterrupt)"
    assert reasons["killed"] == "FlowletError: the command was killed by signal 9 (SIGKILL)"


# -- callbacks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async def"])
@pytest.mark.parametrize(
    ("problem", "deed"),
    [
        (ValueError("x"), "raised ValueError: x"),
        (SystemExit(1), "called sys.exit(1)"),
        (KeyboardInterrupt(), "raised the task was interrupted (KeyboardInterrupt)"),
        (asyncio.CancelledError(), "raised CancelledError"),
    ],
)
async def test_a_callback_that_raises_is_an_event_and_changes_no_state(
    engine_of: Any, book: Any, problem: BaseException, deed: str, asynchronous: bool
) -> None:
    def call(_: Any) -> None:
        raise problem

    async def coroutine(_: Any) -> None:
        raise problem

    bad = coroutine if asynchronous else call
    with DAG("called", on_success_callback=bad) as dag:
        PythonOperator(
            task_id="body", python_callable=lambda: 1, on_success_callback=bad, on_execute_callback=bad
        )
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("called")).wait()
    assert run.state == "success"
    assert book.attempts() == [("body", 1, "succeeded", None)]
    name = bad.__qualname__
    assert sorted(book.events(), key=str) == sorted(
        [
            ("callback_failed", "body", f"on_execute_callback {name} {deed}"),
            ("callback_failed", "body", f"on_success_callback {name} {deed}"),
            ("callback_failed", None, f"on_success_callback {name} {deed}"),
        ],
        key=str,
    )


async def test_a_callback_without_a_context_to_be_given_is_told_and_the_engine_lives(engine_of: Any, book: Any) -> None:
    called: list[Any] = []

    class Fickle(PythonOperator):
        def copy_for_attempt(self) -> Any:
            raise ValueError("no copy")

    with DAG("poor") as dag:
        Fickle(task_id="body", python_callable=lambda: 1, on_failure_callback=called.append)
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("poor")).wait()
        assert (await (await engine.trigger("poor")).wait()).state == "failed"
    assert run.state == "failed"
    assert called == []
    ((kind, task_id, text), _) = book.events()
    assert (kind, task_id) == ("callback_failed", "body")
    assert text == "on_failure_callback could not be called: ValueError: no copy"


async def test_callbacks_that_never_end_are_left_to_themselves_and_the_engine_stops(
    engine_of: Any, book: Any, monkeypatch: pytest.MonkeyPatch, gate: Any
) -> None:
    monkeypatch.setattr("flowlet.worker.callbacks.PATIENCE", 0.05)

    def stays(_: Any) -> None:
        gate.wait()

    async def swallows(_: Any) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    with DAG("stuck") as dag:
        PythonOperator(task_id="body", python_callable=lambda: 1, on_success_callback=[stays, swallows])
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("stuck")).wait()
    assert run.state == "success"
    texts = [text for _, _, text in book.events()]
    assert len(texts) == 2
    for text in texts:
        assert text.endswith("took longer than 0.05 s and was left to itself")


async def test_the_end_of_the_engine_does_not_wait_for_a_callback_for_ever(
    engine_of: Any, book: Any, monkeypatch: pytest.MonkeyPatch, gate: Any
) -> None:
    monkeypatch.setattr("flowlet.engine.wiring.MAY_TAKE", 0.05)

    def stays(_: Any) -> None:
        gate.wait()

    with DAG("stuck", on_success_callback=stays) as dag:
        PythonOperator(task_id="body", python_callable=lambda: 1, on_success_callback=[stays] * 3)
    async with engine_of(dag) as engine:
        await (await engine.trigger("stuck")).wait()
    texts = sorted(text for _, _, text in book.events())
    assert texts == ["on_success_callback had not ended when the engine was stopped"] * 2
