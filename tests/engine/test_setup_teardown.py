"""Setup and teardown as Airflow has them (docs: howto/setup-and-teardown.rst), through the engine."""

from __future__ import annotations

from typing import Any

import pytest

from flowlet import (
    DAG,
    DagError,
    EmptyOperator,
    PythonOperator,
    ShortCircuitOperator,
    TaskGroup,
    setup,
    task,
    teardown,
)


def body(task_id: str, fails: bool = False, **arguments: Any) -> PythonOperator:
    """A task that succeeds, or fails."""

    def run() -> str:
        if fails:
            raise ValueError(task_id)
        return task_id

    return PythonOperator(task_id=task_id, python_callable=run, **arguments)


def states(dag: DAG) -> dict[str, str]:
    run = dag.test().as_dict()
    return {"run": run["state"], **run["tasks"]}


def test_the_teardown_runs_though_the_work_failed_and_the_run_failed_with_the_work() -> None:
    with DAG("d") as dag:
        create = body("create").as_setup()
        create >> body("work", fails=True) >> body("delete").as_teardown(setups=create)
    assert states(dag) == {"run": "failed", "create": "success", "work": "failed", "delete": "success"}


def test_a_teardown_that_fails_is_not_the_runs_failure_unless_it_says_so() -> None:
    for counts, ends in ((False, "success"), (True, "failed")):
        with DAG("d") as dag:
            create = body("create").as_setup()
            create >> body("work") >> body("delete", fails=True).as_teardown(setups=create, on_failure_fail_dagrun=counts)
        assert states(dag)["run"] == ends


def test_without_its_setup_nothing_runs_and_nothing_is_torn_down() -> None:
    with DAG("d") as dag:
        create = body("create", fails=True).as_setup()
        create >> body("work") >> body("delete").as_teardown(setups=create)
    assert states(dag) == {"run": "failed", "create": "failed", "work": "upstream_failed", "delete": "upstream_failed"}


def test_a_skipped_setup_skips_its_teardown() -> None:
    with DAG("d") as dag:
        gate = ShortCircuitOperator(task_id="gate", python_callable=lambda: False, ignore_downstream_trigger_rules=False)
        create = body("create").as_setup()
        gate >> create >> body("work") >> body("delete").as_teardown(setups=create)
    assert states(dag) == {"run": "success", "gate": "success", "create": "skipped", "work": "skipped", "delete": "skipped"}


def test_a_short_circuit_leaves_teardowns_alone() -> None:
    with DAG("d") as dag:
        create = body("create").as_setup()
        gate = ShortCircuitOperator(task_id="gate", python_callable=lambda: False)
        create >> gate >> body("work") >> body("delete").as_teardown(setups=create)
    assert states(dag) == {"run": "success", "create": "success", "gate": "success", "work": "skipped", "delete": "success"}


def test_work_waits_for_a_setup_that_does_not_come_directly_before_it() -> None:
    with DAG("d") as dag:
        create = body("create", fails=True).as_setup()
        first = EmptyOperator(task_id="first")
        last = EmptyOperator(task_id="last", trigger_rule="all_done")
        create >> first >> last >> body("delete").as_teardown(setups=create)
    assert states(dag)["last"] == "upstream_failed"


def test_outside_of_its_teardown_a_setup_matters_to_nobody() -> None:
    with DAG("d") as dag:
        create = body("create", fails=True).as_setup()
        delete = body("delete").as_teardown(setups=create)
        create >> body("work") >> delete
        delete >> EmptyOperator(task_id="after", trigger_rule="all_done")
    assert states(dag)["after"] == "success"


def test_a_teardown_waits_for_all_between_also_where_a_failure_was_passed_on_at_once() -> None:
    order: list[str] = []

    def noted(task_id: str, fails: bool = False) -> PythonOperator:
        def run() -> None:
            order.append(task_id)
            if fails:
                raise ValueError(task_id)

        return PythonOperator(task_id=task_id, python_callable=run)

    with DAG("d") as dag:
        create = noted("create").as_setup()
        delete = noted("delete").as_teardown(setups=create)
        create >> [noted("broken", fails=True), noted("slow")] >> noted("joined") >> delete
    assert states(dag)["joined"] == "upstream_failed"
    assert order == ["create", "broken", "slow", "delete"]


def test_with_puts_what_is_made_inside_between_the_two() -> None:
    with DAG("d") as dag, body("create").as_setup() >> body("delete").as_teardown():
        body("one") >> body("two")
        body("other")
    create, delete = dag.get_task("create"), dag.get_task("delete")
    assert create.downstream_task_ids == {"delete", "one", "other"}
    assert delete.upstream_task_ids == {"create", "two", "other"}


def test_blocks_stand_in_each_other() -> None:
    @setup
    def outer_setup() -> None: ...

    @teardown
    def outer_teardown() -> None: ...

    @setup
    def inner_setup() -> None: ...

    @teardown
    def inner_teardown() -> None: ...

    @task
    def work() -> None: ...

    with DAG("d") as dag, outer_setup() >> outer_teardown(), inner_setup() >> inner_teardown():
        work()
    down = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert down == {
        "outer_setup": {"outer_teardown", "inner_setup"}, "inner_setup": {"inner_teardown", "work"},
        "work": {"inner_teardown", "outer_teardown"}, "inner_teardown": set(), "outer_teardown": set(),
    }  # fmt: skip
    assert set(states(dag).values()) == {"success"}


def test_decorators_make_setups_and_teardowns_of_functions_and_tasks() -> None:
    @setup
    def create() -> str:
        return "cluster"

    @task
    def work(name: str) -> None: ...

    @teardown(on_failure_fail_dagrun=True)
    @task(retries=2)
    def delete(name: str) -> None: ...

    with DAG("d") as dag:
        name = create()
        work(name) >> delete(name).as_teardown(setups=name)
    assert [(task.is_setup, task.is_teardown, task.retries) for task in dag.tasks] == [
        (True, False, 0), (False, False, 0), (False, True, 2),
    ]  # fmt: skip
    assert dag.get_task("delete").trigger_rule == "all_done_setup_success"
    assert dag.get_task("delete").on_failure_fail_dagrun
    assert set(states(dag).values()) == {"success"}


def test_what_comes_after_a_group_does_not_wait_for_its_teardown() -> None:
    with DAG("d") as dag:
        with TaskGroup("group") as group:
            create = body("create").as_setup()
            create >> body("work") >> body("delete", fails=True).as_teardown(setups=create)
        group >> body("after")
    assert dag.get_task("after").upstream_task_ids == {"group.work"}
    assert states(dag)["run"] == "success"


def test_fail_fast_spares_teardowns() -> None:
    with DAG("d", fail_fast=True) as dag:
        create = body("create").as_setup()
        create >> body("work", fails=True) >> body("more") >> PythonOperator(
            task_id="delete", python_callable=lambda: 1
        ).as_teardown(setups=create)
    found = states(dag)
    assert (found["work"], found["more"], found["delete"]) == ("failed", "skipped", "success")


def test_what_cannot_be_a_setup_or_teardown_is_said() -> None:
    with DAG("d"):
        both = body("both").as_setup()
        with pytest.raises(DagError, match="is a setup and cannot be a teardown too"):
            both.as_teardown()
        with pytest.raises(DagError, match="only setups and teardowns can be used with `with`"), body("work"):
            pass


def test_another_rule_than_all_success_after_a_setup_is_refused() -> None:
    with pytest.raises(DagError, match="comes after the setup 'create'"), DAG("d"):
        body("create").as_setup() >> EmptyOperator(task_id="x", trigger_rule="all_done")
