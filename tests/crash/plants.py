"""Bugs planted on purpose, in the child only: each must be revealed by the checker or by the child's end.

Some widen the window of their bug by a pause, which makes the bug likelier and not another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowlet.runs import plan
from flowlet.runs.moves import Moves, PutXCom
from flowlet.runs.states import FAILED, SUCCESS
from flowlet.scheduler import limits, loop, schedules
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

    Scheduler.turn = turn


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

    Scheduler.turn = turn


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

    Scheduler.turn = turn


def no_state_guard() -> None:
    """An outcome that comes twice, the second time as another one, overwrites the first."""
    _rewrite("AND state = 'running'", "")
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

    store.Store.commit = commit


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

    Scheduler.deliver = lossy


def start_twice_after_recovery() -> None:
    """An attempt that was interrupted is started by two who both think that they recover it."""
    carry_out = Scheduler._carry_out

    def twice(self: Scheduler, turn: Any) -> None:
        carry_out(self, turn)
        for ti in turn.start:
            if ti.crashes and ti.work is not None:
                self.executor.accept(self._workload(ti))
                self.brain.in_flight += 1
                self.brain.admission.parallel.used += 1

    Scheduler._carry_out = twice


def interrupted_is_a_retry() -> None:
    """A crash uses up a retry."""
    interrupt = plan.interrupt

    def counted(ti: Any, reason: str, turn: Any, *, crashed: bool) -> None:
        ti.max_tries -= 1
        interrupt(ti, reason, turn, crashed=crashed)

    plan.interrupt = counted


def xcom_of_an_interrupted_attempt() -> None:
    """What an interrupted attempt had pushed is there afterwards."""
    interrupt = plan.interrupt

    def pushing(ti: Any, reason: str, turn: Any, *, crashed: bool) -> None:
        interrupt(ti, reason, turn, crashed=crashed)
        turn.moves.put_xcom.append(PutXCom(ti.id, "return_value", "0"))

    plan.interrupt = pushing


def no_crash_bound() -> None:
    """A task may take the process down for ever."""
    plan.MOST_CRASHES = 1_000


def coalesced_ticks_forgotten() -> None:
    """Ticks that were merged into a later run are recorded nowhere."""
    carry = schedules._carry

    def forgetful(brain: Any, entry: Any, tick_plan: Any, turn: Any) -> None:
        carry(brain, entry, tick_plan._replace(spans=[]), turn)

    schedules._carry = forgetful


def pool_ignored() -> None:
    """A pool never says no."""
    limits.Admission._limits = lambda self, ti: [(ti.run.limit, 1)]


def _rewrite(old: str, new: str) -> None:
    """In every statement that the writer runs."""
    applying.PLAN = tuple(
        (slot, sql.replace(old, new), counted) for slot, sql, counted in applying.PLAN
    )
    applying._STEPS = tuple(
        (rows_of, apply, sql.replace(old, new), many.replace(old, new), counted)
        for rows_of, apply, sql, many, counted in applying._STEPS
    )


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
        lose_outcome, deliver_twice, start_twice_after_recovery, interrupted_is_a_retry,
        xcom_of_an_interrupted_attempt, no_crash_bound, coalesced_ticks_forgotten, pool_ignored,
    )
}  # fmt: skip

REVEALED_BY = {
    "no_epoch_guard": "former_owner",
    "no_crash_bound": "killer",
    "xcom_of_an_interrupted_attempt": "killer",
}
"""Scenarios of which a bug needs a certain one."""
