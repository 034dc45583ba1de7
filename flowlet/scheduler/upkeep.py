"""What keeps the file in order while the engine lives: old runs go, the log is cut, growth is told.

It gets its turn from the loop and never wakes an idle engine but once, shortly after the last write. Each
turn of it is short: news that arrives meanwhile waits for a few milliseconds at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowlet import settings
from flowlet.clock import HOUR, MINUTE, SECOND, iso
from flowlet.errors import StoreError, StoreLost, StoreUnavailable
from flowlet.named_tuple import NamedTuple

if TYPE_CHECKING:
    from flowlet.store import Store
    from flowlet.store.retention import Pruning
    from flowlet.store.store import Forget

REST: Final = SECOND
"""After so long without a write the log is brought into the database, once."""
STEP: Final = SECOND // 20
"""So far apart are the steps of a round of retention while bodies run."""
LOOK: Final = MINUTE
"""How often the file's place and its size are looked at, at most."""
FIRST: Final = 5 * MINUTE
EVERY: Final = 6 * HOUR
"""When old runs are looked for: after the start, and then as long as something is written."""
_NEVER: Final = 1 << 62

Notes = list[tuple[str, str]]


class Keep(NamedTuple):
    """What stays, and from which sizes on somebody is told."""

    days: int
    runs: int
    log_alarm: int
    """Bytes of the write-ahead log."""
    file_alarm: int
    """Bytes of the database, told again at each doubling."""

    @classmethod
    def by_settings(cls, days: int | None = None, runs: int | None = None) -> Keep:
        """FLOWLET__STORE__KEEP_DAYS, KEEP_RUNS, LOG_ALARM_MIB and FILE_ALARM_MIB, or their defaults."""
        return cls(
            settings.get_int("store", "keep_days", 90, at_least=0) if days is None else days,
            settings.get_int("store", "keep_runs", 100, at_least=1) if runs is None else runs,
            settings.get_int("store", "log_alarm_mib", 256, at_least=1) << 20,
            settings.get_int("store", "file_alarm_mib", 4096, at_least=1) << 20,
        )


class Upkeep:
    """Retention, checkpoints and alarms of one file."""

    def __init__(self, store: Store, keep: Keep, now: int, *, forget: Forget | None = None) -> None:
        self.next_at = 0
        """When it wants its turn: the loop compares, no more."""
        self._store = store
        self._keep = keep
        self._forget = forget
        self._pruning: Pruning | None = None
        self._prune_at = now + FIRST
        self._has_grown = True
        self._rest_at = now + REST if not store.in_memory else _NEVER
        self._is_held = False
        """Another program reads, and so keeps the log from being cut."""
        self._look_at = now + LOOK if not store.in_memory else _NEVER
        self._log_is_large = False
        self._file_mark = keep.file_alarm
        self._set_next(now)

    def wrote(self, now: int) -> None:
        """Something was committed."""
        self._has_grown = True
        self._is_held = False
        if not self._store.in_memory:
            self._rest_at = now + REST
        self.next_at = min(self.next_at, self._rest_at, self._prune_at)

    def clock_moved(self, now: int) -> None:
        """What is due is reckoned anew. Nothing is deleted soon by a clock that may be wrong."""
        self._pruning = None
        self._prune_at = now + EVERY
        if not self._store.in_memory:
            self._look_at = now + LOOK
        if self._rest_at != _NEVER:
            self._rest_at = now + REST
        self._set_next(now)

    def wake_at(self, due: int | None, *, busy: bool) -> int | None:
        """When the loop must wake without news: for what is `due`, or to bring a burst of work to rest."""
        if self._pruning is None and (busy or self._is_held or self._rest_at == _NEVER):
            return due
        return self.next_at if due is None else min(due, self.next_at)

    async def work(self, now: int, *, is_idle: bool) -> Notes:
        """Do what is due; gives what is to stand in `events`. Raises StoreLost when the file is not there any more."""
        notes: Notes = []
        try:
            if now >= self._look_at:
                notes += await self._look(now)
            if now >= self._prune_at and self._has_grown:
                self._begin_round(now)
            if self._pruning is not None:
                notes += await self._prune(self._pruning)
            elif now >= self._rest_at:
                await self._rest(now, is_idle=is_idle)
        except StoreLost:
            raise
        except StoreUnavailable:
            self._put_off(now)  # the next commit tells of it, and waits until it is over
        except StoreError as error:
            self._put_off(now)
            notes.append(("upkeep_failed", str(error)))
        self._set_next(now, is_idle=is_idle)
        return notes

    def _set_next(self, now: int, *, is_idle: bool = True) -> None:
        step_at = _NEVER if self._pruning is None else now if is_idle else now + STEP
        prune_at = self._prune_at if self._has_grown else _NEVER
        self.next_at = min(self._look_at, prune_at, step_at, self._rest_at)

    def _put_off(self, now: int) -> None:
        self._pruning = None
        if self._rest_at != _NEVER:
            self._rest_at = now + LOOK

    # -- retention -----------------------------------------------------------------------------------

    def _begin_round(self, now: int) -> None:
        from flowlet.store.retention import Pruning

        self._has_grown = False
        self._prune_at = now + EVERY
        self._pruning = Pruning(now, keep_days=self._keep.days, keep_runs=self._keep.runs)

    async def _prune(self, pruning: Pruning) -> Notes:
        await self._store.prune_step(pruning, forget=self._forget)
        if pruning.left:
            return []
        self._pruning = None
        if not pruning.deleted:
            return []
        text = (
            f"{pruning.deleted} runs that ended before {iso(pruning.before)} were deleted with all that is theirs;"
            f" the newest {self._keep.runs} of each DAG stay"
        )
        return [("pruned", text)]

    # -- the log, and the size -------------------------------------------------------------------------

    async def _rest(self, now: int, *, is_idle: bool) -> None:
        """When all is quiet the log is written into the database and cut; a reader puts that off."""
        if not is_idle:
            self._rest_at = now + REST
            return
        self._is_held = not await self._store.checkpoint()
        self._rest_at = now + LOOK if self._is_held else _NEVER

    async def _look(self, now: int) -> Notes:
        self._look_at = now + LOOK
        await self._store.look()
        notes: Notes = []
        if self._log_is_large or self._store.log_size > self._keep.log_alarm:
            await self._store.checkpoint()
            sentence = self._store.large_log(self._keep.log_alarm)
            if (sentence is not None) != self._log_is_large:
                self._log_is_large = sentence is not None
                kind = "log_large" if self._log_is_large else "log_recovered"
                notes.append((kind, sentence or f"{self._store.path}-wal is small again: nobody holds it any more"))
        if self._store.file_size > self._file_mark:
            self._file_mark = 2 * self._store.file_size
            notes.append(("file_large", self._store.large_file(self._keep.days)))
        return notes
