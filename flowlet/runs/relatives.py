"""What goes with a task when it is cleared or marked: what comes before it, after it, and its setups and teardowns.

Source: Airflow's `SerializedDAG.partial_subset` (serialization/definitions/dag.py, 3.3.2) and
`get_upstreams_follow_setups`, `get_upstreams_only_setups_and_teardowns` (_shared/dagnode/node.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowlet.authoring.spec import DagSpec


def before(spec: DagSpec, tasks: Iterable[int]) -> set[int]:
    """All that comes before these tasks, directly or not."""
    return _reach([spec.tasks[index].upstream for index in tasks], spec, up=True)


def after(spec: DagSpec, tasks: Iterable[int]) -> set[int]:
    """All that comes after these tasks, directly or not."""
    return _reach([spec.tasks[index].downstream for index in tasks], spec, up=False)


def _reach(begin: list[tuple[int, ...]], spec: DagSpec, *, up: bool) -> set[int]:
    found: set[int] = set()
    ahead = [index for indexes in begin for index in indexes]
    while ahead:
        index = ahead.pop()
        if index not in found:
            found.add(index)
            ahead += spec.tasks[index].upstream if up else spec.tasks[index].downstream
    return found


def with_relatives(spec: DagSpec, tasks: Iterable[int], *, upstream: bool, downstream: bool) -> set[int]:
    """These tasks, what comes before and after them if asked for, and the setups and teardowns of them all."""
    found = set(tasks)
    if upstream:
        above = before(spec, tasks)
        found |= above.union(*(_teardowns_of(spec, setup) for setup in above if spec.tasks[setup].is_setup))
    if downstream:
        found |= after(spec, tasks)
    if any(task.is_setup for task in spec.tasks):
        for index in list(found):
            found |= _scaffolding(spec, index)
    return found


def _scaffolding(spec: DagSpec, index: int) -> set[int]:
    """Of a setup its teardowns; of a task that works the setups whose teardowns come after it, or that have none,
    and those teardowns."""
    task = spec.tasks[index]
    if task.is_setup or task.is_teardown:
        return _teardowns_of(spec, index) if task.is_setup else set()
    found: set[int] = set()
    below = after(spec, (index,))
    for setup in (up for up in before(spec, (index,)) if spec.tasks[up].is_setup):
        teardowns = _teardowns_of(spec, setup)
        if not teardowns or teardowns & below:
            found |= {setup, *teardowns}
    return found


def _teardowns_of(spec: DagSpec, setup: int) -> set[int]:
    return {index for index in spec.tasks[setup].downstream if spec.tasks[index].is_teardown}
