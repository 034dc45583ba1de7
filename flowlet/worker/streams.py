"""stdout, stderr, the root logger and new threads of a process that is flowlet's own.

What a body prints goes to its attempt's log, from threads that it starts too; all else where it went before.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from flowlet.worker.attempt import ATTEMPT


class StreamRoute:
    """Takes the streams when it is made; `close` puts back what is still ours."""

    def __init__(self) -> None:
        self._before: tuple[Any, Any] = (sys.stdout, sys.stderr)
        self._routed = _Routed(sys.stdout, "stdout"), _Routed(sys.stderr, "stderr")
        sys.stdout, sys.stderr = self._routed
        self._take_root_logger()
        self._start = threading.Thread.start
        self._carry = _carrying(self._start)
        threading.Thread.start = self._carry  # type: ignore[method-assign, assignment]  # put back at the end

    def _take_root_logger(self) -> None:
        """INFO and up are captured, and not printed a second time by a handler of the root logger.

        With a handler of ours a `logging.basicConfig` in somebody's file finds its work done.
        """
        root = logging.getLogger()
        self._level = root.level
        self._taken = [one for one in root.handlers if getattr(one, "stream", None) in self._before]
        for handler in self._taken:
            root.removeHandler(handler)
        self._handler = _Outside(self._taken)
        root.addHandler(self._handler)
        if root.level > logging.INFO:
            root.setLevel(logging.INFO)

    def repair(self) -> None:
        """Streams that a body set to None print again."""
        if sys.stdout is None:
            sys.stdout = self._routed[0]
        if sys.stderr is None:
            sys.stderr = self._routed[1]

    def close(self) -> None:
        """Put back what is still ours."""
        if sys.stdout in (self._routed[0], None):
            sys.stdout = self._before[0]
        if sys.stderr in (self._routed[1], None):
            sys.stderr = self._before[1]
        root = logging.getLogger()
        root.removeHandler(self._handler)
        for handler in self._taken:
            root.addHandler(handler)
        if root.level == logging.INFO:
            root.setLevel(self._level)
        if threading.Thread.start is self._carry:
            threading.Thread.start = self._start  # type: ignore[method-assign]  # as it was


class _Outside(logging.Handler):
    """What is logged outside of attempts goes where it went before: to the handlers taken, or to stderr."""

    def __init__(self, taken: list[logging.Handler]) -> None:
        super().__init__()
        last = logging.lastResort
        self._others = taken or ([last] if last is not None else [])

    def emit(self, record: logging.LogRecord) -> None:
        if ATTEMPT.get() is None:
            for handler in self._others:
                if record.levelno >= handler.level:
                    handler.handle(record)


def _carrying(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """Thread.start that lets the new thread run in the attempt's context, if a body starts it."""

    def start_in_attempt(thread: threading.Thread) -> None:
        if ATTEMPT.get() is not None:
            context, run = copy_context(), thread.run

            def run_in_context() -> None:
                del thread.run  # no circle of the thread and its own method
                context.run(run)

            thread.run = run_in_context  # type: ignore[method-assign]  # for this thread only
        start(thread)

    return start_in_attempt


class _Routed(io.TextIOBase):
    """A stream whose text goes to the log of the attempt that writes it, or else to the stream before it."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream = stream
        self._name = name
        self._bytes = _RoutedBytes(self)

    @property
    def buffer(self) -> _RoutedBytes:
        """For bytes."""
        return self._bytes

    def write(self, text: str) -> int:
        attempt = ATTEMPT.get()
        if attempt is None:
            return int(self._stream.write(text)) if self._stream is not None else len(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        attempt.worker.log_of(attempt).stream(self._name, text)
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Bytes that are no text are shown with backslashes."""
        if ATTEMPT.get() is not None:
            self.write(data.decode("utf-8", "backslashreplace"))
        elif self._stream is not None:
            self._stream.buffer.write(data)

    def flush(self) -> None:
        if ATTEMPT.get() is None and self._stream is not None:
            self._stream.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return ATTEMPT.get() is None and self._stream is not None and bool(self._stream.isatty())

    def fileno(self) -> int:
        """The descriptor of the stream before: a process that a body starts writes there."""
        return int(self._stream.fileno())

    def close(self) -> None:
        """A body that closes its stdout closes nobody else's."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only is enough
        return getattr(self._stream, "encoding", None) or "utf-8"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _RoutedBytes(io.RawIOBase):
    """`sys.stdout.buffer`."""

    def __init__(self, text: _Routed) -> None:
        self._text = text

    def write(self, data: Any) -> int:
        data = bytes(data)
        self._text.write_bytes(data)
        return len(data)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self._text.flush()

    def close(self) -> None:
        """As the text's."""
