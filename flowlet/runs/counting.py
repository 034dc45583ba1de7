"""How many upstreams of an instance ended in which state: what readiness is made of (law 2)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from flowlet.runs.mapping import children, count, parents
from flowlet.runs.states import NONE, TERMINAL

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance


def count_again(ti: TaskInstance, untold: Collection[TaskInstance]) -> None:
    """Count the upstreams of one instance anew; of those `untold` it will hear still."""
    above = parents(ti)
    _nothing_yet(ti)
    ti.total, ti.setups = len(above), sum(up.spec.is_setup for up in above)
    for up in above:
        if up.state in TERMINAL and up not in untold:
            count(ti, up, up.state)


def count_all(run: ActiveRun) -> None:
    """Count anew what is unfinished, on its way, and has ended upstream of each instance."""
    run.unfinished = run.released = 0
    for ti in run.instances:
        ti.released = False
        _nothing_yet(ti)
        if run.is_expanded:
            above = parents(ti)
            ti.total, ti.setups = len(above), sum(up.spec.is_setup for up in above)
        else:
            ti.total = len(ti.spec.upstream)
            ti.setups = sum(run.spec.tasks[up].is_setup for up in ti.spec.upstream)
    for ti in run.instances:
        ti.is_told = ti.state in TERMINAL
        if ti.is_told:
            for index in ti.spec.downstream:
                for child in children(ti, index):
                    count(child, ti, ti.state)
            continue
        run.unfinished += 1
        if ti.state != NONE:
            ti.released = True
            run.released += 1


def _nothing_yet(ti: TaskInstance) -> None:
    ti.succeeded = ti.failed = ti.skipped = ti.upstream_failed = ti.removed = 0
    ti.setups_succeeded = ti.setups_skipped = 0
