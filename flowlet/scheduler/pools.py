"""Pools are made, changed and forgotten; what waits for their slots is the matter of `limits`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.errors import FlowletError, PoolNotFound
from flowlet.runs.moves import DeletePool, PutPool

if TYPE_CHECKING:
    from flowlet.runs.turn import Turn
    from flowlet.scheduler import requests
    from flowlet.scheduler.brain import Brain


def put(brain: Brain, request: requests.SetPool, turn: Turn) -> None:
    """Make it or change it; what was deleted before in this turn is not, for deletions come after all else."""
    admission = brain.admission
    admission.set_pool(request.name, request.slots, request.include_deferred)
    if not request.on_file:
        turn.moves.delete_pool = [move for move in turn.moves.delete_pool if move.name != request.name]
        counts = int(admission.pools[request.name].counts_deferred)
        turn.moves.put_pool.append(PutPool(request.name, request.slots, request.description, counts))


def delete(brain: Brain, request: requests.DeletePool, turn: Turn) -> None:
    """Tasks that name it wait until it exists again. PoolNotFound."""
    if request.name == "default_pool":
        raise FlowletError("default_pool cannot be deleted; give it another size with `flowlet pools set`")
    if not brain.admission.has_pool(request.name):
        raise PoolNotFound(f"there is no pool {request.name!r}; `flowlet pools list` names them")
    brain.admission.delete_pool(request.name)
    turn.moves.delete_pool.append(DeletePool(request.name))
