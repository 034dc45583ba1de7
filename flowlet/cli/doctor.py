"""`flowlet doctor`: everything that can stand in the way, each with a verdict and a way out."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from flowlet.cli import arguments, exits, render
from flowlet.cli.owner import owner_of
from flowlet.errors import FlowletError

Finding = tuple[str, str, str]


def doctor(args: argparse.Namespace) -> int:
    path = arguments.database(args)
    findings = list(_look(path))
    ok = all(verdict != "fail" for _, verdict, _ in findings)
    if args.json:
        shapes = [{"check": check, "verdict": verdict, "text": text} for check, verdict, text in findings]
        render.json_({"db": path, "ok": ok, "findings": shapes})
    else:
        render.table(("check", "verdict", ""), findings)
    return exits.OK if ok else exits.FAILED


def _look(path: str) -> Iterator[Finding]:
    from flowlet import __version__
    from flowlet.store.sqlite import wal_reset_bug

    yield "flowlet", "ok", f"{__version__} on Python {platform.python_version()}"
    bug = wal_reset_bug()
    yield "SQLite", "warn" if bug else "ok", bug or "no known defect"
    if not Path(path).exists():
        yield "database", "warn", f"there is none at {path} yet: run something, or give --db"
        return
    yield from _look_at_file(path)
    owner = owner_of(path)
    text = f"process {owner.get('pid')} on {owner.get('host')} since {owner.get('since')}" if owner else "nobody"
    yield "owner", "ok", text


def _look_at_file(path: str) -> Iterator[Finding]:
    from flowlet.store import Reader, mounts

    mode = Path(path).stat().st_mode & 0o777
    yield "permissions", "warn" if mode & 0o022 else "ok", f"{mode:04o}" + ("; others can write it: chmod 600" if mode & 0o022 else "")
    kind = mounts.file_system_of(os.path.realpath(path))
    yield "disk", "fail" if mounts.is_network(kind) else "ok", f"{kind or 'unknown file system'}"
    log = Path(path + "-wal")
    size = log.stat().st_size if log.exists() else 0
    yield "write-ahead log", "warn" if size > 256 << 20 else "ok", f"{size / 1e6:.1f} MB"
    try:
        reader = Reader(path)
        problems = reader.check()
        reader.close()
        yield "integrity", "fail" if problems else "ok", "; ".join(problems) or "whole"
    except FlowletError as error:
        yield "integrity", "fail", str(error)
