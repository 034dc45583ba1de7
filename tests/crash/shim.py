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


def restart_with_shim(arguments: list[str]) -> None:
    """Run this program again with the shim preloaded; returns only where there is no gcc."""
    if is_loaded() or shutil.which("gcc") is None:
        return
    library = Path(tempfile.mkdtemp(prefix="flowlet-shim-")) / "shim.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-Wall", "-o", library, _SOURCE, "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), _MARK: str(library)}
    os.execve(sys.executable, [sys.executable, "-m", "tests.crash", *arguments], environment)


def arm(path: Path, number: int, *, torn: bool) -> None:
    """Die at the `number`-th write or synchronisation of the file at `path` or what lies beside it."""
    ctypes.CDLL(os.environ[_MARK]).shim_arm(os.fsencode(path), ctypes.c_long(number), int(torn))
