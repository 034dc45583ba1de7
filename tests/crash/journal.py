"""What was acknowledged, written by the child after the fact and read by the checker."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    """One line a fact. A write by O_APPEND is whole and outlives the process without an fsync."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, kind: str, **facts: Any) -> None:
        os.write(self._fd, json.dumps({"kind": kind, **facts}).encode() + b"\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The facts, in the order in which they were written."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def kinds(path: Path) -> set[str]:
    """Which kinds of facts there are by now."""
    return {fact["kind"] for fact in read(path)}
