"""The limit of the benchmarks runs, and keeps the same facts as the store: the ratio to it means something."""

from __future__ import annotations

import importlib.util
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowlet.store import fitness

SMALL: dict[str, dict[str, Any]] = {
    "chain": {"length": 4},
    "fanout": {"width": 5},
    "layered": {"layers": 3, "width": 4},
    "many_runs": {"runs": 3, "length": 3},
    "io_sleep": {"width": 4, "sleep": 0.01},
    "punctual": {"schedules": 3, "seconds": 1},
}


@pytest.fixture(scope="module")
def limit() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "limit.py"
    spec = importlib.util.spec_from_file_location("limit", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES = [
    (workload, durability)
    for workload in SMALL
    for durability in ("full", "process", "memory")
    if workload != "punctual" or durability == "memory"  # one second of real time is enough
]


@pytest.mark.parametrize(("workload", "durability"), CASES)
def test_each_workload_runs_to_its_end(limit: ModuleType, workload: str, durability: str) -> None:
    figures = limit.run(workload, durability, **SMALL[workload])
    assert figures.get("fired", 3) == 3
    assert figures.get("seconds_per_task", 1) > 0


def shape(script: str | None) -> dict[str, Any]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        if script is None:
            fitness.migrate(connection, ":memory:")
        else:
            connection.executescript(script)
        columns = {
            table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for table in ("run", "task_instance", "xcom")
        }
        indexes = {table: len(connection.execute(f"PRAGMA index_list({table})").fetchall()) for table in columns}
    return {"columns": columns, "indexes": indexes}


def test_it_keeps_the_same_rows_and_indexes_as_the_store(limit: ModuleType) -> None:
    theirs = limit.SCHEMA.replace("TABLE ti ", "TABLE task_instance ").replace("REFERENCES ti ", "REFERENCES task_instance ")
    assert shape(theirs) == shape(None)


def test_it_imports_nothing_of_flowlet(limit: ModuleType) -> None:
    assert limit.__file__ is not None
    assert "import flowlet" not in Path(limit.__file__).read_text(encoding="utf-8")
    assert "from flowlet" not in Path(limit.__file__).read_text(encoding="utf-8")
