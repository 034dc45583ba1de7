"""Whatever is asked of the brain, in whatever order, and whatever the bodies do: the laws hold after every turn."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduler.random_dags import a_world, waits_for_the_past


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 60))
def test_the_laws_hold_after_every_turn_and_every_run_ends(seed: int, steps: int) -> None:
    world, chance = a_world(seed)
    for _ in range(steps):
        chance.act()
    chance.end_all()
    left = [run for run in world.active() if not waits_for_the_past(world, run)]
    assert left == []
