"""Bugs planted on purpose, in the child only: each must be revealed by the checker or by the child's end.

Some widen the window of their bug by a pause, which makes the bug likelier and not another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowlet.runs.moves import Moves
from flowlet.runs.states import FAILED, SUCCESS
from flowlet.scheduler import loop
from flowlet.scheduler.loop import Scheduler
from flowlet.store import applying, ledger, store

_WINDOW = 0.03


def acknowledge_before_commit() -> None:
    """Replies are given, then the rows are written."""

    async def turn(self: Scheduler) -> None:
        turn = await _decide(self)
        for reply, answer in turn.replies:
            loop._answer(reply, answer)
        if turn.moves:
            await self._breathe(_WINDOW)
            await _commit(self, turn)
        self._carry_out(turn)

    Scheduler.turn = turn  # type: ignore[method-assign]


def start_before_commit() -> None:
    """Bodies are started, then their start is written."""

    async def turn(self: Scheduler) -> None:
        turn = await _decide(self)
        for ti in turn.start:
            ti.work = self._workload(ti)
            self.executor.accept(ti.work)
        turn.start.clear()
        if turn.moves:
            await self._breathe(_WINDOW)
            await _commit(self, turn)
        self._carry_out(turn)

    Scheduler.turn = turn  # type: ignore[method-assign]


def cursor_before_run() -> None:
    """The cursor moves in a transaction of its own, before the run that it stands for."""

    async def turn(self: Scheduler) -> None:
        turn = await _decide(self)
        if turn.moves.move_cursor:
            alone = Moves()
            alone.move_cursor, turn.moves.move_cursor = turn.moves.move_cursor, []
            await self._commit(alone)
            await self._breathe(0.2)
        if turn.moves:
            await _commit(self, turn)
        self._carry_out(turn)

    Scheduler.turn = turn  # type: ignore[method-assign]


def no_state_guard() -> None:
    """An outcome that comes twice, the second time as another one, overwrites the first."""
    applying.PLAN = tuple(  # type: ignore[misc]
        (slot, _without_guard(sql), counted) for slot, sql, counted in applying.PLAN
    )
    applying._STEPS = tuple(  # type: ignore[misc]
        (rows_of, apply, _without_guard(sql), _without_guard(many), counted)
        for rows_of, apply, sql, many, counted in applying._STEPS
    )
    deliver_twice()


def deliver_twice() -> None:
    """Not a bug of the engine's: every success is written a second time, as a failure; the guard refuses it."""
    once = store.Store.commit

    async def commit(self: Any, moves: Moves) -> Any:
        conflicts = await once(self, moves)
        again = Moves()
        again.end_task = [
            move._replace(state=FAILED, outcome="failed") for move in moves.end_task if move.state == SUCCESS
        ]
        if again:
            await once(self, again)
        return conflicts

    store.Store.commit = commit  # type: ignore[method-assign]


def no_epoch_guard() -> None:
    """A former owner writes on."""
    ledger._ADVANCE = "UPDATE owner SET seq = seq + 1 WHERE ?1 IS NOT NULL AND ?2 IS NOT NULL"


def lose_outcome() -> None:
    """Every tenth outcome is never told to the scheduler."""
    deliver, seen = Scheduler.deliver, [0]

    def lossy(self: Scheduler, work: Any, outcome: Any) -> None:
        seen[0] += 1
        if seen[0] % 10:
            deliver(self, work, outcome)

    Scheduler.deliver = lossy  # type: ignore[method-assign]


def _without_guard(sql: str) -> str:
    return sql.replace("AND state = 'running'", "") if "SET state = ?3, outcome = ?4" in sql else sql


async def _decide(self: Scheduler) -> Any:
    """The first half of Scheduler.turn."""
    if not self._inbox and not self._stopping.is_set():
        due = None if self.brain.draining else self.brain.next_due()
        await self.clock.wait(self._news, due, busy=self.brain.in_flight > 0)
    self._news.clear()
    now = self._look_at_clock()
    asked, self._inbox = self._inbox, []
    return self.brain.turn(asked, now)


async def _commit(self: Scheduler, turn: Any) -> None:
    conflicts = await self._commit(turn.moves)
    if conflicts:
        self._inbox.extend(self.brain.refused(conflicts, turn))


PLANTS: dict[str, Callable[[], None]] = {
    plant.__name__: plant
    for plant in (
        acknowledge_before_commit, start_before_commit, cursor_before_run, no_state_guard, no_epoch_guard,
        lose_outcome, deliver_twice,
    )
}  # fmt: skip
