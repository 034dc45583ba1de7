"""Reading a file that may be anything: a folder, a pipe, a device, a broken link, a gigabyte."""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: Larger files are refused: nobody writes a DAG of that size, and compiling it would stop the process.
MAX_BYTES = 8 * 1024 * 1024


class UnreadableError(Exception):
    """The path is no file of source text; `str()` says why and what to do."""


def read_source(path: Path) -> bytes:
    """The bytes of a regular file; never blocks on what is none. UnreadableError says what is in the way."""
    # Opened without blocking, judged by its descriptor: what was looked at is what is read.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableError(_why_not_opened(path, error)) from None
    try:
        return _read(descriptor)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError(f"is {_kind(status.st_mode)}, not a file: name a Python file")
    if status.st_size > MAX_BYTES:
        raise UnreadableError(_too_large(status.st_size))
    with open(descriptor, "rb", closefd=False) as file:
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise UnreadableError(_too_large(len(text)))
    return text


def _why_not_opened(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        if path.is_symlink():
            return f"is a symbolic link to {path.readlink()}, which does not exist"
        return "does not exist"
    if path.is_socket():
        return "is a socket, not a file: name a Python file"
    return f"cannot be opened: {error.strerror}"


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")


def _too_large(size: int) -> str:
    return f"has {size:,} bytes; a file of DAGs may have {MAX_BYTES:,}: keep its data in a file of their own"
