"""Backfills go on: a date has its turn when there is room for its run, and is looked up on file just before.

A backfill and its dates are on file from the start; its runs are made as it goes on, so that ten thousand
dates are never ten thousand active runs. The loop reads what stands at a date between two turns, and
nobody else writes: what the brain is told then is so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flowlet.errors import BackfillError, BackfillExists
from flowlet.runs import plan as runs
from flowlet.runs.moves import AddBackfill, AddBackfillDates, AdoptRun, MoveBackfill, SettleBackfillDate
from flowlet.runs.states import QUEUED, RUNNING
from flowlet.scheduler import clearing, requests
from flowlet.scheduler.backfills import (
    CANCELLED,
    COMPLETED,
    IN_FLIGHT,
    PAUSED,
    Backfill,
    Date,
    judged,
    reason_against,
)
from flowlet.scheduler.naming import backfill_run_id

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.entry import Entry

TAKEN = "its run_id or logical date is taken by another run"


# -- what is asked -----------------------------------------------------------------------------------


def create(brain: Brain, request: requests.CreateBackfill, turn: Turn) -> int:
    """A new backfill with all its dates; gives its id. BackfillExists."""
    plan, entry = request.plan, brain.entry(request.plan.dag_id)
    if entry.backfill is not None:
        active = entry.backfill
        raise BackfillExists(
            f"{active} is {active.state}, and a DAG has one at a time: wait for its end, or `flowlet backfill cancel {active.id}`"
        )
    number = brain.next_backfill
    brain.next_backfill += 1
    turn.moves.add_backfill.append(
        AddBackfill(
            number, plan.dag_id, plan.from_date, plan.to_date, int(plan.run_backwards), plan.reprocess_behavior,
            plan.max_active_runs, plan.conf, turn.now,
        )
    )  # fmt: skip
    entry.backfill = Backfill(number, plan, _file_dates(entry, number, request, turn))
    turn.event("backfill_created", f"{entry.backfill}: {len(request.dates)} dates", dag_id=plan.dag_id)
    advance(brain, entry, turn)
    return number


def _file_dates(entry: Entry, number: int, request: requests.CreateBackfill, turn: Turn) -> list[Date]:
    """Write all dates; gives those that are to have a turn. What has a run that stays has its reason at once."""
    coming, rows = [], []
    for date, _, against in judged(request.dates, request.runs, request.plan.reprocess_behavior):
        reason = IN_FLIGHT if against is None and date.logical_date in entry.dates else against
        rows.append([*date[1:], reason])
        if reason is None:
            coming.append(date)
    turn.moves.add_backfill_dates.append(AddBackfillDates(number, json.dumps(rows), len(rows)))
    return coming


def pause(brain: Brain, request: requests.PauseBackfill, turn: Turn) -> None:
    """No further date has its turn, and no run of it begins, until it is unpaused (Airflow: Backfill.is_paused)."""
    entry, backfill = _going_on(brain, request.id)
    if backfill.state != PAUSED:
        _move(backfill, PAUSED, entry, turn)


def unpause(brain: Brain, request: requests.UnpauseBackfill, turn: Turn) -> None:
    """Go on."""
    entry, backfill = _going_on(brain, request.id)
    backfill.is_here = True
    if backfill.state == PAUSED:
        _move(backfill, RUNNING, entry, turn)
        brain.begin_queued(entry, turn)
    advance(brain, entry, turn)


def cancel(brain: Brain, request: requests.CancelBackfill, turn: Turn) -> None:
    """No further date has its turn; queued runs fail, what runs goes on (Airflow: `cancel_backfill`)."""
    entry, backfill = _going_on(brain, request.id)
    for run in [run for run in entry.active.values() if run.backfill == backfill.id]:
        if run.state == QUEUED:
            runs.stop_run(run, f"backfill {backfill.id} was cancelled", turn)
    _end(backfill, CANCELLED, entry, turn)


def _going_on(brain: Brain, number: int) -> tuple[Entry, Backfill]:
    for entry in brain.entries.values():
        if entry.backfill is not None and entry.backfill.id == number:
            return entry, entry.backfill
    raise BackfillError(f"backfill {number} is over, or its DAG is not registered here: `flowlet backfill list` shows how it stands")


def _move(backfill: Backfill, state: str, entry: Entry, turn: Turn) -> None:
    over = state in (COMPLETED, CANCELLED)
    turn.moves.move_backfill.append(MoveBackfill(backfill.id, backfill.state, turn.now if over else None, state))
    backfill.state = state
    turn.event(f"backfill_{state}", str(backfill), dag_id=entry.spec.dag_id)


def _end(backfill: Backfill, state: str, entry: Entry, turn: Turn) -> None:
    """It is over: what still runs of it counts for the DAG, as any run does from now on."""
    _move(backfill, state, entry, turn)
    backfill.coming.clear()
    for run in entry.active.values():
        if run.backfill == backfill.id:
            run.backfill = None
            entry.lane.take(run)
    entry.backfill = None
    turn.replies += [(waiter, None) for waiter in backfill.on_over]
    backfill.on_over = []


# -- going on ----------------------------------------------------------------------------------------


def advance(brain: Brain, entry: Entry, turn: Turn) -> None:
    """Let further dates have their turn, as far as there is room; end the backfill when all is over."""
    backfill = entry.backfill
    if backfill is None:
        return
    for date in backfill.turned_down:
        _settle(backfill, date, TAKEN, turn)
    backfill.turned_down.clear()
    if backfill.coming and may_go_on(brain, entry, backfill):
        dates = [backfill.coming.popleft() for _ in range(min(backfill.room, len(backfill.coming)))]
        if dates:
            backfill.asked += len(dates)
            turn.look_up.append(requests.LookUpDates(entry.spec.dag_id, backfill.id, backfill.plan.reprocess_behavior, dates))
    if backfill.is_done:
        _end(backfill, COMPLETED, entry, turn)


def may_go_on(brain: Brain, entry: Entry, backfill: Backfill) -> bool:
    """Whether its next date may have its turn, if there is room."""
    return backfill.state == RUNNING and backfill.is_here and held(brain, entry) is None and not brain.draining


def held(brain: Brain, entry: Entry) -> str | None:
    """Why no date of a backfill of this DAG can have its turn now."""
    if not brain.executing or entry.dag is None:
        return "no scheduler runs this DAG now"
    return str(entry.gate) if entry.paused else None


def hold(backfill: Backfill) -> str | None:
    """Why no further run of it may begin."""
    if backfill.state == PAUSED:
        return f"backfill {backfill.id} is paused"
    count, limit = len(backfill.lane.begun), backfill.plan.max_active_runs
    return f"max_active_runs of backfill {backfill.id} ({count} of {limit} active)" if count >= limit else None


def found(brain: Brain, request: requests.FoundDates, turn: Turn) -> None:
    """What the file has at the dates whose turn it is: each gets its run, or the reason why it has none."""
    entry = brain.entries.get(request.dag_id)
    backfill = entry.backfill if entry is not None else None
    if entry is None or backfill is None or backfill.id != request.backfill:
        return
    backfill.asked -= len(request.found)
    if may_go_on(brain, entry, backfill):
        for one in request.found:
            _give_turn(brain, entry, backfill, one, turn)
    else:
        backfill.coming.extendleft(one.date for one in reversed(request.found))
    advance(brain, entry, turn)


def _give_turn(brain: Brain, entry: Entry, backfill: Backfill, one: requests.FoundDate, turn: Turn) -> None:
    date = one.date
    reason = IN_FLIGHT if date.logical_date in entry.dates else reason_against(one.state, backfill.plan.reprocess_behavior)
    if reason is not None or (one.run is not None and one.run.run.run_id in entry.closing):
        return _settle(backfill, date, reason or IN_FLIGHT, turn)
    if one.run is not None:
        return _settle(backfill, date, None, turn, _run_again(brain, backfill, one.run, date, turn))
    run = brain.make_run(
        entry, backfill_run_id(date.run_after), "backfill", date.logical_date, date.interval, turn,
        conf=backfill.plan.conf or "{}", past=one.past, after=date.run_after, backfill=backfill.id, ignores_past=date.ordinal == 1,
    )  # fmt: skip
    return _settle(backfill, date, None, turn, run)


def _run_again(brain: Brain, backfill: Backfill, found: requests.Found, date: Date, turn: Turn) -> ActiveRun:
    """The run that stands at the date becomes the backfill's, and begins anew (Airflow: `_handle_clear_run`)."""
    for run in (found.run, found.held or found.run):
        run.backfill, run.ignores_past, run.run_type = backfill.id, date.ordinal == 1, "backfill"
        run.conf = backfill.plan.conf or run.conf
    run = clearing.rerun(brain, found, turn)
    turn.moves.adopt_run.append(AdoptRun(run.id, backfill.plan.conf))
    return run


def _settle(backfill: Backfill, date: Date, reason: str | None, turn: Turn, run: ActiveRun | None = None) -> None:
    row, run_id = (None, None) if run is None else (run.id, run.run_id)
    if run is not None:
        backfill.links[run.id] = date.ordinal
    turn.moves.settle_backfill_date.append(SettleBackfillDate(backfill.id, date.ordinal, row, run_id, reason))


def turn_down(entry: Entry, run: ActiveRun, turn: Turn) -> None:
    """The file did not take the run of a date: somebody else has its run_id or its date."""
    backfill = entry.backfill
    if backfill is None or run.backfill != backfill.id or run.logical_date is None:
        return
    ordinal = next((move.ordinal for move in turn.moves.settle_backfill_date if move.run == run.id), None)
    if ordinal is not None:
        del backfill.links[run.id]
        backfill.turned_down.append(Date(ordinal, run.logical_date, 0, 0, run.run_after))


# -- after a restart ---------------------------------------------------------------------------------


def take_over(brain: Brain, entry: Entry, on_file: requests.BackfillOnFile | None) -> None:
    """The backfill of a DAG as the file has it goes on where it was."""
    if on_file is not None:
        entry.backfill = Backfill(on_file.id, on_file.plan, on_file.dates, state=on_file.state, is_here=brain.schedules)
        entry.backfill.links = dict(on_file.links)


def relink(backfill: Backfill, run: ActiveRun) -> None:
    """A run that becomes active anew (read from the file, cleared) counts for the backfill that it belongs to."""
    ordinal = backfill.links.get(run.id)
    if ordinal is not None:
        run.backfill, run.ignores_past = backfill.id, ordinal == 1


def waits_for(brain: Brain, entry: Entry, backfill: Backfill) -> str | None:
    """Why a backfill does not go on, or None."""
    if backfill.state == PAUSED:
        return f"it is paused: `flowlet backfill unpause {backfill.id}`"
    if not backfill.is_here:
        return "this engine fires no schedules: `flowlet daemon` lets it go on"
    return held(brain, entry)

