"""Which files are taken, which are refused and how, and that a refused one is not touched."""

# ruff: noqa: ASYNC240  the loop of a test serves nobody else

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowlet.clock import SystemClock
from flowlet.errors import StoreError, StoreUnfit
from flowlet.store import Reader, Store, fitness, mounts
from flowlet.store.sqlite import APPLICATION_ID, wal_reset_bug

pytestmark = pytest.mark.anyio


async def open_and_close(path: Path, **how: Any) -> None:
    async with await Store.open(path, clock=SystemClock(), **how):
        pass


async def read(path: Path) -> None:
    Reader(path).close()


def database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def garbage(path: Path) -> None:
    path.write_bytes(b"no database at all\n" * 500)


def foreign(path: Path) -> None:
    database(path, "PRAGMA application_id = 42", "CREATE TABLE theirs (x)")


def nobodys(path: Path) -> None:
    database(path, "CREATE TABLE theirs (x)")


def newer(path: Path) -> None:
    fitness.create(str(path))
    database(path, "PRAGMA user_version = 99")


def unversioned(path: Path) -> None:
    fitness.create(str(path))
    database(path, "PRAGMA user_version = 0")


UNFIT: dict[str, tuple[Any, str]] = {
    "empty": (lambda path: path.touch(), "is empty"),
    "garbage": (garbage, "not an SQLite database"),
    "another application's": (foreign, "another application"),
    "nobody's": (nobodys, "another application"),
    "newer": (newer, "written by a newer"),
    "without a version": (unversioned, "which flowlet never wrote"),
    "folder": (lambda path: path.mkdir(), "is not a file"),
}


@pytest.mark.parametrize("kind", UNFIT)
@pytest.mark.parametrize("door", [open_and_close, read], ids=["store", "reader"])
async def test_an_unfit_file_is_refused_with_its_own_sentence_and_untouched(path: Path, kind: str, door: Any) -> None:
    make, sentence = UNFIT[kind]
    make(path)
    before = _fingerprint(path)
    with pytest.raises(StoreUnfit, match=sentence):
        await door(path)
    assert _fingerprint(path) == before
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def _fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"


def test_the_sentences_are_distinct() -> None:
    assert len({sentence for _, sentence in UNFIT.values()}) == len(UNFIT) - 1  # two are of another application


async def test_a_new_file_is_complete_private_and_marked(path: Path) -> None:
    await open_and_close(path)
    assert (path.stat().st_mode & 0o777, Path(f"{path}.lock").stat().st_mode & 0o777) == (0o600, 0o600)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (fitness.VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert sorted(found.name for found in path.parent.iterdir()) == ["flowlet.db", "flowlet.db.lock", "flowlet.db.seq"]


async def test_what_a_crash_left_of_a_half_made_file_is_made_anew(path: Path) -> None:
    Path(f"{path}.new").write_bytes(b"half")
    Path(f"{path}.new-journal").write_bytes(b"half")
    await open_and_close(path)
    assert not Path(f"{path}.new").exists()
    assert not Path(f"{path}.new-journal").exists()


async def test_an_older_schema_is_migrated_in_one_transaction_each(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_and_close(path)
    monkeypatch.setattr(fitness, "MIGRATIONS", (*fitness.MIGRATIONS, "migrations/next.sql"))
    before, now = fitness.VERSION, fitness.VERSION + 1
    monkeypatch.setattr(fitness, "VERSION", now)
    monkeypatch.setattr(fitness, "script", lambda _: "CREATE TABLE added (x INTEGER) STRICT;\nCREATE TABLE broken (;\n")
    with pytest.raises(StoreError):
        await open_and_close(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (before,)
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'added'").fetchone() == (0,)
    monkeypatch.setattr(fitness, "script", lambda _: "CREATE TABLE added (x INTEGER) STRICT;\n")
    async with await Store.open(path, clock=SystemClock()) as store:
        assert store.found == [("migrated", f"schema version {before} was brought to {now}")]


@pytest.mark.parametrize("call", ["open", "stat"])
async def test_what_the_system_refuses_at_the_start_is_told_with_the_place(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """No room for one more file, no right to look: and nothing stays owned."""
    await open_and_close(path)
    real = getattr(os, call)

    def refuse(name: Any, *args: Any, **more: Any) -> Any:
        if str(name).endswith((".seq", ".db")):
            raise OSError(errno.ENOSPC, "No space left on device", name)
        return real(name, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(StoreError, match=r"flowlet\.db(\.seq)? cannot be used: No space left on device; look at its disk"):
            await open_and_close(path)
    await open_and_close(path)


async def test_a_reader_is_told_too_what_the_system_refuses(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_and_close(path)

    def refuse(name: Any, *_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", name)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        with pytest.raises(StoreError, match="cannot be used: Permission denied"):
            Reader(path)
    with Reader(path) as reader, monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(StoreError, match="cannot be read: Permission denied"):
            reader.owner()


async def test_text_that_is_not_utf_8_is_told_as_damage(path: Path) -> None:
    """In the schema: not even SQLite's own message about it can be read then."""
    await open_and_close(path)
    path.write_bytes(path.read_bytes().replace(b"event_of_run", b"event\xb0of_run", 1))
    for door in (open_and_close, read):
        with pytest.raises(StoreUnfit, match=r"flowlet\.db: .*damaged"):
            await door(path)


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a folder"):
        await open_and_close(tmp_path / "nowhere" / "flowlet.db")


async def test_a_reader_of_nothing_says_so_and_makes_nothing(path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        Reader(path)
    assert list(path.parent.iterdir()) == []


async def test_a_damaged_file_is_refused_after_a_crash(path: Path, writing: Any) -> None:
    async with await Store.open(path, clock=SystemClock()) as store:
        turn = writing().run()
        for ti in range(1, 2001):
            turn.task(ti)
        await store.commit(turn.moves)
    content = bytearray(path.read_bytes())
    content[20 * 4096 : 20 * 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)
    Path(f"{path}-wal").write_bytes(b"\0" * 64)  # the last owner did not close it
    with pytest.raises(StoreUnfit, match="is damaged"):
        await open_and_close(path)


async def test_each_opening_is_a_new_epoch(path: Path) -> None:
    for epoch in (1, 2, 3):
        async with await Store.open(path, clock=SystemClock()) as store:
            assert store.epoch == epoch


async def test_durability_is_one_of_two(path: Path) -> None:
    with pytest.raises(ValueError, match="durability"):
        await open_and_close(path, durability="none")
    for durability, synchronous in (("full", 2), ("process", 1)):
        async with await Store.open(path, durability=durability, clock=SystemClock()) as store:
            assert store._ledger.connection is not None
            answer = await store._hop.run(lambda db: db.execute("PRAGMA synchronous").fetchone(), store._ledger.connection)
            assert answer == (synchronous,)


async def test_a_reader_can_neither_write_nor_checkpoint(path: Path, writing: Any) -> None:
    async with await Store.open(path, clock=SystemClock()) as store:
        await store.commit(writing().run().moves)
        with Reader(path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._connection.execute("DELETE FROM run")
        assert store.log_size > 0


async def test_a_clean_file_in_a_read_only_folder_can_be_read(path: Path, writing: Any) -> None:
    async with await Store.open(path, clock=SystemClock()) as store:
        await store.commit(writing().run().moves)
    path.parent.chmod(0o500)
    try:
        with Reader(path) as reader:
            assert reader.fetch("max_ids") == [(1, 0)]
    finally:
        path.parent.chmod(0o700)


NFS = "40 30 0:44 / {place} rw,relatime shared:1 - {kind} server:/export rw\n"


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs"])
async def test_a_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(mounts, "file_system_of", lambda _: kind)
    with pytest.raises(StoreUnfit, match=rf"network file system \({kind}\)"):
        await open_and_close(path)
    assert list(path.parent.iterdir()) == []
    monkeypatch.setenv("FLOWLET__CORE__NETWORK_FILE_SYSTEM", "allow")
    async with await Store.open(path, clock=SystemClock()) as store:
        assert [kind for kind, _ in store.found] == ["file_system"]


async def test_an_overlay_is_a_warning(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "file_system_of", lambda _: "overlay")
    async with await Store.open(path, clock=SystemClock()) as store:
        assert [kind for kind, _ in store.found] == ["file_system"]


def test_the_innermost_and_latest_mount_counts(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        + NFS.format(place="/srv/my\\040data", kind="nfs4")
        + NFS.format(place="/srv/other", kind="xfs")
        + NFS.format(place="/srv/other", kind="cifs")
    )
    found = [
        mounts.file_system_of(path, table)
        for path in ("/srv/my data/flowlet.db", "/srv/my data2/flowlet.db", "/srv/other/f", "/home/f")
    ]
    assert found == ["nfs4", "ext4", "cifs", "ext4"]
    assert mounts.file_system_of("/x", tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("version", "bug"),
    [((3, 40, 1), True), ((3, 44, 6), False), ((3, 50, 6), True), ((3, 50, 7), False), ((3, 51, 2), True), ((3, 51, 3), False)],
)
def test_the_versions_with_the_wal_reset_bug_are_known(monkeypatch: pytest.MonkeyPatch, version: Any, bug: bool) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert (wal_reset_bug() is not None) is bug


async def test_special_characters_in_the_path(tmp_path: Path, writing: Any) -> None:
    path = tmp_path / "50% of #1?.db"
    async with await Store.open(path, clock=SystemClock()) as store:
        await store.commit(writing().run().moves)
        assert await store.fetch("max_ids") == [(1, 0)]
    with Reader(path) as reader:
        assert reader.fetch("max_ids") == [(1, 0)]
    assert path in list(tmp_path.iterdir())


async def test_an_sqlite_that_is_too_old_is_named_before_anything_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 2))
    with pytest.raises(StoreUnfit, match=r"3\.38 or newer is needed"):
        await Store.open(path, durability="process", clock=SystemClock())
    assert not path.exists()
