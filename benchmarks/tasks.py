"""Microseconds per no-op task, everything on disk, beside the limit: `python benchmarks/tasks.py [--json]`.

chain 100 in a line; fanout 1 -> 1000 -> 1; layered 10 x 100, each task on three of the layer before;
many_runs 100 runs of a chain of 10 at once; io_sleep 1000 sleeps of 0.1 s (seconds in all).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import limit
from figures import Figure, rounds, show
from shapes import make_dag, seconds_of_flowlet, seconds_of_limit

WORKLOADS: dict[str, tuple[limit.Graph, int, float]] = {
    "chain": (limit.chain(100), 1, 0.0),
    "fanout": (limit.fanout(1000), 1, 0.0),
    "layered": (limit.layered(10, 100), 1, 0.0),
    "many_runs": (limit.chain(10), 100, 0.0),
    "io_sleep": ([[]] * 1000, 1, 0.1),
}


def measure(name: str, durability: str, kind: str, count: int) -> Figure:
    graph, runs, sleep = WORKLOADS[name]
    dag = make_dag(graph, sleep=sleep, kind=kind)
    found = rounds(
        count,
        lambda: seconds_of_flowlet(dag, runs, durability),
        lambda: seconds_of_limit(graph, runs, durability, sleep),
    )
    what, target = f"{name}, {kind} bodies, {durability}", "<= 1.5 x" if kind == "async" else "<= 2.5 x"
    if sleep:
        return found.figure(what, "s", target="<= 1.1 x")
    return found.figure(what, "us per task", scale=1e6 / (len(graph) * runs), target=target)


def figures(names: list[str], count: int) -> Iterator[Figure]:
    for durability in ("full", "process"):
        for name in names:
            for kind in ("async",) if name == "io_sleep" else ("async", "def"):
                yield measure(name, durability, kind, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=sorted(WORKLOADS))
    given = parser.parse_args()
    show(figures([given.only] if given.only else list(WORKLOADS), given.rounds), as_json=given.json)


if __name__ == "__main__":
    main()
