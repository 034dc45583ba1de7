"""A command in a process group of its own: its output line by line, its end within bounded time."""

from __future__ import annotations

import asyncio
import codecs
import errno
import os
import signal
from collections.abc import Callable, Mapping, Sequence

from flowlet.errors import XComError

CHUNK = 16 * 1024
LONGEST_LOG_LINE = 64 * 1024
LONGEST_LAST_LINE = 16 * 1024 * 1024

#: Seconds from TERM to KILL, and from KILL to giving up on a process that the kernel does not let go.
GRACE = 5.0


#: The most seconds between two tries to start a process when the system has none to give.
LONGEST_PAUSE = 5.0
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


class Lines:
    """Cuts output into lines as it comes. Memory is bounded: a very long line is logged in pieces."""

    def __init__(self, encoding: str, log: Callable[[str], None], *, keep: int = LONGEST_LAST_LINE) -> None:
        self._decode = codecs.getincrementaldecoder(encoding)(errors="backslashreplace").decode
        self._log = log
        self._keep = keep  # characters of the last line that are kept
        self._open = ""  # the part of the current line that is not logged yet
        self._kept: list[str] = []  # the parts of it that are logged
        self._size = 0  # characters in all of them, those not kept included
        self._last = ""
        self._last_size = 0

    def feed(self, data: bytes, *, final: bool = False) -> None:
        """More output; `final` at its end."""
        *whole, rest = (self._open + self._decode(data, final)).split("\n")
        for line in whole:
            self._open = line
            self._end_line()
        self._open = rest
        while len(self._open) > LONGEST_LOG_LINE:
            self._log_piece(self._open[:LONGEST_LOG_LINE])
            self._open = self._open[LONGEST_LOG_LINE:]
        if final and (self._open or self._size):
            self._end_line()

    def _log_piece(self, piece: str) -> None:
        self._log(piece)
        if self._size < self._keep:
            self._kept.append(piece)
        self._size += len(piece)

    def _end_line(self) -> None:
        line = self._open.rstrip()
        if self._size:
            self._log_piece(line)
            self._last, self._last_size = "".join(self._kept), self._size
            self._kept, self._size = [], 0
        else:
            self._log(line)
            self._last, self._last_size = line, len(line)
        self._open = ""

    @property
    def last(self) -> str:
        """The last line, without the spaces at its end; XComError if it is too long to hold."""
        if self._last_size > self._keep:
            raise XComError(
                f"the last line of output has {self._last_size:,} characters, at most {self._keep:,} fit into"
                " an XCom: print less, or use do_xcom_push=False"
            )
        return self._last


#: The process groups of commands that run.
_running: set[int] = set()


def kill_running() -> None:
    """KILL every command that runs, and what it started: for a process that ends at once."""
    for group in _running.copy():
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:
            pass  # it has ended


class Group:
    """A running command and all that it starts."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid
        _running.add(self.pid)

    @classmethod
    async def start(
        cls, command: Sequence[str], *, env: Mapping[str, str], cwd: str, waits: Callable[[str], object] = lambda _: None
    ) -> Group:
        """Begin. Its stdin is empty, its stderr goes where its stdout goes.

        While the system has no process or descriptor left it waits, and `waits` is told so, once.
        """
        pause, told = 0.1, False
        while True:
            try:
                return await cls._start(command, env, cwd)
            except OSError as problem:
                if problem.errno not in _SHORTAGES or _is_cancelled():
                    raise
                if not told:
                    waits(f"no process can be started now ({problem.strerror}); it is tried again until one can")
                told = True
            await asyncio.sleep(pause)  # noqa: TID251  of the real world; and without a descriptor nothing is imported
            pause = min(2 * pause, LONGEST_PAUSE)

    @classmethod
    async def _start(cls, command: Sequence[str], env: Mapping[str, str], cwd: str) -> Group:
        """If this is cancelled when the process exists already, it is ended, with what it started till then."""
        process = asyncio.create_subprocess_exec(
            *command,
            env=env,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=CHUNK,
        )
        starting = asyncio.ensure_future(process)  # noqa: TID251  awaited here, whatever happens
        try:
            return cls(await asyncio.shield(starting))
        except asyncio.CancelledError:
            await cls(await starting).end()
            raise

    async def run(self, lines: Lines) -> int:
        """Its exit code, negative for a signal. If this is cancelled, nothing of the group is left."""
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101  it is a pipe
        try:
            while data := await stdout.read(CHUNK):
                lines.feed(data)
                await asyncio.sleep(0)  # noqa: TID251  no time passes: a full pipe must not starve the loop
            lines.feed(b"", final=True)
            return await self._process.wait()
        except BaseException:
            await self.end()
            raise
        finally:
            _running.discard(self.pid)

    async def end_what_is_left(self) -> bool:
        """The command is over: what it left running in its group is ended too. Whether there was something."""
        if not self._lives():
            return False
        await self.end()
        return True

    async def end(self) -> None:
        """TERM, and KILL after a while, to all of the group. Takes at most twice the grace."""
        try:
            self.send(signal.SIGTERM)
            await self._gone()
        finally:
            if self.send(signal.SIGKILL):
                await self._gone()

    async def _gone(self) -> None:
        """Wait until nothing of the group lives, not longer than the grace."""
        import anyio

        with anyio.move_on_after(GRACE, shield=True):
            pause = 0.001
            while self._lives():
                await anyio.sleep(pause)
                pause = min(2 * pause, 0.05)
            await self._process.wait()

    def _lives(self) -> bool:
        if self._process.returncode is None:
            return True
        return self.send(0) and has_living_member(self.pid)

    def send(self, number: int) -> bool:
        """Signal the group; whether there is one still."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # macOS says so of a group of zombies
            return self._process.returncode is None
        return True


def _is_cancelled() -> bool:
    """Whether whoever waits here has been asked to stop; an error may have come in the way of that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def has_living_member(group: int) -> bool:
    """Whether a process group has a member that is no zombie (proc(5)); True where /proc does not tell.

    A member whose parent ended goes to process 1, and in many containers that one never reaps it.
    """
    try:
        with os.scandir("/proc") as entries:
            return any(_lives_in(group, entry.name) for entry in entries if entry.name.isdigit())
    except OSError:
        return True


def _lives_in(group: int, pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  thousands may be read
            state, _parent, its_group = file.read().rpartition(b")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(its_group) == group and state not in (b"Z", b"X")


def explain(code: int) -> str:
    """What an exit code tells: `exit code 3`, `signal 9 (SIGKILL)`."""
    if code < 0:
        return f"was killed by signal {-code}{_name(-code)}"
    if code > 128 and (name := _name(code - 128)):
        return f"ended with exit code {code}, as a shell does after signal {code - 128}{name}"
    return f"ended with exit code {code}"


def _name(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""
