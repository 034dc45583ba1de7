"""What follows from one event. Touches only what the event touches; no I/O, no clock, no await.

Every function takes the turn it decides in. Propagation is a loop, not a recursion: a chain of 50,000
skipped tasks is one event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.runs.ending import close_if_over, end_run
from flowlet.runs.following import consider, propagate, tell_followers
from flowlet.runs.instances import ActiveRun, TaskInstance
from flowlet.runs.mapping import children
from flowlet.runs.moves import ArchiveAttempt, BeginRun, InterruptTask, ReleaseTask, StartTask
from flowlet.runs.retry import MOST_CRASHES, may_retry, retry_delay
from flowlet.runs.rows import end_row, leave, push, row, settle
from flowlet.runs.states import (
    FAILED,
    NONE,
    QUEUED,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    SUCCESS,
    TERMINAL,
    UP_FOR_RESCHEDULE,
    UP_FOR_RETRY,
)

if TYPE_CHECKING:
    from flowlet.runs.turn import Turn


def begin(run: ActiveRun, turn: Turn) -> None:
    """queued -> running; the tasks that wait for nothing are released."""
    run.state, run.held = RUNNING, None
    run.started_at = max(turn.now, run.queued_at)  # a clock that was put back makes no negative duration
    if run.saved:
        turn.moves.begin_run.append(BeginRun(run.started_at, run.id))
        turn.begun.append(run)
    if run.unfinished < len(run.instances):  # parts of it were cleared: the rest has ended already
        return resume(run, turn)
    for ti in run.instances:
        if ti.state == NONE and not ti.released and (not ti.total or ti.spec.trigger_rule == "always" or ti.spec.mapping is not None):
            consider(ti, turn)
    return close_if_over(run, turn)


def resume(run: ActiveRun, turn: Turn) -> None:
    """Look at every waiting task once: after a restart, or when the DAG's code changed."""
    for ti in run.instances:
        if ti.state == NONE and not ti.released:
            consider(ti, turn)
    close_if_over(run, turn)


def stop_run(run: ActiveRun, reason: str, turn: Turn, *, running_become: str = FAILED) -> None:
    """End a run before its time: what runs is cancelled, what waits is skipped, the run is failed.

    Source: Airflow's "mark run failed" (running -> failed) and dagrun_timeout (running -> skipped).
    """
    stopped = [ti for ti in run.instances if ti.state not in TERMINAL]
    for ti in stopped:
        if ti.state == RUNNING:
            turn.stop.append(ti.work)
            end_row(ti, running_become, "cancelled", reason, None, turn)
            leave(ti)
        else:
            settle(ti, SKIPPED, reason, turn)
    run.past_waiting.clear()
    end_run(run, FAILED, reason, turn)
    for ti in stopped if run.followers else ():
        tell_followers(ti, turn)


def start(ti: TaskInstance, turn: Turn) -> None:
    """-> running. The next try, unless a sensor goes on with the one it has (which has no outcome yet)."""
    expected, before = ti.state, ti.try_number
    if before and ti.outcome is None:
        started_at = turn.now if ti.started_at is None else ti.started_at
    else:
        started_at = turn.now
        if before:
            turn.moves.archive_attempt.append(ArchiveAttempt(ti.id, before))
            ti.xcoms, ti.length = (), None
        ti.try_number = before + 1
    ti.state, ti.blocker = RUNNING, None
    ti.queued_at = turn.now
    ti.started_at, ti.ended_at, ti.wake_at, ti.outcome, ti.reason = started_at, None, None, None, None
    turn.moves.start_task.append(row(StartTask, (ti.id, expected, before, ti.try_number, turn.now, started_at)))
    turn.start.append(ti)
    turn.touched.append(ti)


def hold_back(ti: TaskInstance, turn: Turn) -> None:
    """It had been let go and has not started: by its rule of today it waits again."""
    if ti.released:
        ti.released = False
        ti.run.released -= 1
    settle(ti, NONE, None, turn)


def schedule(ti: TaskInstance, turn: Turn) -> None:
    """Released, but it could not start in this turn: say so on file."""
    if ti.state != SCHEDULED:
        settle(ti, SCHEDULED, None, turn)


def succeed(
    ti: TaskInstance, xcoms: tuple[tuple[str, str], ...], skip: tuple[str, ...], turn: Turn, *, length: int | None = None
) -> None:
    """An attempt succeeded: its values enter with it, its wishes to skip are granted, its downstreams look."""
    if ti.spec.is_map_source:
        ti.length = length
    end_row(ti, SUCCESS, "succeeded", None, None, turn)
    push(ti, xcoms, turn)
    leave(ti)
    ended = [ti]
    for task_id in skip:
        for child in _skippable(ti, task_id):
            settle(child, SKIPPED, f"skipped by {ti.key}", turn)
            ended.append(child)
    propagate(ended, turn)
    close_if_over(ti.run, turn)


def skip(ti: TaskInstance, reason: str | None, xcoms: tuple[tuple[str, str], ...], turn: Turn) -> None:
    """An attempt asked to be skipped."""
    end_row(ti, SKIPPED, "skipped", reason, None, turn)
    push(ti, xcoms, turn)
    leave(ti)
    propagate([ti], turn)
    close_if_over(ti.run, turn)


def fail(
    ti: TaskInstance,
    outcome: str,
    reason: str | None,
    error: str | None,
    turn: Turn,
    *,
    retry: bool = True,
    delay: int | None = None,
    xcoms: tuple[tuple[str, str], ...] = (),
) -> bool:
    """An attempt failed or timed out: tried again if it may be (True), else failed for good (False).

    `retry` and `delay` are what the attempt says of itself: not at all, or after so long.
    """
    if ti.errors is None:
        ti.errors = {}
    ti.errors[ti.try_number] = error or outcome
    again = retry and may_retry(ti)
    if again:
        ti.wake_at = turn.now + (retry_delay(ti) if delay is None else delay)
        turn.wake.append(ti)
    end_row(ti, UP_FOR_RETRY if again else FAILED, outcome, reason, error, turn)
    push(ti, xcoms, turn)
    if not again:
        _fail_for_good(ti, turn)
    return again


def interrupt(
    ti: TaskInstance, reason: str, turn: Turn, *, crashed: bool, deed: str = "took the process down"
) -> None:
    """The process went away under the attempt (a crash, bounded) or stopped: it starts again, as a try that does not count."""
    if crashed:
        ti.crashes += 1
        if ti.spec.on_crash == "fail":
            end_row(ti, FAILED, "interrupted", f"{reason}; on_crash is 'fail'", None, turn)
            return _fail_for_good(ti, turn)
        if ti.crashes >= MOST_CRASHES:
            end_row(ti, FAILED, "interrupted", f"{deed} {ti.crashes} times", None, turn)
            return _fail_for_good(ti, turn)
    ti.max_tries += 1
    end_row(ti, SCHEDULED, "interrupted", reason, None, turn)
    turn.ready.append(ti)
    return None


def put_off(ti: TaskInstance, until: int | None, turn: Turn, *, state: str = UP_FOR_RESCHEDULE) -> None:
    """A sensor in reschedule mode, or a task that defers, lets go of everything until it is due."""
    ti.state, ti.wake_at = state, until
    turn.moves.release_task.append(ReleaseTask(state, until, ti.id, ti.try_number))
    turn.touched.append(ti)
    turn.wake.append(ti)


def begin_again(ti: TaskInstance, reason: str, turn: Turn) -> None:
    """What a deferred task waited for went away with the process: it starts again, as a try that does not count."""
    ti.max_tries += 1
    turn.moves.interrupt_task.append(InterruptTask(ti.id, ti.try_number, ti.state, reason, turn.now, ti.max_tries))
    ti.state, ti.outcome, ti.reason, ti.wake_at = SCHEDULED, "interrupted", reason, None
    turn.touched.append(ti)
    turn.ready.append(ti)


def _skippable(ti: TaskInstance, task_id: str) -> list[TaskInstance]:
    """The instances of a task that have not started.

    One instance of many decides for its own index in their mapped group, and for nobody outside of it.
    """
    below = ti.run.spec.by_id.get(task_id)
    apart = ti.map_index >= 0 and (below is None or below.map_group is None or below.map_group != ti.spec.map_group)
    found = children(ti, below.index) if below is not None and not apart else ()
    return [child for child in found if child.state in (NONE, SCHEDULED, QUEUED)]


def _fail_for_good(ti: TaskInstance, turn: Turn) -> None:
    leave(ti)
    if ti.run.spec.fail_fast:
        return _fail_fast(ti, turn)
    propagate([ti], turn)
    return close_if_over(ti.run, turn)


def _fail_fast(failed: TaskInstance, turn: Turn) -> None:
    """The first final failure ends the rest, teardowns excepted (Airflow: _stop_remaining_tasks)."""
    reason = f"fail_fast: {failed.key} failed"
    ended = [failed]
    for ti in failed.run.instances:
        if ti.state in TERMINAL or ti.spec.is_teardown:
            continue
        if ti.state == RUNNING:
            turn.stop.append(ti.work)
            end_row(ti, FAILED, "cancelled", reason, None, turn)
            leave(ti)
        else:
            settle(ti, SKIPPED, reason, turn)
        ended.append(ti)
    propagate(ended, turn)
    close_if_over(failed.run, turn)

