"""Orders and circles of a graph of integers. `upstream[i]` are the nodes that come before node i."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

Edges = Sequence[Sequence[int]]


def sort(upstream: Edges) -> list[int] | None:
    """A topological order, ties in the order of definition; None if the edges form a circle (Kahn 1962)."""
    if all(not ups or max(ups) < node for node, ups in enumerate(upstream)):
        return list(range(len(upstream)))
    downstream = reverse(upstream)
    missing = [len(ups) for ups in upstream]
    ready = [node for node, count in enumerate(missing) if not count]
    order = []
    while ready:
        node = heapq.heappop(ready)
        order.append(node)
        for down in downstream[node]:
            missing[down] -= 1
            if not missing[down]:
                heapq.heappush(ready, down)
    return order if len(order) == len(upstream) else None


def reverse(upstream: Edges) -> list[list[int]]:
    """The same edges seen from their other ends."""
    downstream: list[list[int]] = [[] for _ in upstream]
    for node, ups in enumerate(upstream):
        for up in ups:
            downstream[up].append(node)
    return downstream


def find_circle(upstream: Edges) -> list[int]:
    """The nodes of one circle, each before the next and the last before the first; empty if there is none."""
    downstream = reverse(upstream)
    missing = [len(ups) for ups in upstream]
    ready = [node for node, count in enumerate(missing) if not count]
    while ready:
        for down in downstream[ready.pop()]:
            missing[down] -= 1
            if not missing[down]:
                ready.append(down)
    node = next((node for node, count in enumerate(missing) if count), None)
    return [] if node is None else _walk_up(upstream, missing, node)


def _walk_up(upstream: Edges, missing: Sequence[int], node: int) -> list[int]:
    """Every node that is left has an upstream that is left: follow them until one comes again."""
    path: list[int] = []
    place: dict[int, int] = {}
    while node not in place:
        place[node] = len(path)
        path.append(node)
        node = next(up for up in upstream[node] if missing[up])
    circle = path[place[node] :][::-1]
    first = circle.index(min(circle))
    return circle[first:] + circle[:first]
