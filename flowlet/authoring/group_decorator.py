"""`@task_group`: a function whose call makes a group of the tasks that it makes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, NoReturn, ParamSpec, Self, overload

from flowlet.authoring.group import TaskGroup
from flowlet.authoring.xcom_arg import mapping_comes_later

P = ParamSpec("P")


class GroupFunction(Generic[P]):
    """A function that becomes a TaskGroup each time it is called inside a DAG; a second call gets `__1`."""

    def __init__(self, function: Callable[P, Any], arguments: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.arguments = arguments

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """What the function returns (so that edges bind to it), or the group if it returns None."""
        wanted = {
            "group_id": self.function.__name__,
            "tooltip": (self.function.__doc__ or "").strip(),
            "add_suffix_on_collision": True,
            **self.arguments,
        }
        with TaskGroup(**wanted) as group:
            returned = self.function(*args, **kwargs)
        return group if returned is None else returned

    def override(self, **arguments: Any) -> Self:
        """The same function with other arguments for its group."""
        return type(self)(self.function, {**self.arguments, **arguments})

    def expand(self, **_: Any) -> NoReturn:
        """Not before dynamic mapping."""
        raise mapping_comes_later(f"{self.function.__name__}.expand()")

    def expand_kwargs(self, *_: Any, **__: Any) -> NoReturn:
        """Not before dynamic mapping."""
        raise mapping_comes_later(f"{self.function.__name__}.expand_kwargs()")

    def partial(self, **_: Any) -> NoReturn:
        """Not before dynamic mapping."""
        raise mapping_comes_later(f"{self.function.__name__}.partial()")


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
