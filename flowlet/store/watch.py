"""Is the file that is written still the one at its path? And who else has it open?

SQLite goes on writing into a database that was deleted, renamed or replaced
(https://sqlite.org/howtocorrupt.html, 4); what it acknowledges then is gone at the next start.
"""

from __future__ import annotations

import os

from flowlet.errors import StoreLost

Identity = tuple[int, int]


def identity(path: str) -> Identity:
    """(device, inode), which two names of one file share."""
    stat = os.stat(path)  # noqa: PTH116  a Path would cost more than the call, once per transaction
    return stat.st_dev, stat.st_ino


def log_size(path: str) -> int:
    """Bytes in the write-ahead log of a database; 0 if there is none."""
    try:
        return os.stat(path + "-wal").st_size  # noqa: PTH116  as above
    except FileNotFoundError:
        return 0


class Watch:
    """Remembers which files the database and its write-ahead log are."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._files = {name: identity(name) for name in (path, path + "-wal", path + "-shm")}

    def look(self) -> None:
        """Raise StoreLost when one of the files is not there any more, or another one is in its place."""
        for name, known in self._files.items():
            _compare(name, known)

    def look_at_database(self) -> None:
        """The same, of the database alone: its log comes and goes with the connections."""
        _compare(self.path, self._files[self.path])


def _compare(name: str, known: Identity) -> None:
    try:
        now = identity(name)
    except FileNotFoundError:
        raise StoreLost(
            f"{name} was deleted or renamed while this process had it open: nothing more is written."
            " Put it back or stop, then start again."
        ) from None
    if now != known:
        raise StoreLost(
            f"{name} was replaced by another file while this process had it open: nothing more is written."
            " Start again to use the file that is there now."
        )


def others_have_open(path: str) -> bool:
    """Another process holds SQLite's locks on the database (Linux: proc_locks(5)); False where that is not known."""
    device, inode = identity(path)
    wanted = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    try:
        with open("/proc/locks", encoding="ascii") as locks:  # noqa: PTH123  read once at start
            fields = [line.split() for line in locks]
    except OSError:
        return False
    mine = str(os.getpid())
    return any(row[-3] == wanted and "POSIX" in row and row[-4] != mine for row in fields if len(row) >= 8)
