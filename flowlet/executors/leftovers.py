"""Processes that attempts of a killed engine left running: found by a marker in their environment.

Linux only (/proc/PID/environ, proc(5)); elsewhere none are found. A process without the marker is never
touched, whatever its number was before.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path


def find_leftovers(marker: str, *, variable: str = "FLOWLET_ATTEMPT") -> list[int]:
    """Processes of this database's attempts whose engine was another process than this one."""
    wanted, mine = f"{variable}={marker}/".encode(), str(os.getpid()).encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended, or it is somebody else's
        if any(entry.startswith(wanted) and entry[len(wanted) :] != mine for entry in environment):
            found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


def kill_leftovers(marker: str) -> list[int]:
    """Kill them before their attempts start again; gives their numbers."""
    leftovers = find_leftovers(marker)
    for pid in leftovers:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue  # it has ended meanwhile
    return leftovers
