"""Dynamic mapping: how many instances a mapped task has, and when that is known.

A mapped task is one instance until the values that it is mapped over are there; then it becomes as many as
their lengths multiply to, and the rows of all of them enter together. Source: Airflow's
`airflow/models/expandinput.py`, `airflow/models/mappedoperator.py` and
`airflow/ti_deps/deps/mapped_task_upstream_dep.py` (3.3.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from flowlet.authoring.spec import sources
from flowlet.runs.moves import AddTask, IndexTask
from flowlet.runs.states import FAILED, NONE, REMOVED, SKIPPED, SUCCESS, TERMINAL, UPSTREAM_FAILED

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.runs.turn import Turn

MOST_INSTANCES: Final = 100_000
"""Of one task in one run: a product of mappings is refused before its rows are made."""


def is_unexpanded(ti: TaskInstance) -> bool:
    """It stands for a mapped task whose number of instances is not known yet."""
    return ti.spec.mapping is not None and ti.map_index < 0


def broken_source(ti: TaskInstance) -> tuple[str, str] | None:
    """The state, and why, of a task whose sources were never expanded and did not succeed; whatever its rule.

    What a mapped source's instances became is its trigger rule's to judge (mapped_task_upstream_dep.py).
    """
    found = [ti.run.tasks[source] for source in sorted(sources(ti.spec.mapping or ()))]
    ended = [source for source in found if source.map_index < 0 and source.state in TERMINAL]
    for states, becomes in (((FAILED, UPSTREAM_FAILED), UPSTREAM_FAILED), ((SKIPPED,), SKIPPED)):
        for source in ended:
            if source.state in states:
                return becomes, f"{source.key}, over which it is mapped, is {source.state}"
    return None


def count_of(ti: TaskInstance) -> int | None:
    """How many instances a mapped task gets; None while something that it is mapped over is not there."""
    product = 1
    for length in ti.spec.mapping or ():
        number = _length(length, ti.run)
        if number is None:
            return None
        product *= number
    return product


def _length(length: Any, run: ActiveRun) -> int | None:
    if isinstance(length, int):
        return length
    kind = length[0]
    if kind == "xcom":
        return _length_of_task(run.tasks[length[1]])
    parts = [_length(part, run) for part in length[-1]]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if kind == "concat":
        return sum(known)
    return max(known, default=0) if length[1] else min(known, default=0)


def _length_of_task(source: TaskInstance) -> int | None:
    """A mapped source counts its instances that returned something (Airflow: get_task_map_length)."""
    if source.instances is None:
        return source.length if source.state in TERMINAL else None
    if any(ti.state not in TERMINAL for ti in source.instances):
        return None
    return sum(ti.length or 0 for ti in source.instances)


def expand(ti: TaskInstance, count: int, turn: Turn) -> Sequence[TaskInstance]:
    """Make all instances of a mapped task; what stood for it becomes the first of them."""
    run, spec = ti.run, ti.spec
    first_id = turn.reserve(count - 1) if count > 1 else 0
    instances = [ti, *(_twin(ti, first_id + number, number + 1) for number in range(count - 1))]
    ti.map_index, ti.instances = 0, instances
    run.is_expanded = True
    run.unfinished += count - 1
    turn.moves.index_task.append(IndexTask(ti.id, 0))
    for other in instances[1:]:
        turn.moves.add_task.append(
            AddTask(
                other.id, run.id, spec.task_id, other.map_index, NONE, 0, spec.retries, spec.operator, spec.pool,
                None, None, None,
            )
        )  # fmt: skip
    _count_instances(ti, count, turn)
    for instance in instances if spec.map_group is not None else ():
        recount(instance, parents(instance))
    return instances


def _twin(ti: TaskInstance, id: int, map_index: int) -> TaskInstance:  # noqa: A002  the row's name
    """Another instance of the task, for which as much has happened."""
    twin = type(ti)(ti.run, ti.spec, id, map_index)
    twin.total, twin.succeeded, twin.failed, twin.skipped = ti.total, ti.succeeded, ti.failed, ti.skipped
    twin.upstream_failed, twin.removed = ti.upstream_failed, ti.removed
    twin.setups, twin.setups_succeeded, twin.setups_skipped = ti.setups, ti.setups_succeeded, ti.setups_skipped
    return twin


def _count_instances(ti: TaskInstance, count: int, turn: Turn) -> None:  # noqa: ARG001  as its caller's
    """Whatever comes after the task, outside of its mapped group, has so many more upstreams."""
    for index in ti.spec.downstream:
        below = ti.run.tasks[index]
        if not are_paired(ti.spec, below.spec):
            for child in below.instances or (below,):
                child.total += count - 1
                if ti.spec.is_setup:
                    child.setups += count - 1


def are_paired(above: Any, below: Any) -> bool:
    """Both are in one mapped group: an instance meets only that of its own index."""
    return above.map_group is not None and above.map_group == below.map_group


def children(ti: TaskInstance, index: int) -> Iterable[TaskInstance]:
    """The instances of a downstream task that an instance concerns."""
    below = ti.run.tasks[index]
    if below.instances is None:
        return (below,)
    if are_paired(ti.spec, below.spec) and 0 <= ti.map_index < len(below.instances):
        return (below.instances[ti.map_index],)
    return below.instances


def parents(ti: TaskInstance) -> list[TaskInstance]:
    """The instances that come directly before one."""
    found: list[TaskInstance] = []
    for index in ti.spec.upstream:
        above = ti.run.tasks[index]
        if above.instances is None:
            found.append(above)
        elif are_paired(above.spec, ti.spec) and 0 <= ti.map_index < len(above.instances):
            found.append(above.instances[ti.map_index])
        else:
            found.extend(above.instances)
    return found


def count(child: TaskInstance, parent: TaskInstance, state: str) -> None:
    """One more direct upstream of `child` has ended."""
    if state == SUCCESS:
        child.succeeded += 1
        if parent.spec.is_setup:
            child.setups_succeeded += 1
    elif state == FAILED:
        child.failed += 1
    elif state == SKIPPED:
        child.skipped += 1
        if parent.spec.is_setup:
            child.setups_skipped += 1
    elif state == UPSTREAM_FAILED:
        child.upstream_failed += 1
    elif state == REMOVED:
        child.removed += 1


def recount(ti: TaskInstance, above: Sequence[TaskInstance]) -> TaskInstance:
    """Count anew how those that come directly before an instance have ended, as far as that was told."""
    ti.total, ti.setups = len(above), sum(parent.spec.is_setup for parent in above)
    ti.succeeded = ti.failed = ti.skipped = ti.upstream_failed = ti.removed = 0
    ti.setups_succeeded = ti.setups_skipped = 0
    for parent in above:
        if parent.is_told:
            count(ti, parent, parent.state)
    return ti
