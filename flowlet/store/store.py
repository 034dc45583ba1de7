"""The store: what the engine awaits. One writer's thread, readers beside it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from flowlet.clock import Clock
from flowlet.errors import StoreError, StoreLost
from flowlet.named_tuple import NamedTuple
from flowlet.runs.moves import Moves
from flowlet.settings import variable
from flowlet.store import forking
from flowlet.store.applying import Conflict
from flowlet.store.hop import Hop
from flowlet.store.opening import Ownership
from flowlet.store.reader import Readers, Rows, select
from flowlet.store.retention import Pruning
from flowlet.store.sqlite import ERRORS, MEMORY, open_reader, trouble
from flowlet.store.watch import file_size

T = TypeVar("T")
Forget = Callable[[list[tuple[str, str]]], Awaitable[None]]

LOG_ALARM = 256 * 1024 * 1024
"""A write-ahead log of that many bytes is worth a word."""


class Settled(NamedTuple):
    """How a transaction ended whose caller was cancelled meanwhile."""

    conflicts: list[Conflict] | None
    """What commit would have given; None if it would have raised `error`."""
    error: BaseException | None


def settled(cancelled: asyncio.CancelledError) -> Settled | None:
    """How the commit ended that this cancellation came out of; None if it came out of something else.

    It hangs on a plain CancelledError: asyncio.timeout takes no subclass for its own (Python 3.11).
    """
    return getattr(cancelled, "flowlet_commit", None)


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
        forking.guard(self)

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
        is cancelled is so when the transaction is over, and `settled` tells how it ended.
        """
        transaction = self._run(self._ledger.apply, moves)
        try:
            return await transaction
        except asyncio.CancelledError as cancelled:
            error = transaction.exception()
            cancelled.flowlet_commit = Settled(None if error else transaction.result(), error)  # type: ignore[attr-defined]  # read by `settled`
            raise

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
        self._must_live()
        if self._ownership.lease is not None:
            self._ownership.lease.publish(path)

    async def checkpoint(self) -> bool:
        """Write the log into the database and cut it, when the engine is idle; False if a reader holds it."""
        if self.log_size == 0:
            return True
        return await self._run(self._ledger.checkpoint)

    async def prune(self, now: int, keep_days: int = 90, keep_runs: int = 100, *, forget: Forget | None = None) -> int:
        """Delete runs that ended more than `keep_days` ago, but keep the newest `keep_runs` of each DAG.

        In bounded steps, between which commits get their turn. Gives how many; ticks stay counted.
        """
        pruning = Pruning(now, keep_days=keep_days, keep_runs=keep_runs)
        while pruning.left:
            await self.prune_step(pruning, forget=forget)
        return pruning.deleted

    async def prune_step(self, pruning: Pruning, *, forget: Forget | None = None) -> None:
        """One step of a round. It writes only where there is something to delete.

        `forget` is told (dag_id, run_id) of the runs before they go, so that nothing else that is theirs
        (their logs) can outlive them.
        """
        batch = await self._run(self._ledger.read, pruning.look)
        going = [(run.dag_id, run.run_id) for run in batch.runs if run.is_whole]
        if going and forget is not None:
            await forget(going)
        if batch:
            await self._run(self._ledger.change, lambda connection: pruning.delete(connection, batch))

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """A complete, checked copy at `path`, or none. Commits go on meanwhile."""
        from flowlet.store.copying import copy_to

        target = os.fspath(path)
        if self.in_memory:
            await self._run(self._ledger.read, lambda connection: copy_to(connection, target))
        else:
            await self._beside(lambda: _with_reader(self.path, lambda reader: copy_to(reader, target)))

    async def check(self) -> list[str]:
        """What is wrong with the file, in sentences; empty when all is well."""
        from flowlet.store.copying import problems_of

        if self.in_memory:
            return await self._run(self._ledger.read, problems_of)
        return await self._beside(lambda: _with_reader(self.path, problems_of))

    @property
    def log_size(self) -> int:
        """Bytes in the write-ahead log."""
        return self._ledger.log_size()

    @property
    def file_size(self) -> int:
        """Bytes in the database."""
        return 0 if self.in_memory else file_size(self.path)

    def large_log(self, limit: int = LOG_ALARM) -> str | None:
        """A sentence when the log has grown beyond `limit`: some program keeps reading."""
        size = self.log_size
        if size <= limit:
            return None
        return (
            f"{self.path}-wal has grown to {_mib(size)}: another program has been reading the database for long"
            " and keeps it from being written out; end that program's transaction"
        )

    def large_file(self, keep_days: int) -> str:
        """A sentence about the size of the database."""
        return (
            f"{self.path} has grown to {_mib(self.file_size)} with the runs of the last {keep_days} days: keep fewer"
            f" ({variable('store', 'keep_days')} and {variable('store', 'keep_runs')}, or `flowlet db prune --keep-days N`),"
            " or let tasks hand on smaller values"
        )

    async def look(self) -> None:
        """Raise StoreLost if the file is not the one any more that was opened. Writes nothing."""
        await self._run(self._ledger.look)

    async def close(self) -> None:
        """Wait for what is under way, bring everything into the database, and give the file free.

        It ends even when the caller is cancelled meanwhile, who then learns so.
        """
        if self._closed:
            return
        self._closed = True
        forking.release(self)
        self._readers.close()
        try:
            if self._reading is not None:
                await self._reading.end()
        finally:
            try:
                await self._hop.run(self._ownership.close)
            finally:
                await self._hop.end()

    def forked(self) -> None:
        """In a forked child the file stays the parent's."""
        self._ledger.lost = f"{self.path} belongs to the process that this one was forked from: open it anew here"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _run(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        self._must_live()
        return self._hop.run(function, *args)

    async def _beside(self, function: Callable[[], T]) -> T:
        """Something long, in a thread of its own."""
        self._must_live()
        thread = Hop("flowlet-copy")
        try:
            return await thread.run(function)
        finally:
            thread.abandon()

    def _select_here(self, name: str, params: Mapping[str, object]) -> Rows:
        return self._ledger.read(lambda connection: select(connection, name, params))

    def _must_live(self) -> None:
        if self._closed:
            raise StoreError(f"{self.path} is closed in this process: open it again")
        if self._ledger.lost is not None:
            raise StoreLost(self._ledger.lost)


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB" if size < 10 << 20 else f"{size >> 20:,} MiB"


def _open(ownership: Ownership, now: int, control: str | None) -> None:
    ownership.open(now=now, control=control)


def _with_reader(path: str, use: Callable[[sqlite3.Connection], T]) -> T:
    try:
        reader = open_reader(path)
        try:
            return use(reader)
        finally:
            reader.close()
    except ERRORS as error:
        raise trouble(error, path) from error
