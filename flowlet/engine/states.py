"""What bodies keep beside their values: written by the loop, read from the file and from what is not on it yet."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from flowlet.errors import EngineClosed
from flowlet.scheduler.requests import DropState, KeepState

if TYPE_CHECKING:
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.loop import Scheduler
    from flowlet.store import Store
    from flowlet.worker.workload import Workload

_Request = KeepState | DropState


class States:
    """The worker's door to the state stores (see `flowlet.worker.workload.States`)."""

    def __init__(self, brain: Brain, store: Store) -> None:
        self._brain = brain
        self._store = store
        self._scheduler: Scheduler | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way: dict[tuple[bool, Any], list[_Request]] = {}
        """Scope to what was said on the loop and is not on file yet, in the order in which it was said."""

    def follow(self, scheduler: Scheduler) -> None:
        """What is written goes to this scheduler, on the loop that runs now."""
        self._scheduler, self._loop = scheduler, asyncio.get_running_loop()

    # -- reading -------------------------------------------------------------------------------------

    def find(self, work: Workload, asset: str | None, key: str) -> str | None:
        said, value = self._said(work, asset, key)
        return value if said else _first(self._store.fetch_now(_query(asset), scope=_scope(work, asset), key=key))

    async def afind(self, work: Workload, asset: str | None, key: str) -> str | None:
        if not self._is_here():
            return self.find(work, asset, key)
        said, value = self._said(work, asset, key)
        return value if said else _first(await self._store.fetch(_query(asset), scope=_scope(work, asset), key=key))

    def _said(self, work: Workload, asset: str | None, key: str) -> tuple[bool, str | None]:
        for request in reversed(self._under_way.get((asset is None, _scope(work, asset)), ())):
            if request.key in (key, None):
                return True, request.value if isinstance(request, KeepState) else None
        return False, None

    def name_of(self, uri: str) -> str | None:
        """The name of the asset with that uri, among those that the registered DAGs name."""
        from flowlet.authoring.assets import assets_of

        dags = (entry.dag for entry in self._brain.entries.values() if entry.dag is not None)
        return next((asset.name for dag in dags for asset in assets_of(dag.schedule, dag.tasks) if asset.uri == uri), None)

    # -- writing -------------------------------------------------------------------------------------

    def keep(self, work: Workload, asset: str | None, key: str, value: str, expires_at: int | None) -> None:
        self._say(KeepState(work, asset, key, value, expires_at, Future()))

    async def akeep(self, work: Workload, asset: str | None, key: str, value: str, expires_at: int | None) -> None:
        await self._say_and_wait(KeepState(work, asset, key, value, expires_at, Future()))

    def drop(self, work: Workload, asset: str | None, key: str | None) -> None:
        self._say(DropState(work, asset, key, Future()))

    async def adrop(self, work: Workload, asset: str | None, key: str | None) -> None:
        await self._say_and_wait(DropState(work, asset, key, Future()))

    def _say(self, request: _Request) -> None:
        """On the loop nobody waits; a thread does, until it is on file."""
        self._post(request)
        if not self._is_here():
            _reply_of(request).result()

    async def _say_and_wait(self, request: _Request) -> None:
        self._post(request)
        await asyncio.shield(asyncio.wrap_future(_reply_of(request)))

    def _post(self, request: _Request) -> None:
        assert self._loop is not None  # noqa: S101  an engine is open
        if self._is_here():
            said = self._under_way.setdefault((request.asset is None, _scope(request.work, request.asset)), [])
            said.append(request)
            _reply_of(request).add_done_callback(lambda _: self._is_on_file(request))
            self._take(request)
            return
        try:
            self._loop.call_soon_threadsafe(self._take, request)
        except RuntimeError:  # the loop is closed
            _reply_of(request).set_exception(_closed())

    def _take(self, request: _Request) -> None:
        assert self._scheduler is not None  # noqa: S101  an engine is open
        if self._scheduler.is_over:
            _reply_of(request).set_exception(self._scheduler.failure or _closed())
        else:
            self._scheduler.post(request)

    def _is_on_file(self, request: _Request) -> None:
        scope = request.asset is None, _scope(request.work, request.asset)
        left = [other for other in self._under_way.get(scope, ()) if other is not request]
        if left:
            self._under_way[scope] = left
        else:
            self._under_way.pop(scope, None)

    def _is_here(self) -> bool:
        """Whether this is the engine's loop."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False


def _query(asset: str | None) -> str:
    return "task_state" if asset is None else "asset_state"


def _scope(work: Workload, asset: str | None) -> int | str:
    return work.key.id if asset is None else asset


def _first(rows: list[Any]) -> str | None:
    return rows[0][0] if rows else None


def _reply_of(request: _Request) -> Future[Any]:
    assert request.reply is not None  # noqa: S101  made with it
    return request.reply


def _closed() -> EngineClosed:
    return EngineClosed("the engine is closed: what a task keeps cannot be written any more")
