"""Tasks that ask a person: they await input, hold nothing, and go on with the answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlet import DAG, DagError, EmptyOperator, Engine, Param
from flowlet.errors import FlowletError, ParamError, TaskNotFound
from flowlet.operators.hitl import ApprovalOperator, HITLBranchOperator, HITLEntryOperator, HITLOperator
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def asking(operator: type = HITLOperator, **arguments: Any) -> DAG:
    """A question, and what comes after it: `left >> last` and `right`."""
    with DAG("asking") as dag:
        question = operator(task_id="ask", subject="Go on, {{ ds }}?", **arguments)
        question >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]
        dag.task_dict["left"] >> EmptyOperator(task_id="last", trigger_rule="all_done")
    return dag


async def asked(engine: Engine) -> Any:
    """A run whose question is asked."""
    run = await engine.trigger("asking", logical_date=NEW_YEAR)
    while run._run.find("ask").shown != "awaiting_input":
        assert run.state != "failed", run.as_dict()
        await engine._scheduler.catch_up()  # a turn of the loop
    return run


async def answered(dag: DAG, options: Any, **more: Any) -> dict[str, Any]:
    async with Engine(dags=[dag]) as engine:
        run = await asked(engine)
        await engine.answer("asking", run.run_id, "ask", options, **more)
        story: dict[str, Any] = (await run.wait()).as_dict()
    return story


async def test_the_answer_is_the_output() -> None:
    story = await answered(asking(options=["yes", "no"]), "yes", by="ada")
    answer = story["xcoms"]["ask:return_value"]
    assert (answer["chosen_options"], answer["params_input"], answer["timedout"]) == (["yes"], {}, False)
    assert answer["responded_by_user"] == {"id": "ada", "name": "ada"}
    assert (story["state"], story["tries"]["ask"]) == ("success", 1)


async def test_while_it_waits_it_holds_nothing_and_says_what_it_asks() -> None:
    async with Engine(dags=[asking(options=["yes", "no"], pool="one")], pools={"one": 1}) as engine:
        run = await asked(engine)
        assert (await engine.pools())["one"]["used"] == 0
        why = await engine.why("asking", run.run_id, "ask")
        await engine.cancel("asking", run.run_id)
    assert why == "awaiting_input (try 1): waiting for an answer to 'Go on, 2026-01-01?': yes, no"
    assert run.as_dict()["tasks"]["ask"] == "skipped"


@pytest.mark.parametrize(
    ("options", "more", "because"),
    [
        ("maybe", {}, "is no answer to"),
        ([], {}, "is no answer to"),
        (["yes", "no"], {}, "choose one of"),
        ("yes", {"by": "eve"}, "is to be answered by ada, not by eve"),
        ("yes", {}, "not by anybody"),
        ("yes", {"by": "ada", "params": {"colour": "red"}}, "does not ask for colour"),
    ],
)
async def test_what_is_no_answer_is_refused_and_the_question_stays(options: Any, more: Any, because: str) -> None:
    async with Engine(dags=[asking(options=["yes", "no"], assigned_users=["ada"])]) as engine:
        run = await asked(engine)
        with pytest.raises(FlowletError, match=because):
            await engine.answer("asking", run.run_id, "ask", options, **more)
        await engine.answer("asking", run.run_id, "ask", "yes", by="ada")
        assert (await run.wait()).state == "success"


async def test_only_who_asks_can_be_answered_and_only_once() -> None:
    async with Engine(dags=[asking(options=["yes"])]) as engine:
        run = await asked(engine)
        with pytest.raises(FlowletError, match=r"left of the run .* asks nothing"):
            await engine.answer("asking", run.run_id, "left", "yes")
        with pytest.raises(TaskNotFound):
            await engine.answer("asking", run.run_id, "nobody", "yes")
        await engine.answer("asking", run.run_id, "ask", "yes")
        with pytest.raises(FlowletError, match="asks nothing"):
            await engine.answer("asking", run.run_id, "ask", "yes")
        await run.wait()


async def test_several_options_are_chosen_where_that_is_said() -> None:
    story = await answered(asking(options=["a", "b", "c"], multiple=True), ["c", "a"])
    assert story["xcoms"]["ask:return_value"]["chosen_options"] == ["c", "a"]


def test_in_time_nobody_answers_so_the_defaults_do() -> None:
    clock = VirtualClock(NEW_YEAR, auto=True)
    dag = asking(options=["yes", "no"], defaults="no", response_timeout=timedelta(hours=1), params={"rows": 3})
    story = dag.test(clock=clock, logical_date=NEW_YEAR).as_dict()
    answer = story["xcoms"]["ask:return_value"]
    assert (answer["chosen_options"], answer["params_input"], answer["timedout"]) == (["no"], {"rows": 3}, True)
    assert answer["responded_by_user"] is None
    assert clock.now() == 1_767_225_600_000_000 + 3_600_000_000


@pytest.mark.parametrize("limit", ["response_timeout", "execution_timeout"])
def test_without_defaults_it_fails_in_time(limit: str) -> None:
    dag = asking(options=["yes"], **{limit: timedelta(hours=1)})
    story = dag.test(logical_date=NEW_YEAR).as_dict()
    assert story["errors"] == {"ask": ["HITLTimeoutError"]}


async def test_the_fields_of_a_form_are_checked_when_they_are_filled_in() -> None:
    dag = asking(HITLEntryOperator, params={"rows": Param(type="integer"), "name": "x"})
    async with Engine(dags=[dag]) as engine:
        run = await asked(engine)
        with pytest.raises(ParamError, match="rows"):
            await engine.answer("asking", run.run_id, "ask", "OK", params={"rows": "many"})
        with pytest.raises(ParamError, match="rows"):
            await engine.answer("asking", run.run_id, "ask", "OK")
        await engine.answer("asking", run.run_id, "ask", "OK", params={"rows": 5})
        story = (await run.wait()).as_dict()
    assert story["xcoms"]["ask:return_value"]["params_input"] == {"rows": 5, "name": "x"}


@pytest.mark.parametrize(
    ("arguments", "option", "tasks"),
    [
        ({}, "Approve", {"left": "success", "right": "success", "last": "success"}),
        ({}, "Reject", {"left": "skipped", "right": "skipped", "last": "success"}),
        ({"ignore_downstream_trigger_rules": True}, "Reject", {"left": "skipped", "right": "skipped", "last": "skipped"}),
        ({"fail_on_reject": True}, "Reject", {"left": "upstream_failed", "right": "upstream_failed", "last": "success"}),
    ],
)
async def test_an_approval_goes_on_or_skips(arguments: Mapping[str, Any], option: str, tasks: dict[str, str]) -> None:
    story = await answered(asking(ApprovalOperator, **arguments), option)
    assert {name: state for name, state in story["tasks"].items() if name != "ask"} == tasks


@pytest.mark.parametrize(("option", "followed"), [("left", "left"), ("the other", "right")])
async def test_a_branch_follows_what_is_chosen(option: str, followed: str) -> None:
    dag = asking(HITLBranchOperator, options=["left", "the other"], options_mapping={"the other": "right"})
    story = await answered(dag, option)
    assert [name for name in ("left", "right") if story["tasks"][name] == "success"] == [followed]


async def test_whoever_is_to_know_is_told_when_it_asks() -> None:
    told: list[str] = []
    await answered(asking(options=["yes"], notifiers=lambda context: told.append(context["ds"])), "yes")
    assert told == ["2026-01-01"]


@pytest.mark.parametrize(
    ("operator", "arguments", "what"),
    [
        (HITLOperator, {"options": []}, "options must not be empty"),
        (HITLOperator, {"options": ["a"], "defaults": "b"}, "must be some of the options"),
        (HITLOperator, {"options": ["a", "b"], "defaults": ["a", "b"]}, "needs multiple=True"),
        (HITLOperator, {"options": ["a"], "params": {"_options": 1}}, "_options"),
        (ApprovalOperator, {"options": ["a"]}, "options of an approval"),
        (HITLBranchOperator, {"options": ["a"], "options_mapping": {"b": "left"}}, "which are no options"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_where_it_is_written(operator: type, arguments: Any, what: str) -> None:
    with pytest.raises(DagError, match=what):
        asking(operator, **arguments)
