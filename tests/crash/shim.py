"""The preloaded shim: built by gcc when it is needed, armed from inside a child."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_SOURCE = Path(__file__).with_name("shim.c")
_MARK = "FLOWLET_CRASH_SHIM"


def is_loaded() -> bool:
    return _MARK in os.environ


def environment() -> dict[str, str] | None:
    """What preloads the shim into a child, built for the occasion; None where there is no gcc."""
    if shutil.which("gcc") is None:
        return None
    library = Path(tempfile.mkdtemp(prefix="flowlet-shim-")) / "shim.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-Wall", "-o", library, _SOURCE, "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library), _MARK: str(library)}


def restart_with_shim(arguments: list[str]) -> None:
    """Run this program again with the shim preloaded; returns only where there is no gcc."""
    given = None if is_loaded() else environment()
    if given is not None:
        os.execve(sys.executable, [sys.executable, "-m", "tests.crash", *arguments], given)


def arm(path: Path, number: int, *, torn: bool) -> None:
    """Die at the `number`-th write or synchronisation of the file at `path` or what lies beside it."""
    ctypes.CDLL(os.environ[_MARK]).shim_arm(os.fsencode(path), ctypes.c_long(number), int(torn))


WRITE, SYNC, READ = 1, 2, 4


def fail(path: Path, calls: int, error: int, times: int = -1) -> None:
    """Let the next `times` (-1: all) of such calls on the file at `path`, or what lies beside it, fail."""
    ctypes.CDLL(os.environ[_MARK]).shim_fail(os.fsencode(path), calls, error, ctypes.c_long(times))


def heal() -> None:
    ctypes.CDLL(os.environ[_MARK]).shim_fail(b"", 0, 0, ctypes.c_long(0))
