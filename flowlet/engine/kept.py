"""What tasks see of the variables and connections that the engine's file keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from flowlet.scheduler import requests

if TYPE_CHECKING:
    from flowlet.scheduler.loop import Scheduler
    from flowlet.store import Store


class Kept:
    """The worker's Vault. What was read or written once is remembered: nobody else writes the file."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], str | None] = {}
        self._scheduler: Scheduler | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def follow(self, scheduler: Scheduler) -> None:
        """What is written goes to this scheduler, on the loop that runs now."""
        self._scheduler, self._loop = scheduler, asyncio.get_running_loop()

    def find_secret(self, kind: str, name: str) -> str | None:
        key = (kind, name)
        if key not in self._known:
            rows = self._store.fetch_now("secret", kind=kind, key=name)
            self._known[key] = rows[0][0] if rows else None
        return self._known[key]

    def keep_secret(self, kind: str, name: str, text: str, description: str) -> None:
        self._known[kind, name] = text
        self._post(requests.KeepSecret(kind, name, text, description))

    def forget_secret(self, kind: str, name: str) -> None:
        self._known[kind, name] = None
        self._post(requests.ForgetSecret(kind, name))

    def look(self, name: str, **values: Any) -> Sequence[Any]:
        """The rows of a named statement, as they are on file; from any thread."""
        return self._store.fetch_now(name, **values)

    def secret_names(self, kind: str) -> list[str]:
        names = {name for name, _, _ in self._store.fetch_now("secrets", kind=kind)}
        for (of, name), text in list(self._known.items()):
            if of == kind:
                (names.discard if text is None else names.add)(name)
        return sorted(names)

    def known(self, kind: str, name: str, text: str | None) -> None:
        """A verb of the engine wrote it."""
        self._known[kind, name] = text

    def _post(self, request: Any) -> None:
        """In the order in which a body says it, and before what the body's end leads to."""
        assert self._scheduler is not None and self._loop is not None  # noqa: S101  an engine is open
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._scheduler.post(request)
        else:
            self._loop.call_soon_threadsafe(partial(self._scheduler.post, request))
