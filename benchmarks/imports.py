"""What importing costs over bare Python, beside what the libraries that it loads cost alone.

Three grades: the package itself, whose names are loaded when they are first used; what a program needs that
runs a DAG; every public name. The limit of each is a process that imports the same modules of others, in the
same order. `python benchmarks/imports.py [--rounds N] [--json]`
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from figures import Figure, Rounds, arguments, rounds, seconds_of, show

GRADES = {
    "import flowlet": "import flowlet",
    "from flowlet import DAG, Engine, task": "from flowlet import DAG, Engine, task",
    "from flowlet import *": "from flowlet import *",
}
LIST = "\nimport sys; print(*(name for name in sys.modules if name.partition('.')[0] not in {'flowlet', '__main__'}))"


def libraries_of(statement: str) -> str:
    """Statements that import, in order, every module of others that the statement loads."""
    loaded = subprocess.run([sys.executable, "-c", statement + LIST], check=True, stdout=subprocess.PIPE, text=True)
    return f"from importlib import import_module\nfor name in {loaded.stdout.split()}:\n    import_module(name)"


def figures(count: int) -> Iterator[Figure]:
    def run(statement: str) -> float:
        return seconds_of([sys.executable, "-c", statement])

    for what, statement in GRADES.items():
        libraries = libraries_of(statement)
        found = rounds(count, partial(run, statement), partial(run, libraries))
        bare = min(run("") for _ in range(count))
        over = Rounds([max(a - bare, 1e-4) for a in found.ours], [max(b - bare, 1e-4) for b in found.theirs])
        yield over.figure(what, "ms", scale=1000, target="<= 1.35 x")


def main() -> None:
    given = arguments(__doc__, rounds=15)
    show(figures(given.rounds), as_json=given.json)


if __name__ == "__main__":
    main()
