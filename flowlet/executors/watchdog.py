"""Notices when a body blocks the loop, and names it: task, file and line.

A daemon thread that runs only while attempts execute. It lets the loop answer a heartbeat; when no answer
came for half a second it looks what the loop's thread is doing. What it saw is told once the loop is free.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Final

from flowlet.clock import SECOND, SystemClock
from flowlet.named_tuple import NamedTuple

if TYPE_CHECKING:
    from flowlet.worker.workload import Workload

#: Seconds without an answer that are told.
THRESHOLD: Final = 0.5

#: A wait of the watchdog's own that took so many seconds longer: not the loop alone stood still.
_HELD_UP: Final = 1.0

#: Seconds from a wake-up to the first heartbeat: short bodies, one after the other, wake the thread once.
_LINGER: Final = 0.05

_PACKAGE: Final = __file__.rpartition("/executors/")[0] + "/"
_LIBRARY: Final = threading.__file__.rpartition("/")[0] + "/"


class Stall(NamedTuple):
    """The loop stood still. `work` is the attempt that ran on it then, if one did; `where` is `file:line`."""

    seconds: float
    work: Workload | None
    where: str
    text: str


class Watchdog:
    """`look` says that attempts execute; the thread goes to sleep by itself when none do."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        find_work: Callable[[asyncio.Task[object] | None], Workload | None],
        is_busy: Callable[[], bool],
        stalled: Callable[[Stall], None],
        *,
        find_only: Callable[[], Workload | None] = lambda: None,
        threshold: float = THRESHOLD,
    ) -> None:
        """`find_work`: whose asyncio task it is. `find_only`: the attempt, if only one executes."""
        self._loop = loop
        self._find_work = find_work
        self._find_only = find_only
        self._is_busy = is_busy
        self._stalled = stalled
        self._threshold = threshold
        self._loop_thread = threading.get_ident()
        self._clock = SystemClock()
        self._started = False
        self._awake = False
        self._wake = threading.Event()
        self._answered = threading.Event()
        self._closed = threading.Event()
        self._found: tuple[int, Workload | None, str, str] | None = None
        """A stall that is not told yet: since when, whose, where, the sentence."""
        self._since = 0
        self._alone: Workload | None = None
        """When the watchdog's last wait began, and the attempt that executed then, if it was the only one."""

    def look(self) -> None:
        """An attempt is about to start; on the loop."""
        if self._awake or self._closed.is_set():
            return
        self._awake = True
        self._mark()
        if not self._started:
            self._started = True
            threading.Thread(target=self._watch, name="flowlet:watchdog", daemon=True).start()
        self._wake.set()

    def close(self) -> None:
        """End the thread; on the loop, which is free again, so that what was found is told before.

        So is what the thread, held up itself, has not come to see yet.
        """
        if self._awake and self._found is None and self._is_held_up():
            self._bark(held_up=True)
        self._tell()
        self._closed.set()
        self._wake.set()
        self._answered.set()

    def _watch(self) -> None:
        while not self._closed.is_set():
            self._wake.wait()
            self._wake.clear()
            self._closed.wait(_LINGER)
            if not self._was_on_time():
                return
            while self._is_busy() and not self._closed.is_set():
                if not self._beat() or not self._rest():
                    return
            self._awake = False
            if self._is_busy():  # it was said between the question and the flag
                self._awake = True
                self._wake.set()

    def _beat(self) -> bool:
        """One heartbeat; False when the loop is gone."""
        self._answered.clear()
        self._mark()
        if not self._on_loop(self._answered.set):
            return False
        in_time = self._answered.wait(self._threshold)
        held_up = self._is_held_up()
        if self._is_gone():
            return False
        if in_time and not held_up:
            return True
        self._bark(held_up=held_up)
        while not self._answered.wait(self._threshold):
            if self._is_gone():
                return False
        return self._on_loop(self._tell)

    def _rest(self) -> bool:
        """Until the next heartbeat."""
        self._mark()
        self._closed.wait(self._threshold)
        return self._was_on_time()

    def _was_on_time(self) -> bool:
        """Tell if the last wait took too long by far; False when the loop is gone."""
        if self._is_gone() or not self._is_held_up():
            return True
        self._bark(held_up=True)
        return self._on_loop(self._tell)

    def _mark(self) -> None:
        """A wait begins."""
        self._since, self._alone = self._clock.monotonic(), self._find_only()

    def _is_held_up(self) -> bool:
        return self._seconds_since(self._since) > self._threshold + _HELD_UP

    def _seconds_since(self, moment: int) -> float:
        return (self._clock.monotonic() - moment) / SECOND

    def _bark(self, *, held_up: bool) -> None:
        """Keep what is to be told, and warn now: the loop may never be free again."""
        work, where = self._suspect()
        text = _sentence(work, where)
        if held_up:
            work = work or self._alone
            text = _of_all(work, where)
        self._found = self._since, work, where, text
        logging.getLogger("flowlet.watchdog").warning("%s", text)

    def _tell(self) -> None:
        """On the loop."""
        found, self._found = self._found, None
        if found is not None:
            since, work, where, text = found
            seconds = self._seconds_since(since)
            self._stalled(Stall(seconds, work, where, f"{seconds:.1f} s: {text}"))

    def _on_loop(self, call: Callable[[], object]) -> bool:
        """Whether there is a loop that can be told."""
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            return False
        return True

    def _is_gone(self) -> bool:
        return self._closed.is_set() or self._loop.is_closed()

    def _suspect(self) -> tuple[Workload | None, str]:
        frame = sys._current_frames().get(self._loop_thread)
        try:
            task = asyncio.current_task(self._loop)
        except RuntimeError:
            task = None
        return self._find_work(task), _place_of(frame)


def _sentence(work: Workload | None, where: str) -> str:
    if work is None:
        return f"the event loop was blocked at {where}"
    return f"{_name_of(work)} blocked the event loop at {where}: use `def` for what blocks, or await it"


def _of_all(work: Workload | None, where: str) -> str:
    """When not the loop alone stood still: `where` is where the loop was found, the culprit may be any thread."""
    meanwhile = "" if work is None else f" while {_name_of(work)} executed"
    return f"the process stood still (it was stopped, or something held the GIL){meanwhile}; the loop was at {where}"


def _name_of(work: Workload) -> str:
    return f"task {work.task.task_id!r} of DAG {work.run.dag_id!r}"


def _place_of(frame: FrameType | None) -> str:
    """The innermost line of somebody's own code: neither the library's nor flowlet's."""
    innermost = frame
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_LIBRARY, _PACKAGE, "<frozen")):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return (
        f"{innermost.f_code.co_filename}:{innermost.f_lineno}"
        if innermost is not None
        else "an unknown place"
    )
