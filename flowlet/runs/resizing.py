"""A mapped task that is cleared gets as many instances as there are items by then.

It stays expanded while it waits. When what it is mapped over is there again, more items make more instances,
and of fewer items the surplus is `removed`, whatever it left before; over no item its first instance is skipped.
Source: Airflow's `DagRun._revise_map_indexes_if_mapped` (models/dagrun.py) and `TaskMap.expand_mapped_task`
(models/taskmap.py, 3.3.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowlet.runs.counting import count_again
from flowlet.runs.mapping import MOST_INSTANCES, count_of
from flowlet.runs.moves import AddTask, ResetTask
from flowlet.runs.rows import remove, settle
from flowlet.runs.states import FAILED, NONE, REMOVED, RESTARTING, RUNNING, SKIPPED, TERMINAL

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.runs.turn import Turn

SURPLUS: Final = "it is mapped over fewer items now"
NOTHING: Final = "it is mapped over nothing"


def is_surplus(state: str, *reasons: str | None) -> bool:
    """An instance for which there was no item any more; its row is kept in case that there is one again."""
    return state == REMOVED and SURPLUS in reasons


def watch(run: ActiveRun) -> None:
    """Note the expanded tasks of which instances wait: their number may change."""
    run.resizing = {first.spec.index for first in run.tasks if _waits(first)}


def _waits(first: TaskInstance) -> bool:
    return any(ti.state in (NONE, RESTARTING) for ti in first.instances or ())


def resize_all(run: ActiveRun, ended: list[TaskInstance], turn: Turn) -> None:
    """After a clear: those whose number is known already."""
    for index in sorted(run.resizing):
        resize(run.tasks[index], ended, 0, turn)


def resize_after(source: TaskInstance, ended: list[TaskInstance], turn: Turn) -> list[TaskInstance]:
    """What others are mapped over has ended, and nobody has been told yet; gives those who have another number now.

    Without its surplus a task may have ended itself, and so others who are mapped over it know their number.
    """
    run, resized = source.run, []
    sources = [source.spec.index]
    for above in sources:
        for index in run.spec.expansions.get(above, ()):
            if index in run.resizing and resize(run.tasks[index], ended, ended.index(source), turn):
                resized.append(run.tasks[index])
                sources.append(index)
    return resized


def resize(first: TaskInstance, ended: list[TaskInstance], at: int, turn: Turn) -> bool:
    """Give the task as many instances as it is to have, if that is known; True if it has another number then.

    Of those in `ended`, from `at` on, their downstreams have not been told; what ends by this joins them.
    """
    number, before = count_of(first), first.instances
    if number is None or before is None:
        return False
    first.run.resizing.discard(first.spec.index)
    if not _waits(first):  # its rule ended it before: its number is nobody's question any more
        return False
    if number > MOST_INSTANCES:
        _end(before, FAILED, f"it would have {number} instances, more than {MOST_INSTANCES}", ended, turn)
        return False
    if number == len(before):
        return False
    first.instances = [ti if ti is not None else _another(first, index, turn) for index, ti in _places(before, max(number, 1))]
    for ti in before[max(number, 1) :]:
        _take_away(ti, turn)
    if number == 0:
        _end([first], SKIPPED, NOTHING, ended, turn)
    _tell_of_number(first, set(ended[at:]))
    return True


def _places(before: list[TaskInstance], number: int) -> list[tuple[int, TaskInstance | None]]:
    return [(index, before[index] if index < len(before) else None) for index in range(number)]


def _end(tis: list[TaskInstance], state: str, reason: str, ended: list[TaskInstance], turn: Turn) -> None:
    for ti in tis:
        if ti.state != RUNNING and ti.state not in TERMINAL:
            settle(ti, state, reason, turn)
            ended.append(ti)


def _another(first: TaskInstance, index: int, turn: Turn) -> TaskInstance:
    """One more instance: that of a former time, if there was one, else a new one."""
    run, spec = first.run, first.spec
    run.unfinished += 1
    ti = run.gone.pop(f"{spec.task_id}[{index}]", None)
    if ti is not None:
        ti.spec, ti.max_tries, ti.crashes = spec, ti.try_number + spec.retries, 0
        settle(ti, NONE, None, turn)
        turn.moves.reset_task.append(ResetTask(ti.id, ti.max_tries, ti.try_number))
        return ti
    ti = type(first)(run, spec, turn.reserve(1), index)
    turn.moves.add_task.append(
        AddTask(ti.id, run.id, spec.task_id, index, NONE, 0, spec.retries, spec.operator, spec.pool, None, None, None)
    )
    return ti


def _take_away(ti: TaskInstance, turn: Turn) -> None:
    ti.run.gone[ti.key] = ti
    if ti.state in TERMINAL:
        ti.run.unfinished += 1
        settle(ti, NONE, None, turn)
    remove(ti, SURPLUS, turn)


def _tell_of_number(first: TaskInstance, untold: set[TaskInstance]) -> None:
    """Its own instances, and whatever comes after it, have other upstreams than before."""
    run = first.run
    for index in (first.spec.index, *first.spec.downstream):
        below = run.tasks[index]
        for ti in below.instances or (below,):
            count_again(ti, untold)
