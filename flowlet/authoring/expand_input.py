"""What a task or a group is mapped over (Airflow: sdk/definitions/_internal/expandinput.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowlet.authoring import places
from flowlet.authoring.derived_args import Derived, _items, length_of
from flowlet.authoring.xcom_arg import ResolveMixin, XComArg, iter_resolvables, resolve_values
from flowlet.errors import DagError

if TYPE_CHECKING:
    from flowlet.authoring.context import Context
    from flowlet.authoring.operator import BaseOperator


class ExpandInput:
    """The arguments of `expand()`: every combination of one item of each, the last varying fastest."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    @classmethod
    def checked(cls, values: Mapping[str, Any], what: str) -> ExpandInput:
        """As `expand(**values)` takes them."""
        if not values:
            raise DagError(f"{what}: expand() needs something to map over ({places.spell(places.here())})")
        for name, value in values.items():
            if not is_mappable(value):
                raise DagError(
                    f"{what}: expand() cannot map {name}={value!r} ({type(value).__name__}): give a list, a dict or"
                    f" the output of a task ({places.spell(places.here())})"
                )
        return cls(values)

    def iter_references(self) -> Iterator[tuple[BaseOperator, str]]:
        """The tasks on which it hangs."""
        for resolvable in iter_resolvables(list(self.values.values())):
            yield from resolvable.iter_references()

    def lengths(self, place: dict[BaseOperator, int]) -> tuple[Any, ...]:
        """As a spec writes them."""
        return tuple(length_of(value, place) for value in self.values.values())

    def resolve(self, context: Context, index: int) -> tuple[dict[str, Any], set[int]]:
        """The arguments of one instance, and the ids of those that came from other tasks."""
        found: dict[str, Any] = {}
        foreign: set[int] = set()
        for name in reversed(self.values):
            value = self.values[name]
            items = _items(value.resolve(context) if isinstance(value, ResolveMixin) else value)
            index, number = divmod(index, len(items))
            found[name] = item = resolve_values(items[number], context)
            if item is not items[number] or isinstance(value, ResolveMixin):
                foreign.add(id(item))
        return {name: found[name] for name in self.values}, foreign


class ListOfDicts(ExpandInput):
    """The argument of `expand_kwargs()`: one dict of arguments an instance."""

    def __init__(self, rows: Any) -> None:
        super().__init__({"expand_kwargs": rows})
        self.rows = rows

    @classmethod
    def of(cls, rows: Any, what: str) -> ListOfDicts:
        """As `expand_kwargs(rows)` takes them."""
        fits = isinstance(rows, (XComArg, Derived)) or (
            isinstance(rows, Sequence)
            and not isinstance(rows, (str, bytes))
            and all(isinstance(row, (Mapping, ResolveMixin)) for row in rows)
        )
        if not fits:
            raise DagError(
                f"{what}: expand_kwargs() takes a list of dicts, or the output of a task, not"
                f" {type(rows).__name__} ({places.spell(places.here())})"
            )
        return cls(rows)

    def resolve(self, context: Context, index: int) -> tuple[dict[str, Any], set[int]]:
        rows = self.rows.resolve(context) if isinstance(self.rows, ResolveMixin) else self.rows
        row = _items(rows)[index]
        given = row.resolve(context) if isinstance(row, ResolveMixin) else row
        if not isinstance(given, Mapping):
            raise TypeError(f"expand_kwargs() needs dicts, but item {index} is a {type(given).__name__}")
        if not all(isinstance(name, str) for name in given):
            raise TypeError(f"expand_kwargs() needs dicts with str keys, but item {index} has others")
        found = {name: resolve_values(value, context) for name, value in given.items()}
        literal = not isinstance(self.rows, ResolveMixin) and not isinstance(row, ResolveMixin)
        return found, {id(value) for name, value in found.items() if not literal or value is not given[name]}


class MappedArgument(ResolveMixin):
    """What an argument of a mapped group is for the task that runs: the item of its own index."""

    def __init__(self, over: ExpandInput, name: str) -> None:
        self._over = over
        self._name = name

    def iter_references(self) -> Iterator[tuple[BaseOperator, str]]:
        return self._over.iter_references()

    def resolve(self, context: Context) -> Any:
        """The item for the instance that runs in this context."""
        given, _ = self._over.resolve(context, context["ti"].map_index)
        return given[self._name]

    def __repr__(self) -> str:
        return f"MappedArgument({self._name!r})"


def is_mappable(value: Any) -> bool:
    """Whether `expand()` takes it: a collection, or what will be one."""
    if isinstance(value, (XComArg, Derived, MappedArgument)):
        return True
    return isinstance(value, Collection) and not isinstance(value, (str, bytes))
