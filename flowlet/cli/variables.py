"""`flowlet variables`: texts, or JSON, that tasks share."""

from __future__ import annotations

import argparse
import json
from typing import Any

from flowlet.cli import exits, kept, render
from flowlet.cli.exits import CommandError
from flowlet.worker.vault import VARIABLE


def list_(args: argparse.Namespace) -> int:
    """Those of the database; what stands in the environment alone is not listed, as in Airflow."""
    from flowlet.worker.variables import shown

    found = [row._replace(text=shown(row.name, row.text)) for row in kept.rows(args, VARIABLE)]
    if args.json:
        render.json_([{"key": row.name, "value": row.text, "description": row.description} for row in found])
    else:
        render.table(("KEY", "VALUE", "DESCRIPTION"), found, empty="no variables")
    return exits.OK


def get(args: argparse.Namespace) -> int:
    """The value as it is."""
    row = kept.find(args, VARIABLE, args.key)
    value = args.default if row is None else row.text
    if value is None:
        upper = args.key.upper()
        raise CommandError(
            f"variable {args.key!r} is not set: neither FLOWLET_VAR_{upper} nor AIRFLOW_VAR_{upper} in the environment,"
            " nor in the database", kind="VariableNotFound",
        )  # fmt: skip
    return kept.done(args, {"key": args.key, "value": value}, value)


def set_(args: argparse.Namespace) -> int:
    """Keep it."""
    kept.keep(args, "set_variables", {args.key: {"value": kept.given(args.value), "description": args.description}})
    return kept.done(args, {"key": args.key, "description": args.description}, f"variable {args.key} is set")


def delete(args: argparse.Namespace) -> int:
    """Forget it."""
    kept.delete(args, "delete_variable", "key", args.key)
    return exits.OK


def import_(args: argparse.Namespace) -> int:
    """Keep all of a file."""
    found = {key: _parts(value) for key, value in kept.read_file(args.file).items()}
    known = kept.names(args, VARIABLE) & found.keys() if args.action_on_existing_key != "overwrite" else set()
    if known and args.action_on_existing_key == "fail":
        raise CommandError(f"these are set already, and nothing was imported: {', '.join(sorted(known))}")
    new = {key: parts for key, parts in found.items() if key not in known}
    kept.keep(args, "set_variables", new)
    skipped = f", {len(known)} skipped" if known else ""
    return kept.done(args, {"set": sorted(new), "skipped": sorted(known)}, f"{render.plural(len(new), 'variable')} set{skipped}")


def _parts(value: Any) -> dict[str, Any]:
    """A value, or a value with its description (Airflow: cli/commands/variable_command.py)."""
    if isinstance(value, dict) and "value" in value and value.keys() <= {"value", "description"}:
        return value
    return {"value": value, "description": ""}


def export(args: argparse.Namespace) -> int:
    """Write all into a file, from which they can be imported again."""
    rows = kept.rows(args, VARIABLE)
    found = {
        row.name: {"value": _value(row.text), "description": row.description} if row.description else _value(row.text)
        for row in rows
    }
    kept.write_file(args.file, found, [(row.name, row.text) for row in rows])
    if args.file == "-":
        return exits.OK
    return kept.done(args, {"file": args.file, "variables": len(rows)}, f"{render.plural(len(rows), 'variable')} in {args.file}")


def _value(text: str) -> Any:
    """What is an object or a list in JSON is written as one; every other text as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (dict, list)) and json.loads(json.dumps(value)) == value else text
