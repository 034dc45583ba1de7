"""A few iterations of the crash campaign, and proof that its checker sees what it is there for."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from campaign import child, iteration
from checker import violations


@pytest.mark.parametrize("seed", range(4))
def test_a_scheduler_that_is_killed_loses_nothing_and_does_nothing_twice(seed: int) -> None:
    assert iteration(seed) == []


@pytest.fixture
def finished(tmp_path: Path) -> tuple[Path, Path]:
    db, log = tmp_path / "flowlet.db", tmp_path / "journal"
    process: subprocess.Popen[bytes] = child(db, log, 2)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert violations(db, log) == []
    return db, log


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DELETE FROM xcom; DELETE FROM attempt; DELETE FROM task_instance; DELETE FROM run WHERE dag_id = 'work'", "is lost"),
        ("UPDATE run SET state = 'failed' WHERE dag_id = 'work'", "acknowledged end"),
        ("UPDATE attempt SET try_number = 7", "not contiguous"),
        ("UPDATE attempt SET outcome = 'interrupted', reason = 'x'", "no event explains"),
        ("UPDATE run SET state = 'running' WHERE dag_id = 'work'", "has not ended"),
    ],
)
def test_the_checker_sees(finished: tuple[Path, Path], damage: str, told: str) -> None:
    db, log = finished
    with sqlite3.connect(db) as connection:
        connection.executescript(damage)
    connection.close()
    assert any(told in text for text in violations(db, log))


def test_the_checker_sees_an_attempt_that_was_started_twice(finished: tuple[Path, Path]) -> None:
    db, log = finished
    line = next(line for line in log.read_text().splitlines() if line.startswith("body"))
    log.write_text(log.read_text() + line + "\n")
    assert any("started 2 times" in text for text in violations(db, log))
