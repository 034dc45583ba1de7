"""How an operator comes to be: default_args reach every `__init__` of its class, mistakes are named.

Airflow does this with a metaclass (`BaseOperatorMeta._apply_defaults`); here each `__init__` that a class
body defines is wrapped once, so that operators can have any metaclass, ABCMeta for one.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flowlet.authoring import places, stack
from flowlet.authoring.arguments import CHECKS
from flowlet.authoring.calls import Signature
from flowlet.errors import DagError

if TYPE_CHECKING:
    from flowlet.authoring.operator import BaseOperator

#: The operators whose `__init__` goes on, innermost last.
_IN_THE_MAKING: list[BaseOperator] = []

_ALSO_KNOWN = ("task_id", "dag", "task_group", "default_args")


def completed(init: Callable[..., None]) -> Callable[..., None]:
    """An operator's `__init__`, with default_args filled in and with its XComArgs made edges at the end."""
    signature: Signature | None = None

    @functools.wraps(init)
    def __init__(self: BaseOperator, *args: Any, **kwargs: Any) -> None:  # noqa: N807  it becomes one
        nonlocal signature
        if signature is None:
            signature = Signature.of(init).without_first()
        if self._site is not None:  # called by the `__init__` of a subclass
            if not args:
                _fill(self, signature, kwargs)
            init(self, *args, **kwargs)
            return
        object.__setattr__(self, "_site", places.site_of(sys._getframe(1)))
        if args:
            raise _positional(self, args)
        _merge_default_args(self, kwargs)
        _fill(self, signature, kwargs)
        _IN_THE_MAKING.append(self)
        try:
            init(self, **kwargs)
        finally:
            _IN_THE_MAKING.remove(self)
        self._link_fields()

    return __init__


def is_being_made(operator: BaseOperator) -> bool:
    """Whether its `__init__` goes on."""
    if not _IN_THE_MAKING:
        return False
    return _IN_THE_MAKING[-1] is operator or any(other is operator for other in _IN_THE_MAKING)


def _merge_default_args(self: BaseOperator, kwargs: dict[str, Any]) -> None:
    """DAG <- groups <- the operator's own, put where each `__init__` up to the base finds them."""
    own = kwargs.get("default_args")
    if own is not None and not isinstance(own, Mapping):
        raise _wrong(self, kwargs, f"default_args must be a dict, not {own!r}")
    dag, group = kwargs.get("dag"), kwargs.get("task_group")
    try:
        home = stack.home(dag, group)
        outer = home.default_args if home is not None else None
    except AttributeError:
        raise _wrong(self, kwargs, f"dag={dag!r}, task_group={group!r}: not a DAG, not a TaskGroup") from None
    if outer:
        kwargs["default_args"] = {**outer, **own} if own else outer


def _fill(self: BaseOperator, signature: Signature, kwargs: dict[str, Any]) -> None:
    """Give this `__init__` what default_args say of its own parameters, and see that it can be called."""
    defaults: Mapping[str, Any] | None = kwargs.get("default_args")
    if defaults:
        for name in signature.names:
            if name in defaults and name not in kwargs:
                kwargs[name] = defaults[name]
    if not signature.takes_any_keyword:
        if "default_args" not in signature.names:
            kwargs.pop("default_args", None)
        for name in kwargs:
            if name not in signature.names:
                raise unknown_argument(self, name, kwargs.get("task_id"), signature.names)
    missing = [name for name in signature.required if name not in kwargs]
    if missing:
        raise _missing(self, missing, kwargs.get("task_id"))


def unknown_argument(self: BaseOperator, name: str, task_id: object, known: tuple[str, ...] = ()) -> DagError:
    """The error for an argument that no `__init__` of the class takes."""
    names = {*known, *CHECKS, *_ALSO_KNOWN}
    for cls in type(self).__mro__:
        if "__init__" in vars(cls) and cls is not object:
            names.update(Signature.of(vars(cls)["__init__"]).names)
    names.discard("self")
    return DagError(
        f"{type(self).__name__} takes no argument {name!r}{places.nearest(name, names)}"
        f" (task {task_id!r}, {places.spell(self._site)})"
    )


def _wrong(self: BaseOperator, kwargs: Mapping[str, Any], what: str) -> DagError:
    task_id, place = kwargs.get("task_id"), places.spell(self._site)
    return DagError(f"task {task_id!r}: {what} ({type(self).__name__}, {place})")


def _missing(self: BaseOperator, names: list[str], task_id: object) -> DagError:
    what = "argument" if len(names) == 1 else "arguments"
    which = "" if task_id is None else f"task {task_id!r}, "
    named = ", ".join(map(repr, names))
    return DagError(f"{type(self).__name__} needs the {what} {named} ({which}{places.spell(self._site)})")


def _positional(self: BaseOperator, args: tuple[Any, ...]) -> DagError:
    return DagError(
        f"{type(self).__name__} takes keyword arguments only, not {args[0]!r}: write task_id=... and so on"
        f" ({places.spell(self._site)})"
    )
