"""Outputs made of outputs: `x.map(f)`, `x.zip(y)`, `x.concat(y)` (Airflow: sdk/definitions/xcom_arg.py).

They are lazy: `f` is called where, and as often as, a running task looks at an item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flowlet.authoring import places
from flowlet.authoring.context import RETURN_KEY
from flowlet.authoring.edges import DependencyMixin
from flowlet.authoring.xcom_arg import ResolveMixin, XComArg
from flowlet.errors import DagError

if TYPE_CHECKING:
    from flowlet.authoring.context import Context
    from flowlet.authoring.operator import BaseOperator

NOTHING: Any = object()
"""No fill value was said."""


class Derived(ResolveMixin, DependencyMixin):
    """What is made of other outputs; it can be mapped over, and derived from, as they can."""

    __slots__ = ()

    parts: Sequence[XComArg | Derived]

    @property
    def roots(self) -> Sequence[BaseOperator]:
        return [operator for operator, _ in self.iter_references()]

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        return [operator for operator, _ in self.iter_references()]

    def iter_references(self) -> Iterator[tuple[BaseOperator, str]]:
        for part in self.parts:
            yield from part.iter_references()

    def map(self, f: Callable[[Any], Any]) -> MapXComArg:
        """Every item handed through `f`."""
        return MapXComArg(self, f)

    def zip(self, *others: Any, fillvalue: Any = NOTHING) -> ZipXComArg:
        """Tuples of the items of this and of the others."""
        return ZipXComArg([self, *others], fillvalue)

    def concat(self, *others: Any) -> ConcatXComArg:
        """The items of this, then those of the others."""
        return ConcatXComArg([self, *others])


class MapXComArg(Derived):
    """`x.map(f)`: as long as x; an `f` that raises SkipTask skips the instance that looks at the item."""

    def __init__(self, arg: XComArg | Derived, f: Callable[[Any], Any]) -> None:
        if hasattr(f, "operator_class"):
            raise DagError(f"map() takes a plain function, not a @task ({places.spell(places.here())})")
        if not callable(f):
            raise DagError(f"map() takes a function, not {f!r} ({places.spell(places.here())})")
        self.parts = (arg,)
        self.f = f

    def resolve(self, context: Context) -> Any:
        return Lazy(_items(self.parts[0].resolve(context)), self.f)


class ZipXComArg(Derived):
    """`x.zip(y)`: as long as the shortest; with a `fillvalue`, as the longest."""

    def __init__(self, args: Sequence[Any], fillvalue: Any) -> None:
        self.parts = [_part(arg, "zip") for arg in args]
        self.fillvalue = fillvalue

    @property
    def fills(self) -> bool:
        """Whether it goes on where one of them has no item any more."""
        return self.fillvalue is not NOTHING

    def resolve(self, context: Context) -> Any:
        all_items = [_items(part.resolve(context)) for part in self.parts]
        if not self.fills:
            return list(zip(*all_items, strict=False))
        longest = max(map(len, all_items))
        return [
            tuple(items[number] if number < len(items) else self.fillvalue for items in all_items)
            for number in range(longest)
        ]


class ConcatXComArg(Derived):
    """`x.concat(y)`: one after the other."""

    def __init__(self, args: Sequence[Any]) -> None:
        self.parts = [_part(arg, "concat") for arg in args]

    def resolve(self, context: Context) -> Any:
        return [item for part in self.parts for item in _items(part.resolve(context))]


class Lazy(Sequence[Any]):
    """Items that go through a function when they are looked at."""

    __slots__ = ("_f", "_items")

    def __init__(self, items: Sequence[Any], f: Callable[[Any], Any]) -> None:
        self._items = items
        self._f = f

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        found = self._items[index]
        return [self._f(item) for item in found] if isinstance(index, slice) else self._f(found)

    def __repr__(self) -> str:
        return f"[{len(self)} items]"


def _part(arg: Any, verb: str) -> XComArg | Derived:
    if isinstance(arg, (XComArg, Derived)):
        return arg
    raise DagError(f"{verb}() takes outputs of tasks, not {arg!r} ({places.spell(places.here())})")


def _items(value: Any) -> Sequence[Any]:
    """What is mapped over, in order: the pairs of a dict, the items of anything else."""
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, Sequence):
        return value
    return [] if value is None else list(value)


def length_of(arg: Any, place: dict[BaseOperator, int]) -> Any:
    """How long an argument of `expand()` is, as a DAG's spec writes it (`TaskSpec.mapping`)."""
    if isinstance(arg, XComArg):
        if arg.key != RETURN_KEY:
            raise DagError(
                f"cannot map over the XCom {arg.key!r} of task {arg.operator.task_id!r}: only over what a task returns"
                f" ({places.spell(arg.operator._site)})"
            )
        return ["xcom", place[arg.operator]]
    if isinstance(arg, MapXComArg):
        return length_of(arg.parts[0], place)
    if isinstance(arg, ZipXComArg):
        return ["zip", arg.fills, [length_of(part, place) for part in arg.parts]]
    if isinstance(arg, ConcatXComArg):
        return ["concat", [length_of(part, place) for part in arg.parts]]
    return len(arg)
