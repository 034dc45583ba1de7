"""A backup, made beside its place, checked, brought onto the disk and renamed; and the check of a whole file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from flowlet.errors import StoreError
from flowlet.store.fitness import onto_disk, quick_check
from flowlet.store.sqlite import ERRORS, trouble
from flowlet.store.statements import load

_CHECKS: Final = load("check.sql")


def copy_to(source: sqlite3.Connection, path: str) -> None:
    """Copy the whole database to `path`, which must not exist: complete and sound, or not at all."""
    if Path(path).exists():
        raise StoreError(f"{path} exists already: give another path for the backup")
    draft = Path(path + ".part")
    try:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(source, str(draft))
        onto_disk(draft)
        draft.rename(path)
        onto_disk(draft.parent)
    except ERRORS as error:
        raise trouble(error, str(draft)) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be made: {error.strerror}; its folder must exist and be writable") from error
    finally:
        draft.unlink(missing_ok=True)


def problems_of(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the file, in sentences: SQLite's own checks, foreign keys, and sums that must agree."""
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
    found += [
        f"row {row} of {table} names a row of {parent} that does not exist"
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check")
    ]
    for sql in _CHECKS.values():
        found += [row[0] for row in connection.execute(sql)]
    return found


def _copy(source: sqlite3.Connection, draft: str) -> None:
    """In one step, so that a writer beside it does not make the copy start over and over."""
    target = sqlite3.connect(draft)
    try:
        source.backup(target)
        quick_check(target, draft)
    finally:
        target.close()
