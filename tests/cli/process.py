"""A command as a process of its own, and waiting for what must happen."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
"""Seconds after which something that must happen is given up."""


@dataclass
class Done:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


def until(true: Callable[[], Any], what: str = "") -> Any:
    """Wait until something holds, and give it."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if value := true():
            return value
        pause.wait(0.01)
    raise AssertionError(f"in vain: {what or true}")


class Process:
    """A command as a process of its own, whose output is read line by line."""

    def __init__(self, words: tuple[str, ...], folder: Path, **options: Any) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLOWLET_")}
        environment |= {"PYTHONPATH": str(ROOT), **options.pop("env", {})}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a process that compiles flowlet anew is a slow one
        command = options.pop("command", [sys.executable, "-m", "flowlet"])
        self.popen = subprocess.Popen(
            [*command, *words], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=_heed_signals, **options,  # noqa: PLW1509  it takes no lock
        )  # fmt: skip
        self.pid = self.popen.pid
        self.err = ""
        self._rest = b""

    def line(self) -> str:
        """The next line of its output; empty at the end."""
        stream = self.popen.stdout
        assert stream is not None
        while b"\n" not in self._rest:
            assert select.select([stream], [], [], PATIENCE)[0], "it says nothing"
            data = os.read(stream.fileno(), 65536)
            if not data:
                return ""
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def line_with(self, text: str) -> str:
        """The next line that has a text in it."""
        while text not in (line := self.line()):
            assert line, f"it ended without saying {text!r}: {self.end().err}"
        return line

    def says(self, text: str) -> None:
        """Wait until it has written something to standard error."""
        stream = self.popen.stderr
        assert stream is not None
        while text not in self.err:
            assert select.select([stream], [], [], PATIENCE)[0], f"it does not say {text!r}: {self.err}"
            self.err += os.read(stream.fileno(), 65536).decode()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self, within: float = PATIENCE) -> Done:
        """Wait for its end."""
        out, err = self.popen.communicate(timeout=within)
        return Done(self.popen.returncode, (self._rest + out).decode(), _calm(self.err + err.decode()))


def _heed_signals() -> None:
    """Under nohup, or in the background of a script, a process inherits that some are ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _calm(text: str) -> str:
    """Without what the watchdog says of a machine that is busy with other things."""
    busy = ("event loop was blocked", "blocked the event loop", "the process stood still")
    return "".join(line for line in text.splitlines(keepends=True) if not any(words in line for words in busy))
