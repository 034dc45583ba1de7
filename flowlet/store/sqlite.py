"""How flowlet opens SQLite, and what SQLite's errors mean to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from flowlet.errors import (
    StoreBusy,
    StoreError,
    StoreFaulty,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
    StoreUnfit,
)

#: "flow", at offset 68 of the file: whose database it is (https://sqlite.org/pragma.html#pragma_application_id).
APPLICATION_ID = 0x666C6F77

MEMORY = ":memory:"
BUSY_MILLISECONDS = 5_000
WAL_LIMIT = 64 * 1024 * 1024
"""To how many bytes SQLite cuts the write-ahead log when it starts it anew."""

# busy_timeout stands first: whatever takes a lock after it waits instead of failing at once.
_EVERY = f"""
PRAGMA busy_timeout = {BUSY_MILLISECONDS};
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA mmap_size = 0;
PRAGMA temp_store = MEMORY;
"""
_WRITER = f"""
PRAGMA journal_size_limit = {WAL_LIMIT};
PRAGMA wal_autocheckpoint = 1000;
PRAGMA cache_size = -16384;
"""


OLDEST: Final = (3, 38, 0)
"""STRICT tables, RETURNING and `->>` are used."""


def refuse_old_library(path: str) -> None:
    """Before anything is touched."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreUnfit(
            f"{path}: this Python's SQLite is {sqlite3.sqlite_version}, 3.38 or newer is needed: use a newer Python or system"
        )


def open_writer(path: str, *, full: bool) -> sqlite3.Connection:
    """The one connection that writes and checkpoints. Transactions are begun and ended by name."""
    connection = _connect(path)
    try:
        connection.executescript(_EVERY)
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if path != MEMORY and mode != "wal":
            raise StoreUnfit(f"{path}: SQLite keeps no write-ahead log here (journal mode {mode}); use a local disk")
        connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
        connection.executescript(_WRITER)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: str, *, immutable: bool = False) -> sqlite3.Connection:
    """A connection that can neither write nor checkpoint. One thread at a time may use it.

    `immutable` reads a file that nobody has open and whose folder cannot be written.
    """
    connection = _connect(f"{uri(path)}?{'immutable=1' if immutable else 'mode=ro'}", uri=True)
    try:
        connection.executescript(_EVERY)
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def uri(path: str) -> str:
    """The path as SQLite's URI (https://sqlite.org/uri.html), without the query."""
    absolute = str(Path(path).absolute())
    return "file:" + absolute.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _connect(database: str, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(
        database,
        uri=uri,
        timeout=BUSY_MILLISECONDS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


#: What a statement may raise on a file that is not as it was written: in a damaged one, text is not UTF-8.
ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
_NO_TEXT: Final = "Could not decode to UTF-8"


def trouble(error: sqlite3.Error | UnicodeDecodeError, path: str) -> StoreError:
    """What an error of SQLite means to a caller; the text names the file and the way out."""
    if isinstance(error, UnicodeDecodeError) or str(error).startswith(_NO_TEXT):
        return StoreUnfit(f"{path}: some of its text is not UTF-8; {_MEANING[sqlite3.SQLITE_CORRUPT][1]}")
    code = getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR
    kind, advice = _MEANING.get(code & 0xFF, (StoreError, "this is a defect of flowlet: please report it"))
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return kind(f"{path}: {error} ({name}); {advice}")


_MEANING: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_BUSY: (StoreBusy, "another program holds a lock on it: end that program's transaction"),
    sqlite3.SQLITE_LOCKED: (StoreBusy, "another statement holds a lock on it"),
    sqlite3.SQLITE_PROTOCOL: (StoreBusy, "too many programs compete for it"),
    sqlite3.SQLITE_INTERRUPT: (StoreUnavailable, "the statement was interrupted and will be tried again"),
    sqlite3.SQLITE_NOMEM: (StoreUnavailable, "SQLite found no memory"),
    sqlite3.SQLITE_FULL: (StoreFull, "free some space on its disk"),
    sqlite3.SQLITE_READONLY: (StoreReadOnly, "make the file, its folder and its disk writable"),
    sqlite3.SQLITE_PERM: (StoreReadOnly, "make the file and its folder accessible"),
    sqlite3.SQLITE_IOERR: (
        StoreFaulty, "look at the disk, its quota, and whether it became read-only; the file is checked before it is written again"
    ),
    sqlite3.SQLITE_CANTOPEN: (StoreFaulty, "look at its folder, its rights and the limit on open files"),
    sqlite3.SQLITE_CORRUPT: (StoreUnfit, "it is damaged, or its disk cannot be read: restore a backup, or save what is left with `sqlite3 FILE .recover`"),
    sqlite3.SQLITE_NOTADB: (StoreUnfit, "it is not an SQLite database: give another path (--db)"),
}  # fmt: skip


def library_version() -> str:
    """The SQLite that is in use."""
    return sqlite3.sqlite_version


def wal_reset_bug() -> str | None:
    """A sentence if this SQLite has the WAL-reset bug (https://sqlite.org/wal.html#walresetbug), else None.

    Fixed in 3.51.3, and in 3.50.7 and 3.44.6. flowlet's own use does not trigger it: one connection
    both writes and checkpoints, the others cannot do either.
    """
    version = sqlite3.sqlite_version_info
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    if fixed or version < (3, 7):
        return None
    return (
        f"SQLite {sqlite3.sqlite_version} can damage a file that two programs write at the same time"
        " (fixed in 3.51.3): let no other program write or checkpoint it"
    )
