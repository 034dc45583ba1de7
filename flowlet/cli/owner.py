"""Who carries out a command that writes: the engine that owns the database, else this process."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

from flowlet.cli import exits
from flowlet.cli.exits import CommandError
from flowlet.errors import StoreOwned

#: An owner may be on its way in (no socket yet) or out (no answer any more): so often we look again.
_TRIES = 40
_PAUSE = 0.05

Act = Callable[[Any], Awaitable[Any]]


def ask(path: str, verb: str, args: dict[str, Any], act: Act) -> tuple[Any, bool]:
    """Have `verb` carried out by the owner of the database, or `act(engine)` by an engine of our own.

    Gives the answer, and whether an owner gave it. Either way it is on disk.
    """
    pause = threading.Event()
    for _ in range(_TRIES):
        owner = owner_of(path)
        try:
            if owner is None:
                return _act(path, act), False
            if owner.get("control"):
                return _request(owner["control"], verb, args), True
        except (StoreOwned, _OwnerIsLeaving):
            pass
        pause.wait(_PAUSE)
    raise CommandError(_no_answer(path, owner), exits.OWNED)


def owner_of(path: str) -> dict[str, Any] | None:
    """Who owns the database (pid, host, since, control), or None."""
    from flowlet.store.lease import owner_of as look

    return look(path)


class _OwnerIsLeaving(Exception):
    """Its socket is gone: nothing was asked yet."""


def _request(control: str, verb: str, args: dict[str, Any]) -> Any:
    from flowlet.engine.control import NobodyListensError, request

    try:
        return request(control, verb, args)
    except NobodyListensError as error:
        raise _OwnerIsLeaving from error


def _act(path: str, act: Act) -> Any:
    import asyncio

    from flowlet.engine import Engine

    async def once() -> Any:
        async with Engine(path, schedules=False, execute=False, control=False) as engine:
            return await act(engine)

    return asyncio.run(once())


def _no_answer(path: str, owner: dict[str, Any] | None) -> str:
    if owner is None:
        return f"{path} changes hands all the time: try again"
    who = f"{path} is owned by process {owner.get('pid')} on {owner.get('host')} since {owner.get('since')}"
    if owner.get("control") is None:
        return f"{who}, which takes no commands (its Engine has control=False): stop it first"
    return f"{who}, which does not answer at {owner['control']}: is it on this machine, and alive?"
