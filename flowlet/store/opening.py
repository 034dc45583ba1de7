"""From a path to a file that is owned, sound, up to date, and under a new epoch."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from flowlet import settings
from flowlet.clock import iso
from flowlet.errors import StoreError, StoreOwned, StoreUnfit
from flowlet.store import fitness, mounts
from flowlet.store.lease import Lease, owner_of
from flowlet.store.ledger import Ledger
from flowlet.store.mirror import Mirror, mirror_path, read_mirror
from flowlet.store.sqlite import ERRORS, MEMORY, open_writer, refuse_old_library, trouble, wal_reset_bug
from flowlet.store.watch import Identity, Watch, identity, others_have_open

Found = list[tuple[str, str]]
"""(kind of event, text) of what was noticed and did not prevent the start."""

_OPEN: set[Identity] = set()
"""The databases that this process owns: the same file under two names is still one file."""


class Ownership:
    """A ledger that may write, and what must be given back for it."""

    def __init__(self, path: str, *, full: bool) -> None:
        self.ledger = Ledger(path, full=full)
        self.lease: Lease | None = None
        self.found: Found = []
        self._identity: Identity | None = None

    def open(self, *, now: int, control: str | None) -> None:
        """Everything, or nothing: on an error all is given back."""
        refuse_old_library(self.ledger.path)
        try:
            if self.ledger.path == MEMORY:
                self._connect(now)
            else:
                self._open_file(now, control)
        except ERRORS as error:
            self.close()
            raise trouble(error, self.ledger.path) from error
        except OSError as error:
            self.close()
            raise fitness.refused(self.ledger.path, error) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give back. The sequence file is brought onto the disk after the database."""
        ledger = self.ledger
        connection, ledger.connection = ledger.connection, None
        try:
            if connection is not None:
                connection.close()
        finally:
            if ledger.mirror is not None:
                ledger.mirror.sync()
                ledger.mirror.close()
                ledger.mirror = None
            _OPEN.discard(self._identity or (0, 0))
            if self.lease is not None:
                self.lease.release()

    def __del__(self) -> None:
        """Whoever forgot to close the store (an interrupted cell of a notebook) may open it again."""
        _OPEN.discard(self._identity or (0, 0))
        if self.lease is not None:
            self.lease.drop()

    def _open_file(self, now: int, control: str | None) -> None:
        path = self.ledger.path
        _refuse_place(path)
        self.found += _doubts_about_place(path)
        if Path(path).exists():
            fitness.inspect(path)
        self.lease = Lease.take(path, since=iso(now), control=control)
        if not Path(path).exists():
            fitness.create(path)
        self._register(path)
        self._look_closely(path)
        connection = self._connect(now)
        birth = fitness.owner(connection, path)[0]
        self.ledger.watch = Watch(path, birth)
        self.ledger.mirror = Mirror(path, birth)
        self.ledger.mirror.note(self.ledger.seq)
        self.found += _company(path)

    def _register(self, path: str) -> None:
        mine = identity(path)
        if mine in _OPEN:
            facts = owner_of(path) or {}
            raise StoreOwned(path, os.getpid(), os.uname().nodename, facts.get("since"))
        self._identity = mine
        _OPEN.add(mine)

    def _look_closely(self, path: str) -> None:
        """Sound after an unclean stop, and where it was: else it is left exactly as it is."""
        connection = fitness.open_quietly(path)
        try:
            if fitness.needs_check(path):
                fitness.quick_check(connection, path)
            self._compare_with_mirror(connection)
        finally:
            connection.close()

    def _connect(self, now: int) -> sqlite3.Connection:
        ledger = self.ledger
        connection = ledger.connection = open_writer(ledger.path, full=ledger.full)
        before = fitness.migrate(connection, ledger.path)
        if 0 < before < fitness.VERSION:
            self.found.append(("migrated", f"schema version {before} was brought to {fitness.VERSION}"))
        fitness.take_over(connection, now)
        _, ledger.epoch, ledger.seq = fitness.owner(connection, ledger.path)
        return connection

    def _compare_with_mirror(self, connection: sqlite3.Connection) -> None:
        """A database that went back in time: its log lost its end, or an older copy was put in its place."""
        path = self.ledger.path
        noted = read_mirror(path)
        birth, _, seq = fitness.owner(connection, path)
        if noted is None or noted.birth != birth or noted.seq <= seq:
            return
        text = (
            f"{path} went back in time: it ends at transaction {seq}, but {mirror_path(path)} remembers transaction"
            f" {noted.seq}; {noted.seq - seq} transactions are gone (an older copy, or a damaged or deleted log)"
        )
        if self.ledger.full:
            raise StoreUnfit(f"{text}. Put the newer file back; or, to go on with this one, delete {mirror_path(path)}")
        self.found.append(("went_back", text))


def _refuse_place(path: str) -> None:
    folder = Path(path).parent
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a folder: make it first, or give another path (--db)")
    kind = mounts.file_system_of(path)
    if mounts.is_network(kind) and not _allowed():
        raise StoreUnfit(
            f"{path} is on a network file system ({kind}), where SQLite's locks and log do not work: use a local disk."
            f" If you know that one machine alone uses it, set {settings.variable('core', 'network_file_system')}=allow"
        )


def _allowed() -> bool:
    return settings.get_choice("core", "network_file_system", "refuse", ("refuse", "allow")) == "allow"


def _doubts_about_place(path: str) -> Found:
    kind = mounts.file_system_of(path)
    if mounts.is_network(kind):
        return [("file_system", f"{path} is on a network file system ({kind}), as the settings allow")]
    if mounts.is_doubtful(kind):
        return [("file_system", f"{path} is on {kind}: SQLite needs a disk of this machine below it")]
    return []


def _company(path: str) -> Found:
    bug = wal_reset_bug()
    if bug is not None and others_have_open(path):
        return [("wal_reset_bug", f"{path}: another process has it open, and {bug}")]
    return []
