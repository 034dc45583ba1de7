"""What the end of a task instance means for others: trigger rules, setups, mappings, the run after it.

Propagation is a loop, not a recursion: a chain of 50,000 skipped tasks is one event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from flowlet.authoring.spec import sources
from flowlet.clock import iso
from flowlet.runs.ending import close_if_over
from flowlet.runs.instances import TaskInstance, past_state
from flowlet.runs.mapping import (
    MOST_INSTANCES,
    are_paired,
    broken_source,
    children,
    count,
    count_of,
    expand,
    is_unexpanded,
    recount,
)
from flowlet.runs.resizing import resize_after
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
    if ti.spec.mapping is not None:
        if ti.map_index < 0:
            return _decide_mapped(ti, ended, turn)
        if ti.spec.index in ti.run.resizing and _lacks_source(ti, ended, turn):
            return None
    if ti.spec.guards and _ends_by_setup(ti, ended, turn):
        return None
    verdict = RULES[ti.spec.trigger_rule](ti) if ti.total else _RUN
    if verdict is _WAIT or (verdict is _SKIP and _delays_skip(ti)):
        return None
    if verdict is not _RUN:
        settle(ti, SKIPPED if verdict is _SKIP else UPSTREAM_FAILED, None, turn)
        ended.append(ti)
    elif ti.removed and _is_beyond(ti):
        settle(ti, REMOVED, "what it is mapped over has fewer instances now", turn)
        ended.append(ti)
    elif not ((ti.spec.guards or ti.spec.scope) and _is_held(ti)) and _release(ti, turn):
        ended.append(ti)
    return None


def _delays_skip(ti: TaskInstance) -> bool:
    """It wants not to be skipped before depends_on_past would let it go (Airflow: trigger_rule_dep.py, PAST_DEPENDS_MET)."""
    if not ti.spec.wait_for_past_depends_before_skipping or past_is_met(ti) is None:
        return False
    ti.run.past_waiting.add(ti)
    return True


def _is_beyond(ti: TaskInstance) -> bool:
    """Upstreams were removed, and it stands behind as many as succeeded (Airflow: trigger_rule_dep.py, ALL_SUCCESS)."""
    return ti.spec.trigger_rule == "all_success" and 0 < ti.succeeded <= ti.map_index


def _ends_by_setup(ti: TaskInstance, ended: list[TaskInstance], turn: Turn) -> bool:
    """A setup from afar that is broken ends it, whatever its rule but `always`.

    Source: Airflow's trigger_rule_dep.py, `_evaluate_setup_constraint`.
    """
    if ti.spec.trigger_rule == "always":
        return False
    guards = [guard for index in ti.spec.guards for guard in _instances_of(ti, index)]
    states = {guard.state for guard in guards}
    broken = UPSTREAM_FAILED if states & {FAILED, UPSTREAM_FAILED} else SKIPPED if SKIPPED in states else None
    if broken is None:
        return False
    if broken == SKIPPED and _delays_skip(ti):
        return True
    setup = next(guard for guard in guards if guard.state in TERMINAL and guard.state != SUCCESS)
    settle(ti, broken, f"its setup {setup.key} is {setup.state}", turn)
    ended.append(ti)
    return True


def _is_held(ti: TaskInstance) -> bool:
    """Whether what its rule lets go still waits for setups from afar, or a teardown for the work before it.

    Source: Airflow's trigger_rule_dep.py, `_evaluate_setup_constraint` and `_evaluate_teardown_scope`.
    """
    if ti.spec.trigger_rule == "always":
        return False
    return any(guard.state != SUCCESS for index in ti.spec.guards for guard in _instances_of(ti, index)) or any(
        other.state not in TERMINAL for index in ti.spec.scope for other in _instances_of(ti, index)
    )


def _instances_of(ti: TaskInstance, index: int) -> Sequence[TaskInstance]:
    """The instances of another task that one depends on: in a mapped group that of the same index."""
    other = ti.run.tasks[index]
    if other.instances is None:
        return (other,)
    if not are_paired(other.spec, ti.spec):
        return other.instances
    if ti.map_index >= 0:
        return (other.instances[ti.map_index],)
    return other.instances if ti.spec.trigger_rule in _EARLY else ()


_EARLY: Final = frozenset({"one_success", "one_failed", "one_done", "none_failed_min_one_success"})
"""Rules that look at all indexes while the group is not expanded, so as not to speak before there are any."""


def _decide_mapped(ti: TaskInstance, ended: list[TaskInstance], turn: Turn) -> None:
    """A mapped task becomes its instances when its rule lets it go and its number is known; those after it in its group too."""
    todo = [ti]
    for unexpanded in todo:
        for instance in _expand_if_let_go(unexpanded, ended, turn):
            _decide(instance, ended, turn)
        if unexpanded.instances is not None and unexpanded.spec.map_group is not None:
            below = [unexpanded.run.tasks[index] for index in unexpanded.spec.downstream]
            todo += [task for task in below if task.state == NONE and is_unexpanded(task) and are_paired(unexpanded.spec, task.spec)]


def _expand_if_let_go(ti: TaskInstance, ended: list[TaskInstance], turn: Turn) -> Sequence[TaskInstance]:
    """The instances of a mapped task, none while it waits or if it ends as one.

    What is written in the file has its number from the start, whatever its rule. Else the rule speaks first. One
    that lets the task go before the values are there waits for them; Airflow gives the task up as upstream_failed
    if its scheduler looks in between (TaskMap.expand_mapped_task).
    """
    number = count_of(ti)
    if number and number <= MOST_INSTANCES and not sources(ti.spec.mapping or ()):
        return expand(ti, number, turn)
    if ti.spec.guards and _ends_by_setup(ti, ended, turn):
        return ()
    verdict, broken = _verdict_as_one(ti), broken_source(ti)
    skips = verdict is _SKIP or (broken is not None and broken[0] == SKIPPED)
    if skips and verdict is not Verdict.FAIL and _delays_skip(ti):
        return ()
    if verdict is Verdict.FAIL or (verdict is _SKIP and broken is None):
        return _end_as_one(ti, SKIPPED if verdict is _SKIP else UPSTREAM_FAILED, None, ended, turn)
    if broken is not None:
        return _end_as_one(ti, *broken, ended, turn)
    if verdict is _WAIT or _is_held(ti):
        return ()
    if number is None and not _sources_are_done(ti):
        return ()
    if number is None:
        return _end_as_one(ti, UPSTREAM_FAILED, "what it is mapped over was never pushed", ended, turn)
    if number == 0:
        return _end_as_one(ti, SKIPPED, "it is mapped over nothing", ended, turn)
    if number > MOST_INSTANCES:
        return _end_as_one(ti, FAILED, f"it would have {number} instances, more than {MOST_INSTANCES}", ended, turn)
    return expand(ti, number, turn)


def _lacks_source(ti: TaskInstance, ended: list[TaskInstance], turn: Turn) -> bool:
    """A cleared instance does not run before what it is mapped over is there again; it ends if that will never be."""
    verdict = RULES[ti.spec.trigger_rule](ti) if ti.total else _RUN
    broken, is_there = broken_source(ti), count_of(ti) is not None
    if verdict is Verdict.FAIL or (verdict is _SKIP and broken is None):
        return False
    if verdict is _RUN and broken is None and not is_there and _sources_are_done(ti):
        broken = UPSTREAM_FAILED, "what it is mapped over was never pushed"
    if broken is not None:
        settle(ti, broken[0], broken[1], turn)
        ended.append(ti)
        return True
    return verdict is _RUN and not is_there


def _sources_are_done(ti: TaskInstance) -> bool:
    tasks = ti.run.tasks
    return all(
        instance.state in TERMINAL
        for source in sources(ti.spec.mapping or ())
        for instance in tasks[source].instances or (tasks[source],)
    )


def _verdict_as_one(ti: TaskInstance) -> Verdict:
    """What its rule says of a mapped task that is not expanded; in a mapped group of what counts before it is."""
    if not ti.spec.upstream:
        return _RUN
    if ti.spec.map_group is None:
        return RULES[ti.spec.trigger_rule](ti)
    above = [instance for index in ti.spec.upstream for instance in _instances_of(ti, index)]
    return RULES[ti.spec.trigger_rule](recount(TaskInstance(ti.run, ti.spec, 0), above))


def _end_as_one(ti: TaskInstance, state: str, reason: str | None, ended: list[TaskInstance], turn: Turn) -> Sequence[TaskInstance]:
    settle(ti, state, reason, turn)
    ended.append(ti)
    return ()


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
        if parent.run.followers:
            tell_followers(parent, turn)
        is_source = parent.spec.is_map_source
        resized = resize_after(parent, ended, turn) if is_source and parent.run.resizing else ()
        for child in _tell(parent):
            if not child.released and child.state == NONE:
                _decide(child, ended, turn)
        if parent.run.spec.watchers:
            _tell_watchers(parent, ended, turn)
        if is_source:
            _tell_mapped(parent, ended, turn)
        for first in resized:
            _tell_of_number(first, ended, turn)


def _tell_mapped(parent: TaskInstance, ended: list[TaskInstance], turn: Turn) -> None:
    """Those who are mapped over it look whether their number is known."""
    for index in parent.run.spec.expansions[parent.spec.index]:
        below = parent.run.tasks[index]
        for child in below.instances or (below,):
            if child.state == NONE and not child.released:
                _decide(child, ended, turn)


def _tell_of_number(first: TaskInstance, ended: list[TaskInstance], turn: Turn) -> None:
    """A mapped task has more or fewer instances now: whoever waits for all of them looks again."""
    spec = first.spec
    for index in (spec.index, *spec.downstream, *first.run.spec.expansions.get(spec.index, ())):
        below = first.run.tasks[index]
        for child in below.instances or (below,):
            if child.state == NONE and not child.released:
                _decide(child, ended, turn)


def _tell(parent: TaskInstance) -> list[TaskInstance]:
    """All that come directly after it count its end, before any of them decides: a decision may make more instances.

    Those whose rule may now speak are given.
    """
    parent.is_told, heard = True, []
    state, tasks = parent.state, parent.run.tasks
    plain = state == SUCCESS and not parent.spec.is_setup
    for index in parent.spec.downstream:
        below = tasks[index]
        for child in (below,) if below.instances is None else children(parent, index):
            if plain:
                child.succeeded += 1
            else:
                count(child, parent, state)
            if not child.released and child.state == NONE and _may_speak(child):
                heard.append(child)
    return heard


def _may_speak(ti: TaskInstance) -> bool:
    """False in by far the most cases: an `all_success` of which nothing but successes is known waits for the rest."""
    return (
        ti.succeeded >= ti.total
        or ti.spec.trigger_rule != "all_success"
        or ti.failed + ti.skipped + ti.upstream_failed + ti.removed > 0
        or ti.spec.mapping is not None
    )


def _tell_watchers(parent: TaskInstance, ended: list[TaskInstance], turn: Turn) -> None:
    """Those who wait for it without coming directly after it look again, if their rule has spoken."""
    for index in parent.run.spec.watchers.get(parent.spec.index, ()):
        for child in children(parent, index):
            if child.state == NONE and not child.released:
                _decide(child, ended, turn)


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

