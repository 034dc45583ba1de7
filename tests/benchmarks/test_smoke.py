"""The benchmarks run, and print what they measured beside the limit. No test asserts a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
REPOSITORY = BENCHMARKS.parent


def measured(script: str, *arguments: str) -> Any:
    command = [sys.executable, str(BENCHMARKS / script), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def figures(script: str, *arguments: str) -> dict[str, dict[str, Any]]:
    """What it measured, by name."""
    return {figure["what"]: figure for figure in measured(script, *arguments)["figures"]}


def test_tasks_are_measured_beside_the_limit() -> None:
    found = figures("tasks.py", "--only", "chain", "--rounds", "1")
    assert found.keys() == {
        f"chain, {kind} bodies, {durability}" for kind in ("async", "def") for durability in ("full", "process")
    }
    assert all(figure["limit"] > 0 and figure["ratio"] > 0 for figure in found.values())


def test_a_simulated_day_accounts_for_every_tick() -> None:
    found = measured("simulated_year.py", "--days", "1", "--dags", "5")
    assert found["ticks_by_outcome"].keys() <= {"ran", "late", "coalesced", "skipped"}
    assert found["ticks"] >= 5 * 24


def test_a_whole_process_is_measured_as_a_program_and_as_a_command() -> None:
    found = figures("hello.py", "--rounds", "1")
    assert found.keys() == {"hello, library", "hello, flowlet run FILE", "bare Python"}
    assert all(figure["flowlet"] > found["bare Python"]["flowlet"] for name, figure in found.items() if "hello" in name)


def test_an_import_is_measured_beside_the_libraries_that_it_loads() -> None:
    found = figures("imports.py", "--rounds", "1")
    assert "from flowlet import DAG, Engine, task" in found
    assert all(figure["limit"] > 0 for figure in found.values())


def test_an_idle_engine_writes_nothing() -> None:
    found = figures("idle.py", "--dags", "5", "--seconds", "1")
    written = {name: figure["flowlet"] for name, figure in found.items() if name.endswith(("transactions", "log"))}
    assert len(written) == 2 and set(written.values()) == {0}


def test_every_tick_of_a_second_fires_and_its_lateness_is_told() -> None:
    found = figures("punctual.py", "--schedules", "3", "--seconds", "1", "--durability", "process")
    fired = {name: figure for name, figure in found.items() if name.endswith("fired")}
    assert {figure["flowlet"] for figure in fired.values()} == {3}
    assert {figure["limit"] for figure in fired.values()} == {3}


def test_a_trigger_is_measured_up_to_its_first_body() -> None:
    found = figures("trigger.py", "--triggers", "3")
    assert all(figure["flowlet"] > 0 and figure["limit"] > 0 for figure in found.values())


def test_growth_is_measured_in_tasks_history_and_dags() -> None:
    found = figures("grow.py", "--largest", "300", "--history", "2000", "--dags", "20", "--rounds", "1")
    assert {name for name in found if not name.startswith(" ")} == {
        "3 tasks", "30 tasks", "300 tasks", "30 tasks after 0 finished ones", "30 tasks after 2,000 finished ones",
        "30 tasks beside 1 DAGs", "30 tasks beside 2 DAGs", "30 tasks beside 20 DAGs",
    }  # fmt: skip


def test_the_peak_of_memory_is_the_processs_own() -> None:
    found = figures("memory.py", "--width", "3", "--tasks", "300")
    assert set(found) == {"peak memory, fanout of 3", "peak memory, layered of 300"}
    assert all(figure["flowlet"] > figure["limit"] > 5 for figure in found.values())


@pytest.mark.parametrize("history", [0, 1, 1000, 2001])
def test_the_history_that_growth_is_measured_on_is_a_sound_file(history: int, tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import grow
from flowlet import Engine

async def live():
    async with Engine("f.db"):
        pass
    grow.fill("f.db", "task_instance", {history})
    async with Engine("f.db") as engine:
        problems = await engine._store.check()
        (counts,) = [await engine._store.fetch("run_counts")]
        assert sum(row[2] for row in counts) == ({history} + 999) // 1000, counts
        assert not problems, problems

asyncio.run(live())
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
