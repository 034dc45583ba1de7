"""Moves become rows: all at once, or, when one of them does not fit, one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, Final

from flowlet.named_tuple import NamedTuple
from flowlet.runs.moves import AddBackfillDates, AddTasks, AddTick, Moves
from flowlet.store.statements import load

SQL: Final = load("write.sql")

#: Slot, statement, and whether each of its moves must change one row; in the order of the file.
PLAN: Final = tuple(
    (name.partition(".")[0], sql, "." not in name)
    for name, sql in SQL.items()
    if name.partition(".")[0] in Moves.__slots__ and not name.endswith(".many")
)
ORDER: Final = tuple(dict.fromkeys(slot for slot, _, _ in PLAN))

#: With a value longer than this all are bound one by one: a statement's parameter must not grow without bound.
_LONG_VALUE: Final = 4096

#: What one row can be guilty of: a constraint, a type or a size that SQLite does not take.
POISON: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeEncodeError,
)


#: Moves of which each makes as many rows as it says.
_OF_MANY_ROWS: Final = (AddTasks, AddBackfillDates)


class Conflict(NamedTuple):
    """A move that did not meet what it expected, and was left out."""

    kind: str
    """Its slot in Moves."""
    move: Any
    because: str


class Mismatch(Exception):
    """Some move of a group did not change exactly one row."""


def all_at_once(connection: sqlite3.Connection, moves: Moves) -> list[Conflict]:
    """As few statements as can be; the summed row count of each kind must be the number of its rows."""
    for rows_of, apply, sql, many, counted in _STEPS:
        rows = rows_of(moves)
        if rows and apply(connection, rows, sql, many) != _count(rows) and counted:
            raise Mismatch
    return []


def _count(rows: list[Any]) -> int:
    return len(rows) if type(rows[0]) not in _OF_MANY_ROWS else sum(row.count for row in rows)


def _each(connection: sqlite3.Connection, rows: list[Any], sql: str, _: str) -> int:
    return connection.executemany(sql, rows).rowcount


def _alike(connection: sqlite3.Connection, rows: list[Any], sql: str, many: str) -> int:
    """Rows that are equal in all but their id are one statement."""
    if len(rows) == 1:
        return connection.execute(sql, rows[0]).rowcount
    alike: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        alike.setdefault(row[1:], []).append(row[0])
    changed = 0
    for rest, ids in alike.items():
        if len(ids) == 1:
            changed += connection.execute(sql, (ids[0], *rest)).rowcount
        else:
            changed += connection.execute(many, (f"{ids}", *rest)).rowcount
    return changed


def _for_many(sql: str) -> str:
    """A statement of one row's, for all whose ids stand in a JSON array."""
    return sql.replace("WHERE id = ?1", "WHERE id IN (SELECT value FROM json_each(?1))")


def _values(connection: sqlite3.Connection, rows: list[Any], sql: str, many: str) -> int:
    """Values of one key are one statement, if all are short."""
    if len(rows) == 1:
        return connection.execute(sql, rows[0]).rowcount
    if any(type(value) is not str or len(value) > _LONG_VALUE for _, _, value in rows):
        return connection.executemany(sql, rows).rowcount
    of_key: dict[str, list[str]] = {}
    for ti, key, value in rows:
        of_key.setdefault(key, []).append(f'"{ti}":{encode_basestring(value)}')
    return sum(
        connection.execute(many, (f"{{{','.join(pairs)}}}", key)).rowcount for key, pairs in of_key.items()
    )


_APPLY: Final = dict.fromkeys(("end_task", "settle_task", "start_task"), _alike) | {"put_xcom": _values}
_Step = tuple[Callable[[Moves], list[Any]], Callable[..., int], str, str, bool]
_STEPS: Final[tuple[_Step, ...]] = tuple(
    (attrgetter(slot), _APPLY.get(slot, _each), sql, SQL.get(f"{slot}.many") or _for_many(sql), counted)
    for slot, sql, counted in PLAN
)


def one_by_one(connection: sqlite3.Connection, moves: Moves) -> list[Conflict]:
    """Each move in a savepoint of its own: a conflict costs itself and what hangs on it, nothing else.

    On a conflict of one of its tasks hangs all that was decided next for that run: what it settles, what it
    starts, how it ends. Attempts of the run that did end keep their ends and their values.
    """
    conflicts: list[Conflict] = []
    fallen = _Fallen(connection)
    for slot in ORDER:
        statements = [(sql, counted) for name, sql, counted in PLAN if name == slot]
        for move in getattr(moves, slot):
            if fallen.take_along(slot, move):
                continue
            if fallen.is_shaken(slot, move):
                conflicts.append(Conflict(slot, move, "it was decided on a row that is not as expected"))
                continue
            because = _attempt(connection, statements, fallen.recast(slot, move))
            if because is not None:
                conflicts.append(Conflict(slot, move, because))
                _account(connection, fallen.note(slot, move))
    return conflicts


def _attempt(connection: sqlite3.Connection, statements: list[tuple[str, bool]], move: Any) -> str | None:
    """Why the move was undone, or None."""
    connection.execute("SAVEPOINT move")
    because = None
    try:
        for sql, counted in statements:
            if connection.execute(sql, move).rowcount != _count([move]) and counted:
                because = "the row is not in the state that was expected"
                break
    except UnicodeEncodeError:
        connection.execute("ROLLBACK TO move")
        connection.execute("RELEASE move")
        return _attempt(connection, statements, _in_utf8(move))
    except POISON as error:
        because = f"{type(error).__name__}: {error}"
    if because is not None:
        connection.execute("ROLLBACK TO move")
    connection.execute("RELEASE move")
    return because


def _in_utf8(move: Any) -> Any:
    """Somebody's text may hold half a character, as file names that are no UTF-8 do: it is kept with backslashes."""
    return type(move)._make(
        value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value for value in move
    )


def _account(connection: sqlite3.Connection, tick: AddTick | None) -> None:
    """A refused run leaves its tick behind: the cursor passes it in this very transaction."""
    if tick is not None:
        connection.execute(SQL["add_tick"], tick)


class _Fallen:
    """The rows that were refused, and so whatever else names them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._runs: set[int] = set()
        self._tasks: set[int] = set()
        self._shaken: set[int] = set()
        """Runs of which a row is not as it was left."""

    def note(self, slot: str, move: Any) -> AddTick | None:
        """Remember a refused move; what becomes of its tick, if it had one."""
        if slot == "add_run":
            self._runs.add(move.id)
            if move.due_at is not None:
                reason = "its run_id or logical date is taken by another run"
                return AddTick(move.dag_id, move.due_at, move.due_at, 1, "skipped", reason, None)
        elif slot == "add_tasks":
            self._tasks.update(range(move.first_id, move.first_id + move.count))
        elif slot in {"add_task", "end_task", "release_task", "interrupt_task"}:
            self._tasks.add(move.id)
        if slot in _OF_A_TASK:
            self._shaken |= self._run_of(move.id)
        elif slot in {"begin_run", "reopen_run"}:
            self._shaken.add(move.id)
        return None

    def is_shaken(self, slot: str, move: Any) -> bool:
        """The move follows from something about its run that is not so."""
        if not self._shaken:
            return False
        if slot == "end_run":
            return move.id in self._shaken
        return slot in _FOLLOWS and not self._shaken.isdisjoint(self._run_of(move.id))

    def _run_of(self, task: int) -> set[int]:
        return {run for (run,) in self._connection.execute(SQL["run_of_task"], (task,))}

    def take_along(self, slot: str, move: Any) -> bool:
        """The move belongs to a refused run or attempt."""
        if slot == "add_tasks":
            if move.run in self._runs:
                self._tasks.update(range(move.first_id, move.first_id + move.count))
            return move.run in self._runs
        if slot == "add_task":
            if move.run in self._runs:
                self._tasks.add(move.id)
                return True
            return False
        if slot in {"reopen_run", "begin_run", "end_run", "judge_run"}:
            return move.id in self._runs
        if slot == "settle_backfill_date":
            return move.run in self._runs
        if slot in {"put_xcom", "put_rendered"}:
            return move.ti in self._tasks
        return slot in _OF_A_TASK and move.id in self._tasks

    def recast(self, slot: str, move: Any) -> Any:
        """Ticks that were to be merged into a refused run are skipped with it."""
        if slot == "add_tick" and move.run in self._runs:
            return move._replace(outcome="skipped", reason=f"{move.reason}; the run was refused", run=None)
        return move


_FOLLOWS: Final = frozenset({"settle_task", "reset_task", "archive_attempt", "start_task"})
_OF_A_TASK: Final = frozenset({
    "end_task", "index_task", "release_task", "interrupt_task", "settle_task", "reset_task", "archive_attempt", "start_task",
})  # fmt: skip
