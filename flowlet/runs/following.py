"""What the end of a task instance means for others: trigger rules, setups, mappings, the run after it.

Propagation is a loop, not a recursion: a chain of 50,000 skipped tasks is one event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowlet.authoring.spec import sources
from flowlet.clock import iso
from flowlet.runs.ending import close_if_over
from flowlet.runs.instances import TaskInstance, past_state
from flowlet.runs.mapping import (
    MOST_INSTANCES,
    are_paired,
    broken_source,
    children,
    count_of,
    expand,
    is_unexpanded,
)
from flowlet.runs.rows import settle
from flowlet.runs.rules import RULES, Verdict
from flowlet.runs.states import FAILED, NONE, REMOVED, SKIPPED, SUCCESS, TERMINAL, UPSTREAM_FAILED

if TYPE_CHECKING:
    from flowlet.runs.turn import Turn

_WAIT, _RUN, _SKIP = Verdict.WAIT, Verdict.RUN, Verdict.SKIP
_PAST_DONE = (SUCCESS, SKIPPED)


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


def consider(ti: TaskInstance, turn: Turn) -> bool:
    """Apply the trigger rule; True if the instance ended by it."""
    ended: list[TaskInstance] = []
    _decide(ti, ended, turn)
    propagate(ended, turn)
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


def propagate(ended: list[TaskInstance], turn: Turn) -> None:
    """Tell the direct downstreams of everything that ended; what ends by it joins the queue."""
    for parent in ended:
        state, tasks = parent.state, parent.run.tasks
        if parent.run.followers:
            tell_followers(parent, turn)
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


def may_run(ti: TaskInstance) -> bool:
    """The trigger rule lets it go; what stands for a mapped task never runs itself."""
    return not is_unexpanded(ti) and (not ti.total or RULES[ti.spec.trigger_rule](ti) is _RUN)


def tell_followers(ti: TaskInstance, turn: Turn) -> None:
    """The next run may wait for this task (depends_on_past) or for its downstreams (wait_for_downstream)."""
    for run in ti.run.followers:
        for waiting in [w for w in run.past_waiting if _concerns(w, ti)]:
            if past_is_met(waiting) is None:
                run.past_waiting.discard(waiting)
                if consider(waiting, turn) or not waiting.released:
                    close_if_over(run, turn)


def _concerns(waiting: TaskInstance, ended: TaskInstance) -> bool:
    return waiting.spec.task_id == ended.spec.task_id or waiting.spec.wait_for_downstream

