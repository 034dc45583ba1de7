"""Why a task ended without an attempt: the upstreams that did it, and what its rule asks for."""

from __future__ import annotations

from itertools import product

import pytest

from flowlet import DAG, EmptyOperator, chain
from flowlet.runs.following import count
from flowlet.runs.instances import ActiveRun
from flowlet.runs.rules import RULES, Verdict, judge
from flowlet.runs.states import FAILED, REMOVED, SKIPPED, SUCCESS, UPSTREAM_FAILED
from flowlet.runs.why import NEEDS, because, why

ENDS = {Verdict.SKIP: SKIPPED, Verdict.FAIL: UPSTREAM_FAILED}


def run_of(dag: DAG) -> ActiveRun:
    run = ActiveRun(
        id=1, spec=dag.spec, run_id="r", run_type="manual", logical_date=None, interval_start=None, interval_end=None,
        run_after=0, queued_at=0,
    )  # fmt: skip
    run.populate(1)
    run.state = "running"
    return run


def ended(run: ActiveRun, **states: str) -> ActiveRun:
    """Set states, and reasons after a colon: `failed: ValueError: bad row`."""
    for task_id, text in states.items():
        ti = run.find(task_id)
        assert ti is not None
        ti.state, _, reason = text.partition(": ")
        ti.reason = reason or None
    return run


def fan_in(rule: str, count_: int = 2) -> DAG:
    with DAG("etl") as dag:
        ups = [EmptyOperator(task_id=f"up{number}") for number in range(count_)]
        ups >> EmptyOperator(task_id="end", trigger_rule=rule)
    return dag


def told(run: ActiveRun, task_id: str = "end") -> str:
    ti = run.find(task_id)
    assert ti is not None
    return why(ti)


def test_the_upstream_that_failed_is_named_with_its_reason() -> None:
    run = ended(run_of(fan_in("all_success")), up0="success", up1="failed: ValueError: bad row", end="upstream_failed")
    assert told(run) == (
        "end is upstream_failed: up1 failed (ValueError: bad row); trigger rule all_success needs every upstream to succeed"
    )


def test_where_it_began_is_named_across_a_chain() -> None:
    with DAG("etl") as dag:
        chain(*(EmptyOperator(task_id=name) for name in ("extract", "load", "check", "report")))
    run = ended(
        run_of(dag), extract="failed: OSError: no disk", load="upstream_failed", check="upstream_failed", report="upstream_failed",
    )  # fmt: skip
    assert told(run, "report") == (
        "report is upstream_failed: check is upstream_failed because extract failed (OSError: no disk);"
        " trigger rule all_success needs every upstream to succeed"
    )


def test_a_branch_that_was_not_taken_is_named() -> None:
    run = ended(run_of(fan_in("all_success")), up0="skipped: skipped by choose", up1="success", end="skipped")
    assert told(run).startswith("end is skipped: up0 was skipped (skipped by choose); trigger rule all_success")


def test_an_instance_with_a_reason_of_its_own_gives_that() -> None:
    run = ended(run_of(fan_in("all_success")), up0="failed", end="skipped: skipped by choose")
    assert told(run) == "end is skipped: skipped by choose"
    assert told(ended(run, end="success")) == "end is success"


def test_of_many_five_are_named() -> None:
    run = ended(run_of(fan_in("all_success", 8)), end="upstream_failed", **{f"up{number}": "failed" for number in range(8)})
    assert told(run) == (
        "end is upstream_failed: up0 failed, up1 failed, up2 failed, up3 failed, up4 failed and 3 more;"
        " trigger rule all_success needs every upstream to succeed"
    )


def test_a_chain_of_thousands_is_no_recursion() -> None:
    names = [f"t{number}" for number in range(5000)]
    with DAG("long") as dag:
        chain(*(EmptyOperator(task_id=name) for name in names))
    run = ended(run_of(dag), **dict.fromkeys(names[1:], "upstream_failed"), t0="failed: x")
    assert " because t0 failed (x); " in told(run, "t4999")


def test_every_rule_has_its_words() -> None:
    assert set(NEEDS) == set(RULES)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_whatever_a_rule_ends_has_an_upstream_to_name(rule: str) -> None:
    """All states of two upstreams: those that are named are such that the rule would speak the same with them alone."""
    dag = fan_in("all_done" if rule == "all_done_setup_success" else rule)
    seen = 0
    for states in product((SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED, REMOVED), repeat=2):
        run = ended(run_of(dag), up0=states[0], up1=states[1])
        ups, end = run.tasks[:2], run.tasks[2]
        for up in ups:
            count(end, up, up.state)
        verdict = judge(end.spec.trigger_rule, end)
        if verdict not in ENDS:
            continue
        seen += 1
        end.state = ENDS[verdict]
        reason = because(end)
        assert reason is not None, states
        named = [up for up in ups if reason.split(";")[0].find(up.key) >= 0]
        assert named and reason.endswith(f"trigger rule {rule} needs {NEEDS[rule]}")
        if verdict is Verdict.FAIL and any(up.state in (FAILED, UPSTREAM_FAILED) for up in ups):
            assert all(up.state in (FAILED, UPSTREAM_FAILED) for up in named)
    never = {"always", "all_done", "all_done_setup_success"}
    assert (seen == 0) == (rule in never)
