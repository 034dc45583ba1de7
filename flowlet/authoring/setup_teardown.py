"""Setup and teardown: tasks that make and unmake what others work with (Airflow: howto/setup-and-teardown.rst).

A teardown runs when all between its setups and itself has ended, if one of its setups succeeded; whether it
fails does not concern the run. `with setup >> teardown:` puts the tasks that are made inside between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flowlet.authoring import places
from flowlet.authoring.edges import connect
from flowlet.authoring.rules import TriggerRule
from flowlet.errors import DagError

if TYPE_CHECKING:
    from flowlet.authoring.edges import DependencyMixin
    from flowlet.authoring.operator import BaseOperator

_SCOPES: ContextVar[tuple[Scope, ...]] = ContextVar("flowlet_setup_scopes", default=())


class Scope:
    """An open `with` block of setups and teardowns, and the tasks that were made in it."""

    def __init__(self, setups: Sequence[BaseOperator], teardowns: Sequence[BaseOperator]) -> None:
        self.setups = setups
        self.teardowns = teardowns
        self.tasks: dict[BaseOperator, None] = {}

    def add_task(self, *tasks: DependencyMixin) -> None:
        """Tasks that were made elsewhere and work with the setups all the same."""
        for node in tasks:
            self.tasks.update(dict.fromkeys([*node.roots, *node.leaves]))

    def close(self) -> None:
        """The setups before what comes first in it, the teardowns after what comes last."""
        work = {task for task in self.tasks if task not in self.setups and task not in self.teardowns}
        for task in [task for task in self.tasks if task in work]:
            if not any(up in work for up in task._up):
                for setup in self.setups:
                    setup._before(task)
        for leaf in last_of([task for task in self.tasks if task in work]):
            for teardown in self.teardowns:
                leaf._before(teardown)


def last_of(tasks: Sequence[BaseOperator]) -> list[BaseOperator]:
    """The tasks that come before no other of them; in the place of a teardown, what comes before that.

    So a failure of a teardown stops nothing that comes after the whole (Airflow: TaskGroup.get_leaves).
    """
    inside, found = set(tasks), dict[Any, None]()
    for task in tasks:
        if not any(down in inside and not down.is_teardown for down in task._down):
            _work_before(task, inside, found)
    return list(found)


def _work_before(task: BaseOperator, inside: set[BaseOperator], found: dict[Any, None]) -> None:
    todo, seen = [task], set[Any]()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        if not current.is_teardown:
            found[current] = None
            continue
        todo += [up for up in current._up if up in inside and not up.is_setup]


def joined(task: BaseOperator) -> None:
    """A new task works with whatever setups are open."""
    for scope in _SCOPES.get():
        scope.tasks[task] = None


def enter(tasks: Sequence[BaseOperator]) -> Scope:
    """Open the block of these setups or teardowns: a setup brings its teardowns along, and the other way round."""
    setups: dict[BaseOperator, None] = {}
    teardowns: dict[BaseOperator, None] = {}
    for task in tasks:
        if not task.is_setup and not task.is_teardown:
            raise task._refuse("only setups and teardowns can be used with `with`")
        setups |= dict.fromkeys([task] if task.is_setup else [up for up in task._up if up.is_setup])
        teardowns |= dict.fromkeys([task] if task.is_teardown else [down for down in task._down if down.is_teardown])
    scope = Scope(list(setups), list(teardowns))
    _SCOPES.set((*_SCOPES.get(), scope))
    return scope


def leave() -> None:
    """Close the block that was opened last."""
    scopes = _SCOPES.get()
    _SCOPES.set(scopes[:-1])
    scopes[-1].close()


def as_setup(task: BaseOperator) -> None:
    """Make a task a setup."""
    if task.is_teardown:
        raise task._refuse("is a teardown and cannot be a setup too")
    task.is_setup = True


def as_teardown(
    task: BaseOperator, setups: DependencyMixin | Iterable[DependencyMixin] | None, on_failure_fail_dagrun: bool | None
) -> None:
    """Make a task the teardown of setups."""
    if task.is_setup:
        raise task._refuse("is a setup and cannot be a teardown too")
    task.is_teardown = True
    task.trigger_rule = TriggerRule.ALL_DONE_SETUP_SUCCESS
    if on_failure_fail_dagrun:
        task.on_failure_fail_dagrun = True
    if setups is None:
        return
    for node in setups if isinstance(setups, (list, tuple, set, frozenset)) else (setups,):
        for setup in node.leaves:
            as_setup(setup)
        connect(node, task)


def setup(function: Callable[..., Any]) -> Any:
    """`@setup`: a function, or a `@task` function, whose tasks are setups."""
    return _marked(function, {"is_setup": True})


def teardown(
    function: Callable[..., Any] | None = None, *, setups: Any = None, on_failure_fail_dagrun: bool = False
) -> Any:
    """`@teardown`, or `@teardown(setups=..., on_failure_fail_dagrun=...)`."""
    marks = {"is_teardown": True, "setups": setups, "on_failure_fail_dagrun": on_failure_fail_dagrun}
    if function is not None:
        return _marked(function, marks)
    return lambda function: _marked(function, marks)


def _marked(function: Any, marks: dict[str, Any]) -> Any:
    from flowlet.authoring.group_decorator import GroupFunction
    from flowlet.authoring.taskflow import TaskFunction

    if isinstance(function, GroupFunction):
        raise DagError(f"a task group cannot be a setup or teardown as a whole ({places.spell(places.here())})")
    if not isinstance(function, TaskFunction):
        from importlib import import_module

        decorator = import_module("flowlet.operators.decorators").task  # above this room: by name, when it is used
        function = decorator(function)
    return function.marked(marks)
