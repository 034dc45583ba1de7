"""What was acknowledged, written by the child after the fact and read by the checker."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    """One line a fact. A write by O_APPEND outlives the process without an fsync; one that SIGKILL cut short, which
    it can at the end of a page, is a fact that nobody was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, kind: str, **facts: Any) -> None:
        os.write(self._fd, b"\n" + json.dumps({"kind": kind, **facts}).encode() + b"\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The facts, in the order in which they were written."""
    if not path.exists():
        return []
    return [fact for line in path.read_text().splitlines() if (fact := _whole(line)) is not None]


def _whole(line: str) -> dict[str, Any] | None:
    try:
        fact: dict[str, Any] = json.loads(line)
    except ValueError:  # empty, or cut short
        return None
    return fact


def kinds(path: Path) -> set[str]:
    """Which kinds of facts there are by now."""
    return {fact["kind"] for fact in read(path)}
