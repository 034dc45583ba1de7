"""Tasks that never run: rules that their upstreams can never satisfy, joins that one side of a branch skips.

For each task, in topological order, the states in which it may end. Each set is too large rather than too
small, so what is called unreachable is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from flowlet.authoring.dag import DAG
from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.rules import TriggerRule
from flowlet.checking.branches import alternatives
from flowlet.checking.findings import ERROR, Finding, about_task
from flowlet.operators.skipping import SkipMixin

States = frozenset[str]

_GOOD: States = frozenset({"success"})
_BAD: States = frozenset({"failed", "upstream_failed"})
_SKIPPED: States = frozenset({"skipped"})
_ALL: States = _GOOD | _BAD | _SKIPPED


def _every(wanted: States) -> Callable[[Sequence[States]], bool]:
    return lambda ups: all(up & wanted for up in ups)


def _some(wanted: States) -> Callable[[Sequence[States]], bool]:
    return lambda ups: any(up & wanted for up in ups)


#: Whether some outcome of the upstreams lets a task run. A rule that is absent always can be satisfied.
_CAN_RUN: dict[str, Callable[[Sequence[States]], bool]] = {
    TriggerRule.ALL_SUCCESS: _every(_GOOD),
    TriggerRule.ALL_FAILED: _every(_BAD),
    TriggerRule.ALL_SKIPPED: _every(_SKIPPED),
    TriggerRule.ONE_SUCCESS: _some(_GOOD),
    TriggerRule.ONE_FAILED: _some(_BAD),
    TriggerRule.ONE_DONE: _some(_GOOD | _BAD),
    TriggerRule.NONE_FAILED: _every(_GOOD | _SKIPPED),
    TriggerRule.NONE_SKIPPED: _every(_GOOD | _BAD),
    TriggerRule.ALL_DONE_MIN_ONE_SUCCESS: _some(_GOOD),
    TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS: lambda ups: _every(_GOOD | _SKIPPED)(ups) and _some(_GOOD)(ups),
}


def check_reach(dag: DAG) -> Iterator[Finding]:
    """Tasks that never run, whatever happens; of a chain of them the first."""
    ends: dict[str, States] = {}
    skippable = _behind_skippers(dag)
    for task in dag.topological_sort():
        ups = [ends[up.task_id] for up in task.upstream_list]
        satisfied = _CAN_RUN.get(task.trigger_rule)
        can_run = not ups or task.is_teardown or satisfied is None or satisfied(ups)
        if can_run:
            ends[task.task_id] = _ends_of(task, ups, skippable=task.task_id in skippable)
            continue
        ends[task.task_id] = _ALL
        yield about_task(
            ERROR, "unreachable", task,
            f"never runs: trigger_rule {str(task.trigger_rule)!r} can never be satisfied by"
            f" {_names(task.upstream_list)}, which {_endings(ups)}",
            "give it another trigger_rule, or other upstreams",
        )  # fmt: skip
    yield from _joins(dag)


def _behind_skippers(dag: DAG) -> set[str]:
    """What comes, however far, after a task whose code may skip others."""
    found: set[str] = set()
    for task in dag.tasks:
        if isinstance(task, SkipMixin) or task.is_mapped or not type(task).__module__.startswith("flowlet."):
            found |= task.get_flat_relative_ids(upstream=False)
    return found


def _ends_of(task: BaseOperator, ups: Sequence[States], *, skippable: bool) -> States:
    ends = _GOOD if task.is_bodyless and not task.is_mapped else _GOOD | {"failed"} | _SKIPPED
    if task.trigger_rule in {TriggerRule.ALWAYS, TriggerRule.ALL_DONE}:
        return ends | _SKIPPED if skippable else ends
    if skippable or task.mapped_group is not None or any(up & _SKIPPED for up in ups):
        ends |= _SKIPPED
    if any(up & _BAD for up in ups):
        ends |= {"upstream_failed"} | _SKIPPED
    if ups and task.trigger_rule not in {TriggerRule.ALL_SUCCESS, TriggerRule.NONE_FAILED}:
        ends |= {"upstream_failed"} | _SKIPPED
    return ends


def _endings(ups: Sequence[States]) -> str:
    ends = frozenset().union(*ups)
    return f"can end as {' or '.join(sorted(ends))} only"


def _joins(dag: DAG) -> Iterator[Finding]:
    """Tasks that ask for the success of all sides of a branch that always skips one of them."""
    for branch in dag.tasks:
        choices = alternatives(branch)
        if not choices:
            continue
        skips = [_skipped_by(dag, branch, choice) for choice in choices]
        never = set.intersection(*skips)
        for task in dag.topological_sort():
            if task.task_id in never and not any(up.task_id in never for up in task.upstream_list) and branch not in task.upstream_list:
                yield about_task(
                    ERROR, "unreachable", task,
                    f"never runs: {branch.task_id!r} always skips one of {_names(task.upstream_list)}, and"
                    f" trigger_rule {str(task.trigger_rule)!r} asks for all",
                    "give it trigger_rule='none_failed_min_one_success'",
                )  # fmt: skip


def _skipped_by(dag: DAG, branch: BaseOperator, choice: Sequence[str]) -> set[str]:
    """The tasks that are skipped when a branch follows these ids."""
    kept: set[str] = set()
    for chosen in choice:
        group = dag.task_group_dict.get(chosen)
        for task in group.roots if group is not None else [dag.get_task(chosen)]:
            kept |= {task.task_id, *task.get_flat_relative_ids(upstream=False)}
    skipped = {task_id for task_id in branch.downstream_task_ids if task_id not in kept}
    for task in dag.topological_sort():
        if task.trigger_rule == TriggerRule.ALL_SUCCESS and not task.is_teardown and task.upstream_task_ids & skipped:
            skipped.add(task.task_id)
    return skipped


def _names(tasks: Sequence[BaseOperator]) -> str:
    names = [repr(task.task_id) for task in tasks]
    return ", ".join(names if len(names) <= 5 else [*names[:5], "..."])
