"""The commands for variables and connections, in Airflow's words."""

from __future__ import annotations

import argparse

from flowlet.cli.command import Command


def _nothing(_: argparse.ArgumentParser) -> None:
    pass


def _key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY")


def _get(parser: argparse.ArgumentParser) -> None:
    _key(parser)
    parser.add_argument("-d", "--default", metavar="VALUE", help="printed if there is none")


def _set(parser: argparse.ArgumentParser) -> None:
    _key(parser)
    parser.add_argument("value", metavar="VALUE", help="a text, which may be JSON; '-': read from standard input")
    parser.add_argument("--description", metavar="TEXT", default="")


def _import_variables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help='.json: {"KEY": value} or {"KEY": {"value": ..., "description": ...}}; .env: KEY=VALUE lines')
    parser.add_argument(
        "-a", "--action-on-existing-key", choices=("overwrite", "fail", "skip"), default="overwrite",
        help="for keys that are there (default: overwrite)",
    )  # fmt: skip


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="to make: .json or .env; '-': standard output")


def _conn_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("conn_id", metavar="CONN_ID")


def _add(parser: argparse.ArgumentParser) -> None:
    _conn_id(parser)
    parser.add_argument("--conn-uri", metavar="URI", help="such as postgres://me:secret@host:5432/db; '-': read from standard input")
    parser.add_argument("--conn-json", metavar="JSON", help="such as {\"conn_type\": \"http\", \"host\": ...}; '-': as above")
    for part in ("type", "host", "login", "password", "schema", "port", "extra", "description"):
        parser.add_argument(f"--conn-{part}", metavar="JSON" if part == "extra" else part.upper())


def _import_connections(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help='.json: {"CONN_ID": URI or {"conn_type": ...}}; .env: CONN_ID=URI lines')
    parser.add_argument("--overwrite", action="store_true", help="replace those that are there; else they are skipped")


COMMANDS: tuple[Command, ...] = (
    Command(
        "variables list", "variables:list_", "the variables of the database; secrets are masked",
        _nothing, "[{key, value, description}]",
        ("flowlet variables list",),
    ),
    Command(
        "variables get", "variables:get", "a variable, of the environment or the database",
        _get, "{key, value}",
        ("flowlet variables get day", "flowlet variables get day -d monday",),
    ),
    Command(
        "variables set", "variables:set_", "keep a variable in the database",
        _set, "{key, description}",
        ("flowlet variables set day monday --description 'when it runs'", "flowlet variables set limits '{\"rows\": 5}'", "flowlet variables set api_key -",),
    ),
    Command(
        "variables delete", "variables:delete", "remove a variable from the database",
        _key, "{key}",
        ("flowlet variables delete day",),
    ),
    Command(
        "variables import", "variables:import_", "keep all variables of a file",
        _import_variables, "{set, skipped}",
        ("flowlet variables import variables.json", "flowlet variables import variables.json -a skip",),
    ),
    Command(
        "variables export", "variables:export", "write all variables into a file, secrets as they are",
        _export, "{file, variables}",
        ("flowlet variables export variables.json",),
    ),
    Command(
        "connections list", "connections:list_", "the connections of the database; secrets are masked",
        _nothing, "[{conn_id, conn_type, description, host, login, password, schema, port, extra}]",
        ("flowlet connections list",),
    ),
    Command(
        "connections get", "connections:get", "a connection, of the environment or the database",
        _conn_id, "{conn_id, conn_type, description, host, login, password, schema, port, extra, uri}",
        ("flowlet connections get warehouse",),
    ),
    Command(
        "connections add", "connections:add", "keep a connection in the database",
        _add, "{conn_id, conn_type, ...}, secrets masked",
        ("flowlet connections add warehouse --conn-uri postgres://me:secret@host:5432/db", "flowlet connections add api --conn-type http --conn-host https://api.example.com",),
    ),
    Command(
        "connections delete", "connections:delete", "remove a connection from the database",
        _conn_id, "{conn_id}",
        ("flowlet connections delete warehouse",),
    ),
    Command(
        "connections import", "connections:import_", "keep all connections of a file",
        _import_connections, "{set, skipped}",
        ("flowlet connections import connections.json --overwrite",),
    ),
    Command(
        "connections export", "connections:export", "write all connections into a file, secrets as they are",
        _export, "{file, connections}",
        ("flowlet connections export connections.json",),
    ),
)  # fmt: skip

GROUPS = {
    "variables": "list, get, set, delete, import and export variables",
    "connections": "list, get, add, delete, import and export connections",
}
