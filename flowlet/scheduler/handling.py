"""What was done by hand to runs may be refused by the file, if they were pruned or changed meanwhile: who asked is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flowlet.errors import FlowletError
from flowlet.runs.instances import ActiveRun

if TYPE_CHECKING:
    from flowlet.runs.instances import TaskInstance

_OF_A_RUN = frozenset({"reopen_run", "judge_run"})
_OF_A_TASK = frozenset({"reset_task", "settle_task", "end_task", "archive_attempt"})


class Handled(list[tuple[str, str, int]]):
    """The answer of a verb: run, task and map index of each instance, and the instances themselves until it is on file."""

    __slots__ = ("tis",)

    def __init__(self, keys: Iterable[tuple[str, str, int]], tis: Sequence[TaskInstance]) -> None:
        super().__init__(keys)
        self.tis = tis


def refused(conflicts: Iterable[Any], replies: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """No answer says that something was done which the file did not take."""
    conflicts = list(conflicts)
    runs = {conflict.move.id for conflict in conflicts if conflict.kind in _OF_A_RUN}
    tasks = {conflict.move.id for conflict in conflicts if conflict.kind in _OF_A_TASK}
    return [(reply, _told(answer, runs, tasks)) for reply, answer in replies]


def _told(answer: Any, runs: set[int], tasks: set[int]) -> Any:
    if isinstance(answer, ActiveRun):
        lost = answer if answer.id in runs else None
    elif isinstance(answer, Handled):
        lost = next((ti.run for ti in answer.tis if ti.run.id in runs or ti.id in tasks), None)
    else:
        return answer
    if lost is None:
        return answer
    return FlowletError(f"the run {lost.run_id!r} of DAG {lost.dag_id!r} is not as it was, somebody pruned or changed it meanwhile: try again")
