"""Where the log of an attempt is: `<folder>/<dag>/<run>/<task>[.<index>]/<try>.log`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from flowlet.named_tuple import NamedTuple

_PART_LIMIT: Final = 200
_SAFE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+:~@=")


class LogKey(NamedTuple):
    """Whose log it is."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int


def safe_part(text: str) -> str:
    """One part of a path: percent-encoded, cut with a hash at 200 bytes, never `.` or `..`."""
    data = text.encode("utf-8", "surrogatepass")
    part = "".join([chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in data])
    if part in (".", ".."):
        part = part.replace(".", "%2E")
    if len(part) > _PART_LIMIT:
        from hashlib import sha256

        part = f"{part[: _PART_LIMIT - 17]}-{sha256(data).hexdigest()[:16]}"
    return part


def log_parts(key: LogKey) -> tuple[str, str, str, str]:
    """The parts of the path below the folder.

    The last dot of a task id like `a.1` is encoded, so that it is not the index 1 of `a`.
    """
    task = safe_part(key.task_id)
    head, dot, tail = task.rpartition(".")
    if dot and tail.isdigit():
        task = f"{head}%2E{tail}"
    if key.map_index >= 0:
        task = f"{task}.{key.map_index}"
    return safe_part(key.dag_id), safe_part(key.run_id), task, f"{key.try_number}.log"


def remove_runs(folder: Path, runs: Iterable[tuple[str, str]]) -> None:
    """Delete all logs of these (dag_id, run_id). No link is followed; what cannot be deleted stays."""
    import shutil

    for dag_id, run_id in runs:
        try:
            here = os.open(folder / safe_part(dag_id), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # nothing was ever written there
        try:
            shutil.rmtree(safe_part(run_id), ignore_errors=True, dir_fd=here)
        finally:
            os.close(here)


def open_below(folder: Path, parts: tuple[str, ...]) -> int:
    """The file for appending, for its owner alone, folders made as needed; no link below the folder is followed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            try:
                os.mkdir(part, 0o700, dir_fd=here)
            except FileExistsError:
                pass
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = inner
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(parts[-1], flags, 0o600, dir_fd=here)
    finally:
        os.close(here)
