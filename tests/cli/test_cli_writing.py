"""What is said is written in order by a thread; whatever the other end does, whoever speaks goes on."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from flowlet.cli import writing
from flowlet.cli.writing import Writer

from .process import until


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe: the descriptor to read from, and the file to write to."""
    reader, end = os.pipe()
    with os.fdopen(end, "w", encoding="utf-8") as file:
        yield reader, file
    try:
        os.close(reader)
    except OSError:
        pass  # a test has closed it


def test_lines_come_in_the_order_in_which_they_were_said() -> None:
    file = io.StringIO()
    writer = Writer(file)
    for number in range(1000):
        writer.say(str(number))
    writer.close()
    assert file.getvalue() == "".join(f"{number}\n" for number in range(1000))


def test_nothing_said_is_nothing_written_and_no_thread() -> None:
    file = io.StringIO()
    Writer(file).close()
    assert file.getvalue() == ""


def test_who_says_something_never_waits_for_the_reader(pipe: tuple[int, TextIO]) -> None:
    reader, file = pipe
    writer = Writer(file)
    for _ in range(100):
        writer.say("x" * 65535)  # a pipe holds 64 kB; see pipe(7)
    size = 0
    while size < 100 * 65536:
        size += len(os.read(reader, 1 << 20))
    writer.close()
    assert size == 100 * 65536


def test_what_nobody_reads_is_left_out_and_counted(pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_WAITING", 100_000)
    reader, file = pipe
    writer = Writer(file)
    writer.say("x" * 100_000)
    until(lambda: writer._waiting == 0, "the thread has taken it, and waits for the reader")
    writer.say("y" * 100_001)
    writer.say("left out\nand this")
    writer.say("and this")
    text = b""
    while b"left out here" not in text:
        text += os.read(reader, 1 << 20)
    writer.close()
    assert [line[:60] for line in text.decode().splitlines()] == ["x" * 60, "y" * 60, "... 3 lines are left out here: they were not read in time"]


def test_a_reader_that_has_left_is_no_trouble(pipe: tuple[int, TextIO]) -> None:
    reader, file = pipe
    os.close(reader)
    writer = Writer(file)
    writer.say("a")
    writer.close()
    writer.say("b")
    assert writer.trouble is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_disk_that_is_full_is_trouble() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        writer = Writer(full)
        writer.say("a")
        writer.close()
        assert writer.trouble is not None and writer.trouble.strerror == "No space left on device"


def test_a_pipe_that_does_not_block_is_written_whole(pipe: tuple[int, TextIO]) -> None:
    reader, file = pipe
    os.set_blocking(file.fileno(), False)
    writer = Writer(file)
    writer.say("x" * 200_000)
    size = 0
    while size < 200_001:
        size += len(os.read(reader, 1 << 20))
    writer.close()
    assert size == 200_001


def test_letters_that_the_other_end_cannot_spell_are_escaped() -> None:
    reader, end = os.pipe()
    with os.fdopen(end, "w", encoding="ascii") as file, os.fdopen(reader, encoding="ascii") as back:
        writer = Writer(file)
        writer.say("Zürich")
        writer.close()
        assert back.readline() == "Z\\xfcrich\n"


def test_closing_waits_no_longer_than_it_is_told(pipe: tuple[int, TextIO]) -> None:
    reader, file = pipe
    writer = Writer(file)
    writer.say("x" * 1_000_000)
    writer.close(within=0.01)
    assert writer._thread is not None and writer._thread.is_alive()
    os.close(reader)  # the thread gives up
    writer._thread.join(20)
    assert not writer._thread.is_alive()
