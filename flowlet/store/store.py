"""The store: what the engine awaits. One writer's thread, readers beside it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from weakref import WeakSet

from flowlet.clock import Clock
from flowlet.errors import StoreError, StoreLost
from flowlet.runs.moves import Moves
from flowlet.store.applying import Conflict
from flowlet.store.copying import copy_to, problems_of
from flowlet.store.hop import Hop
from flowlet.store.opening import Ownership
from flowlet.store.reader import Readers, Rows, select
from flowlet.store.retention import prune_once
from flowlet.store.sqlite import MEMORY

T = TypeVar("T")

Durability = Literal["full", "process"]


class CommitCancelled(asyncio.CancelledError):
    """The caller was cancelled while its transaction ran. The transaction ran to its end all the same.

    `error` is what commit would have raised, `conflicts` what it would have given.
    """

    conflicts: list[Conflict] | None = None
    error: BaseException | None = None


class Store:
    """One SQLite file, or `":memory:"`: the same code."""

    def __init__(self, ownership: Ownership, hop: Hop) -> None:
        self._ownership = ownership
        self._ledger = ownership.ledger
        self._hop = hop
        self._reading: Hop | None = None
        self._closed = False
        self.path = self._ledger.path
        self.in_memory = self.path == MEMORY
        self.epoch = self._ledger.epoch
        self.found = ownership.found
        self._readers = Readers(self.path)
        self._ledger.when_given_up = self._readers.close_idle
        _STORES.add(self)

    @classmethod
    async def open(
        cls,
        path: str | os.PathLike[str],
        *,
        durability: str = "full",
        clock: Clock,
        control: str | None = None,
    ) -> Store:
        """Own the file (StoreOwned at once if somebody does), check it (StoreUnfit), make or migrate it.

        durability "full": what commit acknowledged survives a power cut. "process": it survives any end of
        the process, and a power cut may take the last moments.
        """
        if durability not in {"full", "process"}:
            raise ValueError(f'durability is "full" or "process", not {durability!r}')
        name = os.fspath(path)
        real = name if name == MEMORY else os.path.realpath(name)  # noqa: ASYNC240  once, at start
        ownership = Ownership(real, full=durability == "full")
        hop = Hop("flowlet-store")
        opening = hop.run(_open, ownership, clock.now(), control)
        try:
            await opening
        except BaseException:
            if opening.exception() is None:  # cancelled when it was open already
                await hop.run(ownership.close)
            hop.abandon()
            raise
        hop.own(ownership.ledger.connection)
        return cls(ownership, hop)

    @property
    def seq(self) -> int:
        """The number of the last transaction."""
        return self._ledger.seq

    async def commit(self, moves: Moves) -> list[Conflict]:
        """All moves in one transaction, on disk when this returns; conflicts are the moves left out.

        StoreUnavailable (busy, full, read-only, faulty): nothing was acknowledged and nothing is lost, commit
        the same Moves again later; it may have grown. StoreLost: this process writes no more. A caller that
        is cancelled gets CommitCancelled when the transaction is over.
        """
        transaction = self._run(self._ledger.apply, moves)
        try:
            return await transaction
        except asyncio.CancelledError as cancelled:
            late = CommitCancelled(*cancelled.args)
            late.error = transaction.exception()
            late.conflicts = None if late.error else transaction.result()
            raise late from cancelled

    async def fetch(self, name: str, **params: object) -> Rows:
        """The rows of a named SELECT (see read.sql); sees all that was committed before."""
        if self.in_memory:
            return await self._run(self._select_here, name, params)
        self._must_live()
        if self._reading is None:
            self._reading = Hop("flowlet-reader")
        return await self._reading.run(self._readers.select, name, params)

    def fetch_now(self, name: str, **params: object) -> Rows:
        """The same, blocking, from any thread."""
        self._must_live()
        if self.in_memory:
            return self._hop.ask(self._select_here, name, params)
        return self._readers.select(name, params)

    def publish_control(self, path: str | None) -> None:
        """Write the control socket's path into the lock file, where the command line finds it."""
        if self._ownership.lease is not None:
            self._ownership.lease.publish(path)

    async def checkpoint(self) -> None:
        """Write the log into the database and cut it."""
        await self._run(lambda: self._ledger.ready().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())

    async def prune(self, now: int, keep_days: int = 90, keep_runs: int = 100) -> int:
        """Delete old finished runs, in bounded transactions; how many. Their ticks stay counted."""
        deleted = 0
        while count := await self._run(self._ledger.change, lambda db: prune_once(db, now, keep_days, keep_runs)):
            deleted += count
        return deleted

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """A complete, checked copy at `path`, or none."""
        await self._run(lambda: copy_to(self._ledger.ready(), os.fspath(path)))

    async def check(self) -> list[str]:
        """What integrity_check and foreign_key_check find; empty when all is well."""
        return await self._run(lambda: problems_of(self._ledger.ready()))

    async def close(self) -> None:
        """Wait for what is under way, bring everything into the database, and give the file free."""
        if self._closed:
            return
        self._closed = True
        _STORES.discard(self)
        self._readers.close()
        try:
            if self._reading is not None:
                await self._reading.end()
            await self._hop.run(self._ownership.close)
        finally:
            await self._hop.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _run(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        self._must_live()
        return self._hop.run(function, *args)

    def _select_here(self, name: str, params: Mapping[str, object]) -> Rows:
        return select(self._ledger.ready(), name, params)

    def _must_live(self) -> None:
        if self._closed:
            raise StoreError(f"{self.path} is closed in this process: open it again")
        if self._ledger.lost is not None:
            raise StoreLost(self._ledger.lost)


def _open(ownership: Ownership, now: int, control: str | None) -> None:
    ownership.open(now=now, control=control)


_STORES: WeakSet[Store] = WeakSet()
