"""Due ticks become runs, spans and a cursor: what `ticks.py` plans is entered into the turn, as one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from flowlet.clock import from_micros
from flowlet.runs.moves import AddTick, MoveCursor
from flowlet.scheduler import ticks

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.entry import Entry
    from flowlet.timetables import Interval


def plan(brain: Brain, entry: Entry, turn: Turn) -> None:
    """Enter all that is due of a DAG, and say when to look again."""
    if not brain.schedules or entry.paused or entry.dag is None:
        return
    with _its_own_fault(entry, turn):
        before = ticks.rewind(entry.schedule, entry.cursor, turn.now)
        if before is not None:
            _carry(brain, entry, before, turn)
    with _its_own_fault(entry, turn):
        _carry(brain, entry, ticks.plan_ticks(entry.schedule, entry.cursor, turn.now, room=entry.room), turn)


def skip_to_now(brain: Brain, entry: Entry, turn: Turn) -> None:
    """The ticks of a pause are recorded as skipped: an unpause makes no run for the past."""
    if brain.schedules and entry.dag is not None:
        with _its_own_fault(entry, turn):
            _carry(brain, entry, ticks.skip_to_now(entry.schedule, entry.cursor, turn.now), turn)


def change(brain: Brain, entry: Entry, old: ticks.Schedule, cursor: int, turn: Turn) -> None:
    """The schedule was edited: what the old one had due since `cursor` is recorded as skipped, the new one
    begins now, whatever the old one says."""
    with _its_own_fault(entry, turn):
        plan = ticks.change_schedule(old, entry.schedule, cursor, turn.now)
        if entry.paused or not brain.schedules or entry.dag is None:
            plan = plan._replace(ticks_to_run=[])
        _carry(brain, entry, plan, turn)


@contextmanager
def _its_own_fault(entry: Entry, turn: Turn) -> Iterator[None]:
    """The one guard around timetables: what goes wrong in one is its DAG's error, and no other's."""
    try:
        yield
    except Exception as problem:
        entry.next_due, entry.waits = None, False
        text = f"the schedule of DAG {entry.spec.dag_id!r} stands still: {type(problem).__name__}: {problem}"
        turn.event("schedule_failed", text, dag_id=entry.spec.dag_id)


def span_row(dag_id: str, span: ticks.TickSpan, run: ActiveRun | None = None) -> AddTick:
    """A span as a move; `run` is the one that stands for its ticks."""
    merged = None if run is None else run.id
    return AddTick(dag_id, span.due_at, span.until, span.count, span.outcome, span.reason, merged)


def _carry(brain: Brain, entry: Entry, plan: ticks.TickPlan, turn: Turn) -> None:
    dag_id = entry.spec.dag_id
    made = [_run_tick(brain, entry, due, interval, turn) for due, interval in plan.ticks_to_run]
    for span in plan.spans:
        run = None if span.merged_into is None else made[span.merged_into]
        turn.moves.add_tick.append(span_row(dag_id, span, run))
    if plan.cursor is not None and plan.cursor != entry.cursor:
        entry.cursor = plan.cursor
        turn.moves.move_cursor.append(MoveCursor(plan.cursor, dag_id))
    entry.next_due, entry.waits = plan.next_due, plan.waits
    if entry.next_due is not None:
        brain.at(entry.next_due, "tick", entry)


def _run_tick(brain: Brain, entry: Entry, due: int, interval: Interval, turn: Turn) -> ActiveRun | None:
    """The run of a tick; None (and a skipped tick) when another run has its date."""
    date = interval.logical_date
    if date in entry.dates:
        taken = AddTick(entry.spec.dag_id, due, due, 1, ticks.SKIPPED, ticks.DATE_TAKEN, None)
        turn.moves.add_tick.append(taken)
        return None
    return brain.make_run(entry, _scheduled_run_id(due), "scheduled", date, interval, turn, due=due)


@lru_cache(maxsize=64)
def _scheduled_run_id(due: int) -> str:
    """Of many DAGs that are due at one moment the text is made once."""
    return f"scheduled__{from_micros(due).isoformat()}"
