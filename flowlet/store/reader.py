"""Reading without ever writing, locking or checkpointing: for other processes, and beside the writer."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from flowlet.errors import StoreError
from flowlet.store import fitness
from flowlet.store.lease import owner_of
from flowlet.store.sqlite import ERRORS, open_reader, trouble
from flowlet.store.statements import load

QUERIES: Final = load("read.sql")

VIEWS: Final = (
    "runs", "tasks", "attempts", "xcoms", "ticks", "events", "backfills", "backfill_dates", "task_state_store",
    "asset_state_store",
)  # fmt: skip

Rows = list[tuple[Any, ...]]
T = TypeVar("T")


def select(connection: sqlite3.Connection, name: str, params: Mapping[str, object]) -> Rows:
    """The rows of a named SELECT, all of them: a reader that lingers would keep the log from being reused."""
    rows: Rows = connection.execute(QUERIES[name], params).fetchall()
    return rows


class Readers:
    """Connections of one process to read a file beside its writer, as many as threads read at once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    def select(self, name: str, params: Mapping[str, object]) -> Rows:
        try:
            connection = self._idle.pop() if self._idle else open_reader(self._path)
        except IndexError:  # another thread took the last one
            connection = open_reader(self._path)
        except ERRORS as error:
            raise trouble(error, self._path) from error
        try:
            rows = select(connection, name, params)
        except ERRORS as error:
            connection.close()
            raise trouble(error, self._path) from error
        self._give_back(connection)
        return rows

    def close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        self._closed = True
        self.close_idle()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)


class Reader:
    """A file, read by another process than its owner (or while it has none). Never writes it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.realpath(path)
        fitness.inspect(self.path)
        self._connection = self._open()

    def fetch(self, name: str, **params: object) -> Rows:
        """The rows of a named SELECT."""
        return self._ask(lambda connection: select(connection, name, params))

    def rows(self, view: str, *, limit: int = 1000, newest: bool = True, **where: object) -> list[dict[str, Any]]:
        """Rows of one of the documented views as dicts, filtered by equal columns.

        `newest` takes the last `limit` rows instead of the first; either way they come oldest first.
        """
        columns = self._columns(view)
        unknown = where.keys() - set(columns)
        if unknown:
            raise StoreError(f"view {view} has no column {', '.join(sorted(unknown))}; it has {', '.join(columns)}")
        condition = " AND ".join(f"{column} IS :{column}" for column in where) or "true"
        text = f"SELECT * FROM {view} WHERE {condition} LIMIT :limit_"  # noqa: S608  both are names checked above
        if newest:
            text = text.replace("LIMIT", f"ORDER BY {_NEWEST[view]} DESC LIMIT")
        found = self._ask(lambda connection: connection.execute(text, {**where, "limit_": limit}).fetchall())
        if newest:
            found.reverse()
        return [dict(zip(columns, row, strict=True)) for row in found]

    def check(self) -> list[str]:
        """What is wrong with the file, in sentences; empty when all is well."""
        from flowlet.store.copying import problems_of

        return self._ask(problems_of)

    def owner(self) -> dict[str, Any] | None:
        """Who owns the file now: pid, host, since, control (its socket); None if nobody does."""
        return owner_of(self.path)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _columns(self, view: str) -> list[str]:
        if view not in VIEWS:
            raise StoreError(f"there is no view {view!r}; there are {', '.join(VIEWS)}")
        sql = "SELECT name FROM pragma_table_info(?)"
        return self._ask(lambda connection: [row[0] for row in connection.execute(sql, (view,))])

    def _ask(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return ask(self._connection)
        except ERRORS as error:
            raise trouble(error, self.path) from error

    def _open(self) -> sqlite3.Connection:
        """A file in a folder that cannot be written has no shared memory: read as it is, if nobody writes it."""
        try:
            return _proven(open_reader(self.path), self.path)
        except ERRORS as error:
            if self.owner() is not None or os.access(Path(self.path).parent, os.W_OK):
                raise trouble(error, self.path) from error
        try:
            return _proven(open_reader(self.path, immutable=True), self.path)
        except ERRORS as error:
            raise trouble(error, self.path) from error


_NEWEST: Final = {
    "runs": "queued_at",
    "tasks": "queued_at",
    "attempts": "started_at",
    "xcoms": "run_id",
    "ticks": "due_at",
    "events": "at",
    "backfills": "backfill_id",
    "backfill_dates": "backfill_id DESC, ordinal",
    "task_state_store": "updated_at",
    "asset_state_store": "updated_at",
}


def _proven(connection: sqlite3.Connection, path: str) -> sqlite3.Connection:
    """Opening reads nothing; this does."""
    try:
        fitness.owner(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection
