"""The log of an attempt: a plain text file, made when something is written, with a limit."""

from __future__ import annotations

import logging
import os
import sys
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flowlet.authoring.context import CURRENT
from flowlet.worker.secrets import mask

if TYPE_CHECKING:
    from flowlet.worker.workload import Workload

LIMIT = 10 * 1024 * 1024
LINE_LIMIT = 16 * 1024
PART_LIMIT = 200
MEMORY_LIMIT = 256
_CUT = "... the log was cut here: its limit is reached\n"


def safe_part(text: str) -> str:
    """One part of a path: percent-encoded, cut with a hash at 200 bytes, never `.` or `..`."""
    part = quote(text, safe="_-.+:~@=")
    if part in (".", ".."):
        part = part.replace(".", "%2E")
    if len(part) > PART_LIMIT:
        from hashlib import sha256

        part = part[: PART_LIMIT - 17] + "-" + sha256(text.encode()).hexdigest()[:16]
    return part


def log_path(folder: Path, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> Path:
    """Where the log of an attempt is, if it wrote one."""
    task = safe_part(task_id) + (f".{map_index}" if map_index >= 0 else "")
    return folder / safe_part(dag_id) / safe_part(run_id) / task / f"{try_number}.log"


class AttemptLog:
    """Takes text; opens its file at the first. A disk that fails never fails the task."""

    __slots__ = ("_file", "_path", "failed", "lines", "written")

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: Any = None
        self.lines: list[str] | None = [] if path is None else None
        self.written = 0
        self.failed: str | None = None

    def write(self, text: str) -> None:
        if self.failed is not None or self.written > LIMIT:
            return
        text = mask(text)
        if len(text) > LINE_LIMIT and "\n" not in text[:LINE_LIMIT]:
            text = text[:LINE_LIMIT] + " ... (line cut)\n"
        self.written += len(text)
        self._put(text if self.written <= LIMIT else _CUT)

    def _put(self, text: str) -> None:
        if self.lines is not None:
            self.lines.append(text)
            return
        try:
            if self._file is None:
                self._file = _open(self._path)  # type: ignore[arg-type]  # a log without a path keeps lines
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            self.failed = f"the log could not be written: {error}"

    def close(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self.failed = self.failed or f"the log could not be written: {error}"
            self._file = None


def _open(path: Path) -> Any:
    _private_folder(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123  a descriptor


def _private_folder(folder: Path) -> None:
    """0700, and so is every folder that is made on the way (Path.mkdir gives parents the umask's mode)."""
    if not folder.is_dir():
        _private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


class Logs:
    """All attempt logs of an engine; in memory (bounded) without a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._kept: OrderedDict[tuple[str, str, str, int, int], AttemptLog] = OrderedDict()

    def of(self, work: Workload) -> AttemptLog:
        run = work.run
        key = (run.dag_id, run.run_id, work.task.task_id, work.map_index, work.try_number)
        if self.folder is not None:
            return AttemptLog(log_path(self.folder, *key))
        log = self._kept.get(key)
        if log is None:
            log = self._kept[key] = AttemptLog(None)
            while len(self._kept) > MEMORY_LIMIT:
                self._kept.popitem(last=False)
        return log

    def text(self, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> str:
        """What an attempt wrote."""
        key = (dag_id, run_id, task_id, map_index, try_number)
        if self.folder is None:
            log = self._kept.get(key)
            return "".join(log.lines or ()) if log is not None else ""
        path = log_path(self.folder, *key)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


class _ToAttempt(logging.Handler):
    """Writes records to an attempt's log."""

    def __init__(self, log: AttemptLog) -> None:
        super().__init__()
        self._log = log
        self.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s - %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._log.write(self.format(record) + "\n")
        except Exception:
            return


class TaskLogger(logging.Logger):
    """`ti.log`: INFO and up always stand in the attempt's log."""

    def __init__(self, log: AttemptLog) -> None:
        super().__init__("flowlet.task", logging.INFO)
        self.addHandler(_ToAttempt(log))
        self.propagate = False


def _current_log() -> AttemptLog | None:
    context = CURRENT.get(None)
    return None if context is None else context["ti"]._worker.attempt_log(context["ti"]._work)


class Capture:
    """While open: records (and, with "all", prints) made in an attempt's context go to its log too."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._factory: Any = None
        self._mine: Any = None
        self._streams: tuple[Any, Any] | None = None

    def open(self) -> None:
        before = self._factory = logging.getLogRecordFactory()

        def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record: logging.LogRecord = before(*args, **kwargs)
            if record.name and record.name != "flowlet.task":
                _tee(record)
            return record

        self._mine = factory
        logging.setLogRecordFactory(factory)
        if self._mode == "all":
            self._streams = sys.stdout, sys.stderr
            sys.stdout, sys.stderr = _Routed(sys.stdout), _Routed(sys.stderr)

    def close(self) -> None:
        if logging.getLogRecordFactory() is self._mine:
            logging.setLogRecordFactory(self._factory)
        if self._streams is not None:
            if isinstance(sys.stdout, _Routed):
                sys.stdout = self._streams[0]
            if isinstance(sys.stderr, _Routed):
                sys.stderr = self._streams[1]
            self._streams = None


def _tee(record: logging.LogRecord) -> None:
    log = _current_log()
    if log is None:
        return
    try:
        log.write(_FORMAT.format(record) + "\n")
    except Exception:
        return


_FORMAT = logging.Formatter("[%(asctime)s] %(name)s %(levelname)s - %(message)s")


class _Routed:
    """A stream whose text goes to the attempt that writes it, or to the stream that stood here before."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        log = _current_log()
        if log is None:
            return int(self._stream.write(text))
        log.write(text)
        return len(text)

    def flush(self) -> None:
        if _current_log() is None:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
