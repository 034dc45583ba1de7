"""What variables and connections have in common: where they are looked up, who writes them, and files of them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from operator import methodcaller
from pathlib import Path
from typing import Any

from flowlet.cli import arguments, exits, owner, reading, render
from flowlet.cli.exits import CommandError
from flowlet.named_tuple import NamedTuple

_MOST_AT_ONCE = 256 * 1024
"""Characters that one request to an owner holds, if there are several things to keep."""


class Kept(NamedTuple):
    """A row: a variable, or a connection as JSON."""

    name: str
    text: str
    description: str


def rows(args: argparse.Namespace, kind: str) -> list[Kept]:
    """All of the database."""
    with reading.reading(args) as reader:
        return [Kept(*row) for row in reader.fetch("secrets", kind=kind)]


def find(args: argparse.Namespace, kind: str, name: str) -> Kept | None:
    """As tasks find it: in the environment, then in the database, if there is one."""
    from flowlet.worker import vault

    text = vault.find(kind, name)
    if text is not None:
        return Kept(name, text, "")
    if not os.path.lexists(arguments.database(args)):
        return None
    with reading.reading(args) as reader:
        found = reader.fetch("secret", kind=kind, key=name)
    return Kept(name, *found[0]) if found else None


def names(args: argparse.Namespace, kind: str) -> set[str]:
    """What the database has; nothing if there is none yet."""
    return {row.name for row in rows(args, kind)} if os.path.lexists(arguments.database(args)) else set()


def keep(args: argparse.Namespace, verb: str, kept: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep all of them: one transaction, or a few if they are very long."""
    argument = verb.removeprefix("set_")
    for portion in _in_portions(kept):
        owner.ask(arguments.new_database(args), verb, {argument: portion}, methodcaller(verb, portion))


def _in_portions(kept: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Mapping[str, Any]]]:
    portion: dict[str, Mapping[str, Any]] = {}
    size = 0
    for name, parts in kept.items():
        length = len(json.dumps(parts))
        if portion and size + length > _MOST_AT_ONCE:
            yield portion
            portion, size = {}, 0
        portion[name] = parts
        size += length
    if portion:
        yield portion


def delete(args: argparse.Namespace, verb: str, argument: str, name: str) -> None:
    """Forget it; CommandError if there is none."""
    known, _ = owner.ask(arguments.existing_database(args), verb, {argument: name}, methodcaller(verb, name))
    word = verb.removeprefix("delete_")
    if not known:
        raise CommandError(f"there is no {word} {name!r} in the database: `flowlet {word}s list` names them")
    done(args, {argument: name}, f"{word} {name} is deleted")


def done(args: argparse.Namespace, shape: Mapping[str, Any], sentence: str) -> int:
    """Say so."""
    if args.json:
        render.json_(shape)
    else:
        print(sentence)
    return exits.OK


def given(value: str | None) -> str | None:
    """A value of the command line; `-` is standard input, which other users of the machine do not see."""
    return sys.stdin.read().rstrip("\n") if value == "-" else value


# -- files -----------------------------------------------------------------------------------------------


def read_file(path: str) -> dict[str, Any]:
    """Name to value: a JSON object, or lines NAME=VALUE of a .env file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if path.endswith(".env"):
        return dict(_lines(path, text))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise CommandError(f"{path} must hold a JSON object, by name")
    return found


def _lines(path: str, text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        name, sign, value = line.strip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not sign:
            raise CommandError(f"{path}:{number}: a line is NAME=VALUE")
        yield name.strip(), value.strip()


def write_file(path: str, found: Mapping[str, Any], lines: Iterable[tuple[str, str]]) -> None:
    """Write it, for nobody else to read: JSON, or `lines` of a .env file."""
    if path.endswith(".env"):
        text = "".join(f"{name}={value}\n" for name, value in _of_one_line(path, lines))
    else:
        text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from None


def _of_one_line(path: str, lines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in lines:
        if "\n" in value:
            raise CommandError(f"{path}: {name} has several lines, for which a .env file has no form: write a .json file")
        yield name, value
