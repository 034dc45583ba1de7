"""What a killed engine left running is found by its marker, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from flowlet.executors import leftovers
from flowlet.executors.leftovers import find_leftovers, kill_leftovers
from flowlet.worker.environment import life

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
    of_the_dead = [sleeper("/data/a.db/1.ab"), sleeper(f"/data/a.db/{os.getpid()}.earlier")]
    spared = [sleeper(f"/data/a.db/{life()}"), sleeper("/data/b.db/1.ab"), sleeper("/data/a.db"), sleeper("")]
    try:
        assert find_leftovers("/data/a.db") == sorted(process.pid for process in of_the_dead)
        assert kill_leftovers("/data/a.db") == sorted(process.pid for process in of_the_dead)
        assert [process.wait(timeout=10) for process in of_the_dead] == [-9, -9]
        assert [process.poll() for process in spared] == [None] * 4
        assert kill_leftovers("/data/a.db") == []
    finally:
        for process in (*of_the_dead, *spared):
            process.kill()
            process.wait()


def test_an_engine_that_a_leftover_started_spares_itself_and_its_parents() -> None:
    story = "from flowlet.executors.leftovers import kill_leftovers; print(kill_leftovers('/data/a.db'))"
    script = f'"{sys.executable}" -c "{story}"; echo alive'
    result = subprocess.run(
        ["sh", "-c", script], env={**os.environ, "FLOWLET_ATTEMPT": "/data/a.db/1.ab"},
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert result.stdout == "[]\nalive\n"


def test_a_number_that_became_anothers_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    innocent = sleeper("")
    try:
        monkeypatch.setattr(leftovers, "find_leftovers", lambda _: [innocent.pid])
        assert kill_leftovers("/data/a.db") == []
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_where_there_is_no_proc_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> list[str]:
        raise FileNotFoundError

    monkeypatch.setattr(os, "listdir", refuse)
    assert find_leftovers("/data/a.db") == []
