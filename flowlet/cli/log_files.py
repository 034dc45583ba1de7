"""The logs of attempts: where they are, and how they are read without holding them in memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from flowlet.cli import exits
from flowlet.cli.exits import CommandError

_PIECE = 64 * 1024
# What a terminal obeys: all control characters but tab, newline and the sequences that set colours.
_COMMANDS = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


def log_path(db: str, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> Path:
    """Where the log of an attempt is, if it wrote one."""
    from flowlet.worker.logs import log_path as path_in

    return path_in(log_folder(db), dag_id, run_id, task_id, map_index, try_number)


def log_folder(db: str) -> Path:
    """Where all logs of a database are."""
    return Path(os.path.realpath(db) + ".logs")


def pieces(path: Path) -> Iterator[str]:
    """A log, piece by piece. Links are not followed: a log is a file of our own."""
    with open_log(path) as file:
        while piece := file.read(_PIECE):
            yield piece


def lines(path: Path) -> Iterator[str]:
    """A log, line by line; a line without end comes in parts."""
    with open_log(path) as file:
        while line := file.readline(_PIECE):
            yield line.removesuffix("\n")


def open_log(path: Path) -> IO[str]:
    """The log as text."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CommandError(f"the log {path} cannot be read: {error.strerror}", exits.USAGE) from None
    return open(descriptor, encoding="utf-8", errors="replace")  # noqa: PTH123  a descriptor has no Path


def harmless(text: str) -> str:
    """For a terminal: colours stay, what moves the cursor or asks the terminal goes."""
    return _COMMANDS.sub("", text)
