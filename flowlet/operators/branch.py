"""Branching: follow some of the direct downstreams, skip the rest (Airflow: sdk/bases/branch.py, skipmixin.py)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flowlet.authoring.operator import BaseOperator
from flowlet.errors import FlowletError
from flowlet.operators.python import PythonOperator

if TYPE_CHECKING:
    from flowlet.authoring.context import Context

SKIP_KEY = "skipmixin_key"
Choice = str | Iterable[str] | None


class BranchMixIn:
    """For operators that choose: `self.do_branch(context, ids)`."""

    def do_branch(self: Any, context: Context, choice: Choice) -> Choice:
        """Follow the tasks (or groups, by their roots) of these ids; direct downstreams that none of them
        leads to are skipped. None or [] skips all."""
        followed = self._followed(choice)
        keep = set(followed)
        for task_id in followed:
            keep |= self.dag.get_task(task_id).get_flat_relative_ids(upstream=False)
        context["ti"].skip(sorted(self.downstream_task_ids - keep))
        context["ti"].xcom_push(SKIP_KEY, {"followed": sorted(followed)})
        return choice

    def _followed(self: Any, choice: Choice) -> list[str]:
        ids = [] if choice is None else [choice] if isinstance(choice, str) else list(choice)
        found: list[str] = []
        for one in ids:
            if not isinstance(one, str):
                raise FlowletError(f"the branch {self.task_id!r} must choose ids, not {one!r}")
            if self.dag.has_task(one):
                found.append(one)
            elif self.dag.has_task_group(one):
                found += [root.task_id for root in self.dag.task_group_dict[one].roots]
            else:
                raise FlowletError(f"the branch {self.task_id!r} chose {one!r}, which is no task or group of {self.dag_id!r}")
        return found


class BaseBranchOperator(BranchMixIn, BaseOperator):
    """Subclasses define `choose_branch(context)`."""

    def choose_branch(self, context: Context) -> Choice:
        """The id(s) to follow."""
        raise NotImplementedError(f"{type(self).__name__} defines no choose_branch()")

    def execute(self, context: Context) -> Any:
        return self.do_branch(context, self.choose_branch(context))


class BranchPythonOperator(BranchMixIn, PythonOperator):
    """Follows what its callable returns."""

    def _finish(self, context: Context, result: Any) -> Any:
        return self.do_branch(context, super()._finish(context, result))


class DecoratedBranch(BranchPythonOperator):
    """What `@task.branch` makes."""

    custom_operator_name = "@task.branch"
