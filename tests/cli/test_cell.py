"""A cell is interrupted: `await dag.run()` in a notebook, a shell, a script. What ran is recorded, and the cell can be run again.

A notebook runs its cells one after the other on one loop, and an interrupt cancels the task of the cell
(ipykernel: kernelbase.py, `_cancel_on_sigint`); `asyncio.run` does the same with its main task; a plain loop
lets KeyboardInterrupt out of whatever it does (`asyncio.AbstractEventLoop.run_until_complete`).
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from flowlet.store import Reader

from .process import until

CELL = """
import asyncio, json, os, signal, sys, threading
from pathlib import Path
from flowlet import DAG, task

with DAG("cell") as dag:

    @task
    {kind} body(ti):
        Path(f"begun.{{ti.run_id}}.{{ti.try_number}}").touch()
        if not Path("go").exists():
            {wait}
        return "done"

    body()

async def cell():
    run = await dag.run(db="cell.db", run_id="first")
    print(json.dumps([run.state, run.as_dict()["tries"]]), flush=True)
"""

WAITS = {
    "coroutine": {"kind": "async def", "wait": "await asyncio.Event().wait()"},
    "thread": {"kind": "def", "wait": "threading.Event().wait()"},
}

SHELLS = {
    "asyncio.run": """
try:
    asyncio.run(cell())
except KeyboardInterrupt:
    print("interrupted", flush=True)
Path("go").touch()
asyncio.run(cell())
""",
    "a notebook's loop": """
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)

def run_cell():
    task = loop.create_task(cell())
    before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(task.cancel))
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        print("interrupted", flush=True)
    finally:
        signal.signal(signal.SIGINT, before)

run_cell()
Path("go").touch()
run_cell()
loop.close()
""",
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("body", WAITS)
def test_an_interrupted_cell_is_recorded_and_goes_on_when_it_is_run_again(shell: str, body: str, start: Any, folder: Path) -> None:
    (folder / "cell.py").write_text(CELL.format(**WAITS[body]) + SHELLS[shell])
    process = start("cell.py", command=[sys.executable, "-W", "error"])
    until((folder / "begun.first.1").exists)
    process.signal(signal.SIGINT)
    done = process.end()
    assert done.err == ""
    assert done.out == 'interrupted\n["success", {"body": 2}]\n'
    with Reader(folder / "cell.db") as reader:
        assert reader.check() == []
        assert reader.owner() is None
        rows = [(row["try_number"], row["outcome"], row["reason"]) for row in reader.rows("attempts")]
        assert rows == [(1, "interrupted", rows[0][2]), (2, "succeeded", None)]
        assert rows[0][2]


def test_a_loop_that_lets_the_interrupt_out_can_be_run_on(start: Any, folder: Path) -> None:
    """Nobody cancels the cell: its task lives on in the loop, and ends with the next one that runs."""
    (folder / "cell.py").write_text(CELL.format(**WAITS["coroutine"]) + """
loop = asyncio.new_event_loop()
first = loop.create_task(cell())
try:
    loop.run_until_complete(first)
except KeyboardInterrupt:
    print("interrupted", flush=True)
Path("go").touch()
first.cancel()
try:
    loop.run_until_complete(first)
except asyncio.CancelledError:
    pass
loop.run_until_complete(cell())
loop.close()
""")
    process = start("cell.py", command=[sys.executable])
    until((folder / "begun.first.1").exists)
    process.signal(signal.SIGINT)
    assert process.end().out == 'interrupted\n["success", {"body": 2}]\n'


def test_the_blocking_test_of_a_dag_can_be_interrupted_and_run_again(start: Any, folder: Path) -> None:
    (folder / "cell.py").write_text(CELL.format(**WAITS["coroutine"]) + """
try:
    dag.test()
except KeyboardInterrupt:
    print("interrupted", flush=True)
Path("go").touch()
print(dag.test().state)
""")
    process = start("cell.py", command=[sys.executable, "-W", "error"])
    until(lambda: list(folder.glob("begun.*")))
    process.signal(signal.SIGINT)
    done = process.end()
    assert (done.out, done.err) == ("interrupted\nsuccess\n", "")
