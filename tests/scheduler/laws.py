"""What must hold after every turn, each law computed again from the file and the specs, without the brain's counters."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from flowlet.authoring.spec import DagSpec, TaskSpec
from flowlet.runs.instances import ActiveRun, TaskInstance
from flowlet.runs.resizing import is_surplus
from flowlet.runs.states import TASK_MOVES, TERMINAL, TaskState
from flowlet.runs.turn import Turn
from tests.scheduler import rule_oracle
from tests.scheduler.brain_world import World

_STARTABLE = ("none", "scheduled", "up_for_retry", "up_for_reschedule")


def moves_are_legal(world: World, turn: Turn) -> None:
    """Each row moves along the table of legal moves, and what is in memory is what is on file."""
    before = world.known_states
    cleared = _cleared(turn)
    world.clears.update((ti.run.dag_id, ti.run.run_id, ti.spec.task_id, ti.map_index) for ti in turn.touched if ti.id in cleared)
    for new in turn.moves.add_tasks:
        before.update(dict.fromkeys(range(new.first_id, new.first_id + new.count), "none"))
    for kind in ("add_task", "end_task", "release_task", "settle_task", "start_task"):
        for move in getattr(turn.moves, kind):
            after = getattr(move, "state", "running")
            was = before.get(move.id)
            assert kind == "add_task" or TaskState(after) in TASK_MOVES[TaskState(was)], (kind, was, after)
            before[move.id] = after
    for run in [*world.active(), *turn.over]:
        on_file = world.file.states(run.dag_id)
        for ti in run.known_instances:
            assert on_file[run.dag_id, run.run_id, ti.key] == ti.state, ti


def _cleared(turn: Turn) -> set[int]:
    """Rows of task instances that start anew: somebody cleared them, or there is a task, or an item, for them again."""
    settled = {move.id for move in turn.moves.settle_task if (move.expected, move.state) == ("removed", "none")}
    restarting = {move.id for move in turn.moves.end_task if move.state == "restarting"}
    return {move.id for move in turn.moves.reset_task} | settled | restarting


def attempts_are_contiguous(world: World, turn: Turn) -> None:
    """Tries count 1, 2, 3; the one that is alive is the last."""
    numbers: dict[Any, list[tuple[int, str | None]]] = {}
    for *key, number, outcome in world.file.select(
        "SELECT dag_id, run_id, task_id, map_index, try_number, outcome FROM attempts ORDER BY try_number"
    ):
        numbers.setdefault(tuple(key), []).append((number, outcome))
    for key, tries in numbers.items():
        assert [number for number, _ in tries] == list(range(1, len(tries) + 1)), (key, tries)
        assert all(outcome is not None for _, outcome in tries[:-1]), (key, tries)
        assert [outcome for _, outcome in tries].count("succeeded") <= 1 + world.clears[key], (key, tries)


def rules_were_met(world: World, turn: Turn) -> None:
    """What starts, and what is set by its rule, has the rule's word; no rule's word is left waiting."""
    ended = {ti for ti in turn.touched if ti.state in TERMINAL and ti.run.dag_id not in world.edited}
    first = {move.id for move in turn.moves.start_task if not move.expected_try or move.id in world.anew}
    by_rule = {move.id for move in turn.moves.settle_task if move.state in ("skipped", "upstream_failed") and move.reason is None}
    world.anew = (world.anew | _cleared(turn)) - {move.id for move in turn.moves.start_task}
    for ti in {ti for ti in ended | {ti for ti in turn.start if ti.id in first} if not is_unexpanded(ti)}:
        if ti.state == "running":
            assert _lost_one(ti) or rule_oracle.verdict(ti.spec.trigger_rule, _ups(ti)) == "run", ti
            assert not [up for up in _upstreams(ti) if _skips(world, up, ti.spec.task_id)], ti
        elif ti.id in by_rule and ti.state in ("skipped", "upstream_failed"):
            news = [at for at, up in enumerate(_upstreams(ti)) if up in ended]
            assert ti.state in rule_oracle.verdicts_on_the_way(ti.spec.trigger_rule, _ups(ti), news), (ti, _ups(ti))
    for run in world.active():
        for ti in run.instances if run.state == "running" else ():
            if ti.state == "none" and not ti.released and not is_unexpanded(ti) and not past_blocks(world, ti):
                waits = ti.spec.index in run.resizing  # for what it is mapped over, too
                assert waits or rule_oracle.verdict(ti.spec.trigger_rule, _ups(ti)) == "wait", (ti, _ups(ti))


def _lost_one(ti: TaskInstance) -> bool:
    """Let go by an upstream that has been removed since, for there is no item for it any more."""
    above = {ti.run.spec.tasks[index].task_id for index in ti.spec.upstream}
    return any(is_surplus(other.state, other.reason) and other.spec.task_id in above for other in ti.run.gone.values())


def _skips(world: World, up: TaskInstance, task_id: str) -> bool:
    """It succeeded, and decided to skip the task."""
    if up.state != "success" or up.map_index >= 0:
        return False
    of = {"dag": up.run.dag_id, "run": up.run.run_id, "task": up.spec.task_id}
    sql = "SELECT value FROM xcoms WHERE dag_id = :dag AND run_id = :run AND task_id = :task AND key = 'skipmixin_key'"
    return any(task_id in json.loads(value)["skipped"] for (value,) in world.file.select(sql, **of))


def _upstreams(ti: TaskInstance) -> list[TaskInstance]:
    """Its direct upstreams; of a mapped one all instances."""
    firsts = [ti.run.tasks[index] for index in ti.spec.upstream]
    return [up for first in firsts for up in first.instances or (first,)]


def is_unexpanded(ti: TaskInstance) -> bool:
    """It stands for a mapped task until its number is known, and follows rules of its own."""
    return ti.spec.mapping is not None and ti.map_index < 0


def _ups(ti: TaskInstance) -> str:
    return rule_oracle.letters([up.state for up in _upstreams(ti)])


def runs_end_by_their_leaves(world: World, turn: Turn) -> None:
    """A run that ended by itself has no open task, and is failed iff a leaf is."""
    for run in turn.over:
        assert run.state in ("success", "failed")
        if run.reason is not None and not run.reason.startswith("failed: "):
            assert run.state == ("success" if run.reason == "marked success" else "failed"), run.reason
            if run.reason.startswith("deadlock"):
                open_ = [ti for ti in run.instances if not is_unexpanded(ti) and ti.state not in TERMINAL]
                assert {rule_oracle.verdict(ti.spec.trigger_rule, _ups(ti)) for ti in open_} <= {"wait"}, open_
            continue
        assert all(ti.state in TERMINAL for ti in run.instances), run.instances
        leaves = [ti.state for ti in run.instances if not ti.spec.downstream and not ti.spec.is_teardown]
        bad = any(state in ("failed", "upstream_failed") for state in leaves)
        assert run.state == ("failed" if bad else "success"), leaves


# -- limits ----------------------------------------------------------------------------------------------


class Slots:
    """How many slots of each limit the running task instances take, counted from the instances."""

    def __init__(self, world: World, running: list[TaskInstance]) -> None:
        self.world = world
        self.used: Counter[Any] = Counter()
        for ti in running:
            self.take(ti)

    def take(self, ti: TaskInstance) -> None:
        for name, need, _ in self.limits(ti):
            self.used[name] += need

    def limits(self, ti: TaskInstance) -> list[tuple[Any, int, int]]:
        """(name, slots that the instance needs, slots that there are)."""
        spec, run, size = ti.spec, ti.run, self.world.brain.admission.pools
        pool = size[spec.pool].size if spec.pool in size else 0
        found: list[tuple[Any, int, int]] = [
            (f"pool '{spec.pool}'", spec.pool_slots, pool),
            (f"max_active_tasks of the run {run.run_id}", 1, run.spec.max_active_tasks),
        ]
        if spec.max_active_tis_per_dag is not None:
            found.append((f"max_active_tis_per_dag of {spec.task_id}", 1, spec.max_active_tis_per_dag))
        if spec.max_active_tis_per_dagrun is not None:
            found.append(((run.run_id, spec.task_id), 1, spec.max_active_tis_per_dagrun))
        return [((run.dag_id, name) if "pool" not in str(name) else name, need, there) for name, need, there in found]

    def fits(self, ti: TaskInstance) -> bool:
        return all(self.used[name] + need <= there for name, need, there in self.limits(ti))


def no_limit_is_exceeded(world: World, turn: Turn) -> None:
    """After each turn that starts something, every limit that it touches holds."""
    assert world.bodies <= world.parallelism
    slots = Slots(world, [ti for ti in world.instances() if ti.state == "running"])
    for ti in turn.start:
        for name, _, there in slots.limits(ti):
            assert slots.used[name] <= there, (name, slots.used[name], there)
    for entry in world.brain.entries.values():
        running = [run for run in entry.active.values() if run.state == "running"]
        began = {move.id for move in turn.moves.begin_run} | {move.id for move in turn.moves.add_run if move.started_at}
        fresh = [run for run in running if run.id in began]
        assert not fresh or entry.spec.dag_id in world.edited or len(running) <= entry.spec.max_active_runs, entry.spec.dag_id


def those_who_start_are_the_first_that_fit(world: World, turn: Turn) -> None:
    """By weight, date and place, whoever fits goes: exactly those have started, and nobody stands in the way."""
    started = set(turn.start)
    running = [ti for ti in world.instances() if ti.state == "running" and ti not in started]
    slots = Slots(world, running)
    executing = world.executing
    waiting = [ti for ti in world.instances() if ti.run.state == "running" and could_start(ti, turn)]
    expected = set()
    for ti in sorted(waiting, key=_place):
        if executing >= world.parallelism:
            break
        if world.brain.entries[ti.run.dag_id].paused or not slots.fits(ti):
            continue
        slots.take(ti)
        executing += 1
        expected.add(ti)
    assert started == expected, (sorted(map(str, started - expected)), sorted(map(str, expected - started)))


def could_start(ti: TaskInstance, turn: Turn) -> bool:
    """Released and due; a wait that began in this turn ends in the next one at the earliest."""
    if ti in turn.start:
        return True
    if not ti.released or ti.state not in _STARTABLE or ti in turn.wake:
        return False
    return ti.state in ("none", "scheduled") or (ti.wake_at is not None and ti.wake_at <= turn.now)


def _place(ti: TaskInstance) -> tuple[int, int, int, int]:
    date = ti.run.logical_date if ti.run.logical_date is not None else ti.run.run_after
    return -weight(ti.run.spec, ti.spec), date, ti.map_index, ti.id


def weight(dag: DagSpec, task: TaskSpec) -> int:
    """Own weight and that of all transitive relatives."""
    if task.weight_rule == "absolute":
        return task.priority_weight
    seen: set[int] = set()
    ahead = [task.index]
    while ahead:
        index = ahead.pop()
        if index not in seen:
            seen.add(index)
            ahead += dag.tasks[index].downstream if task.weight_rule == "downstream" else dag.tasks[index].upstream
    return sum(dag.tasks[index].priority_weight for index in seen)


# -- waiting ---------------------------------------------------------------------------------------------


def past_blocks(world: World, ti: TaskInstance) -> bool:
    """depends_on_past or wait_for_downstream holds it back, by what the file says of the run before."""
    spec, run = ti.spec, ti.run
    if not (spec.depends_on_past or spec.wait_for_downstream) or run.logical_date is None:
        return False
    before = world.file.select(
        "SELECT run_id FROM run WHERE dag_id = :dag AND logical_date < :date ORDER BY logical_date DESC LIMIT 1",
        dag=run.dag_id, date=run.logical_date,
    )  # fmt: skip
    if not before:
        return False
    states = {task: state for (_, name, task), state in world.file.states(run.dag_id).items() if name == before[0][0]}
    if f"{spec.task_id}[0]" in states:
        return True  # mapped in the run before and not in this one: nobody can say
    if spec.task_id not in states:
        return not spec.ignore_first_depends_on_past
    wanted = [spec.task_id]
    if spec.wait_for_downstream:
        wanted += [run.spec.tasks[index].task_id for index in spec.downstream]
    return any(states.get(task_id) not in ("success", "skipped") for task_id in wanted)


def every_wait_has_its_reason(world: World, turn: Turn) -> None:
    """The sentence of each waiting task instance names something that does hold it back."""
    slots = Slots(world, [ti for ti in world.instances() if ti.state == "running"])
    for ti in world.instances():
        if ti.state in TERMINAL or ti.state == "running":
            continue
        sentence = world.why(ti)
        assert _is_true(world, turn, ti, sentence, slots), (ti, sentence)


def _is_true(world: World, turn: Turn, ti: TaskInstance, sentence: str, slots: Slots) -> bool:
    entry = world.brain.entries[ti.run.dag_id]
    if ti.run.state == "queued":
        return _holds_the_run(ti.run, entry, sentence)
    if ti.state in ("up_for_retry", "up_for_reschedule") and (ti in turn.wake or (ti.wake_at or 0) >= world.now):
        return "due at" in sentence or "looks again at" in sentence
    if ti.state == "restarting":
        return "is being stopped" in sentence
    if ti.released:
        return _is_full(world, ti, sentence, slots)
    if sentence.startswith(("depends_on_past", "wait_for_downstream")):
        return past_blocks(world, ti)
    names = sentence.removeprefix("waiting for ").split(" (")[0].split(", ")
    if is_unexpanded(ti):
        return sentence.startswith("waiting for ")
    return sentence.startswith("waiting for ") and any(up.key in names for up in _upstreams(ti) if up.state not in TERMINAL)


def _holds_the_run(run: ActiveRun, entry: Any, sentence: str) -> bool:
    if "is paused" in sentence:
        return bool(entry.paused)
    if "max_active_runs" in sentence:
        return sum(other.state == "running" for other in entry.active.values()) >= entry.spec.max_active_runs
    return "in the future" in sentence


def _is_full(world: World, ti: TaskInstance, sentence: str, slots: Slots) -> bool:
    """`waiting for a slot: pool 'db' (4 of 4 taken)`: and it is so."""
    if "is paused" in sentence:
        return world.brain.entries[ti.run.dag_id].paused
    if "does not exist" in sentence:
        return not world.brain.admission.pool(ti.spec.pool).size
    if "parallelism" in sentence:
        return world.bodies >= world.parallelism
    for name, need, there in slots.limits(ti):
        named = name if isinstance(name, str) else str(name[1])
        if isinstance(name, tuple) and isinstance(name[1], tuple):
            named = f"max_active_tis_per_dagrun of {ti.spec.task_id}"
        if named in sentence:
            return slots.used[name] + need > there
    return False


LAWS = (
    moves_are_legal, attempts_are_contiguous, rules_were_met, runs_end_by_their_leaves, no_limit_is_exceeded,
    those_who_start_are_the_first_that_fit, every_wait_has_its_reason,
)  # fmt: skip
