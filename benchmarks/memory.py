"""The peak memory of a whole process that runs a fan of 1000, and a layered DAG of 100,000 tasks.

`python benchmarks/memory.py [--width N] [--tasks N] [--json]`
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator

import limit
from figures import Figure, arguments, beside, in_a_process, memory_mb, show


def measure_flowlet(shape: str, size: int) -> float:
    from shapes import execute, make_dag

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(execute(f"{folder}/flowlet.db", [make_dag(_graph(shape, size))], 1, "process"))
    return memory_mb()


def measure_limit(shape: str, size: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(limit.execute(f"{folder}/limit.db", _graph(shape, size), 1, "process"))
    return memory_mb()


def _graph(shape: str, size: int) -> limit.Graph:
    return limit.fanout(size) if shape == "fanout" else limit.layered(max(size // 100, 1), min(size, 100))


def figures(width: int, tasks: int) -> Iterator[Figure]:
    for shape, size, target in (("fanout", width, "<= 60 MB"), ("layered", tasks, "<= 600 MB")):
        theirs = in_a_process("memory", "measure_limit", shape=shape, size=size)
        ours = in_a_process("memory", "measure_flowlet", shape=shape, size=size)
        yield beside(f"peak memory, {shape} of {size:,}", "MB", ours, theirs, target)


def main() -> None:
    given = arguments(__doc__, width=1000, tasks=100_000)
    show(figures(given.width, given.tasks), as_json=given.json)


if __name__ == "__main__":
    main()
