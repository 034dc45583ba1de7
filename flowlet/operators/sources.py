"""A call written down for another interpreter: the function's source, its arguments, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from flowlet.errors import FlowletError

#: The program that the other interpreter runs; it may be an old one and knows nothing of flowlet.
_PROGRAM = """\
import datetime, json, sys, traceback
folder, serializer, name = sys.argv[1:4]
_MARK = "__flowlet__"

def _default(value):
    if isinstance(value, datetime.datetime):
        return {_MARK: "datetime", "value": value.isoformat()}
    if isinstance(value, datetime.date):
        return {_MARK: "date", "value": value.isoformat()}
    if isinstance(value, datetime.time):
        return {_MARK: "time", "value": value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {_MARK: "timedelta", "value": [value.days, value.seconds, value.microseconds]}
    raise TypeError("a %s is no JSON" % type(value).__name__)

def _hook(found):
    kind = found.get(_MARK)
    if kind is None:
        return found
    value = found["value"]
    if kind == "timedelta":
        return datetime.timedelta(*value)
    return getattr(datetime, kind).fromisoformat(value)

def _load(path):
    if serializer == "json":
        with open(path) as file:
            return json.load(file, object_hook=_hook)
    with open(path, "rb") as file:
        return __import__(serializer).load(file)

def _dump(value, path):
    if serializer == "json":
        with open(path, "w") as file:
            json.dump(value, file, default=_default, allow_nan=False)
    else:
        with open(path, "wb") as file:
            __import__(serializer).dump(value, file)

def _say(error, what):
    traceback.print_exc()
    with open(folder + "/complaint", "w") as file:
        file.write("%s%s: %s" % (what, type(error).__name__, error))
    sys.exit(1)

call = _load(folder + "/call")
space = {"__name__": "__flowlet_call__", "virtualenv_string_args": call["string_args"]}
with open(folder + "/function.py") as file:
    exec(compile(file.read(), folder + "/function.py", "exec"), space)
try:
    result = space[name](*call["args"], **call["kwargs"])
except Exception as error:
    _say(error, "the function raised ")
try:
    _dump(result, folder + "/result")
except Exception as error:
    _say(error, "what the function returned cannot be handed back by %s: " % serializer)
"""

_MARK = "__flowlet__"


def source_of(function: Any, refuse: Callable[[str], Exception]) -> str:
    """The source of a function without its decorators, flush left."""
    import ast
    import inspect
    import textwrap
    from types import FunctionType

    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise refuse(f"python_callable must be a function with a name of its own, not {function!r}")
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
        raise refuse("python_callable must be a plain function: it runs in another interpreter")
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except OSError:
        raise refuse("the source of python_callable cannot be read: write it in a file") from None
    (definition,) = ast.parse(text).body
    return "\n".join(text.splitlines()[definition.lineno - 1 :])


def write(
    folder: Path,
    source: str,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    serializer: str,
    string_args: Sequence[str],
) -> list[str]:
    """Put the call into a folder; gives the arguments of the interpreter that is to make it."""
    (folder / "program.py").write_text(_PROGRAM, encoding="utf-8")
    (folder / "function.py").write_text(_HEADER + source + "\n", encoding="utf-8")
    call = {"args": list(args), "kwargs": dict(kwargs), "string_args": list(string_args)}
    (folder / "call").write_bytes(_dumped(call, serializer))
    return ["-u", str(folder / "program.py"), str(folder), serializer, name]


#: Annotations of the function may name what only its module has.
_HEADER = "from __future__ import annotations\n"


def result(folder: Path, serializer: str) -> Any:
    """What the function returned."""
    text = (folder / "result").read_bytes()
    if serializer == "json":
        return json.loads(text, object_hook=_read)
    return _library(serializer).loads(text)


def complaint(folder: Path) -> str | None:
    """What went wrong, in the words of the other interpreter; None if it left none."""
    path = folder / "complaint"
    return path.read_text(encoding="utf-8")[:2000] if path.exists() else None


def _dumped(call: dict[str, Any], serializer: str) -> bytes:
    try:
        if serializer == "json":
            return json.dumps(call, default=_tagged, allow_nan=False).encode()
        dumped: bytes = _library(serializer).dumps(call)
        return dumped
    except (TypeError, ValueError, AttributeError) as error:
        hint = "; serializer='pickle' takes more" if serializer == "json" else ""
        raise FlowletError(f"the arguments cannot be handed over by {serializer}: {error}{hint}") from None


def _tagged(value: object) -> dict[str, Any]:
    match value:
        case datetime():
            return {_MARK: "datetime", "value": value.isoformat()}
        case date():
            return {_MARK: "date", "value": value.isoformat()}
        case time():
            return {_MARK: "time", "value": value.isoformat()}
        case timedelta():
            return {_MARK: "timedelta", "value": [value.days, value.seconds, value.microseconds]}
    raise TypeError(f"a {type(value).__name__} is no JSON")


def _read(found: dict[str, Any]) -> Any:
    kinds: dict[str, Any] = {"datetime": datetime, "date": date, "time": time}
    match found.get(_MARK):
        case "timedelta":
            return timedelta(*found["value"])
        case str(kind) if kind in kinds:
            return kinds[kind].fromisoformat(found["value"])
    return found


def _library(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        if name == "dill":  # it reads what pickle writes; and pickle what it writes of plain values
            return import_module("pickle")
        raise FlowletError(f"serializer={name!r} needs the library {name}, which is not installed") from None
