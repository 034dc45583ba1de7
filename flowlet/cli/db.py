"""`flowlet db`: is the file whole, a copy of it, and making it smaller."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from flowlet.cli import arguments, exits, owner, reading, render


def check(args: argparse.Namespace) -> int:
    """SQLite's integrity check and the foreign keys, read-only, beside an owner too."""
    with reading.reading(args) as reader:
        problems = reader.check()
    shape = {"db": reader.path, "ok": not problems, "problems": problems}
    if args.json:
        render.json_(shape)
    elif problems:
        for problem in problems:
            print(problem)
        render.note(f"{reader.path} is damaged: restore a backup")
    else:
        print(f"{reader.path} is whole")
    return exits.FAILED if problems else exits.OK


def backup(args: argparse.Namespace) -> int:
    """A complete, checked copy, made while the database is used."""
    path = arguments.existing_database(args)
    target = Path(args.path).absolute()  # the owner has a working directory of its own
    owner.ask(path, "backup", {"path": str(target)}, lambda engine: engine.backup(target))
    shape = {"db": path, "backup": str(target), "bytes": target.stat().st_size}
    if args.json:
        render.json_(shape)
    else:
        print(f"{target}: {shape['bytes']:,} bytes")
    return exits.OK


def prune(args: argparse.Namespace) -> int:
    """Delete finished runs that are old and many; the newest run of each DAG stays."""
    path = arguments.existing_database(args)
    asked = {"keep_days": args.keep_days, "keep_runs": args.keep_runs}

    async def act(engine: Any) -> Any:
        return await engine.prune(**asked)

    deleted, _ = owner.ask(path, "prune", asked, act)
    if args.json:
        render.json_({"db": path, "deleted": deleted})
    else:
        print(f"deleted: {deleted if isinstance(deleted, dict) else render.plural(deleted or 0, 'run')}")
    return exits.OK
