"""`flowlet db check|backup|prune`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from flowlet.cli import arguments, exits, render
from flowlet.cli.owner import ask
from flowlet.cli.stored import reader


def check(args: argparse.Namespace) -> int:
    with reader(args) as db:
        problems = db.check()
    if args.json:
        render.json_({"db": arguments.database(args), "ok": not problems, "problems": problems})
    else:
        print("\n".join(problems) or f"{arguments.database(args)} is whole")
    return exits.FAILED if problems else exits.OK


def backup(args: argparse.Namespace) -> int:
    path = str(Path(args.path).absolute())
    ask(arguments.existing_database(args), "backup", {"path": path}, lambda engine: engine.backup(path))
    shape = {"db": arguments.database(args), "backup": args.path, "bytes": Path(path).stat().st_size}
    return _told(args, shape, f"{args.path} holds a copy of {arguments.database(args)} ({shape['bytes']} bytes)")


def prune(args: argparse.Namespace) -> int:
    given = {"keep_days": args.keep_days, "keep_runs": args.keep_runs}
    deleted, _ = ask(arguments.existing_database(args), "prune", given, lambda engine: engine.prune(**given))
    return _told(args, {"db": arguments.database(args), "deleted": deleted}, f"{deleted} runs deleted")


def _told(args: argparse.Namespace, shape: dict[str, Any], text: str) -> int:
    if args.json:
        render.json_(shape)
    else:
        print(text)
    return exits.OK
