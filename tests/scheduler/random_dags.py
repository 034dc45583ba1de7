"""Random DAGs and random events, from a seed."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from typing import Any

from flowlet.authoring.context import SKIP_KEY
from flowlet.authoring.spec import DagSpec, TaskSpec
from flowlet.errors import FlowletError
from flowlet.runs.clearing import Which
from flowlet.runs.instances import ActiveRun
from flowlet.scheduler import requests
from flowlet.worker.workload import Outcome
from tests.scheduler import rule_oracle
from tests.scheduler.brain_world import SECOND, Work, World, a_task, dag_of, failed, succeeded
from tests.scheduler.laws import LAWS, past_blocks

POOLS = ("default_pool", "one", "two")


def random_dag(rng: random.Random, dag_id: str, *, mapped: bool = True, **fixed: Any) -> DagSpec:
    """Up to nine tasks, with whatever limits and rules a task may have; some are mapped, if they may be."""
    mapped = mapped and rng.random() < 0.3
    if mapped:
        fixed = {"depends_on_past": False, "wait_for_downstream": False, **fixed}
    tasks = [_random_task(rng, number, fixed, mapped and rng.random() < 0.4) for number in range(rng.randint(1, 9))]
    more: dict[str, Any] = {"max_active_runs": rng.randint(1, 3), "max_active_tasks": rng.choice((1, 2, 4, 16))}
    if rng.random() < 0.1 and all(task.trigger_rule == "all_success" for task in tasks):
        more["fail_fast"] = True
    if rng.random() < 0.1:
        more["dagrun_timeout"] = rng.randint(1, 400) * SECOND
    return dag_of(dag_id, *tasks, **more)


def _random_task(rng: random.Random, number: int, fixed: dict[str, Any], mapped: bool) -> TaskSpec:
    ups = sorted(rng.sample(range(number), min(number, rng.choice((0, 1, 1, 2, 3)))))
    more: dict[str, Any] = {
        "trigger_rule": rng.choice(rule_oracle.RULES) if rng.random() < 0.6 else "all_success",
        "retries": rng.choice((0, 0, 1, 2)),
        "retry_delay": rng.choice((0, SECOND, 60 * SECOND)),
        "pool": rng.choice(POOLS),
        "pool_slots": rng.choice((1, 1, 1, 2, 3)),
        "priority_weight": rng.randint(1, 5),
        "weight_rule": rng.choice(("downstream", "upstream", "absolute")),
        "on_crash": "fail" if rng.random() < 0.15 else "requeue",
        "bodyless": rng.random() < 0.1,
        "sensor": rng.choice((None, None, None, "poke", "reschedule")),
    }
    for limit in ("max_active_tis_per_dag", "max_active_tis_per_dagrun"):
        if rng.random() < 0.15:
            more[limit] = rng.randint(1, 2)
    for past in ("depends_on_past", "wait_for_downstream"):
        more[past] = rng.random() < 0.08
    if ups and mapped:
        more |= {"depends_on_past": False, "wait_for_downstream": False, "bodyless": False, "sensor": None}
        more["mapping"] = (rng.choice((2, ["xcom", rng.choice(ups)], ["concat", [["xcom", ups[0]], 1]])),)
    return a_task(f"t{number}", *ups, **{**more, **fixed})


def random_outcome(rng: random.Random, work: Work, now: int) -> Outcome:
    """Whatever a body may end as."""
    spec = work.key.spec
    if spec.sensor is not None and rng.random() < 0.5:
        return Outcome("waiting", until=now + rng.randint(1, 60) * SECOND, mode=spec.sensor)
    kind = rng.choice(("succeeded", "succeeded", "failed", "skipped", "timed_out", "interrupted", "fatal", "wish"))
    if kind == "wish":
        below = [work.key.run.tasks[index].key for index in spec.downstream]
        skip = tuple(rng.sample(below, rng.randint(0, len(below))))
        return Outcome("succeeded", xcoms=((SKIP_KEY, json.dumps({"skipped": skip})),), skip=skip)
    if kind == "fatal":
        return Outcome("failed", reason="it cannot be", error="FailTask", retry=False)
    if kind != "succeeded":
        return Outcome(kind, reason="as it should", error="Error")
    return rng.choice((Outcome("succeeded"), succeeded(length=rng.randint(0, 3))))


class Chance:
    """Random events upon a world."""

    def __init__(self, world: World, seed: int, dag_ids: list[str]) -> None:
        self.world = world
        self.rng = random.Random(seed)
        self.dag_ids = dag_ids

    def act(self) -> None:
        """One event, or several in one turn."""
        rng, world = self.rng, self.world
        if rng.random() < 0.6:
            for work in rng.sample(world.works, min(len(world.works), rng.randint(1, 3))):
                world.end(work, random_outcome(rng, work, world.now))
            world.now += rng.randint(0, SECOND)
            world.turn()
            return
        try:
            rng.choice((self.trigger, self.trigger, self.cancel, self.clear, self.clear, self.mark_task, self.mark_run, self.pause, self.unpause, self.pool, world.pass_time))()
        except FlowletError:
            pass  # a run that exists, a pool that does not: a refusal is an answer

    def trigger(self) -> None:
        date = self.rng.choice((requests.NOW, requests.NOW, None, self.world.now - self.rng.randint(1, 9) * SECOND))
        self.world.trigger(self.rng.choice(self.dag_ids), self.rng.choice((None, None, "again")), date=date)

    def cancel(self) -> None:
        active = self.world.active()
        if active:
            self.world.ask(requests.Cancel(self.rng.choice(active), "cancelled"))

    def clear(self) -> None:
        """Some or all tasks of some or all runs, active ones and such as have ended."""
        rng, dag_id = self.rng, self.rng.choice(self.dag_ids)
        runs = [run for (dag, run), _ in sorted(self.world.file.runs().items()) if dag == dag_id]
        tasks = [task.task_id for task in self.world.dags[dag_id].tasks]
        which: dict[str, Any] = {"upstream": rng.random() < 0.2, "downstream": rng.random() < 0.5}
        if rng.random() < 0.7:
            which["task_ids"] = tuple(rng.sample(tasks, rng.randint(1, min(2, len(tasks)))))
            if rng.random() < 0.3:
                which["map_indexes"] = (rng.choice((-1, 0, 1)),)
        if rng.random() < 0.3:
            which["states"] = frozenset(rng.sample(("failed", "upstream_failed", "running", "success"), 2))
        with suppress(FlowletError):  # an index that the task does not have
            self.world.clear(dag_id, *rng.sample(runs, min(len(runs), rng.randint(1, 2))), dry_run=rng.random() < 0.1, **which)

    def mark_task(self) -> None:
        """Some task of some run, active or ended, with or without its relatives."""
        rng, dag_id = self.rng, self.rng.choice(self.dag_ids)
        runs = [run for (dag, run), _ in sorted(self.world.file.runs().items()) if dag == dag_id]
        which = Which((rng.choice(self.world.dags[dag_id].tasks).task_id,), None, rng.random() < 0.2, rng.random() < 0.2)
        found = [self.world.found(dag_id, run) for run in rng.sample(runs, min(len(runs), 1))]
        self.world.ask(requests.SetTaskState(found, which, rng.choice(("success", "failed", "skipped")), rng.random() < 0.1))

    def mark_run(self) -> None:
        runs = sorted(self.world.file.runs())
        if runs:
            found = self.world.found(*self.rng.choice(runs))
            self.world.ask(requests.SetRunState(found, self.rng.choice(("success", "failed", "queued"))))

    def pause(self) -> None:
        self.world.ask(requests.Pause(self.rng.choice(self.dag_ids), True))

    def unpause(self) -> None:
        self.world.ask(requests.Pause(self.rng.choice(self.dag_ids), False))

    def pool(self) -> None:
        name = self.rng.choice(POOLS)
        if name != "default_pool" and self.rng.random() < 0.2:
            self.world.ask(requests.DeletePool(name))
        else:
            self.world.ask(requests.SetPool(name, self.rng.randint(0, 4)))

    def end_all(self) -> None:
        """The faults are over: everything is let go, and whatever is left to do is done."""
        world = self.world
        for name in POOLS:
            world.ask(requests.SetPool(name, 8))
        for dag_id in self.dag_ids:
            world.ask(requests.Pause(dag_id, False))
        world.finish(lambda work: succeeded() if self.rng.random() < 0.8 else failed())


def a_world(seed: int, *, mapped: bool = True) -> tuple[World, Chance]:
    rng = random.Random(seed)
    world = World(parallelism=rng.choice((1, 2, 3, 32)), laws=LAWS)
    dags = [random_dag(rng, f"dag{number}", mapped=mapped) for number in range(rng.randint(1, 3))]
    for dag in dags:
        world.add(dag)
    return world, Chance(world, seed, [dag.dag_id for dag in dags])


def waits_for_the_past(world: World, run: ActiveRun) -> bool:
    """For ever, as the user wished: the run before failed. Or it is queued behind runs that do."""
    if run.state == "running":
        return any(past_blocks(world, ti) for ti in run.instances)
    ahead = [other for other in world.active() if other.dag_id == run.dag_id and other.state == "running"]
    return len(ahead) >= run.spec.max_active_runs and all(waits_for_the_past(world, other) for other in ahead)
