"""A log that is still written, printed as it grows (`flowlet tasks logs --follow`)."""

from __future__ import annotations

import sys
import threading
from typing import IO, TYPE_CHECKING

from flowlet.cli import exits, log_files, reading, render
from flowlet.cli.waiting import OVER

if TYPE_CHECKING:
    from pathlib import Path

    from flowlet.store import Reader

#: Seconds between two looks whether something was added: the only way across processes.
_LOOK_EVERY = 0.25


class Following:
    """Prints what is there and what is added, until the task has ended or nobody runs it."""

    def __init__(self, reader: Reader, run: reading.Run, name: str, *, as_json: bool) -> None:
        self._reader = reader
        self._run = run
        self._name = name
        self._as_json = as_json
        self._pause = threading.Event()

    def show(self, only: int | None) -> int:
        """The attempt `only`, else the last one and all that follow it."""
        try_number = only or max(self._task().try_number, 1)
        self._show_attempt(try_number)
        while only is None and self._goes_on_after(try_number):
            try_number += 1
            self._show_attempt(try_number)
        if not self._is_at_its_end() and self._is_left():
            state = self._task().state
            render.note(f"{self._name} is {state}, and no scheduler runs on this database: nothing more comes")
        return exits.OK

    def _show_attempt(self, try_number: int) -> None:
        path = self._path(try_number)
        while not path.exists():
            if self._is_over(try_number) and not path.exists():
                return
            self._pause.wait(_LOOK_EVERY)
        with log_files.open_log(path) as file:
            while not self._is_over(try_number):  # asked first: what was written before is read below
                self._print(file)
                self._pause.wait(_LOOK_EVERY)
            self._print(file)

    def _print(self, file: IO[str]) -> None:
        """All that has been added."""
        while line := file.readline(64 * 1024):
            if self._as_json:
                render.json_line({"line": line.removesuffix("\n")})
            else:
                sys.stdout.write(log_files.harmless(line) if render.is_terminal() else line)
        sys.stdout.flush()

    def _is_over(self, try_number: int) -> bool:
        """Nothing more will be written to that attempt's log."""
        task = self._task()
        waits = task.state == "up_for_retry" and task.try_number == try_number
        return waits or task.try_number > try_number or task.state in OVER or self._is_left()

    def _goes_on_after(self, try_number: int) -> bool:
        """There is, or will be, another try."""
        return self._task().try_number > try_number or not (self._is_at_its_end() or self._is_left())

    def _is_at_its_end(self) -> bool:
        return self._task().state in OVER

    def _is_left(self) -> bool:
        """No scheduler runs, so nobody goes on with the task."""
        return self._reader.owner() is None

    def _task(self) -> reading.Task:
        return reading.task(self._reader, self._run, self._name)

    def _path(self, try_number: int) -> Path:
        task = self._task()
        run = self._run
        return log_files.log_path(
            self._reader.path, run.dag_id, run.run_id, task.task_id, task.map_index, try_number
        )
