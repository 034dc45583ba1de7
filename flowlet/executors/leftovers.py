"""Processes that attempts of a killed engine left running: found by a marker in their environment.

Linux only (/proc/PID/environ, proc(5)); elsewhere none are found. A process without the marker is never
touched, whatever its number was before; nor is this process, nor one that it descends from.
"""

from __future__ import annotations

import os
import signal

from flowlet.worker.environment import MARKER, life


def find_leftovers(marker: str) -> list[int]:
    """Processes that an attempt with this marker started in an earlier life of its engine."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  hundreds of names
    except OSError:
        return []
    own = _lineage()
    return [pid for pid in sorted(pids) if pid not in own and _is_leftover(pid, marker)]


def kill_leftovers(marker: str) -> list[int]:
    """Kill them, before their attempts start again; gives their numbers."""
    return [pid for pid in find_leftovers(marker) if _kill(pid, marker)]


def _is_leftover(pid: int, marker: str) -> bool:
    prefix = f"{MARKER}={marker}/".encode()
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123  a Path costs more than the reading
            entries = file.read().split(b"\0")
    except OSError:  # it has ended, or it is somebody else's
        return False
    return any(entry.startswith(prefix) and entry != prefix + life().encode() for entry in entries)


def _kill(pid: int, marker: str) -> bool:
    """Kill that very process: its number may be another's by now, so it is held and looked at again."""
    try:
        held = os.pidfd_open(pid)
    except OSError:  # it has ended
        return False
    try:
        if not _is_leftover(pid, marker):
            return False
        signal.pidfd_send_signal(held, signal.SIGKILL)
        return True
    except OSError:
        return False
    finally:
        os.close(held)


def _lineage() -> frozenset[int]:
    """This process and those that it descends from."""
    found, pid = {os.getpid()}, os.getppid()
    while pid > 1 and pid not in found:
        found.add(pid)
        pid = _parent_of(pid)
    return frozenset(found)


def _parent_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  as above
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
