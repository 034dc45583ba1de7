"""When a run is over, and as what (Airflow: DagRun.update_state)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.runs.instances import ActiveRun
from flowlet.runs.moves import EndRun
from flowlet.runs.states import FAILED, QUEUED, RUNNING, SUCCESS, TERMINAL, UPSTREAM_FAILED

if TYPE_CHECKING:
    from flowlet.runs.turn import Turn



def close_if_over(run: ActiveRun, turn: Turn) -> None:
    """End the run when nothing is left to do, or when nothing that is left can ever start."""
    if run.state != RUNNING:
        return
    if run.unfinished == 0:
        end_run(run, *verdict(run), turn)
    elif run.released == 0 and run.past_waiting and run.is_alone and not _may_the_past_move(run):
        end_run(run, FAILED, f"deadlock: {_some([ti.key for ti in run.past_waiting])} waits for the run before, which has ended", turn)
    elif run.released == 0 and not run.past_waiting:
        stuck = [ti.key for ti in run.instances if ti.state not in TERMINAL]
        end_run(run, FAILED, f"deadlock: {_some(stuck)} can never start", turn)


def verdict(run: ActiveRun) -> tuple[str, str | None]:
    """What its leaves make of a run of which all has ended, and why."""
    bad = [ti.key for ti in run.leaves() if ti.state in (FAILED, UPSTREAM_FAILED)]
    return (FAILED, f"failed: {_some(bad)}") if bad else (SUCCESS, None)


def _may_the_past_move(run: ActiveRun) -> bool:
    return isinstance(run.past, ActiveRun) and run.past.state in (QUEUED, RUNNING)


def end_run(run: ActiveRun, state: str, reason: str | None, turn: Turn) -> None:
    """The run is over; nothing of it moves any more."""
    run.state, run.reason, run.ended_at = state, reason, max(turn.now, run.started_at or run.queued_at)
    turn.moves.end_run.append(EndRun(state, reason, run.ended_at, run.id))
    turn.over.append(run)


def _some(names: list[str]) -> str:
    """A few of many, for a sentence."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

