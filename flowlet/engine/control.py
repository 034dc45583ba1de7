"""How another process asks the engine that owns a file: a Unix socket, a line of JSON each way.

    {"verb": "pause", "args": {"dag_id": "etl"}}   ->   {"ok": null}
                                                   ->   {"error": {"kind": "DagNotFound", "text": "..."}}

A connection may carry several requests, one after the other. Only the owner's own user may ask.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flowlet import errors

if TYPE_CHECKING:
    import asyncio

Handle = Callable[[str, dict[str, Any]], Awaitable[Any]]

#: A longer request is refused.
MAX_REQUEST = 1024 * 1024
#: A longer answer is refused by the one who asked.
MAX_ANSWER = 64 * 1024 * 1024
#: More connections at once are turned away.
MAX_CLIENTS = 64
#: A connection on which nothing is asked for so long is closed.
IDLE_SECONDS = 60.0
#: sockaddr_un holds 108 bytes on Linux, 104 on BSD, a zero byte at the end included; see unix(7).
MAX_PATH_BYTES = 103


class ControlError(errors.FlowletError):
    """The owner of the file does not answer, or not in a way that can be understood."""


class NobodyListensError(ControlError):
    """Nothing was asked, because nothing listens at the socket: asking again later is safe."""


class TaskGroup(Protocol):
    """What asyncio.TaskGroup offers."""

    def create_task(self, coro: Coroutine[Any, Any, None], *, name: str | None = None) -> Any: ...


# -- where it is -----------------------------------------------------------------------------------------


def control_path(db: str | os.PathLike[str]) -> str:
    """The socket's path for a database: beside it, or in a private folder where that path is too long."""
    beside = os.path.abspath(db) + ".sock"  # noqa: PTH100  resolve() would change what the user named
    if len(os.fsencode(beside)) <= MAX_PATH_BYTES:
        return beside
    return str(_in_private_folder(beside))


def _in_private_folder(beside: str) -> Path:
    import hashlib

    name = hashlib.blake2b(os.fsencode(os.path.realpath(beside)), digest_size=8).hexdigest()
    return _private_folder() / f"{name}.sock"


def _private_folder() -> Path:
    """A folder that only this user can enter; refused where somebody else made it first."""
    home = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(home) / "flowlet" if home else Path("/tmp") / f"flowlet-{os.geteuid()}"  # noqa: S108  checked below
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != os.geteuid()
        or stat.S_IMODE(status.st_mode) & 0o077
    ):
        raise ControlError(
            f"{folder} is not a folder of yours alone (0700): remove it, or set XDG_RUNTIME_DIR"
        )
    return folder


# -- the owner's side ------------------------------------------------------------------------------------


class ControlServer:
    """Answers requests by `handle(verb, args)`, each client in a task of the engine's group."""

    def __init__(self, path: str, handle: Handle, group: TaskGroup) -> None:
        self.path = path
        self._handle = handle
        self._group = group
        self._server: asyncio.Server | None = None
        self._inode: tuple[int, int] | None = None
        self._clients: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, path: str, handle: Handle, group: TaskGroup) -> ControlServer:
        """Listen at `path`. The caller holds the file's lease, so a socket that is there is a leftover."""
        import asyncio

        server = cls(path, handle, group)
        listener = _listen(path)
        server._inode = _inode_of(path)
        server._server = await asyncio.start_unix_server(server._greet, sock=listener, limit=MAX_REQUEST)
        return server

    async def close(self) -> None:
        """Turn everybody away and remove the socket, unless another has taken its place."""
        if self._server is None:
            return
        self._server.close()
        _remove_if(self.path, self._inode)
        for client in self._clients:
            client.cancel()
        self._server = None

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection: not a coroutine, so that asyncio makes no task of its own for it."""
        refusal = self._refusal(writer)
        if refusal is not None:
            writer.write(_line(_error("ControlError", refusal)))
            writer.close()
            return
        client = self._group.create_task(self._serve(reader, writer), name="flowlet control client")
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    def _refusal(self, writer: asyncio.StreamWriter) -> str | None:
        if not is_same_user(writer.get_extra_info("socket")):
            return "only the user who runs the engine may ask it"
        if len(self._clients) >= MAX_CLIENTS:
            return f"{MAX_CLIENTS} clients are connected: try again"
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it leaves. Ends quietly whatever the client does."""
        try:
            while await self._answer_next(reader, writer):
                pass
        except (OSError, EOFError):
            pass  # it left in the middle: nothing that it asked for is undone
        finally:
            writer.close()

    async def _answer_next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read a request, answer it; False when there is no further one."""
        import asyncio

        try:
            async with asyncio.timeout(IDLE_SECONDS):
                line = await reader.readline()
        except TimeoutError:
            return False
        except ValueError:  # longer than the limit: what follows has no beginning any more
            writer.write(_line(_error("ControlError", f"a request may have {MAX_REQUEST:,} bytes")))
            await writer.drain()
            return False
        if not line.endswith(b"\n"):
            return False
        writer.write(_line(await self._answer(line)))
        await writer.drain()
        return True

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            verb, args = _read_request(line)
            return {"ok": await self._handle(verb, args)}
        except Exception as error:
            return _error(type(error).__name__, _text(error))


def _listen(path: str) -> socket.socket:
    _remove_leftover(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # on Linux the file is made with this mode
        listener.bind(path)
        Path(path).chmod(0o600)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ControlError(f"cannot listen at {path}: {error.strerror or error}") from error
    return listener


def _remove_leftover(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlError(f"{path} is in the way of the control socket and is none: move it away")
    Path(path).unlink(missing_ok=True)


def _remove_if(path: str, inode: tuple[int, int] | None) -> None:
    """Remove the socket if it is still the one that was made."""
    if inode is not None and _inode_of(path) == inode:
        Path(path).unlink(missing_ok=True)


def _inode_of(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_same_user(peer: socket.socket) -> bool:
    """The other end runs as this one's user. Where the kernel does not tell, the mode 0600 decides."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, user, _group = struct.unpack("3i", credentials)
    return bool(user == os.geteuid())


def _read_request(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ControlError(f"the request is not JSON: {error}") from None
    match request:
        case {"verb": str(verb), "args": dict(args)}:
            return verb, args
        case {"verb": str(verb)} if "args" not in request:
            return verb, {}
    raise ControlError('a request is {"verb": "...", "args": {...}}')


def _line(answer: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(answer, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        text = json.dumps(_error("ControlError", f"the answer cannot be written as JSON: {error}"))
    return text.encode() + b"\n"


def _error(kind: str, text: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "text": text}}


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:
        return "its text cannot be read: __str__ raises"


# -- the side of who asks --------------------------------------------------------------------------------


def request(path: str, verb: str, args: dict[str, Any] | None = None, *, timeout: float | None = 60.0) -> Any:
    """Ask the engine that listens at `path` and wait for its answer. Blocking.

    An error of flowlet's comes back as itself (DagNotFound, RunExists, ...), any other as ControlError.
    ControlError too when nobody listens, or no answer comes within `timeout` seconds.
    """
    line = _line({"verb": verb, "args": args or {}})
    if len(line) > MAX_REQUEST:
        raise ControlError(f"the request has {len(line):,} bytes; it may have {MAX_REQUEST:,}")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(timeout)
            _connect(peer, path)
            with suppress(BrokenPipeError):  # refused before it was read: the reason can be received
                peer.sendall(line)
            answer = _receive(peer)
    except TimeoutError:
        raise ControlError(f"the engine at {path} did not answer within {timeout:g} s") from None
    except OSError as error:
        raise ControlError(f"the engine at {path} hung up: {error.strerror or error}") from None
    return _read_answer(answer, path)


def _connect(peer: socket.socket, path: str) -> None:
    try:
        peer.connect(path)
    except OSError as error:
        raise NobodyListensError(f"no engine answers at {path}: {error.strerror or error}") from None


def _receive(peer: socket.socket) -> bytes:
    pieces, size = [], 0
    while piece := peer.recv(65536):
        pieces.append(piece)
        size += len(piece)
        if piece.endswith(b"\n") or size > MAX_ANSWER:
            break
    return b"".join(pieces)


def _read_answer(line: bytes, path: str) -> Any:
    try:
        answer = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        answer = None
    match answer:
        case {"ok": value}:
            return value
        case {"error": {"kind": str(kind), "text": str(text)}}:
            raise error_named(kind, text)
    raise ControlError(f"the engine at {path} hung up: whether it did as asked is not known")


def error_named(kind: str, text: str) -> errors.FlowletError:
    """The error of that class name with that text; only classes of flowlet's are made."""
    known = getattr(errors, kind, None)
    if not (isinstance(known, type) and issubclass(known, errors.FlowletError)):
        return ControlError(text if kind == "ControlError" else f"{kind}: {text}")
    error = known.__new__(known, text)
    error.args = (text,)
    return error
