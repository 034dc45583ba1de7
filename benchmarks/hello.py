"""Whole processes, three tasks, from start to exit: a program with an engine, and `flowlet run FILE`.

The limit is a process that runs the same chain by the hand-written loop; bare Python is shown beside it.
`python benchmarks/hello.py [--rounds N] [--json]`
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from figures import FOLDER, Figure, arguments, rounds, seconds_of, show

DAG = """
import asyncio
from flowlet import DAG, Engine, task

with DAG("hello") as dag:

    @task
    async def extract() -> int:
        return 1

    @task
    async def double(value: int) -> int:
        return value * 2

    @task
    async def load(value: int) -> None:
        assert value == 2

    load(double(extract()))
"""
PROGRAM = f"""{DAG}

async def main() -> None:
    async with Engine("library.db", dags=[dag]) as engine:
        run = await engine.trigger("hello")
        await run.wait()
        assert run.state == "success"

asyncio.run(main())
"""
LIMIT = f"""
import asyncio, sys
sys.path.insert(0, {str(FOLDER)!r})
import limit
asyncio.run(limit.execute("limit.db", limit.chain(3), 1, "full"))
"""


def figures(count: int, folder: Path) -> Iterator[Figure]:
    for name, text in (("hello.py", DAG), ("program.py", PROGRAM), ("limit_hello.py", LIMIT)):
        (folder / name).write_text(text, encoding="utf-8")

    def whole(*command: str, db: str) -> float:
        for file in folder.glob(f"{db}*"):
            if file.is_file():
                file.unlink()
        return seconds_of([sys.executable, *command], cwd=str(folder))

    command = ("-m", "flowlet", "run", "hello.py", "--db", "command.db")
    for what, program, db, target in (
        ("hello, library", ("program.py",), "library.db", "<= 0.15 s"),
        ("hello, flowlet run FILE", command, "command.db", "<= 0.30 s"),
    ):
        found = rounds(
            count, lambda program=program, db=db: whole(*program, db=db), lambda: whole("limit_hello.py", db="limit.db")
        )  # fmt: skip
        yield found.figure(what, "s", target=target)
    bare = statistics.median(seconds_of([sys.executable, "-c", ""]) for _ in range(count))
    yield Figure("bare Python", "s", round(bare, 4))


def main() -> None:
    given = arguments(__doc__, rounds=9)
    with tempfile.TemporaryDirectory() as folder:
        show(figures(given.rounds, Path(folder)), as_json=given.json)


if __name__ == "__main__":
    main()
