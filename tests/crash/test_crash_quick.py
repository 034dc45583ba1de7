"""A short selection of the crash campaign; the long one is `python -m tests.crash --help`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(180)

_ROOT = Path(__file__).parents[2]


def campaign(*arguments: str) -> str:
    """Run a campaign in a process of its own: it forks, which a test's process should not."""
    command = [sys.executable, "-m", "tests.crash", *arguments]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_scheduler_killed_at_random_moments_loses_nothing_and_does_nothing_twice() -> None:
    assert "4 iterations, 0 with violations" in campaign("--iterations", "4", "--seed", "1")


def test_a_former_owner_that_wakes_up_writes_no_more() -> None:
    assert "1 iterations, 0 with violations" in campaign("--iterations", "1", "--seed", "1", "--former-owner")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the shim is built by gcc")
def test_a_kill_at_a_write_or_synchronisation_and_during_recovery_breaks_nothing() -> None:
    assert "12 iterations, 0 with violations" in campaign("--sweep", "12", "--step", "13")


@pytest.mark.parametrize("bug", ["no_state_guard", "start_before_commit"])
def test_a_planted_bug_is_revealed(bug: str) -> None:
    assert "1 with violations" in campaign("--iterations", "4", "--seed", "3", "--plant", bug)


def test_an_outcome_written_twice_is_refused_by_the_guard() -> None:
    assert "2 iterations, 0 with violations" in campaign(
        "--iterations", "2", "--seed", "3", "--plant", "deliver_twice", "--expect-none"
    )
