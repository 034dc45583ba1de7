"""Operators that users write: `execute`, `aexecute`, template fields, logs, hooks, odd classes."""

from __future__ import annotations

import abc
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, BaseOperator, PythonOperator, get_current_context

Run = Callable[..., Any]


class Shouting(BaseOperator):
    template_fields = ("text", "more")
    template_ext = (".txt",)

    def __init__(self, *, text: Any, more: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text, self.more = text, more

    def execute(self, context: Any) -> Any:
        return [self.text, self.more]


def test_template_fields_are_rendered_before_the_body(run: Run, tmp_path: Path) -> None:
    (tmp_path / "word.txt").write_text("from a file, {{ ds }}")
    with DAG("own", template_searchpath=[str(tmp_path)]) as dag:
        first = PythonOperator(task_id="first", python_callable=lambda: 5)
        Shouting(task_id="shout", text="word.txt", more={"k": ["{{ ds }}", first.output]})
    assert run(dag).xcom("shout") == ["from a file, 2026-01-01", {"k": ["2026-01-01", 5]}]
    assert dag.get_task("shout").upstream_task_ids == {"first"}


def test_a_field_that_the_body_sets_can_be_rendered_by_it(run: Run) -> None:
    class Late(Shouting):
        def execute(self, context: Any) -> Any:
            self.text = "{{ task.task_id }}"
            self.render_template_fields(context)
            return [self.text, self.render_template(["{{ ds }}", 3], context)]

    with DAG("own") as dag:
        Late(task_id="late", text="")
    assert run(dag).xcom("late") == ["late", ["2026-01-01", 3]]


def test_an_async_operator_runs_on_the_loop(run: Run) -> None:
    class OnLoop(BaseOperator):
        is_async = True

        async def aexecute(self, context: Any) -> Any:
            return [context["ds"], get_current_context()["ti"].task_id, threading.current_thread().name]

    with DAG("own") as dag:
        OnLoop(task_id="one")
    assert run(dag).xcom("one") == ["2026-01-01", "one", threading.current_thread().name]


def test_an_operator_without_a_body_says_so(run: Run) -> None:
    with DAG("own") as dag:
        BaseOperator(task_id="nothing")
    assert "BaseOperator defines no execute()" in run(dag).reasons["nothing"]


def test_self_log_and_the_contexts_log_are_the_attempts(run: Run) -> None:
    class Logging(BaseOperator):
        def execute(self, context: Any) -> None:
            self.log.info("by %s", "self")
            context["ti"].log.warning("by ti")

    with DAG("own") as dag:
        Logging(task_id="one")
    log = run(dag, logs=True).log("one")
    assert "by self" in log
    assert "by ti" in log


def test_each_attempt_starts_from_what_was_written(run: Run) -> None:
    class Counting(BaseOperator):
        count = 0

        def execute(self, context: Any) -> int:
            self.count += 1
            if context["ti"].try_number < 3:
                raise ValueError("again")
            return self.count

    with DAG("own") as dag:
        Counting(task_id="one", retries=2, retry_delay=timedelta(hours=5))
    assert run(dag).xcom("one") == 1


def test_on_kill_is_called_when_an_attempt_is_stopped(run: Run) -> None:
    killed = threading.Event()

    class Stuck(BaseOperator):
        def execute(self, context: Any) -> None:
            killed.wait(60)

        def on_kill(self) -> None:
            killed.set()

    with DAG("own") as dag:
        Stuck(task_id="one", execution_timeout=timedelta(milliseconds=50))
    assert "execution_timeout" in run(dag).reasons["one"]
    assert killed.wait(10)


def test_operators_may_be_abstract_classes_and_mixins(run: Run) -> None:
    class Abstract(BaseOperator, abc.ABC):
        @abc.abstractmethod
        def value(self) -> int: ...

        def execute(self, context: Any) -> int:
            return self.value()

    class Named:
        def __init__(self, *, name: str = "nobody", **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.name = name

    class Concrete(Named, Abstract):
        def value(self) -> int:
            return len(self.name)

    with DAG("own") as dag:
        Concrete(task_id="one", name="four")
        with pytest.raises(TypeError, match="abstract"):
            Abstract(task_id="two")
    assert run(dag).xcom("one") == 4


def test_what_a_class_says_of_its_tasks_counts_as_if_each_had_said_it(run: Run) -> None:
    class Patient(BaseOperator):
        retries = 2
        retry_delay = timedelta(days=1)
        pool = "slow"

        def execute(self, context: Any) -> None:
            raise ValueError("again")

    with DAG("own") as dag:
        Patient(task_id="one")
        Patient(task_id="two", retries=0)
    assert (dag.spec.by_id["one"].retries, dag.spec.by_id["one"].pool) == (2, "slow")
    assert run(dag).tries == {"one": 3, "two": 1}


def test_pre_and_post_execute_may_be_methods_too(run: Run) -> None:
    seen: list[Any] = []

    class Hooked(PythonOperator):
        def pre_execute(self, context: Any) -> None:
            seen.append("before")
            super().pre_execute(context)

        def post_execute(self, context: Any, result: Any = None) -> None:
            seen.append(result)

    with DAG("own") as dag:
        Hooked(task_id="one", python_callable=lambda: 1, pre_execute=lambda _: seen.append("given"))
    run(dag)
    assert seen == ["before", "given", 1]
