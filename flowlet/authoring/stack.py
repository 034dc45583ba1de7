"""Where a task goes that names no DAG: the group whose `with` block is open, and its DAG."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.group import TaskGroup

#: The open groups, outermost first; a DAG is open as its root group.
OPEN: ContextVar[tuple[TaskGroup, ...]] = ContextVar("flowlet_open_groups", default=())


def push(group: TaskGroup) -> None:
    """Open a group."""
    OPEN.set((*OPEN.get(), group))


def pop() -> None:
    """Close the group that was opened last."""
    OPEN.set(OPEN.get()[:-1])


def current_group() -> TaskGroup | None:
    """The innermost open group."""
    groups = OPEN.get()
    return groups[-1] if groups else None


def current_dag() -> DAG | None:
    """The DAG that is being described."""
    groups = OPEN.get()
    return groups[-1].dag if groups else None


def home(dag: DAG | None, group: TaskGroup | None) -> TaskGroup | None:
    """The group that a new task joins, from what its caller said; None: it has no DAG yet."""
    if group is not None:
        return group
    groups = OPEN.get()
    if groups and (dag is None or groups[-1].dag is dag):
        return groups[-1]
    return None if dag is None else dag.task_group
