"""Whatever DAG, whatever its bodies do: a run ends, each rule holds, and nothing moves twice."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet.authoring.spec import DagSpec, TaskSpec
from flowlet.runs import plan
from flowlet.runs.hydrate import run_from_rows
from flowlet.runs.instances import ActiveRun, TaskInstance
from flowlet.runs.rules import RULES, Verdict
from flowlet.runs.states import TASK_MOVES, TERMINAL, TaskState
from flowlet.runs.turn import Turn
from flowlet.runs.why import why

START = 1_767_225_600_000_000


@st.composite
def specs(draw: st.DrawFn, *, largest: int = 12) -> DagSpec:
    """A random DAG, with every trigger rule and a few retries."""
    size = draw(st.integers(1, largest))
    upstream = [draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set() for i in range(size)]
    downstream: list[list[int]] = [[] for _ in range(size)]
    for index, ups in enumerate(upstream):
        for up in ups:
            downstream[up].append(index)
    tasks = tuple(
        TaskSpec(
            task_id=f"t{i}", index=i, operator="Op", upstream=tuple(sorted(upstream[i])),
            downstream=tuple(downstream[i]), trigger_rule=draw(st.sampled_from(sorted(RULES))),
            retries=draw(st.integers(0, 2)), bodyless=draw(st.booleans()),
        )
        for i in range(size)
    )  # fmt: skip
    return DagSpec(dag_id="d", tasks=tasks)


def new_run(spec: DagSpec) -> ActiveRun:
    run = ActiveRun(
        id=1, spec=spec, run_id="r", run_type="manual", logical_date=START, interval_start=START,
        interval_end=START, run_after=START, queued_at=START,
    )  # fmt: skip
    run.populate(1)
    run.saved = True
    return run


class Play:
    """Drives a run by random outcomes in a random order, and watches every move."""

    def __init__(self, spec: DagSpec, seed: int) -> None:
        self.run = new_run(spec)
        self.random = random.Random(seed)
        self.states = {ti.id: "none" for ti in self.run.tasks}
        self.waiting: list[TaskInstance] = []
        self.running: list[TaskInstance] = []
        self.now = START

    def step(self, decide: Any) -> None:
        self.now += 1
        turn = Turn(self.now)
        decide(turn)
        for ti in self.waiting + turn.ready:
            if ti.released and ti.state not in TERMINAL and ti.state != "running" and self.run.state == "running":
                plan.start(ti, turn)
                self.running.append(ti)
        self.waiting = list(turn.wake)
        self.check(turn)

    def check(self, turn: Turn) -> None:
        moves = turn.moves
        for kind in ("end_task", "settle_task", "start_task"):
            for move in getattr(moves, kind):
                before = self.states[move.id]
                after = getattr(move, "state", "running")
                if kind != "end_task":
                    assert move.expected == before
                assert TaskState(after) in TASK_MOVES[TaskState(before)], (before, after)
                self.states[move.id] = after
        for ti in turn.start:
            ups = [self.run.tasks[i].state for i in ti.spec.upstream]
            if ti.spec.trigger_rule not in ("always", "one_success", "one_failed", "one_done"):
                assert all(state in TERMINAL for state in ups)
        assert self.run.unfinished == sum(ti.state not in TERMINAL for ti in self.run.tasks)

    def play(self) -> None:
        self.step(lambda turn: plan.begin(self.run, turn))
        while self.running or self.waiting:
            if self.running:
                ti = self.running.pop(self.random.randrange(len(self.running)))
                self.step(lambda turn, ti=ti: self.end(ti, turn))
            else:
                self.step(lambda turn: None)

    def end(self, ti: TaskInstance, turn: Turn) -> None:
        if ti.state != "running":
            return
        kind = self.random.choice(["succeed", "fail", "skip", "interrupt"])
        if kind == "succeed":
            plan.succeed(ti, (("return_value", "1"),), (), turn)
        elif kind == "fail":
            plan.fail(ti, "failed", "because", "ValueError", turn)
        elif kind == "skip":
            plan.skip(ti, "asked to", (), turn)
        else:
            plan.interrupt(ti, "stopped", turn, crashed=True)


@settings(max_examples=300, deadline=None)
@given(specs(), st.integers(0, 2**32))
def test_a_run_ends_with_every_task_final_and_by_its_leaves(spec: DagSpec, seed: int) -> None:
    play = Play(spec, seed)
    play.play()
    run = play.run
    assert run.state in ("success", "failed")
    assert all(ti.state in TERMINAL for ti in run.tasks)
    leaves = [ti.state for ti in run.tasks if not ti.spec.downstream]
    assert (run.state == "failed") == any(state in ("failed", "upstream_failed") for state in leaves)


@settings(max_examples=200, deadline=None)
@given(specs(), st.integers(0, 2**32))
def test_a_task_that_its_rule_ended_or_let_run_agrees_with_the_rule(spec: DagSpec, seed: int) -> None:
    play = Play(spec, seed)
    play.play()
    for ti in play.run.tasks:
        verdict = RULES[ti.spec.trigger_rule](ti) if ti.total else Verdict.RUN
        if ti.try_number == 0 and not ti.spec.bodyless:
            assert verdict in (Verdict.SKIP, Verdict.FAIL), ti
        assert verdict is not Verdict.WAIT


@settings(max_examples=100, deadline=None)
@given(specs(), st.integers(0, 2**32), st.integers(0, 6))
def test_a_run_rebuilt_from_its_rows_counts_as_the_one_that_lived(spec: DagSpec, seed: int, steps: int) -> None:
    play = Play(spec, seed)
    play.step(lambda turn: plan.begin(play.run, turn))
    for _ in range(steps):
        if play.running:
            ti = play.running.pop(0)
            play.step(lambda turn, ti=ti: play.end(ti, turn))
    lived = play.run
    again = run_from_rows(spec, run_row(lived), [task_row(ti) for ti in lived.tasks])
    assert again.gone == {}
    assert again.unfinished == lived.unfinished
    for one, other in zip(again.tasks, lived.tasks, strict=True):
        assert (one.succeeded, one.failed, one.skipped, one.upstream_failed) == (
            other.succeeded, other.failed, other.skipped, other.upstream_failed,
        )  # fmt: skip


def run_row(run: ActiveRun) -> list[Any]:
    return [
        run.id, run.dag_id, run.run_id, run.run_type, run.state, run.logical_date, run.interval_start,
        run.interval_end, run.run_after, run.due_at, run.queued_at, run.started_at, run.ended_at, run.reason, run.conf,
    ]  # fmt: skip


def task_row(ti: TaskInstance) -> list[Any]:
    return [
        ti.id, 1, ti.spec.task_id, -1, ti.state, ti.try_number, ti.max_tries, "Op", "default_pool", ti.queued_at,
        ti.started_at, ti.ended_at, ti.outcome, ti.reason, None, ti.crashes, ti.wake_at, None, None,
    ]  # fmt: skip


def chain_of(length: int, **last: Any) -> DagSpec:
    tasks = tuple(
        TaskSpec(
            task_id=f"t{i}", index=i, operator="Op", upstream=(i - 1,) if i else (),
            downstream=(i + 1,) if i < length - 1 else (), **last,
        )
        for i in range(length)
    )  # fmt: skip
    return DagSpec(dag_id="d", tasks=tasks)


def test_a_failure_reaches_the_end_of_a_chain_of_50000_in_one_turn() -> None:
    play = Play(chain_of(50_000), 0)
    play.step(lambda turn: plan.begin(play.run, turn))
    play.step(lambda turn: plan.fail(play.run.tasks[0], "failed", None, None, turn))
    assert play.run.state == "failed"
    assert play.run.tasks[-1].state == "upstream_failed"


def test_a_task_that_takes_the_process_down_three_times_fails() -> None:
    play = Play(chain_of(1), 0)
    play.step(lambda turn: plan.begin(play.run, turn))
    ti = play.run.tasks[0]
    for _ in range(3):
        assert ti.state == "running"
        play.step(lambda turn: plan.interrupt(ti, "gone", turn, crashed=True))
    assert (ti.state, ti.reason, ti.try_number) == ("failed", "took the process down 3 times", 3)


def test_a_crash_uses_up_no_retry() -> None:
    play = Play(chain_of(1, retries=1), 0)
    play.step(lambda turn: plan.begin(play.run, turn))
    ti = play.run.tasks[0]
    play.step(lambda turn: plan.interrupt(ti, "gone", turn, crashed=True))
    play.step(lambda turn: plan.fail(ti, "failed", None, None, turn))
    play.step(lambda turn: None)
    assert (ti.state, ti.try_number) == ("running", 3)
    play.step(lambda turn: plan.fail(ti, "failed", None, None, turn))
    assert ti.state == "failed"


def test_on_crash_fail_fails_at_the_first_crash() -> None:
    play = Play(chain_of(1, on_crash="fail", retries=3), 0)
    play.step(lambda turn: plan.begin(play.run, turn))
    play.step(lambda turn: plan.interrupt(play.run.tasks[0], "gone", turn, crashed=True))
    assert play.run.state == "failed"


def test_depends_on_past_waits_for_the_same_task_of_the_run_before() -> None:
    first, second = Play(chain_of(2, depends_on_past=True), 0), Play(chain_of(2, depends_on_past=True), 0)
    second.run.past = first.run
    first.run.followers.append(second.run)
    first.step(lambda turn: plan.begin(first.run, turn))
    second.step(lambda turn: plan.begin(second.run, turn))
    assert second.run.tasks[0].state == "none"
    assert second.run.state == "running"
    turn = Turn(START + 10)
    plan.succeed(first.run.tasks[0], (), (), turn)
    assert second.run.tasks[0] in turn.ready


@pytest.mark.parametrize("waits", [True, False])
def test_a_skip_may_be_delayed_until_the_past_would_let_the_task_go(waits: bool) -> None:
    spec = chain_of(2, depends_on_past=True, wait_for_past_depends_before_skipping=waits)
    spec.tasks[0].depends_on_past = False
    first, second = Play(spec, 0), Play(spec, 0)
    second.run.past = first.run
    first.run.followers.append(second.run)
    first.step(lambda turn: plan.begin(first.run, turn))
    second.step(lambda turn: plan.begin(second.run, turn))
    plan.skip(second.run.tasks[0], None, (), Turn(START + 10))
    assert (second.run.tasks[1].state, second.run.state) == (("none", "running") if waits else ("skipped", "success"))
    if waits:
        assert why(second.run.tasks[1]) == "depends_on_past: t1 is none in the previous run"
    plan.skip(first.run.tasks[0], None, (), Turn(START + 20))
    assert (first.run.tasks[1].state, second.run.tasks[1].state, second.run.state) == ("skipped", "skipped", "success")
