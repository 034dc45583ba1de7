"""What the operators' stories share: a DAG of a few tasks through the whole engine, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)

Story = dict[str, Any]


class Told:
    """What a run came to: states, tries, errors, reasons, XComs; and, where a folder was given, its logs."""

    def __init__(self, story: Story, logs: Path | None) -> None:
        self.story = story
        self.state: str = story["state"]
        self.tasks: dict[str, str] = story["tasks"]
        self.tries: dict[str, int] = story["tries"]
        self.errors: dict[str, list[str]] = story["errors"]
        self.reasons: dict[str, str] = story["reasons"]
        self._logs = logs

    def xcom(self, task_id: str, key: str = "return_value") -> Any:
        return self.story["xcoms"][f"{task_id}:{key}"]

    def pushed(self, task_id: str) -> set[str]:
        """The keys of what a task pushed."""
        return {name.rpartition(":")[2] for name in self.story["xcoms"] if name.startswith(f"{task_id}:")}

    def log(self, task_id: str, try_number: int = 1) -> str:
        assert self._logs is not None
        (path,) = self._logs.rglob(f"{task_id}/{try_number}.log")
        return path.read_text()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Told]:
    """Run a DAG to its end; with `logs=True` on a file, so that its logs can be read."""

    def run(dag: DAG, *, logs: bool = False, **options: Any) -> Told:
        if logs:
            options.update(db=tmp_path / "flowlet.db", durability="process")
        options.setdefault("logical_date", NEW_YEAR)
        story = dag.test(**options).as_dict()
        return Told(story, tmp_path / "flowlet.db.logs" if logs else None)

    return run
