"""Trigger rules: what the states of its direct upstreams make of a task.

Rules act eagerly: a task is skipped or failed as soon as its upstreams can no longer satisfy it.
Source: Airflow's `airflow/ti_deps/deps/trigger_rule_dep.py` (3.3.2) and its unit tests.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol


class Verdict(Enum):
    """What becomes of a task."""

    RUN = "run"
    WAIT = "wait"
    SKIP = "skipped"
    FAIL = "upstream_failed"


class Tally(Protocol):
    """How many direct upstreams a task has, and how many stand in which final state."""

    total: int
    succeeded: int
    failed: int
    skipped: int
    upstream_failed: int
    removed: int
    setups: int
    setups_succeeded: int
    setups_skipped: int


Rule = Callable[[Tally], Verdict]

RUN, WAIT, SKIP, FAIL = Verdict


def done(t: Tally) -> bool:
    """All direct upstreams have ended."""
    return t.succeeded + t.failed + t.skipped + t.upstream_failed + t.removed >= t.total


def all_success(t: Tally) -> Verdict:
    if t.failed or t.upstream_failed:
        return FAIL
    if t.skipped:
        return SKIP
    return RUN if t.succeeded + t.removed >= t.total else WAIT


def all_failed(t: Tally) -> Verdict:
    if t.succeeded or t.skipped:
        return SKIP
    return RUN if t.failed + t.upstream_failed + t.removed >= t.total else WAIT


def all_done(t: Tally) -> Verdict:
    return RUN if done(t) else WAIT


def all_done_setup_success(t: Tally) -> Verdict:
    """The rule of every teardown: when all is done, run if one of its setups succeeded."""
    if not done(t):
        return WAIT
    if not t.setups or t.setups_succeeded:
        return RUN
    return SKIP if t.setups_skipped == t.setups else FAIL


def all_skipped(t: Tally) -> Verdict:
    if t.succeeded or t.failed or t.upstream_failed:
        return SKIP
    return RUN if t.skipped >= t.total else WAIT


def one_success(t: Tally) -> Verdict:
    if t.succeeded:
        return RUN
    if not done(t):
        return WAIT
    return SKIP if t.skipped >= t.total else FAIL


def one_failed(t: Tally) -> Verdict:
    if t.failed or t.upstream_failed:
        return RUN
    return SKIP if done(t) else WAIT


def one_done(t: Tally) -> Verdict:
    if t.succeeded or t.failed:
        return RUN
    return SKIP if done(t) else WAIT


def none_failed(t: Tally) -> Verdict:
    if t.failed or t.upstream_failed:
        return FAIL
    return RUN if done(t) else WAIT


def none_failed_min_one_success(t: Tally) -> Verdict:
    if t.failed or t.upstream_failed:
        return FAIL
    if not done(t):
        return WAIT
    if t.skipped >= t.total:
        return SKIP
    return RUN if t.succeeded else FAIL


def none_skipped(t: Tally) -> Verdict:
    if t.skipped:
        return SKIP
    return RUN if done(t) else WAIT


def all_done_min_one_success(t: Tally) -> Verdict:
    if t.skipped:
        return SKIP
    if not done(t):
        return WAIT
    return RUN if t.succeeded else FAIL


def always(_: Tally) -> Verdict:
    return RUN


RULES: Final[dict[str, Rule]] = {
    "all_success": all_success,
    "all_failed": all_failed,
    "all_done": all_done,
    "all_done_min_one_success": all_done_min_one_success,
    "all_done_setup_success": all_done_setup_success,
    "all_skipped": all_skipped,
    "one_success": one_success,
    "one_failed": one_failed,
    "one_done": one_done,
    "none_failed": none_failed,
    "none_failed_min_one_success": none_failed_min_one_success,
    "none_skipped": none_skipped,
    "always": always,
}


def judge(rule: str, tally: Tally) -> Verdict:
    """What the rule says now. A task without upstreams runs, whatever its rule."""
    return RULES[rule](tally) if tally.total else RUN
