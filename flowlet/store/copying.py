"""A backup: made beside its place, checked, put on the disk, renamed."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from flowlet.errors import StoreError
from flowlet.store.fitness import quick_check


def copy_to(connection: sqlite3.Connection, path: str) -> None:
    """Copy the whole database to `path`, which must not exist."""
    if Path(path).exists():
        raise StoreError(f"{path} exists already: give another path for the backup")
    draft = path + ".part"
    Path(draft).unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    target = sqlite3.connect(draft)
    try:
        connection.backup(target)
        quick_check(target, draft)
    finally:
        target.close()
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    Path(draft).rename(path)


def problems_of(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with a whole file."""
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
    return found + [f"foreign key: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
