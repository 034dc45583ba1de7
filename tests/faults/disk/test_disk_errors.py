"""The disk is full, gives errors or is read-only while an engine works: what the user sees, and what stays true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.crash import shim

ROOT = Path(__file__).parents[3]

SCENARIOS = (
    "heals:full", "heals:full once", "heals:quota", "heals:write", "heals:write once", "heals:sync", "heals:sync once",
    "heals:read and write", "heals:read-only", "heals:logs full", "stays:full", "stays:write", "stays:sync",
    "starts:full", "starts:write", "starts:sync", "starts:read-only", "reads:",
)  # fmt: skip

Seen = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Scenario to what a child saw in it, which lived through all of them."""
    preloaded = shim.environment()
    if preloaded is None:
        pytest.skip("the shim that lets calls fail is built by gcc")
    folder = tmp_path_factory.mktemp("disk")
    command = [sys.executable, "-m", "tests.faults.disk.child", str(folder), *SCENARIOS]
    environment = {**preloaded, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


SENTENCES = {
    "full": ("storage_full", "database or disk is full (SQLITE_FULL); free some space on its disk"),
    "quota": ("storage_faulty", "look at the disk, its quota"),
    "write": ("storage_faulty", "(SQLITE_IOERR_WRITE); look at the disk"),
    "sync": ("storage_faulty", "(SQLITE_IOERR_FSYNC); look at the disk"),
    "read and write": ("storage_faulty", "it is opened anew and checked before it is written again"),
    "read-only": ("storage_faulty", "whether it became read-only"),
}

ONCE_EACH = [["first", 1, "succeeded"], ["second", 1, "succeeded"], ["third", 1, "succeeded"]]
XCOMS = [["first", 20_002], ["second", 5], ["third", 5]]


@pytest.mark.parametrize("fault", SENTENCES)
def test_while_nothing_can_be_written_nothing_starts_and_the_user_is_told(seen: Seen, fault: str) -> None:
    found, (kind, words) = seen[f"heals:{fault}"], SENTENCES[fault]
    assert found["meanwhile"] == ["first"]
    told, text = found["heard"][0]
    assert told == kind
    assert text.startswith("nothing can be written, and no task starts, until this is over: ")
    assert found["db"] in text
    assert words in text
    assert found["trouble"] == text


@pytest.mark.parametrize("fault", [*SENTENCES, "full once", "write once", "sync once"])
def test_when_it_works_again_the_run_goes_on_by_itself_and_nothing_is_lost(seen: Seen, fault: str) -> None:
    found = seen[f"heals:{fault}"]
    assert found["bodies"] == ["first", "second", "third"]
    assert found["run"] == [["success"]]
    assert found["attempts"] == ONCE_EACH
    assert found["xcoms"] == XCOMS
    assert found["integrity"] == [["ok"]]


@pytest.mark.parametrize("fault", [*SENTENCES, "full once", "write once", "sync once"])
def test_an_event_explains_afterwards_since_when_and_why(seen: Seen, fault: str) -> None:
    found = seen[f"heals:{fault}"]
    ((kind, text),) = found["events"]
    assert kind == SENTENCES[fault.removesuffix(" once")][0]
    assert text.startswith("nothing could be written since 2")
    assert "now it can; nothing is lost" in text
    assert [kind for kind, _ in found["heard"]] == [kind, kind]


def test_a_log_that_cannot_be_written_fails_no_task_and_is_told(seen: Seen) -> None:
    found = seen["heals:logs full"]
    assert (found["meanwhile"], found["trouble"]) == (["first", "second", "third"], None)
    assert (found["run"], found["attempts"]) == ([["success"]], ONCE_EACH)
    assert found["events"] == [["log_truncated", "the log could not be written any further: No space left on device"]]


@pytest.mark.parametrize(("fault", "error"), [("full", "StoreFull"), ("write", "StoreFaulty"), ("sync", "StoreFaulty")])
def test_an_engine_whose_disk_never_heals_ends_all_the_same_and_the_next_one_goes_on(seen: Seen, fault: str, error: str) -> None:
    """A body whose outcome never came onto the disk is run again; one whose outcome did is not."""
    found = seen[f"stays:{fault}"]
    assert found["ended"].startswith(f"{error}: {found['db']}")
    assert found["run"] == [["success"]]
    assert found["xcoms"] == XCOMS
    again = [name for name, _, outcome in found["attempts"] if outcome == "interrupted"]
    assert [name for name, _, outcome in found["attempts"] if outcome == "succeeded"] == ["first", "second", "third"]
    assert len(found["bodies"]) <= 3 + len(again)
    assert {kind for kind, _ in found["events"]} == {"recovered"}
    assert found["integrity"] == [["ok"]]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("full", "No space left on device; free some space"),
        ("write", "Input/output error"),
        ("read-only", "Read-only file system"),
    ],
)
def test_an_engine_that_cannot_begin_says_why_and_can_begin_later(seen: Seen, fault: str, words: str) -> None:
    """On a new file and on one that exists."""
    for text in seen[f"starts:{fault}"]["said"]:
        assert text.startswith(f"StoreError: {seen[f'starts:{fault}']['db']}.lock cannot be written: ")
        assert words in text


def test_a_file_that_cannot_be_made_safe_at_the_start_is_not_used(seen: Seen) -> None:
    new, old = seen["starts:sync"]["said"]
    assert "cannot be made: Input/output error" in new
    assert old.startswith(f"StoreFaulty: {seen['starts:sync']['db']}: ")


def test_whoever_asks_for_what_cannot_be_read_is_told_and_the_engine_works_on(seen: Seen) -> None:
    found = seen["reads:"]
    assert all(found["db"] in text and "disk" in text for text in found["said"])
    assert found["again"] == "success"
