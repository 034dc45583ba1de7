"""The benchmarks run, and print what they measured beside the limit. No test asserts a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def measured(script: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), "--json", *arguments], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_tasks_are_measured_beside_the_limit() -> None:
    figures = measured("tasks.py", "--only", "chain", "--rounds", "1")["figures"]
    assert {(row["bodies"], row["durability"]) for row in figures} == {
        (kind, durability) for kind in ("async", "def") for durability in ("full", "process")
    }
    assert all(row["limit"] > 0 and row["ratio"] > 0 for row in figures)


def test_a_simulated_day_accounts_for_every_tick() -> None:
    found = measured("simulated_year.py", "--days", "1", "--dags", "5")
    assert found["ticks_by_outcome"].keys() <= {"ran", "late", "coalesced", "skipped"}
    assert found["ticks"] >= 5 * 24
