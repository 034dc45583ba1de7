"""Which classes the XComs of a task may hold without being registered: those its own modules know by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlet.authoring.operator import BaseOperator


class KnownTypes(Mapping[str, type]):
    """attrs classes, dataclasses and Enums that the module of the task's callable, or of another callable
    of its DAG, defines or imports by their own name. Looked up when a value needs one; never imported.
    """

    __slots__ = ("_task",)

    def __init__(self, task: BaseOperator) -> None:
        self._task = task

    def __getitem__(self, name: str) -> type:
        for names in self._namespaces():
            found = _find(name, names)
            if found is not None:
                return found
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def _namespaces(self) -> Iterator[Mapping[str, Any]]:
        seen: set[int] = set()
        dag = self._task.get_dag()
        for task in (self._task, *(dag.task_dict.values() if dag is not None else ())):
            names = _namespace_of(task)
            if id(names) not in seen:
                seen.add(id(names))
                yield names

    def __iter__(self) -> Iterator[str]:
        return iter({name for names in self._namespaces() for name in names if _find(name, names)})

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _namespace_of(task: BaseOperator) -> Mapping[str, Any]:
    """The globals of the task's callable, or else of the module that defines its operator's class."""
    function = getattr(task, "python_callable", None)
    names = getattr(function, "__globals__", None)
    if names is None:
        module = sys.modules.get(
            type(task).__module__ if function is None else getattr(function, "__module__", "")
        )
        names = vars(module) if module is not None else {}
    return names


def _find(name: str, names: Mapping[str, Any]) -> type | None:
    """A class that goes by this name where it was defined, `Outer.Inner` too."""
    first, *rest = name.split(".")
    found = names.get(first)
    for part in rest:
        found = vars(found).get(part) if isinstance(found, type) else None
    return found if isinstance(found, type) and found.__qualname__ == name and _keeps_fields(found) else None


def _keeps_fields(cls: type) -> bool:
    enum = sys.modules.get("enum")
    own = vars(cls)
    return (
        "__attrs_attrs__" in own
        or "__dataclass_fields__" in own
        or (enum is not None and issubclass(cls, enum.Enum))
    )
