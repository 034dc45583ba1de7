"""What a command was given, read: the database, a conf, a date, a task."""

from __future__ import annotations

import argparse
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from flowlet import settings
from flowlet.cli import exits
from flowlet.cli.exits import CommandError

#: Not given, which is not the same as None.
UNSET: Any = object()

_LARGEST_CONF = 1024 * 1024


def database(args: argparse.Namespace) -> str:
    """Where the database is: --db, FLOWLET__CORE__DB, ./flowlet.db."""
    return args.db or settings.get("core", "db", "flowlet.db")


def existing_database(args: argparse.Namespace) -> str:
    """The database, which must be there."""
    path = database(args)
    if path == ":memory:":
        raise CommandError("a database in memory is nobody else's to see: name a file (--db)")
    if not os.path.lexists(path):
        raise CommandError(
            f"there is no database {path}: run a DAG first, or name another file (--db, FLOWLET__CORE__DB)",
            exits.UNFIT,
        )
    return path


def new_database(args: argparse.Namespace) -> str:
    """The database, which is made if it is not there."""
    return existing_database(args) if os.path.lexists(path := database(args)) or path == ":memory:" else path


def conf(text: str | None, option: str = "--conf") -> dict[str, Any] | None:
    """The JSON object of --conf, or of the file after @."""
    if text is None:
        return None
    where = option
    if text.startswith("@"):
        where, text = text[1:], _text_of(text[1:])
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise CommandError(f"{where} is not JSON: {error.msg} {_point_at(text, error)}") from None
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{where} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise CommandError(
            f'{where} must be a JSON object such as {{"day": "2026-01-31"}}, not {_short(text)}'
        )
    return value


def _text_of(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(_LARGEST_CONF + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--conf @{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > _LARGEST_CONF:
        raise CommandError(f"--conf @{path} has more than {_LARGEST_CONF:,} characters")
    return text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _point_at(text: str, error: json.JSONDecodeError) -> str:
    """`at line 1, column 9: {"day": >here<2026}`."""
    before, after = text[max(0, error.pos - 20) : error.pos], text[error.pos : error.pos + 20]
    return f"at line {error.lineno}, column {error.colno}: {before} >here> {after}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "..."


def logical_date(text: str | None, option: str = "--logical-date") -> Any:
    """The moment of --logical-date: UNSET if it was not given, None for `none`, else aware."""
    if text is None:
        return UNSET
    if text.lower() == "none":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{option} {text!r} is no ISO 8601 date such as 2026-01-31 or 2026-01-31T06:00+01:00"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=_default_zone())


def _default_zone() -> Any:
    from flowlet.authoring.dates import default_timezone, zone_of

    try:
        return zone_of(default_timezone())
    except (TypeError, ValueError) as error:
        raise CommandError(f"{settings.variable('core', 'default_timezone')}: {error}") from None


def task(text: str) -> tuple[str, int]:
    """`load` or `load[3]` as (task_id, map_index)."""
    if text.endswith("]") and "[" in text:
        task_id, _, index = text[:-1].rpartition("[")
        if index.isascii() and index.isdigit():
            return task_id, int(index)
    return text, -1
