"""Standard output, written on a thread of its own: who reads slowly, or not at all, holds nobody up."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from typing import TextIO

#: Characters that may wait to be written. What is more is left out, and counted.
MOST_WAITING = 32 * 1024 * 1024

_STDOUT, _STDERR = 1, 2


class Writer:
    """Writes lines in the order in which they are said. Saying never blocks and never raises.

    A pipe whose reader has left (`| head`) is not written any more; of a disk that is full `trouble` tells.
    Made before the engine opens, while `sys.stdout` is the process's own. `alone`: until it is closed all else
    that writes to standard output, commands that bodies start for instance, writes to standard error instead.
    """

    def __init__(self, file: TextIO | None = None, *, alone: bool = False) -> None:
        self.trouble: OSError | None = None
        """Why nothing is written any more, unless the reader has just left."""
        self._sink = _Sink(sys.stdout if file is None else file, alone=alone)
        self._texts: deque[str] = deque()
        self._waiting = self._left_out = 0
        self._news = threading.Condition()
        self._closing = self._deserted = False
        self._thread: threading.Thread | None = None

    def say(self, text: str) -> None:
        """A line, or several."""
        with self._news:
            if self._deserted or self._closing:
                return
            if self._waiting > MOST_WAITING:
                self._left_out += 1 + text.count("\n")
                return
            self._texts.append(text)
            self._waiting += len(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_all, name="flowlet:writer", daemon=True)
                self._thread.start()
            self._news.notify()

    def close(self, within: float | None = None) -> None:
        """Wait until all is written, or for so many seconds."""
        with self._news:
            self._closing = True
            self._news.notify()
        if self._thread is not None:
            self._thread.join(within)
        if self._thread is None or not self._thread.is_alive():
            self._sink.close()

    # -- on the thread -----------------------------------------------------------------------------------

    def _write_all(self) -> None:
        while (text := self._next()) is not None:
            try:
                self._sink.write(text)
            except (OSError, ValueError) as error:  # ValueError: somebody closed the file
                self._give_up(error)
                return

    def _next(self) -> str | None:
        """All that waits, as one text; None at the end."""
        with self._news:
            while not self._texts:
                if self._closing:
                    return None
                self._news.wait()
            lines = [*self._texts]
            if self._left_out:
                lines.append(f"... {self._left_out:,} lines are left out here: they were not read in time")
            self._texts.clear()
            self._waiting = self._left_out = 0
        return "\n".join(lines) + "\n"

    def _give_up(self, error: OSError | ValueError) -> None:
        with self._news:
            self._deserted = True
            self._texts.clear()
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            self.trouble = error


class _Sink:
    """Writes text at once and whole, past the file's buffer: its lock would be held while a reader is slow,
    and the interpreter could not end.
    """

    def __init__(self, file: TextIO, *, alone: bool) -> None:
        self._file = file
        self._reserved = False
        try:
            self._descriptor = file.fileno()
            file.flush()
        except (OSError, ValueError, AttributeError):  # in memory; one that is closed tells when it is written
            self._descriptor = -1
        if alone and self._descriptor == _STDOUT:
            self._descriptor, self._reserved = os.dup(_STDOUT), True
            os.dup2(_STDERR, _STDOUT)

    def close(self) -> None:
        """Give standard output back."""
        if self._reserved:
            self._reserved = False
            os.dup2(self._descriptor, _STDOUT)
            os.close(self._descriptor)

    def write(self, text: str) -> None:
        if self._descriptor < 0:
            self._file.write(text)
            self._file.flush()
            return
        data = memoryview(text.encode(self._file.encoding or "utf-8", "backslashreplace"))
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # whoever made the pipe made it so
                select.select([], [self._descriptor], [])
