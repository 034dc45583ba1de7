"""From words to arguments. Imports nothing that a command needs: wrong words are answered at once."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, NoReturn

from flowlet.cli import exits
from flowlet.cli.command import Command
from flowlet.cli.commands import COMMANDS, GROUPS
from flowlet.cli.exits import CommandError

_DESCRIPTION = "Run Airflow-like DAGs in one process, on one SQLite file."
_EPILOG = f"""\
for example:
  flowlet run etl.py                          run the DAG of a file now, and see how it goes
  flowlet daemon etl.py                       run its schedule; then, from another terminal:
  flowlet runs list                           what ran
  flowlet tasks why etl load                  why a task waits, failed or was skipped
  flowlet tasks logs etl load -f              what it prints

The database is --db, else FLOWLET__CORE__DB, else ./flowlet.db. `flowlet COMMAND --help` tells more.
With --json an error is JSON on standard output, too: {{"error": {{"kind", "text", "exit_status", ...}}}}.

{exits.TABLE}"""


class _Parser(argparse.ArgumentParser):
    """Errors in one line, which names the way out."""

    def __init__(
        self, *, formatter_class: type[argparse.HelpFormatter] | None = None, **options: Any
    ) -> None:
        super().__init__(formatter_class=formatter_class or _Plain, **options)

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{_suggesting(message)} (see {self.prog} --help)")


def parse(argv: list[str]) -> argparse.Namespace | int:
    """The arguments, with `command` naming the function; or an exit status when there is nothing to do.

    Raises CommandError for words that are wrong.
    """
    if not argv:
        build(argv).print_help(sys.stderr)
        return exits.USAGE
    try:
        args = build(argv).parse_args(argv)
    except SystemExit as stop:  # --help or --version
        return stop.code if isinstance(stop.code, int) else exits.USAGE
    return args


def _suggesting(message: str) -> str:
    """argparse's message; of a command that does not exist, which may be meant."""
    import difflib
    import re

    wrong = re.match(r"argument COMMAND: invalid choice: '(.*?)' \(choose from (.*)\)$", message)
    if wrong is None:
        return message
    word, known = wrong[1], re.findall(r"[a-z]+", wrong[2])
    longer = [command.words for command in COMMANDS if command.words.split()[-1] == word]
    meant = longer or difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {' or '.join(map(repr, meant))}?" if meant else f"there are {', '.join(known)}"
    return f"there is no command {word!r}: {hint}"


def build(argv: list[str]) -> argparse.ArgumentParser:
    """The parser. Of commands that `argv` does not call only name and help are made."""
    top = _Parser(prog="flowlet", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=_Raw)
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    _add_common(top, db=None, json=False)
    commands = top.add_subparsers(
        prog="flowlet", title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )  # a given prog spares argparse from laying out the usage
    groups: dict[str, argparse._SubParsersAction[_Parser]] = {}
    words = set(argv)
    for command in COMMANDS:
        group, _, word = command.words.rpartition(" ")
        if group and group not in groups:
            parent = commands.add_parser(group, help=GROUPS[group], description=GROUPS[group])
            groups[group] = parent.add_subparsers(
                prog=f"flowlet {group}", metavar="COMMAND", required=True, parser_class=_Parser
            )
        if group in words or not group:
            _add_command(groups.get(group, commands), word, command, whole=word in words)
    return top


def _add_command(
    among: argparse._SubParsersAction[_Parser], word: str, command: Command, *, whole: bool
) -> None:
    if not whole:
        among.add_parser(word, help=command.help)
        return
    lines = "\n".join(f"  {line}" for line in command.examples)
    epilog = f"for example:\n{lines}\n\nwith --json: {command.json}"
    parser = among.add_parser(
        word, help=command.help, description=command.help, epilog=epilog, formatter_class=_Raw
    )
    parser.set_defaults(command=command.target)
    command.arguments(parser)
    _add_common(parser, db=argparse.SUPPRESS, json=argparse.SUPPRESS)


def _add_common(parser: argparse.ArgumentParser, *, db: str | None, json: bool | str) -> None:
    """Options that stand before the command or after it."""
    parser.add_argument("--db", metavar="PATH", default=db, help="the database file")
    parser.add_argument("--json", action="store_true", default=json, help="print JSON")


class _Plain(argparse.HelpFormatter):
    """Asks the terminal for its width without shutil, which argparse would import for every argument."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=min(_width(), 110) - 2)


class _Raw(argparse.RawDescriptionHelpFormatter, _Plain):
    """Keeps the lines of the table of exit statuses."""


def _width() -> int:
    try:
        return int(os.environ.get("COLUMNS", "")) or os.get_terminal_size().columns
    except (OSError, ValueError):
        return 80


class _Version(argparse.Action):
    """Imports nothing until it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import platform

        from flowlet import __version__

        print(f"flowlet {__version__} (Python {platform.python_version()})")
        parser.exit()
