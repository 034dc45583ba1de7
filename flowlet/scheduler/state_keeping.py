"""What tasks keep beside their values (Airflow: models/task_state_store.py, models/asset_state_store.py).

What was said last holds, also within one turn. Only the try that counts may say something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlet.errors import FlowletError
from flowlet.runs.moves import DropState, PutAssetState, PutTaskState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowlet.runs.instances import TaskInstance
    from flowlet.runs.moves import Moves
    from flowlet.runs.turn import Turn
    from flowlet.scheduler import requests
    from flowlet.scheduler.brain import Brain
    from flowlet.worker.workload import Workload

_KINDS = frozenset({"put_task_state", "put_asset_state"})


def keep(_: Brain, request: requests.KeepState, turn: Turn) -> PutTaskState | PutAssetState:
    """Keep it; what was forgotten before in this turn is, for that is carried out before all that is kept."""
    work, asset, key, value, expires_at = request[:5]
    ti = _counted(work)
    if asset is None:
        kept = PutTaskState(ti.id, ti.try_number, key, value, turn.now, expires_at)
        turn.moves.put_task_state.append(kept)
        return kept
    run = work.run
    of_asset = PutAssetState(asset, key, value, turn.now, run.dag_id, run.run_id, work.task.task_id, work.map_index)
    turn.moves.put_asset_state.append(of_asset)
    return of_asset


def drop(_: Brain, request: requests.DropState, turn: Turn) -> None:
    """Forget a key, or all of them, as it stands on file and as it was said in this turn."""
    ti = _counted(request.work)
    forget(turn.moves, ti.id if request.asset is None else request.asset, request.key)


def forget(moves: Moves, scope: int | str, key: str | None = None) -> None:
    """A task instance (its row), or an asset (its name), keeps this no more; without a key nothing."""
    if isinstance(scope, int):
        moves.put_task_state = [put for put in moves.put_task_state if put.ti != scope or key not in (None, put.key)]
        moves.drop_task_state.append(DropState(scope, key))
    else:
        moves.put_asset_state = [put for put in moves.put_asset_state if put.asset != scope or key not in (None, put.key)]
        moves.drop_asset_state.append(DropState(scope, key))


def refused(conflicts: Iterable[Any], replies: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """What the file did not take is told to whoever said it."""
    lost = [conflict.move for conflict in conflicts if conflict.kind in _KINDS]
    return [(reply, _late(answer) if any(answer is move for move in lost) else answer) for reply, answer in replies]


def _counted(work: Workload) -> TaskInstance:
    ti: TaskInstance = work.key
    if ti.try_number != work.try_number:
        raise FlowletError(f"try {work.try_number} of {ti.key} is over, what it keeps now is not taken: the try {ti.try_number} counts")
    return ti


def _late(move: PutTaskState | PutAssetState) -> FlowletError:
    return FlowletError(f"{move.key!r} was not kept: the task instance is not as it was left")
