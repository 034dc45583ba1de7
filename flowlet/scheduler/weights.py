"""Priority weights (Airflow: task/priority_strategy.py): own, plus that of all transitive relatives.

Computed when somebody has to wait, for a whole DAG at once. Sets of relatives are bits of an integer, a
block of columns at a time, so that 100,000 tasks need megabytes, not gigabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from flowlet.authoring.spec import DagSpec

#: Rules that need no code of the user's.
BUILT_IN = frozenset({"downstream", "upstream", "absolute"})

_BLOCK = 8192
_weights: WeakKeyDictionary[DagSpec, list[int]] = WeakKeyDictionary()


def weight_of(spec: DagSpec, index: int) -> int:
    """The effective priority weight of a task."""
    weights = _weights.get(spec)
    if weights is None:
        weights = _weights[spec] = _all_weights(spec)
    return weights[index]


def _all_weights(spec: DagSpec) -> list[int]:
    own = [task.priority_weight for task in spec.tasks]
    rules = {task.weight_rule for task in spec.tasks}
    down = _relatives(spec, own, downstream=True) if "downstream" in rules else own
    up = _relatives(spec, own, downstream=False) if "upstream" in rules else own
    by_rule = {"downstream": down, "upstream": up, "absolute": own}
    return [by_rule.get(task.weight_rule, own)[task.index] for task in spec.tasks]


def _relatives(spec: DagSpec, own: list[int], *, downstream: bool) -> list[int]:
    """Own weight plus the weights of all transitive relatives, for every task."""
    total = list(own)
    count = len(own)
    for first in range(0, count, _BLOCK):
        _add_block(spec, own, total, first, min(first + _BLOCK, count), downstream)
    return total


def _add_block(spec: DagSpec, own: list[int], total: list[int], first: int, last: int, downstream: bool) -> None:
    """Add the weights of the relatives whose index lies in [first, last)."""
    masks: dict[int, int] = {}
    for index in range(first, last):
        masks[own[index]] = masks.get(own[index], 0) | 1 << (index - first)
    order = reversed(spec.tasks[:last]) if downstream else spec.tasks[first:]
    reach: dict[int, int] = {}
    for task in order:
        bits = 0
        for other in task.downstream if downstream else task.upstream:
            bits |= reach.get(other, 0)
            if first <= other < last:
                bits |= 1 << (other - first)
        if bits:
            reach[task.index] = bits
            total[task.index] += sum(weight * (bits & mask).bit_count() for weight, mask in masks.items())
