"""What follows from one event. Touches only what the event touches; no I/O, no clock, no await.

Every function takes the turn it decides in. Propagation is a loop, not a recursion: a chain of 50,000
skipped tasks is one event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowlet.authoring.spec import sources
from flowlet.clock import iso
from flowlet.runs.instances import ActiveRun, TaskInstance, past_state
from flowlet.runs.mapping import (
    MOST_INSTANCES,
    are_paired,
    broken_source,
    children,
    count_of,
    expand,
    is_unexpanded,
)
from flowlet.runs.moves import (
    ArchiveAttempt,
    BeginRun,
    EndRun,
    EndTask,
    InterruptTask,
    PutXCom,
    ReleaseTask,
    SettleTask,
    StartTask,
)
from flowlet.runs.retry import MOST_CRASHES, may_retry, retry_delay
from flowlet.runs.rules import RULES, Verdict
from flowlet.runs.states import (
    FAILED,
    NONE,
    QUEUED,
    REMOVED,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    SUCCESS,
    TERMINAL,
    UP_FOR_RESCHEDULE,
    UP_FOR_RETRY,
    UPSTREAM_FAILED,
)

if TYPE_CHECKING:
    from flowlet.runs.turn import Turn

_row = tuple.__new__
"""Makes a move from its fields in a third of the time: there are four of them for each task."""

_WAIT, _RUN, _SKIP = Verdict.WAIT, Verdict.RUN, Verdict.SKIP
_PAST_DONE = (SUCCESS, SKIPPED)


# -- a run begins, goes on, ends ---------------------------------------------------------------------


def begin(run: ActiveRun, turn: Turn) -> None:
    """queued -> running; the tasks that wait for nothing are released."""
    run.state, run.held = RUNNING, None
    run.started_at = max(turn.now, run.queued_at)  # a clock that was put back makes no negative duration
    if run.saved:
        turn.moves.begin_run.append(BeginRun(run.started_at, run.id))
    for ti in run.instances:
        if ti.state == NONE and not ti.released and (not ti.total or ti.spec.trigger_rule == "always" or ti.spec.map_group):
            _consider(ti, turn)
    close_if_over(run, turn)


def resume(run: ActiveRun, turn: Turn) -> None:
    """Look at every waiting task once: after a restart, or when the DAG's code changed."""
    for ti in run.instances:
        if ti.state == NONE and not ti.released:
            _consider(ti, turn)
    close_if_over(run, turn)


def close_if_over(run: ActiveRun, turn: Turn) -> None:
    """End the run when nothing is left to do, or when nothing that is left can ever start."""
    if run.state != RUNNING:
        return
    if run.unfinished == 0:
        bad = [ti.key for ti in run.leaves() if ti.state in (FAILED, UPSTREAM_FAILED)]
        end_run(run, FAILED if bad else SUCCESS, f"failed: {_some(bad)}" if bad else None, turn)
    elif run.released == 0 and not run.past_waiting:
        stuck = [ti.key for ti in run.instances if ti.state not in TERMINAL]
        end_run(run, FAILED, f"deadlock: {_some(stuck)} can never start", turn)


def end_run(run: ActiveRun, state: str, reason: str | None, turn: Turn) -> None:
    """The run is over; nothing of it moves any more."""
    run.state, run.reason, run.ended_at = state, reason, max(turn.now, run.started_at or run.queued_at)
    turn.moves.end_run.append(EndRun(state, reason, run.ended_at, run.id))
    turn.over.append(run)


def stop_run(run: ActiveRun, reason: str, turn: Turn, *, running_become: str = FAILED) -> None:
    """End a run before its time: what runs is cancelled, what waits is skipped, the run is failed.

    Source: Airflow's "mark run failed" (running -> failed) and dagrun_timeout (running -> skipped).
    """
    stopped = [ti for ti in run.instances if ti.state not in TERMINAL]
    for ti in stopped:
        if ti.state == RUNNING:
            turn.stop.append(ti.work)
            _end_row(ti, running_become, "cancelled", reason, None, turn)
            _leave(ti)
        else:
            settle(ti, SKIPPED, reason, turn)
    run.past_waiting.clear()
    end_run(run, FAILED, reason, turn)
    for ti in stopped if run.followers else ():
        _tell_followers(ti, turn)


# -- a task instance moves ---------------------------------------------------------------------------


def start(ti: TaskInstance, turn: Turn) -> None:
    """-> running. The next try, unless a sensor goes on with the one it has (which has no outcome yet)."""
    expected, before = ti.state, ti.try_number
    if before and ti.outcome is None:
        started_at = turn.now if ti.started_at is None else ti.started_at
    else:
        started_at = turn.now
        if before:
            turn.moves.archive_attempt.append(ArchiveAttempt(ti.id, before))
            ti.xcoms = ()
        ti.try_number = before + 1
    ti.state, ti.blocker = RUNNING, None
    ti.queued_at = turn.now
    ti.started_at, ti.ended_at, ti.wake_at, ti.outcome, ti.reason = started_at, None, None, None, None
    turn.moves.start_task.append(_row(StartTask, (ti.id, expected, before, ti.try_number, turn.now, started_at)))
    turn.start.append(ti)
    turn.touched.append(ti)


def settle(ti: TaskInstance, state: str, reason: str | None, turn: Turn) -> None:
    """A move that no attempt made."""
    expected, ti.state, ti.reason = ti.state, state, reason
    ended_at = None
    if state in TERMINAL:
        ended_at = ti.ended_at = max(turn.now, ti.started_at or 0)
        ti.wake_at = None
        if ti.try_number and ti.outcome is None:
            ti.outcome = "cancelled"  # as settle_task has it: the attempt of a sensor between two looks, of a deferred task
            if ti.deferral is not None:
                turn.drop.append(ti.deferral)
                ti.deferral = None
        _leave(ti)
    turn.moves.settle_task.append(SettleTask(ti.id, expected, state, reason, ti.queued_at, ended_at))
    turn.touched.append(ti)


def remove(ti: TaskInstance, turn: Turn) -> None:
    """Its task is no longer in the DAG."""
    reason = "the DAG no longer has this task"
    if ti.state != RUNNING:
        return settle(ti, REMOVED, reason, turn)
    turn.stop.append(ti.work)
    ti.work = None
    _end_row(ti, REMOVED, "cancelled", reason, None, turn)
    return _leave(ti)


def hold_back(ti: TaskInstance, turn: Turn) -> None:
    """It had been let go and has not started: by its rule of today it waits again."""
    if ti.released:
        ti.released = False
        ti.run.released -= 1
    settle(ti, NONE, None, turn)


def may_run(ti: TaskInstance) -> bool:
    """The trigger rule lets it go; what stands for a mapped task never runs itself."""
    return not is_unexpanded(ti) and (not ti.total or RULES[ti.spec.trigger_rule](ti) is _RUN)


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
    _end_row(ti, SUCCESS, "succeeded", None, None, turn)
    _push(ti, xcoms, turn)
    _leave(ti)
    ended = [ti]
    for task_id in skip:
        for child in _skippable(ti, task_id):
            settle(child, SKIPPED, f"skipped by {ti.key}", turn)
            ended.append(child)
    _propagate(ended, turn)
    close_if_over(ti.run, turn)


def skip(ti: TaskInstance, reason: str | None, xcoms: tuple[tuple[str, str], ...], turn: Turn) -> None:
    """An attempt asked to be skipped."""
    _end_row(ti, SKIPPED, "skipped", reason, None, turn)
    _push(ti, xcoms, turn)
    _leave(ti)
    _propagate([ti], turn)
    close_if_over(ti.run, turn)


def fail(
    ti: TaskInstance,
    outcome: str,
    reason: str | None,
    error: str | None,
    turn: Turn,
    *,
    retry: bool = True,
    xcoms: tuple[tuple[str, str], ...] = (),
) -> bool:
    """An attempt failed or timed out: tried again if it may be (True), else failed for good (False)."""
    if ti.errors is None:
        ti.errors = []
    ti.errors.append(error or outcome)
    again = retry and may_retry(ti)
    if again:
        ti.wake_at = turn.now + retry_delay(ti)
        turn.wake.append(ti)
    _end_row(ti, UP_FOR_RETRY if again else FAILED, outcome, reason, error, turn)
    _push(ti, xcoms, turn)
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
            _end_row(ti, FAILED, "interrupted", f"{reason}; on_crash is 'fail'", None, turn)
            return _fail_for_good(ti, turn)
        if ti.crashes >= MOST_CRASHES:
            _end_row(ti, FAILED, "interrupted", f"{deed} {ti.crashes} times", None, turn)
            return _fail_for_good(ti, turn)
    ti.max_tries += 1
    _end_row(ti, SCHEDULED, "interrupted", reason, None, turn)
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


# -- what follows for others -------------------------------------------------------------------------


def past_is_met(ti: TaskInstance) -> str | None:
    """None when depends_on_past lets the task go, else a sentence (Airflow: ti_deps/deps/prev_dagrun_dep.py)."""
    past, spec = ti.run.past, ti.spec
    if past is None or not (spec.depends_on_past or spec.wait_for_downstream):
        return None
    state = past_state(past, spec.task_id)
    if state is None:
        if spec.ignore_first_depends_on_past:
            return None
        return f"depends_on_past: {spec.task_id} has no instance in the previous run"
    if state not in _PAST_DONE:
        return f"depends_on_past: {spec.task_id} is {state} in the previous run"
    if spec.wait_for_downstream:
        for index in spec.downstream:
            below = ti.run.spec.tasks[index].task_id
            if (state := past_state(past, below)) not in _PAST_DONE:
                return f"wait_for_downstream: {below} is {state or 'missing'} in the previous run"
    return None


def date_is_met(ti: TaskInstance) -> str | None:
    """None, or why the task's own start or end date excludes this run (Airflow: runnable_exec_date_dep.py)."""
    date, spec = ti.run.logical_date, ti.spec
    if date is None:
        return None
    if spec.start_date is not None and date < spec.start_date:
        return f"the run's date is before the task's start_date {iso(spec.start_date)}"
    if spec.end_date is not None and date > spec.end_date:
        return f"the run's date is after the task's end_date {iso(spec.end_date)}"
    return None


def _consider(ti: TaskInstance, turn: Turn) -> bool:
    """Apply the trigger rule; True if the instance ended by it."""
    ended: list[TaskInstance] = []
    _decide(ti, ended, turn)
    _propagate(ended, turn)
    return bool(ended)


def _decide(ti: TaskInstance, ended: list[TaskInstance], turn: Turn) -> None:
    """What the trigger rule makes of a waiting instance; those that end by it join `ended`."""
    if (ti.spec.guards or ti.spec.scope) and _is_held(ti, ended, turn):
        return None
    if is_unexpanded(ti):
        return _decide_mapped(ti, ended, turn)
    verdict = RULES[ti.spec.trigger_rule](ti) if ti.total else _RUN
    if verdict is _WAIT:
        return None
    if verdict is not _RUN:
        settle(ti, SKIPPED if verdict is _SKIP else UPSTREAM_FAILED, None, turn)
        ended.append(ti)
    elif _release(ti, turn):
        ended.append(ti)
    return None


def _is_held(ti: TaskInstance, ended: list[TaskInstance], turn: Turn) -> bool:
    """Whether a setup from afar, or what a teardown waits for, keeps it; a broken setup ends it.

    Source: Airflow's trigger_rule_dep.py, `_evaluate_setup_constraint` and `_evaluate_teardown_scope`.
    """
    guards = [guard for index in ti.spec.guards for guard in _instances_of(ti, index)]
    states = {guard.state for guard in guards}
    broken = UPSTREAM_FAILED if states & {FAILED, UPSTREAM_FAILED} else SKIPPED if SKIPPED in states else None
    if broken is not None:
        setup = next(guard for guard in guards if guard.state in TERMINAL and guard.state != SUCCESS)
        settle(ti, broken, f"its setup {setup.key} is {setup.state}", turn)
        ended.append(ti)
        return True
    return bool(states - {SUCCESS}) or any(
        other.state not in TERMINAL for index in ti.spec.scope for other in _instances_of(ti, index)
    )


def _instances_of(ti: TaskInstance, index: int) -> Sequence[TaskInstance]:
    other = ti.run.tasks[index]
    if other.instances is None:
        return (other,)
    return (other.instances[ti.map_index],) if are_paired(other.spec, ti.spec) and ti.map_index >= 0 else other.instances


def _decide_mapped(ti: TaskInstance, ended: list[TaskInstance], turn: Turn) -> None:
    """A mapped task becomes its instances when its rule lets it go and its number is known.

    In a mapped group the number alone decides: the rules are those of the instances, each for its index.
    """
    broken = broken_source(ti)
    if broken is not None:
        settle(ti, broken[0], broken[1], turn)
        return ended.append(ti)
    if ti.spec.map_group is None and ti.total:
        verdict = RULES[ti.spec.trigger_rule](ti)
        if verdict is _WAIT:
            return None
        if verdict is not _RUN:
            settle(ti, SKIPPED if verdict is _SKIP else UPSTREAM_FAILED, None, turn)
            return ended.append(ti)
    count = count_of(ti)
    if count is None:
        if not _sources_are_done(ti):
            return None
        settle(ti, UPSTREAM_FAILED, "what it is mapped over was never pushed", turn)
        return ended.append(ti)
    if not 0 < count <= MOST_INSTANCES:
        nothing = count == 0
        reason = "it is mapped over nothing" if nothing else f"it would have {count} instances, more than {MOST_INSTANCES}"
        settle(ti, SKIPPED if nothing else FAILED, reason, turn)
        return ended.append(ti)
    for instance in expand(ti, count, turn):
        _decide(instance, ended, turn)
    return None


def _sources_are_done(ti: TaskInstance) -> bool:
    tasks = ti.run.tasks
    return all(
        instance.state in TERMINAL
        for source in sources(ti.spec.mapping or ())
        for instance in tasks[source].instances or (tasks[source],)
    )


def _release(ti: TaskInstance, turn: Turn) -> bool:
    """The rule lets the task go; True if it ended at once, having no body."""
    spec, run = ti.spec, ti.run
    if spec.depends_on_past or spec.wait_for_downstream:
        if past_is_met(ti) is not None:
            run.past_waiting.add(ti)
            return False
        run.past_waiting.discard(ti)
    if (spec.start_date is not None or spec.end_date is not None) and date_is_met(ti) is not None:
        return False
    if spec.bodyless:
        _succeed_at_once(ti, turn)
        return True
    ti.released = True
    run.released += 1
    turn.ready.append(ti)
    return False


def _succeed_at_once(ti: TaskInstance, turn: Turn) -> None:
    """An operator without a body is set to success and never executed (Airflow: DagRun.schedule_tis)."""
    ti.started_at = turn.now
    settle(ti, SUCCESS, None, turn)


def _propagate(ended: list[TaskInstance], turn: Turn) -> None:
    """Tell the direct downstreams of everything that ended; what ends by it joins the queue."""
    for parent in ended:
        state, tasks = parent.state, parent.run.tasks
        if parent.run.followers:
            _tell_followers(parent, turn)
        plain = state == SUCCESS and not parent.spec.is_setup
        for index in parent.spec.downstream:
            below = tasks[index]
            for child in (below,) if below.instances is None else children(parent, index):
                if plain:
                    child.succeeded += 1
                else:
                    count(child, parent, state)
                if not child.released and child.state == NONE and _may_speak(child):
                    _decide(child, ended, turn)
        if parent.run.spec.watchers:
            _tell_watchers(parent, ended, turn)
        if parent.spec.is_map_source:
            for index in parent.run.spec.expansions[parent.spec.index]:
                child = tasks[index]
                if is_unexpanded(child) and child.state == NONE and not child.released:
                    _decide(child, ended, turn)


def _may_speak(ti: TaskInstance) -> bool:
    """False in by far the most cases: an `all_success` of which nothing but successes is known waits for the rest."""
    return ti.succeeded >= ti.total or ti.spec.trigger_rule != "all_success" or ti.failed + ti.skipped + ti.upstream_failed + ti.removed > 0


def _tell_watchers(parent: TaskInstance, ended: list[TaskInstance], turn: Turn) -> None:
    """Those who wait for it without coming directly after it look again, if their rule has spoken."""
    for index in parent.run.spec.watchers.get(parent.spec.index, ()):
        for child in children(parent, index):
            if child.state == NONE and not child.released:
                _decide(child, ended, turn)


def count(child: TaskInstance, parent: TaskInstance, state: str) -> None:
    """One more direct upstream of `child` has ended."""
    if state == SUCCESS:
        child.succeeded += 1
        if parent.spec.is_setup:
            child.setups_succeeded += 1
    elif state == FAILED:
        child.failed += 1
    elif state == SKIPPED:
        child.skipped += 1
        if parent.spec.is_setup:
            child.setups_skipped += 1
    elif state == UPSTREAM_FAILED:
        child.upstream_failed += 1
    elif state == REMOVED:
        child.removed += 1


def _tell_followers(ti: TaskInstance, turn: Turn) -> None:
    """The next run may wait for this task (depends_on_past) or for its downstreams (wait_for_downstream)."""
    for run in ti.run.followers:
        for waiting in [w for w in run.past_waiting if _concerns(w, ti)]:
            if past_is_met(waiting) is None:
                run.past_waiting.discard(waiting)
                if _consider(waiting, turn) or not waiting.released:
                    close_if_over(run, turn)


def _concerns(waiting: TaskInstance, ended: TaskInstance) -> bool:
    return waiting.spec.task_id == ended.spec.task_id or waiting.spec.wait_for_downstream


def _skippable(ti: TaskInstance, task_id: str) -> list[TaskInstance]:
    """The instances of a task that have not started.

    One instance of many decides for its own index in their mapped group, and for nobody outside of it.
    """
    below = ti.run.spec.by_id.get(task_id)
    apart = ti.map_index >= 0 and (below is None or below.map_group is None or below.map_group != ti.spec.map_group)
    found = children(ti, below.index) if below is not None and not apart else ()
    return [child for child in found if child.state in (NONE, SCHEDULED, QUEUED)]


def _fail_for_good(ti: TaskInstance, turn: Turn) -> None:
    _leave(ti)
    if ti.run.spec.fail_fast:
        return _fail_fast(ti, turn)
    _propagate([ti], turn)
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
            _end_row(ti, FAILED, "cancelled", reason, None, turn)
            _leave(ti)
        else:
            settle(ti, SKIPPED, reason, turn)
        ended.append(ti)
    _propagate(ended, turn)
    close_if_over(failed.run, turn)


def _end_row(ti: TaskInstance, state: str, outcome: str, reason: str | None, error: str | None, turn: Turn) -> None:
    """running -> `state`, with what the attempt left."""
    now = turn.now
    if ti.started_at is not None and ti.started_at > now:  # the clock was put back
        now = ti.started_at
    ti.state, ti.outcome, ti.reason, ti.ended_at = state, outcome, reason, now
    turn.moves.end_task.append(
        _row(EndTask, (ti.id, ti.try_number, state, outcome, reason, error, now, ti.wake_at, ti.max_tries, ti.crashes))
    )
    turn.touched.append(ti)


def _push(ti: TaskInstance, xcoms: tuple[tuple[str, str], ...], turn: Turn) -> None:
    if xcoms:
        ti.xcoms = xcoms
        for key, value in xcoms:
            turn.moves.put_xcom.append(_row(PutXCom, (ti.id, key, value)))


def _leave(ti: TaskInstance) -> None:
    """The instance has ended: the run counts one less."""
    run = ti.run
    run.unfinished -= 1
    if ti.released:
        ti.released = False
        run.released -= 1


def _some(names: list[str]) -> str:
    """A few of many, for a sentence."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
