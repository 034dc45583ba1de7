"""The logs of attempts: plain text files, each made when something is written, bounded, secrets masked.

A disk that fails never fails a task: its log ends there, and the attempt says so in a note.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flowlet.clock import iso
from flowlet.worker.log_paths import LogKey, log_parts, open_below
from flowlet.worker.secrets import SECRETS

if TYPE_CHECKING:
    from flowlet.clock import Clock

#: The most bytes of one attempt's log, and characters of one line of it.
LIMIT: Final = 10 * 1024 * 1024
LONGEST_LINE: Final = 16 * 1024

#: A line is masked this far beyond its limit before it is cut, so that no half of a secret is left.
_MARGIN: Final = 4096
_CUT: Final = f"... the log was cut here: it reached its limit of {LIMIT // 1024 // 1024} MiB\n".encode()
_LINE_CUT: Final = " ... (the line was cut)"

#: Logs that hold their file open between two writes.
MOST_OPEN: Final = 64

#: The most bytes of all logs that are held in memory.
MEMORY_LIMIT: Final = 32 * 1024 * 1024
_PIECE: Final = 64 * 1024


def log_path(folder: Path, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> Path:
    """Where the log of an attempt is, if it wrote one."""
    return folder.joinpath(*log_parts(LogKey(dag_id, run_id, task_id, map_index, try_number)))


class AttemptLog:
    """Takes whole lines, or text of a stream that comes in any pieces. Safe for several threads."""

    __slots__ = ("_clock", "_ended", "_lock", "_open_lines", "_sink", "_size", "cut", "trouble")

    def __init__(self, sink: _File | _Buffer, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._lock = threading.RLock()  # a line may be written while one is: a signal's handler logs too
        self._open_lines: dict[str, _Pieces] = {}
        self._ended = False
        self._size = sink.size()
        self.cut = self._size >= LIMIT
        self.trouble: str | None = None
        """Why nothing more can be written, if so."""

    @property
    def full(self) -> bool:
        """Nothing more will be written: whoever has work to do for a line can leave it."""
        return self.cut or self.trouble is not None

    def line(self, level: str, name: str, text: str) -> None:
        """A record: its first line gets time, level and name; the others follow as they are."""
        if self.full:
            return
        body = limited(text)
        with self._lock:
            self._put(f"[{iso(self._clock.now())}] {level} {name} - {body}\n")

    def stream(self, name: str, text: str) -> None:
        """What was written to a stream: kept until its line ends, so that secrets are seen whole."""
        if self.full:
            return
        with self._lock:
            pieces = self._open_lines.setdefault(name, _Pieces())
            if "\n" not in text and pieces.size + len(text) <= LONGEST_LINE + _MARGIN:
                pieces.add(text)
                return
            *whole, rest = (pieces.take() + text[: LIMIT + _MARGIN]).split("\n")
            if len(rest) > LONGEST_LINE + _MARGIN:
                whole.append(rest)
                rest = ""
            self._put_lines(name, whole)
            pieces.add(rest)

    def close(self, *, for_good: bool = True) -> None:
        """Write what has no line's end yet, and let go of the file. What comes later still is appended.

        `for_good`: nothing is expected any more, so what comes nevertheless never keeps the file open.
        """
        with self._lock:
            for name, pieces in self._open_lines.items():
                if rest := pieces.take():
                    self._put_lines(name, [rest])
            self._ended = for_good
            self._sink.close()

    def _put_lines(self, name: str, lines: list[str]) -> None:
        start = f"[{iso(self._clock.now())}] INFO {name} - "
        self._put("".join(f"{start}{limited(line)}\n" for line in lines))

    def _put(self, text: str) -> None:
        if self.full:
            return
        data = text.encode("utf-8", "backslashreplace")
        if self._size + len(data) > LIMIT:
            self.cut = True
            whole = data[: max(0, LIMIT - self._size)].rpartition(b"\n")[0]
            data = whole + b"\n" + _CUT if whole else _CUT
        self._size += len(data)
        try:
            self._sink.write(data)
            if self._ended:
                self._sink.close()
        except OSError as problem:
            self.trouble = f"the log could not be written any further: {problem.strerror or problem}"


class _Pieces:
    """A line that has not ended, as it was written: put together once, however small its pieces are."""

    __slots__ = ("_pieces", "size")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.size = 0

    def add(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self.size += len(text)

    def take(self) -> str:
        """All of it; then there is nothing."""
        text, self._pieces, self.size = "".join(self._pieces), [], 0
        return text


def limited(text: str) -> str:
    """Masked first, then each line cut to its limit."""
    if len(text) <= LONGEST_LINE:
        return SECRETS.mask(text)
    text = SECRETS.mask(text[: LIMIT + _MARGIN] if "\n" in text else text[: LONGEST_LINE + _MARGIN])
    return "\n".join(_cut_line(line) for line in text.split("\n"))


def _cut_line(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + _LINE_CUT


class _File:
    """Bytes go to a file, opened at the first and again when more comes after it was closed.

    While very many are open at once each is closed after every write: descriptors are for the bodies.
    """

    __slots__ = ("_descriptor", "_folder", "_parts")

    open_now = 0

    def __init__(self, folder: Path, parts: tuple[str, ...]) -> None:
        self._folder = folder
        self._parts = parts
        self._descriptor = -1

    def size(self) -> int:
        try:
            return self._folder.joinpath(*self._parts).lstat().st_size
        except OSError:
            return 0

    def write(self, data: bytes) -> None:
        if self._descriptor < 0:
            self._descriptor = open_below(self._folder, self._parts)
            _File.open_now += 1
        while data:
            data = data[os.write(self._descriptor, data) :]
        if _File.open_now > MOST_OPEN:
            self.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            _File.open_now -= 1
            try:
                os.close(descriptor)
            except OSError:  # a body may have closed any descriptor
                pass


class _Buffer:
    """Bytes go to memory that the Logs hold."""

    __slots__ = ("_logs", "data")

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self.data = bytearray()

    def size(self) -> int:
        return len(self.data)

    def write(self, data: bytes) -> None:
        self.data += data
        self._logs.grew(len(data))

    def close(self) -> None:
        """Nothing to let go of."""


class Logs:
    """The logs of one engine: below a folder, or in memory without one; there the oldest go first."""

    def __init__(self, folder: Path | None, *, memory_limit: int = MEMORY_LIMIT) -> None:
        self.folder = None if folder is None else Path(os.path.abspath(folder))  # noqa: PTH100  a body may change the cwd; links stay
        self._memory_limit = memory_limit
        self._kept: OrderedDict[LogKey, _Buffer] = OrderedDict()
        self._size = 0
        self._lock = threading.RLock()

    def open(self, key: LogKey, clock: Clock) -> AttemptLog:
        """The log of an attempt, to be written. Makes nothing on disk."""
        if self.folder is not None:
            return AttemptLog(_File(self.folder, log_parts(key)), clock)
        with self._lock:
            buffer = self._kept.get(key)
            if buffer is None:
                buffer = self._kept[key] = _Buffer(self)
        return AttemptLog(buffer, clock)

    def grew(self, size: int) -> None:
        """A buffer took more bytes: the oldest go while all are too many."""
        with self._lock:
            self._size += size
            while self._size > self._memory_limit and len(self._kept) > 1:
                _, oldest = self._kept.popitem(last=False)
                self._size -= len(oldest.data)

    def pieces(self, key: LogKey, *, start: int = 0) -> Iterator[bytes]:
        """What an attempt wrote, from byte `start` on, piece by piece; nothing if it wrote nothing."""
        if self.folder is None:
            buffer = self._kept.get(key)
            if buffer is not None:
                yield bytes(buffer.data[start:])
            return
        try:
            path = self.folder.joinpath(*log_parts(key))
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123  a descriptor has no Path
            file.seek(start)
            while piece := file.read(_PIECE):
                yield piece

    def text(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, try_number: int = 1) -> str:
        """All that an attempt wrote."""
        key = LogKey(dag_id, run_id, task_id, map_index, try_number)
        return b"".join(self.pieces(key)).decode("utf-8", "replace")
