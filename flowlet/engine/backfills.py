"""The engine's verbs for backfills: runs for the past dates of a schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowlet.clock import from_micros, iso, to_micros
from flowlet.engine import backfill_rows, rows
from flowlet.engine.arguments import conf_text, moment_of
from flowlet.engine.operations import Operations
from flowlet.errors import BackfillError, BackfillNotFound
from flowlet.named_tuple import NamedTuple
from flowlet.scheduler import backfilling, requests
from flowlet.scheduler.backfills import REPROCESS, Plan, dates_of, judged, reason_against
from flowlet.scheduler.naming import backfill_run_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowlet.authoring.dag import DAG
    from flowlet.authoring.spec import DagSpec
    from flowlet.scheduler.backfills import Backfill as Live
    from flowlet.scheduler.backfills import Date


class BackfillDate(NamedTuple):
    """One date of a backfill: its run, or why it has none (yet)."""

    logical_date: datetime
    run_id: str | None
    state: str | None
    """How the run stands; "run" or "rerun" in a dry run, for what would be done."""
    reason: str | None


class Backfill:
    """A backfill, as it stood when it was looked at last: when it was made, and at `refresh()` and `wait()`."""

    def __init__(self, engine: Backfilling, row: Sequence[Any], dates: Sequence[BackfillDate], waits: str | None = None) -> None:
        self._engine = engine
        self._set(row, dates, waits)

    def _set(self, row: Sequence[Any], dates: Sequence[BackfillDate], waits: str | None) -> None:
        self.id: int | None = row[0]
        """None for a dry run."""
        self.state: str = row[2]
        """running, paused, completed or cancelled; "dry run"."""
        self.dates = list(dates)
        """In the order in which they have their turn."""
        self.waits = waits
        """Why it does not go on now, or None."""
        self.dag_id: str = row[1]
        self._row = row

    @property
    def is_over(self) -> bool:
        return self.state in ("completed", "cancelled")

    async def refresh(self) -> Backfill:
        """Look at it again."""
        if self.id is not None:
            other = await self._engine.get_backfill(self.id)
            self.__dict__.update(other.__dict__)
        return self

    async def wait(self) -> Backfill:
        """Until it is over: all its dates had their turn and their runs have ended, or it was cancelled."""
        if self.id is not None:
            await self._engine._until_over(self.id)
        return await self.refresh()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON, the dates included."""
        dates = [{**date._asdict(), "logical_date": iso(to_micros(date.logical_date))} for date in self.dates]
        return {**backfill_rows.shape_of(self._row), "waits": self.waits, "dates": dates}

    def __repr__(self) -> str:
        return f"<Backfill {self.id} of {self.dag_id}: {self.state}, {len(self.dates)} dates>"


class Backfilling(Operations):
    """The verbs."""

    async def backfill(
        self, dag_id: str, from_date: datetime | str, to_date: datetime | str, *, max_active_runs: int = 10, run_backwards: bool = False,
        reprocess_behavior: str = "none", conf: Mapping[str, Any] | None = None, dry_run: bool = False,
    ) -> Backfill:  # fmt: skip
        """Runs for the dates of the DAG's schedule in a window, both ends included; on file when this returns.

        At most `max_active_runs` at a time, apart from the DAG's own; the latest date first if `run_backwards`.
        `reprocess_behavior`: what becomes of a date that has a run: "none", it stays; "failed", a failed one is
        cleared and runs again; "completed", a successful one too. Runs that have not ended always stay.
        `dry_run` writes nothing, and says of each date what would be done. Raises DagNotFound, BackfillExists,
        BackfillError (the window or the options do not fit the DAG), ParamError, XComError (conf is not JSON).
        """
        self.check()
        store = self._parts()[1]
        entry = self.brain.entry(dag_id)
        plan = plan_for(
            entry.spec, entry.dag, from_date, to_date, max_active_runs=max_active_runs, run_backwards=run_backwards,
            reprocess_behavior=reprocess_behavior, conf=conf,
        )  # fmt: skip
        dates = dates_of(plan, entry.spec, entry.dag, self.clock.now())
        runs = await backfill_rows.runs_at(store, dag_id, dates)
        if dry_run:
            return Backfill(self, dry_row(plan), would_do(dates, runs, reprocess_behavior))
        number = await self._parts()[0].ask(requests.CreateBackfill, plan, dates, runs)
        return await self.get_backfill(number)

    async def pause_backfill(self, id: int) -> Backfill:  # noqa: A002  as it is called everywhere
        """No further run of it begins; those that have begun go on."""
        return await self._ask_backfill(requests.PauseBackfill, id)

    async def unpause_backfill(self, id: int) -> Backfill:  # noqa: A002  as above
        """Let it go on."""
        return await self._ask_backfill(requests.UnpauseBackfill, id)

    async def cancel_backfill(self, id: int) -> Backfill:  # noqa: A002  as above
        """No further run of it begins, and none comes any more; those that have begun go on."""
        return await self._ask_backfill(requests.CancelBackfill, id)

    async def get_backfill(self, id: int) -> Backfill:  # noqa: A002  as above
        """A backfill by its number, with its dates. BackfillNotFound."""
        self.check()
        store = self._parts()[1]
        found = await store.fetch("backfill", id=id)
        if not found:
            raise BackfillNotFound(f"there is no backfill {id}; `flowlet backfill list` shows those that there are")
        dates = [date_of(*date) for date in await store.fetch("dates_of_backfill", backfill=id)]
        return Backfill(self, found[0], dates, self._waits_for(found[0][1], id))

    async def backfills(self, dag_id: str | None = None, *, limit: int = 100) -> list[Backfill]:
        """The latest backfills, the newest first; their `dates` are left out (see `get_backfill`)."""
        self.check()
        found = await self._parts()[1].fetch("last_backfills", limit=limit if dag_id is None else -1)
        wanted = [row for row in found if dag_id in (None, row[1])][:limit]
        return [Backfill(self, row, (), self._waits_for(row[1], row[0])) for row in wanted]

    async def _look_up(self, question: requests.LookUpDates) -> requests.FoundDates:
        """What stands at the dates whose turn it is, when all that was decided is on file: exact, for nobody else writes."""
        runs = await backfill_rows.runs_at(self._parts()[1], question.dag_id, question.dates)
        found = [await self._find_date(question, date, *runs.get(date.logical_date, (None, None))) for date in question.dates]
        return requests.FoundDates(question.dag_id, question.backfill, found)

    async def _find_date(self, question: requests.LookUpDates, date: Date, run_id: str | None, state: str | None) -> requests.FoundDate:
        if run_id is not None:
            is_wanted = reason_against(state, question.reprocess_behavior) is None
            return requests.FoundDate(date, state, await self.find_run(question.dag_id, run_id) if is_wanted else None, ())
        entry = self.brain.entry(question.dag_id)
        past = await rows.run_before(self._parts()[1], entry.spec, date.logical_date) if entry.has_past else ()
        return requests.FoundDate(date, None, None, past)

    async def _ask_backfill(self, kind: Any, number: int) -> Backfill:
        await self.get_backfill(number)
        await self._parts()[0].ask(kind, number)
        return await self.get_backfill(number)

    def _waits_for(self, dag_id: str, number: int) -> str | None:
        live = self._live(dag_id, number)
        return None if live is None else backfilling.waits_for(self.brain, self.brain.entries[dag_id], live)

    def _live(self, dag_id: str, number: int) -> Live | None:
        entry = self.brain.entries.get(dag_id)
        live = entry.backfill if entry is not None else None
        return live if live is not None and live.id == number else None

    async def _until_over(self, number: int) -> None:
        """Wait for its end, which is on file then. Raises if the engine fails; BackfillError if nobody here runs its DAG."""
        now = await self.get_backfill(number)
        live = self._live(now.dag_id, number)
        if live is not None:
            over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            live.on_over.append(over)
            return await over
        await self._parts()[0].catch_up()  # its end may be on its way to the file
        if not (await self.get_backfill(number)).is_over:
            raise BackfillError(f"backfill {number} goes on only where DAG {now.dag_id!r} is registered")
        return None


def plan_for(
    spec: DagSpec, dag: DAG | None, from_date: datetime | str, to_date: datetime | str, *, max_active_runs: int, run_backwards: bool,
    reprocess_behavior: str, conf: Mapping[str, Any] | None,
) -> Plan:  # fmt: skip
    """What the verb was given, checked; see `Engine.backfill`."""
    first, last = moment_of(from_date), moment_of(to_date)
    if first is None or last is None:
        raise BackfillError("a backfill needs from_date and to_date: a datetime, or ISO 8601 text")
    if type(max_active_runs) is not int or max_active_runs < 1:
        raise BackfillError(f"max_active_runs={max_active_runs!r}: must be a whole number, at least 1")
    if reprocess_behavior not in REPROCESS:
        raise BackfillError(f"reprocess_behavior={reprocess_behavior!r}: must be one of {', '.join(REPROCESS)}")
    text = None if conf is None else conf_text(dag, conf)
    return Plan(spec.dag_id, first, last, bool(run_backwards), reprocess_behavior, max_active_runs, text)


def dry_row(plan: Plan) -> Sequence[Any]:
    """As a row of the file would stand, if it were written."""
    return (
        None, plan.dag_id, "dry run", plan.from_date, plan.to_date, plan.run_backwards, plan.reprocess_behavior, plan.max_active_runs,
        plan.conf, None, None,
    )  # fmt: skip


def would_do(dates: list[Date], runs: Mapping[int, tuple[str, str]], reprocess_behavior: str) -> list[BackfillDate]:
    """What a backfill would do about each date, if it were made now."""
    return [
        BackfillDate(from_micros(date.logical_date), None, None, reason)
        if reason is not None
        else BackfillDate(
            from_micros(date.logical_date), run_id or backfill_run_id(date.run_after), "run" if run_id is None else "rerun", None
        )
        for date, run_id, reason in judged(dates, runs, reprocess_behavior)
    ]


def date_of(_ordinal: int, logical_date: int, run_id: str | None, state: str | None, reason: str | None) -> BackfillDate:
    """A date as the file has it."""
    return BackfillDate(from_micros(logical_date), run_id, state, reason)
