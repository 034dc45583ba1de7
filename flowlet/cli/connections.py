"""`flowlet connections`: where something is and how to get in."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flowlet.cli import exits, kept, render
from flowlet.cli.exits import CommandError
from flowlet.worker.secrets import redact
from flowlet.worker.vault import CONNECTION

if TYPE_CHECKING:
    from flowlet.worker.connections import Connection

_PARTS = ("type", "host", "login", "password", "schema", "port", "extra", "description")


def list_(args: argparse.Namespace) -> int:
    """Those of the database; what stands in the environment alone is not listed, as in Airflow."""
    shapes = [redact(_shape(row)) for row in kept.rows(args, CONNECTION)]
    if args.json:
        render.json_(shapes)
        return exits.OK
    columns = ("conn_id", "conn_type", "host", "port", "schema", "login", "description")
    rows = [[shape[name] for name in columns] for shape in shapes]
    render.table(("CONN ID", "TYPE", "HOST", "PORT", "SCHEMA", "LOGIN", "DESCRIPTION"), rows, empty="no connections")
    return exits.OK


def get(args: argparse.Namespace) -> int:
    """All of it, the secrets too."""
    row = kept.find(args, CONNECTION, args.conn_id)
    if row is None:
        upper = args.conn_id.upper()
        raise CommandError(
            f"connection {args.conn_id!r} is not set: neither FLOWLET_CONN_{upper} nor AIRFLOW_CONN_{upper} in the"
            " environment, nor in the database", kind="ConnectionNotFound",
        )  # fmt: skip
    shape = {**_shape(row), "uri": _connection(row).get_uri()}
    if args.json:
        render.json_(shape)
    else:
        render.pairs(shape)
    return exits.OK


def add(args: argparse.Namespace) -> int:
    """Keep a new one."""
    from flowlet.worker.connections import text_of

    if args.conn_id in kept.names(args, CONNECTION):
        raise CommandError(f"there is a connection {args.conn_id!r} already: `flowlet connections delete {args.conn_id}` first")
    text = text_of(args.conn_id, _given(args))
    description = args.conn_description or ""
    kept.keep(args, "set_connections", {args.conn_id: {"connection": text, "description": description}})
    shape = redact(_shape(kept.Kept(args.conn_id, text, description)))
    return kept.done(args, shape, f"connection {args.conn_id} is set")


def _given(args: argparse.Namespace) -> str | dict[str, Any]:
    """A URI, JSON, or parts: what the command line says."""
    whole = [kept.given(text) for text in (args.conn_uri, args.conn_json) if text is not None]
    named = {part: getattr(args, f"conn_{part}") for part in _PARTS}
    parts = {f"conn_{part}" if part == "type" else part: value for part, value in named.items() if value is not None}
    apart = parts.keys() - {"description"}
    if len(whole) + bool(apart) != 1:
        raise CommandError("give one of --conn-uri, --conn-json, or parts such as --conn-type and --conn-host")
    if not whole:
        return parts
    if args.conn_json is not None and not (whole[0] or "").lstrip().startswith("{"):
        raise CommandError("--conn-json must be a JSON object")
    return whole[0] or ""


def delete(args: argparse.Namespace) -> int:
    """Forget it."""
    kept.delete(args, "delete_connection", "conn_id", args.conn_id)
    return exits.OK


def import_(args: argparse.Namespace) -> int:
    """Keep all of a file."""
    found = {conn_id: _parts(conn_id, value) for conn_id, value in kept.read_file(args.file).items()}
    known = set() if args.overwrite else kept.names(args, CONNECTION) & found.keys()
    new = {conn_id: parts for conn_id, parts in found.items() if conn_id not in known}
    kept.keep(args, "set_connections", new)
    skipped = f", {len(known)} skipped (--overwrite replaces them)" if known else ""
    return kept.done(args, {"set": sorted(new), "skipped": sorted(known)}, f"{render.plural(len(new), 'connection')} set{skipped}")


def _parts(conn_id: str, value: Any) -> dict[str, Any]:
    from flowlet.worker.connections import text_of

    if not isinstance(value, (str, dict)):
        raise CommandError(f"connection {conn_id!r} must be a URI or an object with conn_type, host, ..., not {value!r}")
    if isinstance(value, dict):
        value = {name: part for name, part in value.items() if name not in ("conn_id", "uri") and part is not None}
    description = value.get("description") if isinstance(value, dict) else None
    return {"connection": text_of(conn_id, value), "description": description or ""}


def export(args: argparse.Namespace) -> int:
    """Write all into a file, from which they can be imported again."""
    rows = kept.rows(args, CONNECTION)
    found = {row.name: {name: part for name, part in _shape(row).items() if name != "conn_id" and part} for row in rows}
    kept.write_file(args.file, found, [(row.name, _connection(row).get_uri()) for row in rows])
    if args.file == "-":
        return exits.OK
    return kept.done(args, {"file": args.file, "connections": len(rows)}, f"{render.plural(len(rows), 'connection')} in {args.file}")


def _connection(row: kept.Kept) -> Connection:
    from flowlet.worker.connections import Connection

    return Connection(row.name, row.text)


def _shape(row: kept.Kept) -> dict[str, Any]:
    """Its parts by name; `extra` as the fields it holds, or as the text if it holds none."""
    connection = _connection(row)
    shape = connection.to_dict()
    return {**shape, "extra": shape["extra"] or connection.extra or {}, "description": row.description or connection.description}
