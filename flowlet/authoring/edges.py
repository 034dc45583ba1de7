"""Edges between tasks: `>>`, `<<`, chain, cross_downstream, Label.

Whatever can stand in an edge (a task, a group, an XComArg, a Label) says which tasks it begins with
(`roots`) and ends with (`leaves`); lists of such things stand for all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from flowlet.authoring import places
from flowlet.errors import DagCycle, DagError

if TYPE_CHECKING:
    from flowlet.authoring.operator import BaseOperator

T = TypeVar("T")


class DependencyMixin:
    """Something that can stand on either side of `>>`."""

    __slots__ = ()

    @property
    def roots(self) -> Sequence[BaseOperator]:
        """The tasks that an edge to this leads to."""
        raise NotImplementedError

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        """The tasks that an edge from this comes from."""
        raise NotImplementedError

    def _meets_upstream(self, other: DependencyMixin) -> None:
        """`other` was put before this; for those that must remember it."""

    def _meets_downstream(self, other: DependencyMixin) -> None:
        """`other` was put after this; for those that must remember it."""

    def set_upstream(self, other: Any, edge_modifier: EdgeModifier | None = None) -> None:
        """Run after `other`: a task, a group, an XComArg, or a list of them."""
        for node in nodes_of(other):
            connect(node, self, edge_modifier)

    def set_downstream(self, other: Any, edge_modifier: EdgeModifier | None = None) -> None:
        """Run before `other`: a task, a group, an XComArg, or a list of them."""
        for node in nodes_of(other):
            connect(self, node, edge_modifier)

    def __rshift__(self, other: T) -> T:
        self.set_downstream(other)
        return other

    def __lshift__(self, other: T) -> T:
        self.set_upstream(other)
        return other

    def __rrshift__(self, other: Any) -> DependencyMixin:
        """`[a, b] >> self`"""
        self.set_upstream(other)
        return self

    def __rlshift__(self, other: Any) -> DependencyMixin:
        """`[a, b] << self`"""
        self.set_downstream(other)
        return self


class EdgeModifier(DependencyMixin):
    """A label on an edge: `a >> Label("when empty") >> b`. Kept by the DAG for whoever draws it."""

    def __init__(self, label: str | None = None) -> None:
        self.label = label
        self._ups: list[DependencyMixin] = []
        self._downs: list[DependencyMixin] = []

    @property
    def roots(self) -> Sequence[BaseOperator]:
        return [task for node in self._downs for task in node.roots]

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        return [task for node in self._ups for task in node.leaves]

    def _meets_upstream(self, other: DependencyMixin) -> None:
        self._ups.append(other)
        for node in self._downs:
            connect(other, node, self)

    def _meets_downstream(self, other: DependencyMixin) -> None:
        self._downs.append(other)
        for node in self._ups:
            connect(node, other, self)


def Label(label: str) -> EdgeModifier:  # noqa: N802  Airflow's name
    """A label for the edge in whose middle it stands."""
    return EdgeModifier(label)


def nodes_of(thing: Any) -> Iterable[DependencyMixin]:
    """The thing itself, or the members of a list; DagError for what can have no edge."""
    if isinstance(thing, DependencyMixin):
        return (thing,)
    if isinstance(thing, (list, tuple, set, frozenset)):
        return [node for member in thing for node in nodes_of(member)]
    raise DagError(
        f"{thing!r} ({type(thing).__name__}) cannot be upstream or downstream of a task:"
        f" tasks, groups, XComArgs and lists of them can ({places.spell(places.here())})"
    )


def connect(up: DependencyMixin, down: DependencyMixin, label: EdgeModifier | None = None) -> None:
    """Put `up` before `down`: an edge from each leaf of the one to each root of the other."""
    if isinstance(up, EdgeModifier):
        return up._meets_downstream(down)
    if isinstance(down, EdgeModifier):
        return down._meets_upstream(up)
    if up is down:
        raise DagCycle(f"{up!r} is put before itself ({places.spell(places.here())})")
    up._meets_downstream(down)
    down._meets_upstream(up)
    roots = down.roots
    for leaf in up.leaves:
        for root in roots:
            leaf._before(root)
            if label is not None and leaf.dag is not None:
                leaf.dag.set_edge_info(leaf.task_id, root.task_id, {"label": label.label})
    return None


def chain(*tasks: Any) -> None:
    """Each before the next; of two lists that follow each other, members are joined pairwise."""
    for up, down in itertools.pairwise(tasks):
        if not (_is_many(up) and _is_many(down)):
            _join(up, down)
            continue
        if len(up) != len(down):
            raise DagError(
                f"chain() joins lists pairwise, and these have {len(up)} and {len(down)} members"
                f" ({places.spell(places.here())})"
            )
        for one, other in zip(up, down, strict=True):
            _join(one, other)


def chain_linear(*elements: Any) -> None:
    """Each before the next; of two lists that follow each other every member is joined with every other."""
    if not elements:
        raise DagError(f"chain_linear() needs tasks ({places.spell(places.here())})")
    for up, down in itertools.pairwise(elements):
        _join(up, down)


def cross_downstream(from_tasks: Sequence[Any], to_tasks: Any) -> None:
    """Every one of `from_tasks` before every one of `to_tasks`."""
    _join(from_tasks, to_tasks)


def _is_many(thing: Any) -> bool:
    return isinstance(thing, (list, tuple))


def _join(ups: Any, downs: Any) -> None:
    downs = nodes_of(downs)
    for up in nodes_of(ups):
        for down in downs:
            connect(up, down)
