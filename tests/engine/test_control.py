"""The control socket: verbs of one user, errors that come back as themselves, clients that harm nobody."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from anyio import lowlevel, to_thread

from flowlet.engine import control
from flowlet.engine.control import ControlError, ControlServer, control_path, request
from flowlet.errors import DagNotFound, FlowletError, StoreOwned

pytestmark = pytest.mark.anyio


class Engine:
    """What stands behind the socket."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.gate = asyncio.Event()

    async def handle(self, verb: str, args: dict[str, Any]) -> Any:
        self.asked.append((verb, args))
        match verb:
            case "echo":
                return args
            case "wait":
                await self.gate.wait()
            case "odd":
                return object()
            case "fail":
                raise {"DagNotFound": DagNotFound("no DAG 'x'"), "KeyError": KeyError("x")}[args["kind"]]
            case "owned":
                raise StoreOwned("f.db", 7, "host", "today")
        return None


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return control_path(tmp_path / "f.db")


@pytest.fixture
async def server(path: str, engine: Engine) -> AsyncIterator[ControlServer]:
    async with asyncio.TaskGroup() as group:
        server = await ControlServer.open(path, engine.handle, group)
        yield server
        await server.close()


async def ask(path: str, verb: str, args: dict[str, Any] | None = None) -> Any:
    return await to_thread.run_sync(lambda: request(path, verb, args, timeout=5))


async def say(path: str, *lines: bytes) -> list[Any]:
    """Send raw lines, and give the answers."""
    reader, writer = await asyncio.open_unix_connection(path)
    answers = []
    for line in lines:
        writer.write(line)
        answers.append(json.loads(await reader.readline()))
    writer.close()
    return answers


async def until(true: Callable[[], bool]) -> None:
    """Let the loop go round until something holds."""
    while not true():
        await lowlevel.checkpoint()


def write(path: str, text: str) -> None:
    Path(path).write_text(text)


def read(path: str) -> str:
    return Path(path).read_text()


async def test_a_verb_is_answered(server: ControlServer, engine: Engine, path: str) -> None:
    assert await ask(path, "echo", {"name": "Zürich", "n": 1}) == {"name": "Zürich", "n": 1}
    assert await ask(path, "echo") == {}
    assert engine.asked == [("echo", {"name": "Zürich", "n": 1}), ("echo", {})]


async def test_flowlets_errors_come_back_as_themselves(server: ControlServer, path: str) -> None:
    with pytest.raises(DagNotFound, match="no DAG 'x'"):
        await ask(path, "fail", {"kind": "DagNotFound"})
    with pytest.raises(StoreOwned, match="process 7 on host"):
        await ask(path, "owned")


async def test_other_errors_come_back_by_name(server: ControlServer, path: str) -> None:
    with pytest.raises(ControlError, match="KeyError: 'x'"):
        await ask(path, "fail", {"kind": "KeyError"})
    with pytest.raises(ControlError, match="cannot be written as JSON"):
        await ask(path, "odd")


async def test_one_connection_may_ask_several_times(server: ControlServer, path: str) -> None:
    line = b'{"verb":"echo","args":{"n":1}}\n'

    assert await say(path, line, line) == [{"ok": {"n": 1}}, {"ok": {"n": 1}}]


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b"\n",
        b"[]\n",
        b'{"verb": 1}\n',
        b'{"verb": "echo", "args": []}\n',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
    ],
)
async def test_bad_input_gets_an_error_and_the_next_is_answered(
    server: ControlServer, engine: Engine, path: str, line: bytes
) -> None:
    bad, good = await say(path, line, b'{"verb":"echo"}\n')

    assert bad["error"]["kind"] == "ControlError"
    assert good == {"ok": {}}
    assert engine.asked == [("echo", {})]


async def test_a_request_has_a_limit(server: ControlServer, engine: Engine, path: str) -> None:
    with pytest.raises(ControlError, match="it may have 1,048,576"):
        await ask(path, "echo", {"text": "x" * control.MAX_REQUEST})
    (answer,) = await say(path, b"x" * (control.MAX_REQUEST * 2) + b"\n")

    assert "1,048,576 bytes" in answer["error"]["text"]
    assert engine.asked == []


async def test_a_client_that_leaves_in_the_middle_harms_nobody(
    server: ControlServer, engine: Engine, path: str
) -> None:
    for line in (b"", b'{"verb":"ec', b'{"verb":"wait"}\n'):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(line)
        await writer.drain()
        writer.transport.abort()

    assert await ask(path, "echo", {"n": 2}) == {"n": 2}
    engine.gate.set()
    assert await ask(path, "echo", {"n": 3}) == {"n": 3}


async def test_a_slow_verb_does_not_hold_up_others(server: ControlServer, engine: Engine, path: str) -> None:
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(ask(path, "wait"))
        assert await ask(path, "echo") == {}
        assert not slow.done()
        engine.gate.set()


async def test_closing_does_not_wait_for_clients(path: str, engine: Engine) -> None:
    async with asyncio.TaskGroup() as group:
        server = await ControlServer.open(path, engine.handle, group)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"verb":"wait"}\n')
        await ask(path, "echo")
        await server.close()

    assert await reader.read() == b""
    writer.close()


async def test_too_many_clients_are_turned_away(
    server: ControlServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MAX_CLIENTS", 1)
    _, first = await asyncio.open_unix_connection(path)
    first.write(b'{"verb":"wait"}\n')

    await until(lambda: len(server._clients) == 1)

    with pytest.raises(ControlError, match="1 clients are connected"):
        await ask(path, "echo")

    first.close()


async def test_a_connection_that_asks_nothing_is_closed(
    server: ControlServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "IDLE_SECONDS", 0.01)
    reader, writer = await asyncio.open_unix_connection(path)

    assert await reader.read() == b""
    writer.close()


async def test_only_the_same_user_is_answered(
    server: ControlServer, engine: Engine, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)

    with pytest.raises(ControlError, match="only the user who runs the engine"):
        await ask(path, "echo")
    assert engine.asked == []


async def test_the_socket_is_private_and_goes_when_the_engine_goes(path: str, engine: Engine) -> None:
    async with asyncio.TaskGroup() as group:
        server = await ControlServer.open(path, engine.handle, group)
        assert stat.S_IMODE(os.lstat(path).st_mode) == 0o600
        await server.close()
        await server.close()

    assert control._inode_of(path) is None
    with pytest.raises(ControlError, match="no engine answers"):
        await ask(path, "echo")


async def test_a_leftover_is_replaced_and_a_file_is_not(path: str, engine: Engine) -> None:
    with socket.socket(socket.AF_UNIX) as leftover:
        leftover.bind(path)
    async with asyncio.TaskGroup() as group:
        server = await ControlServer.open(path, engine.handle, group)
        assert await ask(path, "echo") == {}
        await server.close()

        write(path, "precious")
        with pytest.raises(ControlError, match="is in the way"):
            await ControlServer.open(path, engine.handle, group)
    assert read(path) == "precious"


async def test_the_socket_of_a_successor_is_left_alone(path: str, engine: Engine) -> None:
    async with asyncio.TaskGroup() as group:
        first = await ControlServer.open(path, engine.handle, group)
        second = await ControlServer.open(path, engine.handle, group)
        await first.close()

        assert await ask(path, "echo") == {}
        await second.close()


async def test_a_path_that_is_too_long_moves_to_a_private_folder(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = control_path(tmp_path / ("deep" * 20) / "f.db")

    assert len(os.fsencode(path)) <= control.MAX_PATH_BYTES
    assert stat.S_IMODE((tmp_path / "flowlet").stat().st_mode) == 0o700
    assert path != control_path(tmp_path / ("deep" * 20) / "g.db")
    async with asyncio.TaskGroup() as group:
        server = await ControlServer.open(path, engine.handle, group)
        assert await ask(path, "echo") == {}
        await server.close()


async def test_a_folder_that_others_can_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "flowlet").mkdir(mode=0o755)

    with pytest.raises(ControlError, match="not a folder of yours alone"):
        control_path(tmp_path / ("deep" * 20) / "f.db")


async def test_an_engine_that_does_not_answer_in_time(
    server: ControlServer, path: str, engine: Engine
) -> None:
    with pytest.raises(ControlError, match=r"did not answer within 0\.01 s"):
        await to_thread.run_sync(lambda: request(path, "wait", timeout=0.01))


async def test_no_class_beyond_flowlets_errors_is_made() -> None:
    assert type(control.error_named("annotations", "x")) is ControlError
    assert type(control.error_named("SystemExit", "x")) is ControlError
    assert type(control.error_named("FlowletError", "x")) is FlowletError
