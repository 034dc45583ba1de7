"""The log of an attempt: where it is, for whom, how large, and what a failing disk does to it."""

from __future__ import annotations

import contextvars
import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlet import DAG
from flowlet.clock import VirtualClock
from flowlet.worker import log_paths, logs
from flowlet.worker.log_paths import LogKey, log_parts, safe_part
from flowlet.worker.logs import LIMIT, LONGEST_LINE, Logs, log_path
from flowlet.worker.worker import Worker
from flowlet.worker.workload import Outcome, Workload

KEY = LogKey("dag", "run", "task", -1, 1)
START = "[2026-01-01T00:00:00.000000Z]"


# -- where --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (KEY, "dag/run/task/1.log"),
        (LogKey("dag", "manual__2026-01-01T00:00:00+00:00", "group.task", 7, 2), "dag/manual__2026-01-01T00:00:00+00:00/group.task.7/2.log"),
        (LogKey("a/b", "..", "../../etc", -1, 1), "a%2Fb/%2E%2E/..%2F..%2Fetc/1.log"),
        (LogKey(".", "a\\b", "a%2Fb\0", -1, 1), "%2E/a%5Cb/a%252Fb%00/1.log"),
        (LogKey("größe", "r", "task.1", -1, 1), "gr%C3%B6%C3%9Fe/r/task%2E1/1.log"),
    ],
)  # fmt: skip
def test_paths(key: LogKey, path: str) -> None:
    assert str(log_path(Path("logs"), *key)) == f"logs/{path}"


ids = st.text(min_size=1, max_size=300)


@given(ids)
def test_a_part_is_one_harmless_name(text: str) -> None:
    part = safe_part(text)
    assert "/" not in part
    assert part not in ("", ".", "..")
    assert part.isascii()
    assert part.isprintable()
    assert len(part) <= 200


@given(
    st.builds(LogKey, ids, ids, ids, st.integers(-1, 20), st.integers(1, 9)),
    st.builds(LogKey, ids, ids, ids, st.integers(-1, 20), st.integers(1, 9)),
)
def test_two_attempts_never_share_a_file(one: LogKey, other: LogKey) -> None:
    assert (log_parts(one) == log_parts(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"), [(("a.1", -1), ("a", 1)), (("a.1.2", -1), ("a.1", 2)), (("a%2E1", -1), ("a.1", -1))]
)
def test_an_id_that_looks_like_an_index(one: tuple[str, int], other: tuple[str, int]) -> None:
    assert log_parts(LogKey("d", "r", *one, 1)) != log_parts(LogKey("d", "r", *other, 1))


# -- files --------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "flowlet.db.logs"


@pytest.fixture
def filed(folder: Path) -> Logs:
    return Logs(folder)


def test_a_file_is_made_when_something_is_written(filed: Logs, clock: VirtualClock, folder: Path) -> None:
    log = filed.open(KEY, clock)
    log.close()
    assert not folder.exists()
    log.line("INFO", "x", "hello")
    assert filed.text(*KEY) == f"{START} INFO x - hello\n"


def test_only_the_owner_can_read_it_whatever_the_umask(
    filed: Logs, clock: VirtualClock, folder: Path
) -> None:
    before = os.umask(0)
    try:
        filed.open(KEY, clock).line("INFO", "x", "hello")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert modes == {"flowlet.db.logs": 0o700, "dag": 0o700, "run": 0o700, "task": 0o700, "1.log": 0o600}


@pytest.mark.parametrize("part", ["dag", "dag/run", "dag/run/task", "dag/run/task/1.log"])
def test_links_are_not_followed(
    filed: Logs, clock: VirtualClock, folder: Path, tmp_path: Path, part: str
) -> None:
    outside = tmp_path / "outside"
    if part.endswith(".log"):
        outside.write_text("precious")
    else:
        outside.mkdir()
    link = folder / part
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    log = filed.open(KEY, clock)
    log.line("INFO", "x", "hello")
    assert log.trouble is not None
    assert list(outside.iterdir()) == [] if outside.is_dir() else outside.read_text() == "precious"


def test_what_comes_after_its_end_is_appended_and_holds_no_file(filed: Logs, clock: VirtualClock) -> None:
    log = filed.open(KEY, clock)
    log.line("INFO", "x", "in time")
    log.close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    log.line("INFO", "x", "late")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert [line.rpartition(" ")[2] for line in filed.text(*KEY).splitlines()] == ["time", "late"]


def test_a_log_is_read_from_any_byte_on_in_pieces(filed: Logs, clock: VirtualClock) -> None:
    log = filed.open(KEY, clock)
    for number in range(3000):
        log.line("INFO", "x", f"{number:06} {'y' * 50}")
    pieces = list(filed.pieces(KEY))
    whole = b"".join(pieces)
    assert max(map(len, pieces)) <= 64 * 1024
    assert b"".join(filed.pieces(KEY, start=100_000)) == whole[100_000:]
    assert list(filed.pieces(KEY._replace(try_number=2))) == []


# -- a disk that fails --------------------------------------------------------------------------------


def test_a_failing_disk_never_fails_the_task(
    monkeypatch: pytest.MonkeyPatch,
    clock: VirtualClock,
    workload: Callable[..., Workload],
    of: Callable[..., DAG],
    folder: Path,
) -> None:
    written: list[int] = []
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if str(Path(f"/proc/self/fd/{descriptor}").readlink()).endswith(".log"):
            written.append(1)
            if len(written) > 1:
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    worker = Worker(clock=clock, logs=Logs(folder))

    def body(ti: Any) -> int:
        for number in range(5):
            ti.log.info("%s", number)
        return 1

    outcome = contextvars.copy_context().run(worker.begin(workload(of(body))).run_sync)
    worker.close()
    assert outcome.kind == "succeeded"
    assert outcome.notes == (
        ("log_truncated", "the log could not be written any further: No space left on device"),
    )
    assert len(written) == 2
    assert worker.logs.text("dag", "run", "body").endswith(" - 0\n")


def test_a_folder_that_cannot_be_made(clock: VirtualClock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = Logs(tmp_path / "file" / "logs").open(KEY, clock)
    log.line("INFO", "x", "hello")
    assert log.trouble == "the log could not be written any further: Not a directory"


def test_a_body_that_closes_every_descriptor(filed: Logs, clock: VirtualClock) -> None:
    log = filed.open(KEY, clock)
    log.line("INFO", "x", "one")
    os.close(log._sink._descriptor)  # a file
    log.line("INFO", "x", "two")
    log.close()
    assert log.trouble is not None


# -- limits -------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """A limit that is reached soon."""
    monkeypatch.setattr(logs, "LIMIT", 1000)
    return 1000


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("by", ["lines", "streams"])
def test_a_log_is_cut_at_its_limit_after_a_whole_line(filed: Logs, clock: VirtualClock, by: str) -> None:
    log = filed.open(KEY, clock)
    for number in range(100):
        if by == "lines":
            log.line("INFO", "x", f"{number}")
        else:
            log.stream("stdout", f"{number}\n")
    *lines, last = filed.text(*KEY).splitlines()
    assert last == "... the log was cut here: it reached its limit of 10 MiB"
    assert [line.rpartition(" ")[2] for line in lines] == [str(number) for number in range(len(lines))]
    assert len(filed.text(*KEY)) <= 1000 + len(last) + 1
    assert log.cut
    assert filed.open(KEY, clock).cut


@pytest.mark.usefixtures("small")
def test_an_attempt_says_that_its_log_was_cut(run: Callable[..., Outcome], of: Callable[..., DAG]) -> None:
    def body(ti: Any) -> None:
        for _ in range(100):
            ti.log.info("again")

    assert run(of(body)).notes == (("log_cut", "the log reached its limit and was cut"),)


def test_a_long_line_is_cut_alone(filed: Logs, clock: VirtualClock) -> None:
    log = filed.open(KEY, clock)
    log.line("INFO", "x", "a" * 100_000 + "\nnext\n" + "b" * 100_000)
    one, following, other = filed.text(*KEY).splitlines()
    assert one == f"{START} INFO x - {'a' * LONGEST_LINE} ... (the line was cut)"
    assert following == "next"
    assert other == f"{'b' * LONGEST_LINE} ... (the line was cut)"


def test_a_line_that_never_ends_takes_bounded_memory(filed: Logs, clock: VirtualClock) -> None:
    log = filed.open(KEY, clock)
    for _ in range(3000):
        log.stream("stdout", "x" * 1000)
        assert sum(pieces.size for pieces in log._open_lines.values()) <= 40_000
    log.close()
    assert max(map(len, filed.text(*KEY).splitlines())) < LONGEST_LINE + 100


def test_one_enormous_write_is_looked_at_in_part_only(filed: Logs, clock: VirtualClock) -> None:
    import tracemalloc

    text = "x" * (8 * LIMIT)
    log = filed.open(KEY, clock)
    tracemalloc.start()
    try:
        log.line("INFO", "x", text)
        log.stream("stdout", text)
        log.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * LIMIT
    assert len(filed.text(*KEY)) < 100_000


def test_logs_in_memory_are_bounded_and_the_oldest_go(clock: VirtualClock) -> None:
    logs = Logs(None, memory_limit=10_000)
    for number in range(50):
        logs.open(KEY._replace(try_number=number), clock).line("INFO", "x", "y" * 1000)
    kept = [number for number in range(50) if logs.text(*KEY._replace(try_number=number))]
    assert kept == list(range(41, 50))


def test_many_threads_write_whole_lines(filed: Logs, clock: VirtualClock) -> None:
    log = filed.open(KEY, clock)
    ready = threading.Barrier(8)

    def write(name: str) -> None:
        ready.wait()
        for _ in range(50):
            log.line("INFO", "x", name * 100)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = filed.text(*KEY).splitlines()
    assert len(lines) == 400
    assert all(len(set(line.rpartition(" ")[2])) == 1 for line in lines)


def test_a_text_that_is_no_unicode(filed: Logs, clock: VirtualClock) -> None:
    filed.open(KEY, clock).line("INFO", "x", "\ud800\0\x1b[31m")
    assert filed.text(*KEY) == f"{START} INFO x - \\ud800\0\x1b[31m\n"


def test_opening_a_log_reads_the_disk_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_paths.os, "open", None)
    assert Logs(Path("/nowhere")).open(KEY, VirtualClock(0)).full is False


def test_very_many_logs_hold_few_files_open(
    filed: Logs, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_OPEN", 5)
    before = len(list(Path("/proc/self/fd").iterdir()))
    many = [filed.open(KEY._replace(try_number=number), clock) for number in range(50)]
    for log in many * 2:
        log.line("INFO", "x", "hello")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 5
    for log in many:
        log.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert all(filed.text(*KEY._replace(try_number=number)).count("hello") == 2 for number in range(50))


def test_a_sensor_holds_no_file_between_two_looks(
    clock: VirtualClock, folder: Path, workload: Callable[..., Workload]
) -> None:
    from flowlet import PythonSensor

    answers = iter([False, False, True])

    def look(ti: Any) -> bool:
        ti.log.info("looking")
        return next(answers)

    with DAG("dag") as dag:
        PythonSensor(task_id="body", python_callable=look, poke_interval=1)
    worker = Worker(clock=clock, logs=Logs(folder))
    before = len(list(Path("/proc/self/fd").iterdir()))
    resume = None
    for kind in ("waiting", "waiting", "succeeded"):
        attempt = worker.begin(workload(dag, resume=resume))
        outcome = contextvars.copy_context().run(attempt.run_sync)
        assert outcome.kind == kind, outcome.reason
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        resume = outcome.resume
    worker.close()
    assert worker.logs.text("dag", "run", "body").count("looking") == 3


def test_a_body_that_changes_the_folder_of_the_process(
    clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = Logs(Path("here.logs"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    kept.open(KEY, clock).line("INFO", "x", "hello")
    assert (tmp_path / "here.logs" / "dag" / "run" / "task" / "1.log").exists()
