"""`@task_group`: a function whose call makes a group of the tasks that it makes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, Self, overload

from flowlet.authoring import places
from flowlet.authoring.calls import signature_of
from flowlet.authoring.expand_input import ExpandInput, ListOfDicts, MappedArgument
from flowlet.authoring.group import TaskGroup
from flowlet.errors import DagError

P = ParamSpec("P")


class GroupFunction(Generic[P]):
    """A function that becomes a TaskGroup each time it is called inside a DAG; a second call gets `__1`."""

    def __init__(
        self, function: Callable[P, Any], arguments: dict[str, Any], given: dict[str, Any] | None = None
    ) -> None:
        if not callable(function):
            raise DagError(
                f"@task_group takes a function, and its arguments by name, not {function!r}"
                f" ({places.spell(places.here())})"
            )
        functools.update_wrapper(self, function)
        self.function = function
        self.arguments = arguments
        self.given = given or {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """What the function returns (so that edges bind to it), or the group if it returns None."""
        return self._make(args, kwargs, None)

    def _make(self, args: Sequence[Any], kwargs: Mapping[str, Any], over: ExpandInput | None) -> Any:
        wanted = {
            "group_id": self.function.__name__,
            "tooltip": (self.function.__doc__ or "").strip(),
            "add_suffix_on_collision": True,
            **self.arguments,
        }
        with TaskGroup(**wanted) as group:
            group.mapped_over = over
            returned = self.function(*args, **kwargs)
        if over is not None:
            _close_mapped(group, over)
        return group if returned is None else returned

    def override(self, **arguments: Any) -> Self:
        """The same function with other arguments for its group."""
        return type(self)(self.function, {**self.arguments, **arguments}, self.given)

    def partial(self, **kwargs: Any) -> Self:
        """The arguments that do not differ between the instances of a mapped group."""
        return type(self)(self.function, self.arguments, {**self.given, **kwargs})

    def expand(self, **mapped: Any) -> Any:
        """All tasks of the group once for every combination of an item of each argument."""
        twice = sorted(self.given.keys() & mapped.keys())
        if twice:
            raise DagError(f"{self._what}: {twice[0]!r} is given to partial() and mapped too ({places.spell(places.here())})")
        over = ExpandInput.checked(mapped, self._what)
        return self._make((), {**self.given, **{name: MappedArgument(over, name) for name in mapped}}, over)

    def expand_kwargs(self, kwargs: Any) -> Any:
        """All tasks of the group once for each dict of arguments."""
        over = ListOfDicts.of(kwargs, self._what)
        names = signature_of(self.function).names
        arguments = {name: MappedArgument(over, name) for name in names if name not in self.given}
        return self._make((), {**self.given, **arguments}, over)

    @property
    def _what(self) -> str:
        return f"@task_group {self.function.__name__}"


def _close_mapped(group: TaskGroup, over: ExpandInput) -> None:
    """Its sources come before it, and nothing in it is mapped again (as in Airflow)."""
    for task in group.iter_tasks():
        if task.is_mapped:
            raise task._refuse("a mapped task cannot stand in a mapped group")
        if task.trigger_rule == "always" and any(True for _ in over.iter_references()):
            raise task._refuse("in a group that is mapped over what a task returns the trigger_rule cannot be 'always'")
    outer = group.parent_group
    while outer is not None:
        if outer.mapped_over is not None:
            raise DagError(f"the mapped group {group.group_id!r} cannot stand in the mapped group {outer.group_id!r}")
        outer = outer.parent_group
    for operator, _ in over.iter_references():
        operator.is_map_source = True
        for root in group.get_roots():
            operator._before(root)


@overload
def task_group(python_callable: Callable[P, Any]) -> GroupFunction[P]: ...
@overload
def task_group(
    python_callable: None = None, **arguments: Any
) -> Callable[[Callable[P, Any]], GroupFunction[P]]: ...
def task_group(python_callable: Callable[..., Any] | None = None, **arguments: Any) -> Any:
    """Make a function a factory of groups: `@task_group` or `@task_group(group_id=..., default_args=...)`."""
    if python_callable is not None:
        return GroupFunction(python_callable, arguments)
    return lambda function: GroupFunction(function, arguments)
