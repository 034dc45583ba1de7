"""Starts children, ends them, lets the last one end everything, and asks the checker."""

from __future__ import annotations

import os
import select
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import child, journal
from .checker import Violation, check
from .child import MARK, Life

PATIENCE = 30.0
"""Seconds within which a child without faults must end everything."""


@dataclass
class Result:
    """What came of one file."""

    found: list[Violation] = field(default_factory=list)
    kills: int = 0
    acknowledged: int = 0

    def add(self, other: Result) -> None:
        self.found += other.found
        self.kills += other.kills
        self.acknowledged += other.acknowledged

    def broken(self, invariant: str, what: str) -> None:
        self.found.append(Violation(invariant, what))

    def count(self, *invariants: str) -> int:
        return sum(violation.invariant in invariants for violation in self.found)


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


def wait_for(life: Life, kind: str, pid: int, seconds: float = PATIENCE) -> int | None:
    """Until a fact of that kind is told; or the code with which the child ended before."""
    code, left = None, seconds
    while kind not in journal.kinds(life.journal) and code is None and left > 0:
        code, left = wait(pid, 0.01), left - 0.01
    return code


def live(life: Life, seconds: float = PATIENCE) -> Result:
    """A life without a fault: it must end by itself, well and in time."""
    result, pid = Result(), child.start(life)
    code = wait(pid, seconds)
    if code is None:
        kill(pid)
        result.broken("I10", f"mode {life.mode} did not end within {seconds:g} s")
    else:
        judge(result, life, code)
    return result


def judge(result: Result, life: Life, code: int, *expected: int) -> None:
    """A child ends well, or by SIGKILL, or as it is expected to."""
    if code not in (0, -signal.SIGKILL, *expected):
        log = (life.folder / "child.log").read_text(errors="replace")
        result.broken("child", f"mode {life.mode} ended with {code}:\n{log[-3000:]}")


def finish(life: Life, *, ticks: bool, patience: float = PATIENCE) -> Result:
    """The faults are over: a tick, the end of all runs, and the checker's word."""
    result = live(replace(life, mode="tick", die_at=0), patience) if ticks else Result()
    result.add(live(replace(life, mode="end", die_at=0), patience))
    if not life.db.exists():
        result.broken("I9", "there is no database")
        return result
    report = check(life.db, life.journal, mark=MARK)
    result.found += report.violations
    result.acknowledged = report.acknowledged
    return result
