"""Starts children, kills them, lets the last one end everything, and asks the checker."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from . import child
from .checker import Violation, check
from .child import LOST, MARK, Life

PATIENCE = 30.0
"""Seconds within which a child without faults must end everything."""


@contextmanager
def workplace(name: str, *, keep: bool) -> Iterator[Path]:
    """A folder for one file; kept when asked, to look at a violation."""
    folder = Path(tempfile.mkdtemp(prefix=f"flowlet-crash-{name}-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def wait(pid: int, seconds: float) -> int | None:
    """The exit code of a child (negative: its signal), or None if it lives on after `seconds`."""
    pidfd = os.pidfd_open(pid)
    try:
        if not select.select([pidfd], [], [], seconds)[0]:
            return None
    finally:
        os.close(pidfd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def live(life: Life, seconds: float = PATIENCE) -> list[Violation]:
    """A life without a fault: it must end by itself, well and in time."""
    pid = child.start(life)
    code = wait(pid, seconds)
    if code is None:
        kill(pid)
        return [Violation("I10", f"mode {life.mode} did not end within {seconds:g} s")]
    return _judge(life, code)


def _judge(life: Life, code: int) -> list[Violation]:
    if code in (0, -signal.SIGKILL):
        return []
    log = (life.folder / "child.log").read_text(errors="replace")
    return [Violation("child", f"mode {life.mode} ended with {code}:\n{log[-3000:]}")]


def finish(life: Life, *, ticks: bool, patience: float = PATIENCE) -> list[Violation]:
    """The faults are over: a tick, the end of all runs, and the checker's word."""
    found = live(replace(life, mode="tick", die_at=0), patience) if ticks else []
    found += live(replace(life, mode="end", die_at=0), patience)
    return found + check(life.db, life.journal, mark=MARK)


def random_kills(
    folder: Path, seed: int, *, plant: str | None = None, patience: float = PATIENCE
) -> list[Violation]:
    """F1: 2 to 6 lives under load, each killed after 0 to 300 ms."""
    rng = random.Random(seed)
    life = Life(folder, dags=seed, seed=0, mode="load", durability=rng.choice(("full", "process")), plant=plant)
    found: list[Violation] = []
    for number in range(rng.randint(2, 6)):
        one = replace(life, seed=number + 1)
        pid = child.start(one)
        code = wait(pid, rng.random() * 0.3)
        if code is None:
            kill(pid)
        else:
            found += _judge(one, code)
    return found + finish(life, ticks=True, patience=patience)


def shim_point(
    folder: Path, number: int, seed: int, *, torn: bool, again: tuple[int, ...] = ()
) -> tuple[bool, list[Violation]]:
    """F2, F3: die at the number-th write, then at those of `again` in the recoveries. False: none was reached."""
    life = Life(folder, dags=seed, seed=0, mode="few", durability="full", torn=torn)
    died = False
    found: list[Violation] = []
    for level, point in enumerate((number, *again)):
        one = replace(life, seed=level + 1, die_at=point)
        pid = child.start(one)
        code = wait(pid, PATIENCE)
        if code is None:
            kill(pid)
            found.append(Violation("I10", f"the life that dies at write {point} did not end"))
        else:
            found += _judge(one, code)
            died |= level == 0 and code == -signal.SIGKILL
    return died, found + finish(life, ticks=False)


def former_owner(folder: Path, seed: int, *, plant: str | None = None) -> list[Violation]:
    """F8, F27: an owner is stopped, its lock file is lost, another works; the first wakes and must write no more."""
    life = Life(folder, dags=seed, seed=1, mode="load", plant=plant)
    first = child.start(life)
    while "open" not in _kinds(life):
        if (code := wait(first, 0.02)) is not None:
            return [Violation("child", f"the first owner ended with {code}")]
    for _ in range(10):
        wait(first, 0.1)
        os.kill(first, signal.SIGSTOP)
        life.db.with_name("flow.db.lock").unlink(missing_ok=True)
        found = live(replace(life, seed=2, mode="tick"))
        os.kill(first, signal.SIGCONT)
        if not any("SQLITE_BUSY" in violation.what for violation in found):
            break  # else it was stopped inside a transaction: it still owns the file, and nobody took over
    code = wait(first, 5.0)
    if code is None:
        kill(first)
    if code != LOST:
        how = "is still there after 5 s" if code is None else f"ended with {code}"
        found.append(Violation("I3", f"a former owner did not notice that it lost the file: it {how}"))
    return found + finish(life, ticks=True)


def _kinds(life: Life) -> set[str]:
    from . import journal

    return {fact["kind"] for fact in journal.read(life.journal)}
