"""From the words of a command line to one command and its exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from flowlet.cli import exits
from flowlet.cli.exits import CommandError
from flowlet.errors import DagFileError, FlowletError, StoreError, StoreOwned


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command and give its exit status. Never raises for what a user or a file does."""
    words = sys.argv[1:] if argv is None else list(argv)
    _prepare_streams()
    try:
        return _main(words)
    except KeyboardInterrupt:
        return _give_up(words, CommandError("interrupted", exits.INTERRUPTED))
    except BrokenPipeError:
        _leave_output()
        return exits.OK
    except Exception as error:
        if os.environ.get("FLOWLET_DEBUG"):
            raise
        return _give_up(words, _told(error))


def _main(words: list[str]) -> int:
    from flowlet.cli.parser import parse

    args = parse(words)
    if isinstance(args, int):
        sys.stdout.flush()
        return args
    module, _, function = args.command.partition(":")
    status: int = getattr(import_module(f"flowlet.cli.{module}"), function)(args)
    sys.stdout.flush()
    return status


def _told(error: Exception) -> CommandError:
    """Any error as the sentence and the status with which a command gives up."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, DagFileError):
        file, line, kind, _ = error.errors[0]
        told = [dict(zip(("file", "line", "kind", "text"), one, strict=True)) for one in error.errors]
        return CommandError(str(error), kind=kind, file=file, line=line, errors=told)
    if isinstance(error, FlowletError):
        return CommandError(str(error), _status_of(error), kind=type(error).__name__)
    if isinstance(error, OSError) and error.errno is not None and error.filename is None:
        return exits.output_lost(error)  # what else a command writes, the store writes
    text = f"a bug in flowlet: {type(error).__name__}: {error} (FLOWLET_DEBUG=1 shows where)"
    return CommandError(text, exits.BUG, kind="Bug")


def _status_of(error: FlowletError) -> int:
    if isinstance(error, StoreOwned) or any(cls.__name__ == "ControlError" for cls in type(error).__mro__):
        return exits.OWNED  # (by name: its module imports the engine)
    return exits.UNFIT if isinstance(error, StoreError) else exits.USAGE


def _give_up(words: Sequence[str], error: CommandError) -> int:
    """The sentence on standard error; with --json also as JSON on standard output."""
    lines = [" ".join(line.split()) for line in str(error).splitlines()] if "errors" in error.facts else [" ".join(str(error).split())]
    line = "; ".join(lines)
    if error.status == exits.OUTPUT:
        _leave_output()
    elif "--json" in words:
        _tell_json({"kind": error.kind, "text": line, "exit_status": error.status, **error.facts})
    try:
        for each in lines:
            print(f"flowlet: {each}", file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody can be told
    return error.status


def _tell_json(shape: dict[str, object]) -> None:
    import json

    try:
        print(json.dumps({"error": shape}, ensure_ascii=False, default=str), flush=True)
    except OSError:
        _leave_output()


def _prepare_streams() -> None:
    """A stream that is closed (`>&-`) takes nothing; one that cannot spell a letter escapes it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  to the end of the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _leave_output() -> None:
    """Nobody takes our output (`| head`, a full disk): the rest must not be tried again at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # standard output is no file
