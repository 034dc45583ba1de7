"""Branching: follow some of what comes next, skip the rest (Airflow: sdk/bases/branch.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.authoring.calls import is_async_function, is_coroutine_function
from flowlet.authoring.operator import BaseOperator
from flowlet.operators.python import PythonOperator
from flowlet.operators.results import awaited_here
from flowlet.operators.skipping import SkipMixin

if TYPE_CHECKING:
    from flowlet.authoring.context import Context

Choice = str | Iterable[str] | None


class BranchMixIn(SkipMixin):
    """For operators that choose: `return self.do_branch(context, ids)` at the end of `execute`."""

    def do_branch(self, context: Context, branches_to_execute: Choice) -> Choice:
        """Follow the tasks and groups of these ids, skip the other direct downstreams; None or [] skips all.

        Gives back what was chosen.
        """
        if isinstance(branches_to_execute, Iterable) and not isinstance(branches_to_execute, Collection):
            branches_to_execute = list(branches_to_execute)
        self.skip_all_except(context["ti"], branches_to_execute)
        return branches_to_execute


class BaseBranchOperator(BranchMixIn, BaseOperator):
    """Subclasses define `choose_branch(context)`, `def` or `async def`: the id(s) to follow."""

    def choose_branch(self, context: Context) -> Any:
        """The ids of tasks or groups to follow; None or [] skips all."""
        raise NotImplementedError(f"{type(self).__name__} defines no choose_branch()")

    @property
    def is_async(self) -> bool:
        own = type(self).execute is BaseBranchOperator.execute
        return own and is_coroutine_function(type(self).choose_branch)

    def execute(self, context: Context) -> Any:
        return self.do_branch(context, awaited_here(self.choose_branch(context)))

    async def aexecute(self, context: Context) -> Any:
        return self.do_branch(context, await self.choose_branch(context))


class BranchPythonOperator(BaseBranchOperator, PythonOperator):
    """Follows what its callable returns: the id(s) of tasks or groups."""

    @property
    def is_async(self) -> bool:
        if type(self).choose_branch is not BranchPythonOperator.choose_branch:
            return super().is_async
        return type(self).execute is BaseBranchOperator.execute and is_async_function(self.python_callable)

    def choose_branch(self, context: Context) -> Any:
        """What the callable says."""
        call = PythonOperator.aexecute if self.is_async else PythonOperator.execute
        return call(self, context)


class DecoratedBranch(BranchPythonOperator):
    """What `@task.branch` makes."""

    custom_operator_name: ClassVar = "@task.branch"
