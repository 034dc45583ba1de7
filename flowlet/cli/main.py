"""From the words of a command line to one command and its exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from flowlet.cli import exits
from flowlet.cli.exits import CommandError
from flowlet.errors import FlowletError, StoreError, StoreOwned


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command and give its exit status. Never raises for what a user or a file does."""
    try:
        return _main(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        _say("interrupted")
        return exits.INTERRUPTED
    except BrokenPipeError:
        _close_pipe()
        return exits.OK
    except Exception as error:
        if os.environ.get("FLOWLET_DEBUG"):
            raise
        return _give_up(error)


def _main(argv: list[str]) -> int:
    from flowlet.cli.parser import parse

    args = parse(argv)
    if isinstance(args, int):
        return args
    module, _, function = args.command.partition(":")
    status: int = getattr(import_module(f"flowlet.cli.{module}"), function)(args)
    sys.stdout.flush()
    return status


def _give_up(error: Exception) -> int:
    if isinstance(error, CommandError):
        _say(str(error))
        return error.status
    if isinstance(error, FlowletError):
        _say(str(error))
        return _status_of(error)
    _say(f"a bug in flowlet: {type(error).__name__}: {error} (FLOWLET_DEBUG=1 shows where)")
    return exits.BUG


def _status_of(error: FlowletError) -> int:
    if isinstance(error, StoreOwned) or any(cls.__name__ == "ControlError" for cls in type(error).__mro__):
        return exits.OWNED  # (by name: its module imports the engine)
    return exits.UNFIT if isinstance(error, StoreError) else exits.USAGE


def _say(text: str) -> None:
    """One line on standard error."""
    line = " ".join(text.split())
    try:
        print(f"flowlet: {line}", file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody can be told


def _close_pipe() -> None:
    """The reader of our output has left (`| head`): the rest must not be tried again at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # standard output is no file
