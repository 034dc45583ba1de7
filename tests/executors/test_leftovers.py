"""What a killed engine left running is found by its marker, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from flowlet.executors.leftovers import find_leftovers, kill_leftovers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="leftovers are found through /proc")


def sleeper(marker: str) -> subprocess.Popen[str]:
    """A process that says when it runs, and then waits to be killed."""
    process = subprocess.Popen(
        ["sh", "-c", "echo up; exec sleep 60"],
        env={**os.environ, "FLOWLET_ATTEMPT": marker},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process


def test_only_processes_of_another_engine_on_this_file_are_killed() -> None:
    dead_engine, own, other = (
        sleeper("/data/a.db/1"),
        sleeper(f"/data/a.db/{os.getpid()}"),
        sleeper("/data/b.db/1"),
    )
    try:
        assert find_leftovers("/data/a.db") == [dead_engine.pid]
        assert kill_leftovers("/data/a.db") == [dead_engine.pid]
        assert dead_engine.wait(timeout=10) < 0
        assert own.poll() is None
        assert other.poll() is None
    finally:
        for process in (dead_engine, own, other):
            process.kill()
            process.wait()
