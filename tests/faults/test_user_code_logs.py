"""Whatever bodies write: their logs stay bounded, readable and without secrets, and nobody else's output is touched."""

from __future__ import annotations

import logging
import sys
import threading
import tracemalloc
from typing import Any

import pytest

from flowlet import DAG, PythonOperator
from flowlet.worker.logs import LIMIT, LONGEST_LINE
from flowlet.worker.secrets import mask_secret

pytestmark = pytest.mark.anyio


def printing(*bodies: Any) -> DAG:
    with DAG("writing") as dag:
        for body in bodies:
            PythonOperator(task_id=body.__name__, python_callable=body)
    return dag


async def logs_of(engine_of: Any, book: Any, *bodies: Any, capture: str = "all") -> dict[str, str]:
    """What the bodies left in their logs; all of them succeed."""
    dag = printing(*bodies)
    async with engine_of(dag, capture=capture) as engine:
        run = await (await engine.trigger("writing")).wait()
    assert set(run.task_states.values()) == {"success"}
    return {body.__name__: book.log(run, body.__name__) for body in bodies}


async def test_a_flood_of_lines_is_cut_with_a_word_and_takes_no_memory(engine_of: Any, book: Any) -> None:
    peak: list[int] = []

    def prints() -> None:
        tracemalloc.start()
        for number in range(10_000):
            print(number, "x" * 1500)
        peak.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    logs = await logs_of(engine_of, book, prints)
    *_, before, last = logs["prints"].splitlines()
    assert last == "... the log was cut here: it reached its limit of 10 MiB"
    assert before.endswith("x" * 1500)
    assert LIMIT - 2000 < len(logs["prints"]) < LIMIT + 200
    assert peak[0] < 1_000_000
    assert book.events() == [("log_cut", "prints", "the log reached its limit and was cut")]


async def test_bytes_escapes_partial_lines_and_lines_without_an_end(engine_of: Any, book: Any) -> None:
    def writes_bytes() -> None:
        sys.stdout.buffer.write(b"\xff\x00 raw\n")

    def writes_colours() -> None:
        print("\x1b[31mred\x1b[0m \x1b]0;title\x07")

    def writes_in_pieces() -> None:
        for letter in "one line\nand a":
            sys.stdout.write(letter)

    def writes_one_long_line() -> None:
        for _ in range(100_000):
            sys.stdout.write("x")

    logs = await logs_of(engine_of, book, writes_bytes, writes_colours, writes_in_pieces, writes_one_long_line)
    assert logs["writes_bytes"].endswith("INFO stdout - \\xff\x00 raw\n")
    assert "red" in logs["writes_colours"]
    assert [line.partition(" - ")[2] for line in logs["writes_in_pieces"].splitlines()] == ["one line", "and a"]
    assert max(map(len, logs["writes_one_long_line"].splitlines())) < LONGEST_LINE + 100


async def test_what_threads_of_a_body_print_is_the_bodys(engine_of: Any, book: Any) -> None:
    def starts_threads() -> None:
        threads = [threading.Thread(target=print, args=(f"of thread {number}\n",), kwargs={"end": ""}) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    async def starts_threads_too() -> None:
        import asyncio

        await asyncio.to_thread(print, "of a pool")

    logs = await logs_of(engine_of, book, starts_threads, starts_threads_too)
    said = sorted(line.partition(" - ")[2] for line in logs["starts_threads"].splitlines())
    assert said == ["of thread 0", "of thread 1", "of thread 2"]
    assert logs["starts_threads_too"].endswith("of a pool\n")


async def test_inside_somebodys_program_its_streams_and_its_root_logger_are_its_own(
    engine_of: Any, book: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = sys.stdout, sys.stderr, root.level, list(root.handlers), threading.Thread.start
    during: list[Any] = []

    def speaks(ti: Any) -> None:
        during.append((sys.stdout, sys.stderr, root.level, list(root.handlers), threading.Thread.start))
        print("to the program's stdout")
        ti.log.info("to the log")

    logs = await logs_of(engine_of, book, speaks, capture="logging")
    after = sys.stdout, sys.stderr, root.level, list(root.handlers), threading.Thread.start
    assert during == [before]
    assert after == before
    assert capsys.readouterr().out == "to the program's stdout\n"
    assert logs["speaks"].endswith("to the log\n")
    assert "stdout" not in logs["speaks"]


async def test_a_secret_is_in_no_log_no_reason_and_no_event(engine_of: Any, book: Any) -> None:
    secret = "s3cret-of-the-house"
    mask_secret(secret)

    def in_two_writes() -> None:
        sys.stdout.write(f"password={secret[:7]}")
        sys.stdout.write(f"{secret[7:]} and more\n")

    def in_a_record(ti: Any) -> None:
        ti.log.info("token %s", secret)

    def in_an_error() -> None:
        raise ValueError(f"cannot log in with {secret}")

    def in_a_skip() -> None:
        from flowlet import SkipTask

        raise SkipTask(secret)

    def in_a_callback(_: Any) -> None:
        raise ValueError(secret)

    bodies = (in_two_writes, in_a_record, in_an_error, in_a_skip)
    with DAG("writing") as dag:
        for body in bodies:
            PythonOperator(task_id=body.__name__, python_callable=body, on_failure_callback=in_a_callback)
    async with engine_of(dag, capture="all") as engine:
        run = await (await engine.trigger("writing")).wait()
    assert "password=*** and more" in book.log(run, "in_two_writes")
    assert "token ***" in book.log(run, "in_a_record")
    assert "ValueError: cannot log in with ***" in book.log(run, "in_an_error")
    everything = [book.log(run, body.__name__) for body in bodies] + [repr(book.attempts()), repr(book.events())]
    assert [text for text in everything if secret in text] == []
    assert ("in_an_error", 1, "failed", "ValueError: cannot log in with ***") in book.attempts()
    assert book.kinds() == ["callback_failed"]
    assert secret not in repr(run.as_dict())
