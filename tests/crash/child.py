"""One life of an engine on the file: what the driver starts, and mostly kills."""

from __future__ import annotations

import os
import random
import sqlite3
import traceback
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from flowlet import Engine
from flowlet.cli.stopping import two_step
from flowlet.errors import StoreLost, StoreOwned

from . import plants, shim, workload
from .journal import Journal

LOST, OWNED, BROKEN = 71, 72, 73
"""How a child ends that lost its file, never got it, or failed otherwise."""

MARK = "FLOWLET_CRASH_FILE"


@dataclass(frozen=True)
class Life:
    """What one child shall do."""

    folder: Path
    dags: int
    """Seed of the DAGs: the same for all lives of a file."""
    seed: int
    mode: str
    """One of the modes at the end of this file."""
    durability: str = "process"
    plant: str | None = None
    die_at: int = 0
    torn: bool = False

    @property
    def db(self) -> Path:
        return self.folder / "flow.db"

    @property
    def journal(self) -> Path:
        return self.folder / "journal"


def start(life: Life) -> int:
    """Fork a child; gives its pid. It never returns from here."""
    pid = os.fork()
    if pid:
        return pid
    code = BROKEN
    try:
        _redirect(life.folder / "child.log")
        code = _live(life)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
    raise AssertionError("unreachable")


def _redirect(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)


def _live(life: Life) -> int:
    os.environ[MARK] = str(life.db)
    if life.die_at:
        shim.arm(life.db, life.die_at, torn=life.torn)
    try:
        anyio.run(_run, life)
    except Exception as error:
        causes = _leaves(error)
        for kind, code in ((StoreOwned, OWNED), (StoreLost, LOST)):
            if all(isinstance(cause, kind) for cause in causes):
                return code
        raise
    return 0


def _leaves(error: BaseException) -> list[BaseException]:
    """What a group of errors consists of: each waiter of a lost file is told by itself."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for part in error.exceptions for leaf in _leaves(part)]


async def _run(life: Life) -> None:
    journal = Journal(life.journal)
    if life.plant is not None:
        plants.PLANTS[life.plant]()
    dags = workload.build(life.dags, journal)
    engine = Engine(
        life.db, dags=dags, durability=life.durability, schedules=life.mode in ("load", "tick"),
        pools={workload.POOL: workload.SLOTS}, grace=0.05 if life.seed % 2 else 5.0,
    )  # fmt: skip
    stop = anyio.Event()
    with two_step(stop.set, saying="stopping"):
        try:
            async with engine:
                journal.note("open", mode=life.mode, pid=os.getpid())
                await _until(stop, engine, life, journal)
        except StoreOwned as owned:
            journal.note("refused", pid=owned.pid, host=owned.host, text=str(owned))
            raise
        journal.note("closed")


async def _until(stop: anyio.Event, engine: Engine, life: Life, journal: Journal) -> None:
    """The mode's own end, or the first signal."""
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            await stop.wait()
            group.cancel_scope.cancel()

        group.start_soon(watch)
        await _MODES[life.mode](engine, life, journal)
        group.cancel_scope.cancel()


async def _load(engine: Engine, life: Life, journal: Journal) -> None:
    """Triggers without end, a few runs at a time, with a word in the journal for all that was answered."""
    rng = random.Random(life.seed)
    async with anyio.create_task_group() as group:
        number = 0
        while True:
            for _ in range(rng.randint(1, 3)):
                number += 1
                dag_id, run_id = f"random{rng.randrange(3)}", f"run{life.seed}-{number}"
                for _ in range(2 if rng.random() < 0.2 else 1):  # asked for twice it is the same run
                    group.start_soon(_one, engine, dag_id, run_id, number, journal)
                if rng.random() < 0.2:
                    group.start_soon(_clear, engine, dag_id, run_id, rng, journal)
                if rng.random() < 0.15:
                    group.start_soon(_cancel, engine, dag_id, run_id, rng.random() * 0.03, journal)
            await anyio.sleep(rng.random() * 0.03)


async def _few(engine: Engine, life: Life, journal: Journal) -> None:
    async with anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(_one, engine, f"random{number}", f"run{life.seed}-{number}", number, journal)


async def _one(engine: Engine, dag_id: str, run_id: str, number: int, journal: Journal) -> None:
    run = await engine.trigger(dag_id, run_id=run_id, conf={"number": number})
    journal.note("triggered", dag=dag_id, run=run_id, conf={"number": number})
    await run.wait()
    tasks = {name: str(state) for name, state in run.task_states.items()}
    journal.note("ended", dag=dag_id, run=run_id, state=str(run.state), tasks=tasks)


async def _cancel(engine: Engine, dag_id: str, run_id: str, after: float, journal: Journal) -> None:
    await anyio.sleep(after)
    with suppress(LookupError):  # it may not be there yet
        run = await engine.cancel(dag_id, run_id)
        journal.note("cancelled", dag=dag_id, run=run_id, state=str(run.state))


async def _clear(engine: Engine, dag_id: str, run_id: str, rng: random.Random, journal: Journal) -> None:
    """Now or a little later, while it runs or when it has ended: the whole run, or the first task and what follows."""
    await anyio.sleep(rng.random() * 0.08)
    which = {"task_ids": "t0", "downstream": True} if rng.random() < 0.5 else {}
    with suppress(LookupError):  # it may not be there yet
        run = await engine.run(dag_id, run_id)
        if rng.random() < 0.5:
            await run.wait()
        journal.note("clearing", dag=dag_id, run=run_id)
        if await engine.clear(dag_id, run_id, **which):
            journal.note("cleared", dag=dag_id, run=run_id)


async def _tick(engine: Engine, life: Life, journal: Journal) -> None:
    """Until a tick that came due in this life has its run, so that a hole before it can be seen."""
    before = _newest_tick(life.db)
    with anyio.fail_after(10):
        while _newest_tick(life.db) == before:  # noqa: ASYNC110  the file is looked at, as others see it
            await anyio.sleep(0.02)


async def _end(engine: Engine, life: Life, journal: Journal) -> None:
    """Let all runs end; a run that does not end is left to the driver's patience."""
    while active := _select(life.db, "SELECT dag_id, run_id FROM runs WHERE state IN ('queued', 'running')"):
        for dag_id, run_id in active:
            await (await engine.run(dag_id, run_id)).wait()


async def _race(engine: Engine, life: Life, journal: Journal) -> None:
    """Hold the file until the other has been refused."""
    with anyio.fail_after(10):
        while not (life.folder / "enough").exists():  # noqa: ASYNC110  the driver says so by a file
            await anyio.sleep(0.005)


async def _single(engine: Engine, life: Life, journal: Journal) -> None:
    """One run of the DAG that the mode names; it takes the process down, or the driver does."""
    await _one(engine, life.mode, "run", 1, journal)


def _newest_tick(db: Path) -> list[tuple[str, ...]]:
    return _select(db, f"SELECT max(until) FROM ticks WHERE dag_id = '{workload.TENTHS}'")


def _select(db: Path, sql: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=10)) as connection:
        return connection.execute(sql).fetchall()


_MODES = {
    "load": _load,
    "few": _few,
    "tick": _tick,
    "end": _end,
    "race": _race,
    workload.KILLER: _single,
    workload.SLEEPER: _single,
    workload.FORKER: _single,
}
