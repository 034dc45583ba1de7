"""What bodies print is taken from their logs: each line once, whole, and as it was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowlet.cli.printed import Printed, spoken
from flowlet.clock import VirtualClock
from flowlet.worker.log_paths import LogKey
from flowlet.worker.logs import Logs

KEY = LogKey("etl", "january", "load", -1, 1)


@pytest.fixture(params=["file", "memory"])
def logs(request: pytest.FixtureRequest, tmp_path: Path) -> Logs:
    return Logs(tmp_path / "logs" if request.param == "file" else None)


def test_each_line_is_given_once_and_a_line_without_end_at_the_last(logs: Logs) -> None:
    printed, log = Printed(logs), logs.open(KEY, VirtualClock())
    assert printed.news(KEY) == []
    log.stream("stdout", "one\ntw")
    assert printed.news(KEY) == ["one"]
    assert printed.news(KEY) == []
    log.stream("stdout", "o\nZürich")
    assert printed.news(KEY) == ["two"]
    log.close()
    assert printed.news(KEY, last=True) == ["Zürich"]


def test_what_was_written_is_understood_as_it_was_meant(logs: Logs) -> None:
    log = logs.open(KEY, VirtualClock())
    log.line("INFO", "stdout", "a print")
    log.line("INFO", "flowlet.task", "of Bash, or of ti.log")
    log.line("WARNING", "flowlet.task", "careful")
    log.line("ERROR", "shop.till", "first\n[not the start] of a record")
    log.close()
    assert Printed(logs).news(KEY, last=True) == [
        "a print", "of Bash, or of ti.log", "WARNING: careful", "ERROR shop.till: first", "[not the start] of a record",
    ]  # fmt: skip


def test_a_print_that_looks_like_a_record_stays_as_it_is() -> None:
    assert spoken("[2026-01-31T06:00:00.000000Z] INFO stdout - [x] INFO stdout - y") == "[x] INFO stdout - y"
