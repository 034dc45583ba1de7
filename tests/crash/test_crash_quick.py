"""A short selection of the crash campaign; the long one is `python -m tests.crash --help`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(240)

_ROOT = Path(__file__).parents[2]


def campaign(*arguments: str) -> str:
    """Run a campaign in a process of its own: it forks, which a test's process should not."""
    command = [sys.executable, "-m", "tests.crash", *arguments]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=230, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_whatever_ends_a_scheduler_nothing_is_lost_and_nothing_is_done_twice() -> None:
    """Random kills, signals, races for a file, a task that kills its process, commands and forks that outlive
    their engine, a former owner."""
    assert "7 iterations, 0 with violations" in campaign("--each", "--seed", "1")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the shim is built by gcc")
def test_a_kill_at_a_write_or_synchronisation_and_during_recovery_breaks_nothing() -> None:
    assert "6 iterations, 0 with violations" in campaign("--sweep", "6", "--step", "23")


@pytest.mark.parametrize("bug", ["no_state_guard", "start_before_commit", "no_crash_bound"])
def test_a_planted_bug_is_revealed(bug: str) -> None:
    assert "1 with violations" in campaign("--iterations", "40", "--seed", "4", "--plant", bug)


def test_an_outcome_written_twice_is_refused_by_the_guard() -> None:
    arguments = ("--iterations", "1", "--seed", "4", "--plant", "deliver_twice", "--expect-none")
    assert "1 iterations, 0 with violations" in campaign(*arguments)
