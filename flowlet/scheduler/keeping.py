"""Variables and connections change: what was said last holds, also within one turn. Values never become events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.runs.moves import DeleteSecret, PutSecret

if TYPE_CHECKING:
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.requests import ForgetSecret, KeepSecret


def keep(_: Brain, request: KeepSecret, turn: Turn) -> None:
    """Set it; what was deleted before in this turn is not, for deletions are carried out after all else."""
    moves, key = turn.moves, (request.kind, request.name)
    moves.delete_secret = [move for move in moves.delete_secret if move != key]
    moves.put_secret.append(PutSecret(request.kind, request.name, request.value, request.description))


def forget(_: Brain, request: ForgetSecret, turn: Turn) -> None:
    """Delete it, if it is there."""
    turn.moves.delete_secret.append(DeleteSecret(request.kind, request.name))
