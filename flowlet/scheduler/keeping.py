"""Variables and connections change: what was said last holds, also within one turn. Values never become events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.runs.moves import DeleteSecret, PutSecret

if TYPE_CHECKING:
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.requests import ForgetSecret, KeepSecret


def keep(_: Brain, request: KeepSecret, turn: Turn) -> None:
    """Set it."""
    _take_back(request.kind, request.name, turn)
    turn.moves.put_secret.append(PutSecret(request.kind, request.name, request.value, request.description))


def forget(_: Brain, request: ForgetSecret, turn: Turn) -> None:
    """Delete it, if it is there."""
    _take_back(request.kind, request.name, turn)
    turn.moves.delete_secret.append(DeleteSecret(request.kind, request.name))


def _take_back(kind: str, name: str, turn: Turn) -> None:
    moves, key = turn.moves, (kind, name)
    moves.put_secret = [move for move in moves.put_secret if move[:2] != key]
    moves.delete_secret = [move for move in moves.delete_secret if move != key]
