"""`flowlet trigger`: ask for a run; the scheduler that owns the database, now or later, runs it."""

from __future__ import annotations

import argparse
from typing import Any

from flowlet.cli import arguments, exits, owner, render
from flowlet.cli.run import what_to_run


def trigger(args: argparse.Namespace) -> int:
    """The run is on file when this returns."""
    path = arguments.existing_database(args)
    request = what_to_run(args)

    async def act(engine: Any) -> Any:
        return (await engine.trigger(args.dag_id, **request)).as_dict()

    shape, owned = owner.ask(path, "trigger", {"dag_id": args.dag_id, **_plain(request)}, act)
    if args.json:
        render.json_(shape)
        return exits.OK
    print(f"{shape['run_id']} of {args.dag_id} is {shape['state']}")
    if not owned:
        render.note(f"no scheduler runs on {path}: `flowlet daemon FILE --db {path}` will run it")
    return exits.OK


def _plain(request: dict[str, Any]) -> dict[str, Any]:
    """As JSON: a date as text."""
    date = request.get("logical_date")
    plain = {name: value for name, value in request.items() if value is not None or name == "logical_date"}
    return plain if date is None else {**plain, "logical_date": date.isoformat()}
