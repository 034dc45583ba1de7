"""Pausing: by a person, or by failures in a row. A paused DAG makes no scheduled runs and starts no tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.runs.moves import PauseDag
from flowlet.runs.states import FAILED
from flowlet.scheduler import schedules

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun
    from flowlet.runs.turn import Turn
    from flowlet.scheduler.brain import Brain
    from flowlet.scheduler.entry import Entry
    from flowlet.scheduler.requests import Pause


def apply(brain: Brain, request: Pause, turn: Turn) -> None:
    """Pause a DAG, or let it go on; nothing changes if it stands so already."""
    entry = brain.entry(request.dag_id)
    if entry.paused != request.paused:
        set_paused(brain, entry, request.paused, turn)


def set_paused(brain: Brain, entry: Entry, paused: bool, turn: Turn) -> None:
    """The ticks that fell into a pause are recorded as skipped when it ends."""
    entry.paused = paused
    entry.gate.set_open(not paused)
    turn.moves.pause_dag.append(PauseDag(entry.spec.dag_id, int(paused)))
    if paused:
        entry.next_due = None
        return
    brain.admission.reopened(entry.gate)
    schedules.skip_to_now(brain, entry, turn)
    brain.use_room(entry, turn)


def after_failures(brain: Brain, entry: Entry, run: ActiveRun, turn: Turn) -> None:
    """Pause when the latest runs all failed (Airflow: models/dagrun.py, max_consecutive_failed_dag_runs)."""
    limit = entry.spec.max_consecutive_failed_dag_runs
    if limit and entry.failures >= limit and run.state == FAILED and not entry.paused:
        set_paused(brain, entry, True, turn)
        turn.event("paused", f"the last {limit} runs failed (max_consecutive_failed_dag_runs)", run=run)
