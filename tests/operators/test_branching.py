"""BranchPythonOperator, BaseBranchOperator, ShortCircuitOperator: what is followed and what is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowlet import (
    DAG,
    BaseBranchOperator,
    BranchPythonOperator,
    EmptyOperator,
    PythonOperator,
    ShortCircuitOperator,
    TaskGroup,
    XComArg,
    task,
)
from flowlet.operators.skipping import SkipMixin

Run = Callable[..., Any]


def fork(choice: Any) -> DAG:
    """choose >> [a, b, c] >> join, and choose >> join; a and b are followed by a2 and b2."""
    with DAG("fork") as dag:
        choose = BranchPythonOperator(task_id="choose", python_callable=lambda: choice)
        tasks = [EmptyOperator(task_id=task_id) for task_id in ("a", "b", "c")]
        join = EmptyOperator(task_id="join", trigger_rule="none_failed_min_one_success")
        choose >> tasks >> join
        choose >> join
        tasks[0] >> EmptyOperator(task_id="a2")
        tasks[1] >> EmptyOperator(task_id="b2")
    return dag


def ran(told: Any) -> set[str]:
    return {task_id for task_id, state in told.tasks.items() if state == "success"}


# -- branches --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "followed"),
    [
        ("a", {"a", "a2", "join"}),
        (["a"], {"a", "a2", "join"}),
        (["a", "b"], {"a", "a2", "b", "b2", "join"}),
        (("c",), {"c", "join"}),
        ({"b"}, {"b", "b2", "join"}),
        ({"b": 1}, {"b", "b2", "join"}),
        ("join", {"join"}),
        (None, set()),
        ([], set()),
    ],
)
def test_a_branch_follows_what_was_chosen_and_the_join_behind_it(
    run: Run, choice: Any, followed: set[str]
) -> None:
    """A direct downstream that comes after a followed task is not skipped (Airflow: SkipMixin.skip_all_except)."""
    told = run(fork(choice))
    assert told.state == "success"
    assert ran(told) == {"choose", *followed}
    assert {state for task_id, state in told.tasks.items() if task_id not in ran(told)} <= {"skipped"}


def test_the_decision_is_kept_as_an_xcom_as_in_airflow(run: Run) -> None:
    """A branch that skips leaves its decision and not its choice; one that skips nothing both (Airflow 3)."""
    told = run(fork("a"))
    assert told.xcom("choose", "skipmixin_key") == {"followed": ["a", "join"]}
    assert told.pushed("choose") == {"skipmixin_key"}
    told = run(fork(["a", "b", "c"]))
    assert told.xcom("choose", "skipmixin_key") == {"followed": ["a", "b", "c", "join"]}
    assert told.xcom("choose") == ["a", "b", "c"]


def test_a_branch_with_nothing_after_it_decides_nothing(run: Run) -> None:
    with DAG("end") as dag:
        BranchPythonOperator(task_id="choose", python_callable=lambda: None)
    assert run(dag).pushed("choose") == set()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("aa", "chose 'aa', which is no task or group of 'fork' (did you mean 'a"),
        (["a", "nope"], "chose 'nope'"),
        (["a", 5], "must choose by the ids of tasks or groups, not by 5"),
        (5, "must choose by the ids of tasks or groups, not by 5"),
        (True, "not by True"),
    ],
)
def test_a_wrong_choice_fails_the_branch_with_the_reason(run: Run, choice: Any, words: str) -> None:
    told = run(fork(choice))
    assert words in told.reasons["choose"]
    assert told.tasks["a"] == "upstream_failed"


def test_a_choice_that_is_not_downstream_skips_the_rest_and_is_warned_of(run: Run) -> None:
    """Airflow takes any task of the DAG; one that is elsewhere leaves nothing to follow."""
    dag = fork("elsewhere")
    with dag:
        EmptyOperator(task_id="elsewhere")
    told = run(dag, logs=True)
    assert ran(told) == {"choose", "elsewhere"}
    assert "not downstream of the branch: ['elsewhere']" in told.log("choose")


def test_a_choice_further_down_keeps_the_way_to_it_no_more_than_its_rule_does(run: Run) -> None:
    told = run(fork("a2"))
    assert (told.tasks["a"], told.tasks["a2"]) == ("skipped", "skipped")


def grouped(choice: Any) -> DAG:
    with DAG("grouped") as dag:
        choose = BranchPythonOperator(task_id="choose", python_callable=lambda: choice)
        with TaskGroup("left") as left:
            first = EmptyOperator(task_id="first")
            with TaskGroup("inner"):
                first >> EmptyOperator(task_id="second")
            EmptyOperator(task_id="alone")
        with TaskGroup("right") as right:
            EmptyOperator(task_id="only")
        choose >> [left, right]
    return dag


@pytest.mark.parametrize(
    ("choice", "followed"),
    [
        ("left", {"left.first", "left.inner.second", "left.alone"}),
        ("right", {"right.only"}),
        (["left.first", "right"], {"left.first", "left.inner.second", "right.only"}),
    ],
)
def test_a_chosen_group_is_followed_by_its_roots(run: Run, choice: Any, followed: set[str]) -> None:
    assert ran(run(grouped(choice))) == {"choose", *followed}


def test_a_branch_gets_arguments_templates_and_context(run: Run) -> None:
    with DAG("args") as dag:
        choose = BranchPythonOperator(
            task_id="choose",
            python_callable=lambda prefix, ds: f"{prefix}_{ds[:4]}",
            op_kwargs={"prefix": "{{ 'year' }}"},
        )
        choose >> [EmptyOperator(task_id="year_2026"), EmptyOperator(task_id="year_2025")]
    assert ran(run(dag)) == {"choose", "year_2026"}


def test_a_skip_by_a_branch_calls_no_callback(run: Run) -> None:
    called: list[str] = []
    with DAG("quiet") as dag:
        choose = BranchPythonOperator(task_id="choose", python_callable=lambda: "a")
        choose >> [
            EmptyOperator(task_id="a"),
            PythonOperator(task_id="b", python_callable=print, on_skipped_callback=lambda _: called.append("b")),
        ]
    assert run(dag).tasks["b"] == "skipped"
    assert called == []


def test_a_branch_that_is_retried_decides_once_it_succeeds(run: Run) -> None:
    def choose(ti: Any) -> str:
        if ti.try_number == 1:
            raise ConnectionError("later")
        return "a"

    with DAG("retried") as dag:
        branch = BranchPythonOperator(task_id="choose", python_callable=choose, retries=1)
        branch >> [EmptyOperator(task_id="a"), EmptyOperator(task_id="b")]
    assert run(dag).tasks == {"choose": "success", "a": "success", "b": "skipped"}


@pytest.mark.parametrize(
    "kind", ["def", "async def", "generator", "@task.branch", "async @task.branch", "its own", "its own async"]
)
def test_every_kind_of_branch_chooses_alike(run: Run, kind: str) -> None:
    class Choosing(BaseBranchOperator):
        def choose_branch(self, context: Any) -> Any:
            return "a" if context["ds"] == "2026-01-01" else "b"

    class ChoosingOnLoop(BaseBranchOperator):
        async def choose_branch(self, context: Any) -> Any:
            return ["a"]

    class ChoosingOneByOne(BaseBranchOperator):
        def choose_branch(self, context: Any) -> Iterator[str]:
            yield "a"

    class ItsOwn(BranchPythonOperator):
        def choose_branch(self, context: Any) -> Any:
            return super().choose_branch(context).lower()

    class ItsOwnOnLoop(BranchPythonOperator):
        async def choose_branch(self, context: Any) -> Any:
            return (await super().choose_branch(context)).lower()

    async def upper() -> str:
        return "A"

    @task.branch
    def choose() -> str:
        return "a"

    @task.branch(task_id="choose")
    async def choose_on_loop() -> str:
        return "a"

    with DAG("kinds") as dag:
        branch = {
            "def": lambda: Choosing(task_id="choose"),
            "async def": lambda: ChoosingOnLoop(task_id="choose"),
            "generator": lambda: ChoosingOneByOne(task_id="choose"),
            "@task.branch": choose,
            "async @task.branch": choose_on_loop,
            "its own": lambda: ItsOwn(task_id="choose", python_callable=lambda: "A"),
            "its own async": lambda: ItsOwnOnLoop(task_id="choose", python_callable=upper),
        }[kind]()
        branch >> [EmptyOperator(task_id="a"), EmptyOperator(task_id="b")]
    told = run(dag)
    assert told.tasks == {"choose": "success", "a": "success", "b": "skipped"}


def test_a_branch_without_choose_branch_says_so(run: Run) -> None:
    with DAG("none") as dag:
        BaseBranchOperator(task_id="choose")
    assert "defines no choose_branch()" in run(dag).reasons["choose"]


def test_any_operator_may_skip_by_the_mixin(run: Run) -> None:
    class Skipping(SkipMixin, PythonOperator):
        def execute(self, context: Any) -> None:
            self.skip(context["ti"], [self.dag.get_task("b")])

    with DAG("mixed") as dag:
        Skipping(task_id="s", python_callable=print) >> [EmptyOperator(task_id="a"), EmptyOperator(task_id="b")]
    told = run(dag)
    assert told.tasks == {"s": "success", "a": "success", "b": "skipped"}
    assert told.xcom("s", "skipmixin_key") == {"skipped": ["b"]}


# -- short circuits --------------------------------------------------------------------------------------


def cut(condition: Any, **arguments: Any) -> DAG:
    """cut >> near >> far >> last; last waits for nothing but an end."""
    with DAG("cut") as dag:
        (
            ShortCircuitOperator(task_id="cut", python_callable=lambda: condition, **arguments)
            >> EmptyOperator(task_id="near")
            >> EmptyOperator(task_id="far")
            >> EmptyOperator(task_id="last", trigger_rule="all_done")
        )
    return dag


@pytest.mark.parametrize("condition", [True, 1, "text", [0]])
def test_something_true_goes_on_and_is_pushed(run: Run, condition: Any) -> None:
    told = run(cut(condition))
    assert ran(told) == {"cut", "near", "far", "last"}
    assert told.xcom("cut") == condition


@pytest.mark.parametrize("condition", [False, 0, "", [], None])
def test_something_false_skips_all_that_comes_after_whatever_its_rule(run: Run, condition: Any) -> None:
    told = run(cut(condition))
    assert told.tasks == {"cut": "success", "near": "skipped", "far": "skipped", "last": "skipped"}
    assert told.state == "success"
    assert told.pushed("cut") == {"skipmixin_key"}


def test_with_rules_respected_only_what_comes_directly_after_is_skipped(run: Run) -> None:
    told = run(cut(False, ignore_downstream_trigger_rules=False))
    assert told.tasks == {"cut": "success", "near": "skipped", "far": "skipped", "last": "success"}
    assert told.xcom("cut", "skipmixin_key") == {"skipped": ["near"]}


def test_a_short_circuit_with_nothing_after_it_decides_nothing(run: Run) -> None:
    with DAG("end") as dag:
        ShortCircuitOperator(task_id="cut", python_callable=lambda: False)
    assert run(dag).pushed("cut") == {"return_value"}


def test_a_short_circuit_that_raises_fails(run: Run) -> None:
    with DAG("raising") as dag:
        ShortCircuitOperator(task_id="cut", python_callable=lambda: 1 / 0) >> EmptyOperator(task_id="a")
    assert run(dag).tasks == {"cut": "failed", "a": "upstream_failed"}


def test_a_short_circuit_as_a_function(run: Run) -> None:
    with DAG("function") as dag:

        @task.short_circuit(ignore_downstream_trigger_rules=False)
        def enough(x: int) -> bool:
            return x > 3

        @task.short_circuit
        async def enough_on_loop() -> bool:
            return True

        small: XComArg = enough(2)
        small >> EmptyOperator(task_id="a") >> EmptyOperator(task_id="b", trigger_rule="always")
        enough_on_loop() >> EmptyOperator(task_id="c")
    told = run(dag)
    assert {t: told.tasks[t] for t in ("a", "b", "c")} == {"a": "skipped", "b": "success", "c": "success"}
