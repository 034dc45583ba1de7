"""Whatever is asked of the brain, in whatever order, and whatever the bodies do: the laws hold after every turn."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet.runs.instances import ActiveRun
from tests.scheduler.brain_world import World
from tests.scheduler.laws import LAWS, past_blocks
from tests.scheduler.random_dags import Chance, random_dag


def a_world(seed: int) -> tuple[World, Chance]:
    rng = random.Random(seed)
    world = World(parallelism=rng.choice((1, 2, 3, 32)), laws=LAWS)
    dags = [random_dag(rng, f"dag{number}") for number in range(rng.randint(1, 3))]
    for dag in dags:
        world.add(dag)
    return world, Chance(world, seed, [dag.dag_id for dag in dags])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 60))
def test_the_laws_hold_after_every_turn_and_every_run_ends(seed: int, steps: int) -> None:
    world, chance = a_world(seed)
    for _ in range(steps):
        chance.act()
    chance.end_all()
    left = [run for run in world.active() if not waits_for_the_past(world, run)]
    assert left == []


def waits_for_the_past(world: World, run: ActiveRun) -> bool:
    """For ever, as the user wished: the run before failed. Or it is queued behind runs that do."""
    if run.state == "running":
        return any(past_blocks(world, ti) for ti in run.tasks)
    ahead = [other for other in world.active() if other.dag_id == run.dag_id and other.state == "running"]
    return len(ahead) == run.spec.max_active_runs and all(waits_for_the_past(world, other) for other in ahead)
