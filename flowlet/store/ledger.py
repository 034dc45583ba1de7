"""The file's one writer. Everything here runs in one thread and blocks; the store brings it to asyncio."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TypeVar

from flowlet.errors import StoreBusy, StoreError, StoreFaulty, StoreLost, StoreUnfit
from flowlet.runs.moves import Moves
from flowlet.store import fitness, forking
from flowlet.store.applying import POISON, SQL, Conflict, Mismatch, all_at_once, one_by_one
from flowlet.store.mirror import Mirror
from flowlet.store.sqlite import BUSY_MILLISECONDS, ERRORS, MEMORY, open_writer, trouble
from flowlet.store.watch import Overwritten, Watch, log_size

T = TypeVar("T")

_BEGIN, _ADVANCE, _COMMIT = SQL["begin"], SQL["advance"], SQL["commit"]


class _Doubt:
    """A COMMIT that failed. It may be on file all the same; the sequence tells, and then it has `landed`."""

    __slots__ = ("before", "conflicts", "counts", "landed", "moves")

    def __init__(self, moves: Moves | None, conflicts: list[Conflict], before: _Doubt | None) -> None:
        self.moves = moves
        self.counts = {} if moves is None else {slot: len(getattr(moves, slot)) for slot in Moves.__slots__}
        self.conflicts = conflicts
        self.before = before
        self.landed = False


class Ledger:
    """Transactions, each guarded by the owner's epoch and counted by the sequence."""

    def __init__(self, path: str, *, full: bool) -> None:
        self.path = path
        self.full = full
        self.epoch = 0
        self.seq = 0
        self.connection: sqlite3.Connection | None = None
        self.watch: Watch | None = None
        self.mirror: Mirror | None = None
        self.lost: str | None = None
        self.when_given_up: Callable[[], object] | None = None
        self._doubt: _Doubt | None = None

    # -- writing ---------------------------------------------------------------------------------------

    def apply(self, moves: Moves) -> list[Conflict]:
        """All the moves in one transaction; those that do not meet what they expect are left out and told."""
        connection = self.ready()
        rest, landed = moves, self._doubt
        if landed is not None:
            rest = self._not_yet_written(landed, moves)
            if not rest:
                self._doubt = None
                return landed.conflicts
        earlier = [] if landed is None else landed.conflicts
        try:
            conflicts = self._write(connection, rest, all_at_once)
        except Mismatch:
            conflicts = self._write(connection, rest, one_by_one)
        conflicts = earlier + conflicts
        self._commit(connection, moves, conflicts)
        self._doubt = None
        return conflicts

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Some other transaction (retention, say), under the same guard."""
        connection = self.ready()
        try:
            result = self._write(connection, None, lambda connection, _: work(connection))
        except Mismatch as error:
            raise StoreError(f"{self.path}: {error}; the change was undone, please report it") from error
        self._commit(connection, None, [])
        return result

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Look at rows by the writer's own connection, outside of a transaction."""
        connection = self.ready()
        try:
            return work(connection)
        except ERRORS as error:
            raise self._failed(connection, error) from error

    def _write(
        self, connection: sqlite3.Connection, moves: Moves | None, work: Callable[[sqlite3.Connection, Moves], T]
    ) -> T:
        """Begin, and do the work; whatever goes wrong, the transaction is over."""
        try:
            connection.execute(_BEGIN)
            if connection.execute(_ADVANCE, (self.epoch, self.seq)).rowcount != 1:
                self._lose(connection)
            return work(connection, moves)  # type: ignore[arg-type]  # `change` has no moves and ignores them
        except POISON as error:
            self._roll_back(connection)
            raise Mismatch(str(error)) from error
        except ERRORS as error:
            raise self._failed(connection, error) from error
        except BaseException:
            self._roll_back(connection)
            raise

    def _commit(self, connection: sqlite3.Connection, moves: Moves | None, conflicts: list[Conflict]) -> None:
        try:
            connection.execute(_COMMIT)
        except ERRORS as error:
            self._doubt = _Doubt(moves, conflicts, self._doubt)
            raise self._failed(connection, error) from error
        self.seq += 1
        if self.mirror is not None:
            self.mirror.note(self.seq)

    def checkpoint(self) -> bool:
        """Write all of the log into the database and cut it to nothing; False when a reader holds on to it.

        Never waits for the reader: commits would have to wait as well.
        """
        connection = self.ready()
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        except ERRORS as error:
            raise self._failed(connection, error) from error
        if self.mirror is not None:
            self.mirror.note(self.seq)
            self.mirror.sync()
        return not busy

    def look(self) -> None:
        """Is it the file still that was opened? Raises StoreLost."""
        if self.watch is not None:
            self.watch.hurry()
        self.ready()

    def log_size(self) -> int:
        """Bytes in the write-ahead log."""
        return 0 if self.path == MEMORY else log_size(self.path)

    # -- when something is wrong ------------------------------------------------------------------------

    def ready(self) -> sqlite3.Connection:
        """The connection: on the file that it was, and with no doubt about what is on it."""
        if self.lost is not None:
            raise StoreLost(self.lost)
        try:
            if self.watch is not None and self.connection is not None:
                self.watch.look()
            connection = self.connection or self._open_again()
        except StoreLost as error:
            self.lost = str(error)
            if isinstance(error, Overwritten):
                forking.never_close(self.connection)
                self.connection = None
            raise
        except OSError as error:
            raise StoreFaulty(f"{self.path} cannot be looked at: {error.strerror}; look at its disk and its folders") from error
        if connection.in_transaction:  # the error that ended the last one did not let it be rolled back
            self._roll_back(connection)
        if self._doubt is not None and not self._doubt.landed:
            self._resolve(connection, self._doubt)
        return connection

    def _failed(self, connection: sqlite3.Connection, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
        """Roll back; after an error of the device the connection is given up: its cache may lie."""
        self._roll_back(connection)
        reason = trouble(error, self.path)
        if isinstance(reason, StoreUnfit) and self.path != MEMORY:
            # SQLite says so of a page that its disk could not read, too (SQLITE_IOERR_CORRUPTFS)
            reason = StoreFaulty(f"{self.path}: {error}; it is opened anew and checked before it is written again")
        if isinstance(reason, StoreFaulty) or connection.in_transaction:
            self._give_up()
        return reason

    @staticmethod
    def _roll_back(connection: sqlite3.Connection) -> None:
        """SQLite itself rolls back after some errors (a full disk); a second time would be an error."""
        if connection.in_transaction:
            with suppress(*ERRORS):
                connection.execute("ROLLBACK")

    def _give_up(self) -> None:
        """Close every connection to the file; a database in memory lives only as long as its own."""
        connection = self.connection
        if connection is None or self.path == MEMORY:
            return
        self.connection = None
        if self.when_given_up is not None:
            self.when_given_up()
        with suppress(*ERRORS):
            connection.close()

    def _lose(self, connection: sqlite3.Connection) -> NoReturn:
        _, epoch, seq = fitness.owner(connection, self.path)
        self.lost = (
            f"{self.path} stands at owner epoch {epoch}, transaction {seq}; this process wrote epoch {self.epoch},"
            f" transaction {self.seq} last: somebody else wrote it, and nothing more is written from here"
        )
        raise StoreLost(self.lost)

    def _open_again(self) -> sqlite3.Connection:
        """After an error of the device: a new connection, a check, and all of the log written out anew.

        A failed fsync is never repeated: Linux may have dropped what it could not write
        (https://wiki.postgresql.org/wiki/Fsync_Errors). A checkpoint writes it again, from the log into
        the database, and synchronises that.
        """
        if self.watch is not None:
            self.watch.look_at_database()
        try:
            connection = open_writer(self.path, full=self.full)
            try:
                fitness.quick_check(connection, self.path)
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                if busy:
                    raise StoreBusy(f"{self.path} cannot be made safe after an I/O error while another program reads it")
            except BaseException:
                connection.close()
                raise
        except ERRORS as error:
            raise trouble(error, self.path) from error
        self.connection = connection
        if self.watch is not None:
            self.watch = Watch(self.path, self.watch.birth)
        return connection

    def _resolve(self, connection: sqlite3.Connection, doubt: _Doubt) -> None:
        """Did the failed COMMIT reach the file?"""
        try:
            _, epoch, seq = fitness.owner(connection, self.path)
        except ERRORS as error:
            raise self._failed(connection, error) from error
        landed = epoch == self.epoch and seq == self.seq + 1
        if landed:
            self.seq = seq
        if landed and doubt.moves is not None:
            doubt.landed = True
        else:
            self._doubt = doubt.before

    def _not_yet_written(self, landed: _Doubt, moves: Moves) -> Moves:
        """Of moves that are committed again, those that joined since the first time."""
        if landed.moves is not moves:
            raise StoreError(f"{self.path}: an error hid the end of a commit; commit the same moves again before others")
        rest = Moves()
        for slot, count in landed.counts.items():
            setattr(rest, slot, getattr(moves, slot)[count:])
        return rest
