"""The looks that `flowlet doctor` takes, each a few findings about the path of a database."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from flowlet.cli import log_files, render
from flowlet.cli import owner as owning
from flowlet.clock import DAY, SECOND, SystemClock, iso
from flowlet.named_tuple import NamedTuple

OK, WARN, FAIL = "ok", "warn", "fail"


class Finding(NamedTuple):
    """What one look found."""

    check: str
    verdict: str
    text: str


_LARGE_LOG = 256 * 1024 * 1024
_LARGE_LOGS = 2 * 1024 * 1024 * 1024
_LITTLE_SPACE = 100 * 1024 * 1024
_MOST_FILES = 200_000
#: Nobody runs this before it was written: an earlier clock was never set.
_EARLIEST = 1_735_689_600 * SECOND


def versions(_path: str) -> Iterator[Finding]:
    """flowlet, Python, SQLite."""
    import platform

    from flowlet import __version__
    from flowlet.store.sqlite import library_version, wal_reset_bug

    yield Finding(
        "versions",
        OK,
        f"flowlet {__version__}, Python {platform.python_version()}, SQLite {library_version()}",
    )
    bug = wal_reset_bug()
    if bug is not None:
        yield Finding("sqlite", WARN, bug)


def clocks(_path: str) -> Iterator[Finding]:
    """The wall clock is set, and keeps step with the monotonic one."""
    clock = SystemClock()
    wall, steady = clock.now(), clock.monotonic()
    threading.Event().wait(0.02)
    drift = abs((clock.now() - wall) - (clock.monotonic() - steady))
    if wall < _EARLIEST:
        yield Finding("clock", FAIL, f"the clock says {iso(wall)}: set it, schedules depend on it")
    elif drift > SECOND // 10:
        yield Finding(
            "clock",
            WARN,
            f"the clock moved by {drift / SECOND:.3f} s by itself just now: is something setting it?",
        )
    else:
        yield Finding("clock", OK, f"{iso(wall)}, in step with the monotonic clock")


def place(path: str) -> Iterator[Finding]:
    """The file system below the database: its kind, and its space."""
    from flowlet.store import mounts

    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        yield Finding("place", FAIL, f"{folder} is not a folder: make it, or give another path (--db)")
        return
    kind = mounts.file_system_of(os.path.realpath(path))
    if mounts.is_network(kind):
        yield Finding(
            "place",
            FAIL,
            f"{folder} is on a network file system ({kind}), which SQLite cannot lock: use a local disk",
        )
    elif mounts.is_doubtful(kind):
        yield Finding("place", WARN, f"{folder} is on {kind}: make sure that a local disk lies below it")
    else:
        yield Finding("place", OK, f"{folder} is on {kind or 'a file system of unknown kind'}")
    yield _space(folder)


def _space(folder: Path) -> Finding:
    facts = os.statvfs(folder)
    free = facts.f_bavail * facts.f_frsize
    if free < _LITTLE_SPACE:
        return Finding(
            "space", WARN, f"{_bytes(free)} are free in {folder}: the scheduler pauses when the disk is full"
        )
    return Finding("space", OK, f"{_bytes(free)} are free")


def rights(path: str) -> Iterator[Finding]:
    """Others can neither write nor read what is ours."""
    real = os.path.realpath(path)
    folder = Path(real).parent
    if not folder.is_dir():
        return
    findings = list(_rights_of_folder(folder))
    for name in (real, real + "-wal", real + "-shm", real + ".lock", real + ".seq", real + ".logs"):
        findings += _rights_of(Path(name))
    yield from findings or [Finding("rights", OK, "the database and its logs are yours alone")]


def _rights_of_folder(folder: Path) -> Iterator[Finding]:
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        yield Finding("rights", FAIL, f"anybody can replace files in {folder}: chmod o-w {folder}")
    if not os.access(folder, os.W_OK):
        yield Finding("rights", FAIL, f"{folder} cannot be written by you: the write-ahead log is kept there")


def _rights_of(path: Path) -> Iterator[Finding]:
    try:
        facts = path.lstat()
    except OSError:
        return
    mode = stat.S_IMODE(facts.st_mode)
    if mode & stat.S_IWOTH:
        yield Finding("rights", FAIL, f"anybody can write {path}: chmod {'go-rwx'} {path}")
    elif mode & 0o077:
        yield Finding("rights", WARN, f"others can read {path}: chmod go-rwx {path}")
    if facts.st_uid != os.geteuid():
        yield Finding("rights", WARN, f"{path} belongs to user {facts.st_uid}, not to you ({os.geteuid()})")


def file(path: str) -> Iterator[Finding]:
    """It is there, flowlet's, and of a version that this flowlet knows."""
    from flowlet.store import Reader

    if not Path(path).exists():
        yield Finding(
            "file", WARN, f"there is no database {path} yet: run a DAG, or name another file (--db)"
        )
        return
    with Reader(path) as reader:
        counts = {state: count for _, state, count in _sum(reader.fetch("run_counts"))}
        newest = reader.fetch("last_runs_of_all", limit=1)
    runs = ", ".join(f"{count:,} {state}" for state, count in counts.items()) or "none"
    yield Finding("file", OK, f"{path}, {_bytes(Path(path).stat().st_size)}; runs: {runs}")
    now = SystemClock().now()
    if newest and newest[0][10] > now + DAY:
        yield Finding(
            "clock",
            WARN,
            f"the newest run was made at {iso(newest[0][10])}, after now: was the clock ahead, or is it behind?",
        )


def _sum(rows: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    total: dict[str, int] = {}
    for _, state, count in rows:
        total[state] = total.get(state, 0) + count
    return [("", state, count) for state, count in total.items()]


def owner(path: str) -> Iterator[Finding]:
    """Who owns it, and whether he answers."""
    facts = owning.owner_of(path) if Path(path).exists() else None
    if facts is None:
        yield Finding("owner", OK, "no scheduler runs on it")
        return
    who = f"process {facts.get('pid')} on {facts.get('host')} since {facts.get('since')}"
    control = facts.get("control")
    if control is None:
        yield Finding("owner", OK, f"{who}; it takes no commands (control=False)")
        return
    yield _ping(who, control)


def _ping(who: str, control: str) -> Finding:
    from flowlet.engine.control import ControlError, request

    try:
        answer = request(control, "ping", timeout=5)
    except ControlError as error:
        return Finding(
            "owner",
            FAIL,
            f"{who} does not answer: {error}. If it hangs, end it: the runs go on with the next",
        )
    if answer.get("trouble"):
        return Finding("owner", FAIL, f"{who}: {answer['trouble']}")
    return Finding("owner", OK, f"{who}, {render.plural(len(answer['dags']), 'DAG')}")


def sequence(path: str) -> Iterator[Finding]:
    """The database has not gone back in time."""
    from flowlet.store import Reader
    from flowlet.store.mirror import mirror_path, read_mirror

    if not Path(path).exists():
        return
    noted = read_mirror(os.path.realpath(path))
    with Reader(path) as reader:
        epoch, seq, *_, birth = reader.fetch("owner")[0]
    if noted is None:
        yield Finding(
            "sequence",
            WARN,
            f"{mirror_path(path)} is missing: a database that went back in time would not be noticed",
        )
    elif noted.birth == birth and noted.seq > seq:
        yield Finding(
            "sequence",
            FAIL,
            f"the database ends at transaction {seq}, but {noted.seq} were written: put the newer file back",
        )
    else:
        yield Finding("sequence", OK, f"transaction {seq:,}, epoch {epoch}")


def log_of_sqlite(path: str) -> Iterator[Finding]:
    """The write-ahead log does not grow."""
    log = Path(os.path.realpath(path) + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > _LARGE_LOG:
        yield Finding(
            "wal",
            WARN,
            f"{log} has {_bytes(size)}: some program keeps a transaction open on the database; end it",
        )
    elif size:
        yield Finding("wal", OK, f"the write-ahead log has {_bytes(size)}")


def integrity(path: str) -> Iterator[Finding]:
    """SQLite finds the file whole."""
    from flowlet.store import Reader

    if not Path(path).exists():
        return
    with Reader(path) as reader:
        problems = reader.check()
    for problem in problems:
        yield Finding("integrity", FAIL, f"{problem}: restore a backup")
    if not problems:
        yield Finding("integrity", OK, "the file is whole")


def task_logs(path: str) -> Iterator[Finding]:
    """The logs of attempts do not fill the disk."""
    folder = log_files.log_folder(path)
    if not folder.is_dir():
        return
    size, count, is_all = _size_of(folder, at_most=_MOST_FILES)
    text = f"{'' if is_all else 'more than '}{_bytes(size)} in {render.plural(count, 'log')} in {folder}"
    if size > _LARGE_LOGS or not is_all:
        yield Finding("logs", WARN, f"{text}: `flowlet db prune` deletes those of old runs with the runs")
    else:
        yield Finding("logs", OK, text)


def _bytes(count: int) -> str:
    size, unit = float(count), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):  # noqa: B007  the last one is used
        if size < 1000:
            break
        size /= 1000
    return f"{count:,} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


def _size_of(folder: Path, *, at_most: int) -> tuple[int, int, bool]:
    """(bytes, files, whether that is all) below a folder; counts at most so many files."""
    total = count = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(Path(parent) / name).st_size
            except OSError:
                continue  # gone since it was listed
            count += 1
            if count >= at_most:
                return total, count, False
    return total, count, True
