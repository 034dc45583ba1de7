"""Routes what a body logs, and if wanted prints, to its attempt's log; all else goes where it went before.

capture="logging" changes one thing of the process: the factory of log records, while an engine is open.
No handler, level or stream of the program is touched: records that its levels let pass are captured.
capture="all" is for processes of flowlet's own; see `flowlet.worker.streams`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flowlet.worker.attempt import ATTEMPT

if TYPE_CHECKING:
    from flowlet.worker.logs import AttemptLog
    from flowlet.worker.streams import StreamRoute

#: The logger of `ti.log`; its records reach their log directly.
TASK_LOGGER = "flowlet.task"

_lock = threading.Lock()
_open: dict[str, int] = {"logging": 0, "all": 0}
_records: _RecordRoute | None = None
_streams: StreamRoute | None = None


def open_capture(mode: str) -> None:
    """Begin; several engines of one process share it."""
    global _records, _streams  # noqa: PLW0603  the streams and the factory are the process's
    with _lock:
        _open[mode] += 1
        if _records is None:
            _records = _RecordRoute()
        if mode == "all" and _streams is None:
            from flowlet.worker.streams import StreamRoute

            _streams = StreamRoute()


def close_capture(mode: str) -> None:
    """End; the last one puts back what is still ours."""
    global _records, _streams  # noqa: PLW0603  as above
    with _lock:
        _open[mode] -= 1
        if not _open["all"] and _streams is not None:
            _streams.close()
            _streams = None
        if not any(_open.values()) and _records is not None:
            _records.close()
            _records = None


def repair_streams() -> None:
    """A body may have set sys.stdout to None for the whole process: later attempts print again."""
    if _streams is not None:
        _streams.repair()


def write_record(log: AttemptLog, record: logging.LogRecord) -> None:
    """A record as lines of the log; one that cannot be formatted never disturbs whoever logs."""
    if log.full:
        return
    try:
        log.line(record.levelname, record.name, _text_of(record))
    except Exception:  # an object's own methods, or the interpreter at its end, may raise anything
        return


def _text_of(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception as problem:
        text = f"{record.msg!r}, with arguments that do not fit it ({type(problem).__name__})"
    problem_logged = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if problem_logged is not None:
        from flowlet.worker.tracebacks import readable_traceback

        text = f"{text}\n{readable_traceback(problem_logged)}"
    return f"{text}\n{record.stack_info}" if record.stack_info else text


class TaskLogger(logging.Logger):
    """`ti.log`: records of INFO and up stand in the attempt's log, whatever the program's levels are.

    They go on to the program's own logger `flowlet.task`, as far as its level lets them.
    """

    def __init__(self, find_log: Callable[[], AttemptLog]) -> None:
        super().__init__(TASK_LOGGER, logging.INFO)
        self._find_log = find_log

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  logging's name
        """A record that nobody would keep is not even made: a million of them may come after the log was cut."""
        return super().isEnabledFor(level) and (
            not self._find_log().full or logging.getLogger(TASK_LOGGER).isEnabledFor(level)
        )

    def handle(self, record: logging.LogRecord) -> None:
        write_record(self._find_log(), record)
        outer = logging.getLogger(TASK_LOGGER)
        if outer.isEnabledFor(record.levelno):
            outer.handle(record)


class _RecordRoute:
    """The factory of log records: makes what the one before it makes, and shows it to the attempt's log."""

    def __init__(self) -> None:
        logging.getLogger("flowlet").addHandler(_NOWHERE)
        self._before: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()
        self._active = True
        self._mine = self._make
        logging.setLogRecordFactory(self._mine)

    def _make(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._before(*args, **kwargs)
        if self._active:
            attempt = ATTEMPT.get()
            if attempt is not None and record.name and record.name != TASK_LOGGER:
                write_record(attempt.worker.log_of(attempt), record)
        return record

    def close(self) -> None:
        """Take it back, or fall silent if somebody has put a factory around it since."""
        self._active = False
        logging.getLogger("flowlet").removeHandler(_NOWHERE)
        if logging.getLogRecordFactory() is self._mine:
            logging.setLogRecordFactory(self._before)


#: A library's logger has one, so that its records are not printed for want of a handler.
_NOWHERE = logging.NullHandler()
