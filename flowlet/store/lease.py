"""One scheduler per file: a lock on a file of its own beside the database.

The kernel's flock on `<database>.lock` is the lease: it goes when the process dies, however it dies.
What stands in the file is for people and for the command line: who owns the database, and where its
control socket is. The database itself is never locked nor opened outside SQLite, whose locks a plain
close() would drop (https://sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path
from typing import Any
from weakref import WeakSet

from flowlet.errors import StoreError, StoreOwned

_PATIENCE = 20
_PAUSE = 0.01


class Lease:
    """Held from `take` to `release`, or to the end of the process."""

    def __init__(self, path: str, descriptor: int, facts: dict[str, Any]) -> None:
        self.path = path
        self._descriptor = descriptor
        self._facts = facts
        _HELD.add(self)

    @classmethod
    def take(cls, path: str, *, since: str, control: str | None) -> Lease:
        """Own the database at `path` (a real path), or raise StoreOwned at once."""
        descriptor = _open(lock_path(path))
        try:
            _lock(path, descriptor)
            lease = cls(path, descriptor, _facts(since, control))
        except BaseException:
            os.close(descriptor)
            raise
        try:
            lease._write()
        except OSError as error:
            lease.drop()
            raise StoreError(f"{lock_path(path)} cannot be written: {error.strerror}; free some space, look at the disk") from error
        return lease

    def publish(self, control: str | None) -> None:
        """Tell where the control socket is."""
        self._facts["control"] = control
        self._write()

    def release(self) -> None:
        """Give the database free. The lock file stays: removing it would let two owners in."""
        if self._descriptor < 0:
            return
        self._facts = {}
        try:
            self._write()
        except OSError:  # a disk that fails or is full: the lock is free all the same
            pass
        finally:
            self.drop()

    def drop(self) -> None:
        """Close the descriptor; in a forked child this leaves the parent's lock alone."""
        descriptor, self._descriptor = self._descriptor, -1
        _HELD.discard(self)
        if descriptor >= 0:
            os.close(descriptor)

    def _write(self) -> None:
        text = json.dumps(self._facts).encode() + b"\n"
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))


def owner_of(path: str) -> dict[str, Any] | None:
    """Who owns the database at `path`: pid, host, since, control, started; None if nobody does."""
    try:
        descriptor = os.open(lock_path(os.path.realpath(path)), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{error.filename} cannot be read: {error.strerror}; who owns the database is not known") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)
    finally:
        os.close(descriptor)
    return None


def lock_path(path: str) -> str:
    """Where the lease of a database (a real path) is."""
    return path + ".lock"


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be made: {error.strerror}; the database's folder must be writable") from error


def _lock(path: str, descriptor: int) -> None:
    """Take the lock. Somebody who only looks (owner_of) holds it for an instant: those are waited out."""
    pause = threading.Event()
    for _ in range(_PATIENCE):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            facts = _read(descriptor)
            if _lives(facts):
                break
            pause.wait(_PAUSE)
        except OSError as error:
            raise StoreError(f"{lock_path(path)} cannot be locked: {error.strerror}; use a local disk") from error
    facts = _read(descriptor)
    raise StoreOwned(path, facts.get("pid"), facts.get("host"), facts.get("since"))


def _facts(since: str, control: str | None) -> dict[str, Any]:
    pid = os.getpid()
    return {"pid": pid, "host": os.uname().nodename, "since": since, "control": control, "started": _started(pid)}


def _read(descriptor: int) -> dict[str, Any]:
    try:
        facts = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _lives(facts: dict[str, Any]) -> bool:
    """The process that wrote the facts runs still (on this host, not one that got its pid later)."""
    pid = facts.get("pid")
    if not isinstance(pid, int) or facts.get("host") != os.uname().nodename:
        return False
    started = _started(pid)
    return started is not None and started == facts.get("started")


def _started(pid: int) -> int | None:
    """When a process began, in ticks since boot: field 22 of proc(5)'s stat, after the name in brackets."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


_HELD: WeakSet[Lease] = WeakSet()


def _forget_in_child() -> None:
    """A forked child must not keep the lease alive when its parent dies."""
    for lease in list(_HELD):
        lease.drop()


os.register_at_fork(after_in_child=_forget_in_child)
