"""What the bodies of a run print, taken from their logs while they write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowlet.worker.log_paths import LogKey
    from flowlet.worker.logs import Logs

#: How a line of a log begins: `[2026-01-31T06:00:00.000000Z] INFO stdout - `.
_START = re.compile(r"\[[^\]\s]+\] ([A-Z]+) (\S+) - ")

#: What these say is the body's own print, or a command's.
_PRINTS = frozenset({"stdout", "stderr", "flowlet.task"})


class Printed:
    """Gives each attempt's lines once, however often it is asked."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._read: dict[LogKey, int] = {}

    def news(self, key: LogKey, *, last: bool = False) -> list[str]:
        """The whole lines that an attempt has written since it was asked for; at its `last`, all."""
        start = self._read.get(key, 0)
        data = b"".join(self._logs.pieces(key, start=start))
        if not last:
            data = data[: data.rfind(b"\n") + 1]
            self._read[key] = start + len(data)
        else:
            self._read.pop(key, None)
        return [spoken(line) for line in data.decode("utf-8", "replace").splitlines()]


def spoken(line: str) -> str:
    """A line of a log as its writer meant it: prints as they are, a record with its level and logger."""
    start = _START.match(line)
    if start is None:
        return line
    level, name = start.groups()
    text = line[start.end() :]
    if name not in _PRINTS:
        return f"{level} {name}: {text}"
    return text if level == "INFO" else f"{level}: {text}"
