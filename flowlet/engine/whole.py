"""A whole run in one call: `await dag.run()` and `dag.test()`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowlet.clock import SystemClock, VirtualClock, from_micros
from flowlet.engine.engine import _UNSET, Engine, loop_is_running

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.engine.run import DagRun


async def run_dag(
    dag: DAG,
    *,
    conf: Mapping[str, Any] | None = None,
    logical_date: datetime | str | None = _UNSET,
    run_id: str | None = None,
    db: str | Path = ":memory:",
    **options: Any,
) -> DagRun:
    """Run the DAG now and wait for its end. `options` are the Engine's."""
    options = {"schedules": False, "durability": "process" if str(db) == ":memory:" else "full", **options}
    async with Engine(db, dags=[dag], **options) as engine:
        run = await engine.trigger(dag.dag_id, conf=conf, logical_date=logical_date, run_id=run_id)
        return await run.wait()


def test_dag(
    dag: DAG,
    *,
    logical_date: datetime | str | None = _UNSET,
    conf: Mapping[str, Any] | None = None,
    run_conf: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    db: str | Path = ":memory:",
    **options: Any,
) -> DagRun:
    """Run the DAG in this call: sequentially, without limits, its waits on a virtual clock.

    Bodies, their own sleeps and execution_timeout take real time; retry delays and the waits of sensors
    take none. Works inside a running loop too (in a thread of its own). On a file (`db`) it sees the runs that
    are there: the run before, earlier values, the runs of other DAGs. Its time begins where theirs ends, which
    is ahead of the day's where they waited; its logical date is the day's.
    """
    if "clock" not in options:
        now = SystemClock().now()
        options["clock"] = VirtualClock(max(now, _end_of_history(db) + 1), auto=True)
        if str(db) != ":memory:" and logical_date is _UNSET:
            logical_date = from_micros(now)
    options = {"executor": "SequentialExecutor", "unlimited": True, "control": False, **options}
    coroutine = run_dag(
        dag, conf=conf if conf is not None else run_conf, logical_date=logical_date, run_id=run_id, db=db, **options
    )
    if not loop_is_running():
        return asyncio.run(coroutine)
    return _in_a_thread(coroutine)


def _end_of_history(db: str | Path) -> int:
    """The last moment of the runs on file."""
    if str(db) == ":memory:" or not Path(db).exists():
        return 0
    from flowlet.store import Reader

    with Reader(db) as reader:
        return reader.fetch("last_moment")[0][0] or 0


def _in_a_thread(coroutine: Coroutine[Any, Any, DagRun]) -> DagRun:
    """Block until the coroutine has ended on a loop of its own: the caller's loop is running."""
    box: list[Any] = []

    def call() -> None:
        try:
            box.append((asyncio.run(coroutine), None))
        except BaseException as error:
            box.append((None, error))

    thread = threading.Thread(target=call, name="flowlet:test", daemon=True)
    thread.start()
    thread.join()
    run, error = box[0]
    if error is not None:
        raise error
    result: DagRun = run
    return result
