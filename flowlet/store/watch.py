"""Is the file that is written still the one at its path? And who else has it open?

SQLite goes on writing into a database that was deleted, renamed or replaced
(https://sqlite.org/howtocorrupt.html, 4); what it acknowledges then is gone at the next start.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Final

from flowlet.clock import SystemClock
from flowlet.errors import StoreLost
from flowlet.store.sqlite import ERRORS, open_reader
from flowlet.store.statements import load

Identity = tuple[int, int]

DATABASE_EVERY = 10_000
BESIDE_EVERY = 100_000
INSIDE_EVERY = 1_000_000
"""Microseconds: how often, at most, the database's place, the log's and a changed database's content are looked at."""


def identity(path: str) -> Identity:
    """(device, inode), which two names of one file share."""
    stat = os.stat(path)  # noqa: PTH116  a Path would cost more than the call, once per transaction
    return stat.st_dev, stat.st_ino


def log_size(path: str) -> int:
    """Bytes in the write-ahead log of a database; 0 if there is none."""
    try:
        return os.stat(path + "-wal").st_size  # noqa: PTH116  as above
    except FileNotFoundError:
        return 0


def file_size(path: str) -> int:
    """Bytes in the database itself; 0 if it is not there."""
    try:
        return os.stat(path).st_size  # noqa: PTH116  as above
    except OSError:
        return 0


class Overwritten(StoreLost):
    """Other content stands in the very file: closing it properly would write the old log into it."""


class Watch:
    """Remembers which files the database and its log are, and what only this database holds."""

    def __init__(self, path: str, birth: str) -> None:
        self.path = path
        self.birth = birth
        self._database = identity(path)
        self._beside = {name: identity(name) for name in (path + "-wal", path + "-shm")}
        self._written: tuple[int, int] | None = None
        self._seq = 0
        self._monotonic = SystemClock().monotonic
        self._look_at = self._look_beside_at = self._look_inside_at = 0

    def look(self) -> None:
        """Raise StoreLost when one of the files is not there any more, or something else is in its place.

        A system call costs a short transaction a tenth of its time, so it is looked now and then.
        """
        now = self._monotonic()
        if now < self._look_at:
            return
        self._look_at = now + DATABASE_EVERY
        try:
            stat = os.stat(self.path)  # noqa: PTH116  as above
        except FileNotFoundError:
            raise _gone(self.path) from None
        if (stat.st_dev, stat.st_ino) != self._database:
            raise _replaced(self.path)
        written = (stat.st_mtime_ns, stat.st_size)
        if written != self._written and now >= self._look_inside_at:  # a checkpoint, as a rule
            self._look_inside_at = now + INSIDE_EVERY
            self._look_inside()
            self._written = written
        if now >= self._look_beside_at:
            self._look_beside_at = now + BESIDE_EVERY
            for name, known in self._beside.items():
                _compare(name, known)

    def hurry(self) -> None:
        """Look at everything the next time, however short ago the last look was."""
        self._look_at = self._look_beside_at = self._look_inside_at = 0

    def look_at_database(self) -> None:
        """The same, of the database alone: its log comes and goes with the connections."""
        _compare(self.path, self._database)

    def _look_inside(self) -> None:
        """Read the file without its log: its birth mark stays, and its sequence only grows."""
        try:
            connection = open_reader(self.path, immutable=True)
            try:
                birth, seq = connection.execute(_BIRTH).fetchone() or (None, 0)
            finally:
                connection.close()
        except ERRORS as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
            if code & 0xFF not in _OTHER_CONTENT:
                return  # no memory, no descriptor: the next look may see more
            birth, seq = None, 0
        if birth != self.birth or seq < self._seq:
            raise Overwritten(
                f"{self.path} was overwritten with other content while this process had it open: nothing more is"
                " written. Start again to use what is there now, or put the right file back."
            )
        self._seq = seq


_BIRTH: Final = load("fitness.sql")["mark"]
_OTHER_CONTENT: Final = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _compare(name: str, known: Identity) -> None:
    try:
        now = identity(name)
    except FileNotFoundError:
        raise _gone(name) from None
    if now != known:
        raise _replaced(name)


def _gone(name: str) -> StoreLost:
    return StoreLost(
        f"{name} was deleted or renamed while this process had it open: nothing more is written."
        " Put it back or stop, then start again."
    )


def _replaced(name: str) -> StoreLost:
    return StoreLost(
        f"{name} was replaced by another file while this process had it open: nothing more is written."
        " Start again to use the file that is there now."
    )


def others_have_open(path: str) -> bool:
    """Another process holds SQLite's locks on the database (Linux: proc_locks(5)); False where that is not known."""
    device, inode = identity(path)
    wanted = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    try:
        with open("/proc/locks", encoding="ascii") as locks:  # noqa: PTH123  read once at start
            fields = [line.split() for line in locks]
    except OSError:
        return False
    mine = str(os.getpid())
    return any(row[-3] == wanted and "POSIX" in row and row[-4] != mine for row in fields if len(row) >= 8)
