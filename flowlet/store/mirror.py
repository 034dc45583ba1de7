"""The sequence number of the last transaction, kept beside the database.

A write-ahead log that lost its end, or a database that was put back from a copy, looks sound to SQLite:
only a number kept elsewhere tells. It is written after the transaction is on disk, so it is never ahead
of a file that lost nothing, wherever a crash falls.
"""

from __future__ import annotations

import os

from flowlet.named_tuple import NamedTuple

_DIGITS = 20


class Noted(NamedTuple):
    """What a mirror says: the birth mark of the database it belongs to, and the sequence."""

    birth: str
    seq: int


class Mirror:
    """The open file `<database>.seq`: one line, overwritten in place, shorter than a disk's sector."""

    def __init__(self, path: str, birth: str) -> None:
        self.path = mirror_path(path)
        self._prefix = birth.encode() + b" "
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def note(self, seq: int) -> None:
        """Remember. A disk without space is the database's to report, not the mirror's."""
        try:
            os.pwrite(self._descriptor, b"%s%0*d\n" % (self._prefix, _DIGITS, seq), 0)
        except OSError:
            return

    def sync(self) -> None:
        """Onto the disk."""
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            return

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def mirror_path(path: str) -> str:
    return path + ".seq"


def read_mirror(path: str) -> Noted | None:
    """What stands beside a database; None if nothing does, or nothing that can be read."""
    try:
        descriptor = os.open(mirror_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        words = os.pread(descriptor, 512, 0).split()
    finally:
        os.close(descriptor)
    if len(words) != 2 or len(words[1]) != _DIGITS or not words[1].isdigit():
        return None
    return Noted(words[0].decode(errors="replace"), int(words[1]))
