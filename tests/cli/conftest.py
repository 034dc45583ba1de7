"""A folder of a user's own, and the command line in it: in this process, or as a real one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowlet.cli.main import main

from .process import Done, Process


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user works; no setting of the machine's reaches it."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FLOWLET_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[str, str], Path]:
    """Make a file of DAGs; the usual imports stand at its top, in one line."""

    def write(name: str, source: str) -> Path:
        path = folder / name
        path.write_text(
            "import os, sys, time; from datetime import datetime, timedelta; from pathlib import Path;"
            " from flowlet import *; from flowlet import DAG, task\n" + source
        )
        return path

    return write


@pytest.fixture
def flowlet(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """A command, carried out in this process."""

    def flowlet(*words: str) -> Done:
        capsys.readouterr()
        status = main(words)
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return flowlet


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Process]]:
    """Start a command as a process; those that are left at the end of the test are killed."""
    started: list[Process] = []

    def start(*words: str, **options: Any) -> Process:
        started.append(Process(words, folder, **options))
        return started[-1]

    yield start
    for process in started:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.communicate()
