"""Is this file ours, sound and of a version that we know? Made if it is missing, migrated if it is old.

Nothing is written before the answer is yes.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Final

from flowlet.errors import StoreBusy, StoreError, StoreUnfit
from flowlet.store.sqlite import APPLICATION_ID, ERRORS, open_reader, trouble
from flowlet.store.statements import load, script
from flowlet.store.watch import log_size

#: One script per version, each from the version before it. user_version counts them.
MIGRATIONS: Final = ("migrations/001.sql", "migrations/002.sql", "migrations/003.sql", "migrations/004.sql", "migrations/005.sql")
VERSION: Final = len(MIGRATIONS)

QUICK_CHECK_LIMIT = 1 << 30

HERE: Final = Path(__file__).parent
_SQL = load("fitness.sql")


def inspect(path: str) -> None:
    """Raise StoreUnfit unless the file at `path` is flowlet's and of a version that this flowlet knows.

    Reads through SQLite, which keeps its locks, and without the log when there is none to read, which
    leaves no file behind.
    """
    try:
        facts = os.stat(path)  # noqa: PTH116  one call for three questions
    except FileNotFoundError:
        raise StoreError(f"{path} does not exist: give the path of a database (--db), or run something first") from None
    except OSError as error:
        raise refused(path, error) from error
    if not stat.S_ISREG(facts.st_mode):
        raise StoreUnfit(f"{path} is not a file: give another path (--db)")
    if facts.st_size == 0:
        raise StoreUnfit(
            f"{path} is empty (0 bytes), which no database of flowlet ever is: restore a backup, or delete it"
            " to begin with a new one"
        )
    if facts.st_nlink > 1:
        raise StoreUnfit(
            f"{path} has {facts.st_nlink} names (hard links). SQLite keeps a log beside each name, and two logs"
            " for one file damage it: remove the other names, or give flowlet a copy"
        )
    try:
        _judge(path, *_header(path))
    except ERRORS as error:
        raise trouble(error, path) from error


def refused(path: str, error: OSError) -> StoreError:
    """What the system does not let us do, with the place and the way out."""
    return StoreError(f"{error.filename or path} cannot be used: {error.strerror}; look at its disk, its folder and its rights")


def open_quietly(path: str) -> sqlite3.Connection:
    """To look before anything is written: not even what a closing writer would bring from the log into the file."""
    return open_reader(path, immutable=not log_size(path))


def _header(path: str) -> tuple[int, int]:
    """(application_id, user_version). A log that holds something is read too."""
    connection = open_quietly(path)
    try:
        whose = connection.execute(_SQL["application"]).fetchone()[0]
        return whose, connection.execute(_SQL["version"]).fetchone()[0]
    finally:
        connection.close()


def _judge(path: str, whose: int, version: int) -> None:
    if whose != APPLICATION_ID:
        raise StoreUnfit(
            f"{path} is an SQLite database of another application (application_id {whose:#x}): give another path (--db)"
        )
    if version > VERSION:
        raise StoreUnfit(
            f"{path} has schema version {version}, this flowlet knows up to {VERSION}: it was written by a newer"
            " flowlet. Install that one again, or restore a backup made before the upgrade"
        )
    if version < 1:
        raise StoreUnfit(f"{path} has schema version {version}, which flowlet never wrote: restore a backup")


def create(path: str) -> None:
    """A new database, complete or not at all: made beside its place, then renamed into it. Mode 0600."""
    draft = Path(path + ".new")
    for leftover in (draft, Path(f"{draft}-wal"), Path(f"{draft}-shm"), Path(f"{draft}-journal")):
        leftover.unlink(missing_ok=True)
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _draw_up(str(draft))
        onto_disk(draft)
        draft.rename(path)
        onto_disk(draft.parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be made: {error.strerror}; its folder must exist and be writable") from error


def _draw_up(draft: str) -> None:
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA synchronous = OFF")  # the finished file is synchronised as a whole
        migrate(connection, draft)
        connection.execute("PRAGMA journal_mode = WAL")
    except ERRORS as error:
        raise trouble(error, draft) from error
    finally:
        connection.close()


def onto_disk(path: Path) -> None:
    """Synchronise a file that no SQLite connection has open, or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def migrate(connection: sqlite3.Connection, path: str) -> int:
    """Bring the schema to VERSION, each step one transaction; the version that it had."""
    first = _version(connection)
    for number, file in enumerate(MIGRATIONS[first:], start=first + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _version(connection) != number - 1:
                raise StoreBusy(f"{path}: another process changes its schema right now; try again")
            for statement in statements_of(script(file)):
                connection.execute(statement)
            if number == 1:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(_SQL["birth"])
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return first


def statements_of(text: str) -> list[str]:
    """A script cut into statements: executescript would commit the transaction that they belong to."""
    found, piece = [], ""
    for line in text.splitlines(keepends=True):
        piece += line
        if sqlite3.complete_statement(piece):
            found.append(piece.strip())
            piece = ""
    return found


def quick_check(connection: sqlite3.Connection, path: str) -> None:
    """Raise StoreUnfit with what SQLite's quick_check finds."""
    problems = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
    if problems != ["ok"]:
        raise StoreUnfit(f"{path} is damaged: {'; '.join(problems)}. Restore a backup (flowlet db backup makes them)")


def needs_check(path: str) -> bool:
    """The last owner did not close the file (its log holds something), and checking takes no minutes."""
    return log_size(path) > 0 and Path(path).stat().st_size < QUICK_CHECK_LIMIT


def owner(connection: sqlite3.Connection, path: str) -> tuple[str, int, int]:
    """(birth mark, epoch, sequence) as they stand in the file."""
    row = connection.execute(_SQL["owner"]).fetchone()
    if row is None:
        raise StoreUnfit(f"{path} has lost its owner row: restore a backup")
    birth, epoch, seq = row
    return birth, epoch, seq


def take_over(connection: sqlite3.Connection, since: int) -> None:
    """A new epoch: whatever an earlier owner still tries to write is refused from here on."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_SQL["take_over"], (os.getpid(), os.uname().nodename, since))
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute(_SQL["version"]).fetchone()[0]
    return version
