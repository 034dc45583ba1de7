"""What the text of a file tells: dates that move, dates without a zone, waiting while it is loaded."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from flowlet.checking.findings import HINT, WARNING, Finding
from flowlet.checking.trees import called, imported_names, run_while_loaded

_DATES = frozenset({"start_date", "end_date"})

#: Full names of what gives another moment each time.
_MOVING = frozenset({
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "pendulum.now", "pendulum.today", "pendulum.yesterday", "pendulum.tomorrow", "airflow.utils.timezone.utcnow",
    "airflow.sdk.timezone.utcnow", "airflow.utils.dates.days_ago", "time.time",
})  # fmt: skip

_ZONE = re.compile(r"T.*[-+Zz]|\d\d:\d\d.*[-+Zz]")

_NETWORK = ("requests", "httpx", "urllib.request", "urllib3", "aiohttp", "socket")
_NETWORK_CALLS = frozenset({
    "get", "post", "put", "delete", "head", "patch", "request", "options", "urlopen", "urlretrieve", "create_connection",
})  # fmt: skip


def check_source(file: str, source: bytes | str) -> Iterator[Finding]:
    """All that one text tells. A text that is no Python tells nothing here: loading it says why."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    names = imported_names(tree)
    nodes = list(run_while_loaded(tree))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    for call in calls:
        yield from _waiting(file, call, names)
    values = {target.id: node.value for node in nodes if isinstance(node, ast.Assign)
              for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
    values |= _defaults(tree)
    for name, value in _dates(nodes):
        given = values.get(value.id, value) if isinstance(value, ast.Name) else value
        yield from _moving(file, name, value.lineno, given, names)
        yield from _naive(file, name, value.lineno, given, names)


def _defaults(tree: ast.AST) -> dict[str, ast.expr]:
    """Parameters that are called like dates, or hold one: a factory's `start=datetime(...)`."""
    found: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.args.defaults:
            names = [*node.args.posonlyargs, *node.args.args][-len(node.args.defaults) :]
            found |= {name.arg: value for name, value in zip(names, node.args.defaults, strict=True)}
    return found


def _waiting(file: str, call: ast.Call, names: dict[str, str]) -> Iterator[Finding]:
    """Each process that looks at the file waits, too: the scheduler, every command."""
    name = called(call, names) or ""
    module, _, function = name.rpartition(".")
    is_network = module in _NETWORK and function in _NETWORK_CALLS
    if name != "time.sleep" and not is_network:
        return
    what = "asks the network" if is_network else "sleeps"
    yield Finding(
        WARNING, "slow-file", file, call.lineno, None, None, f"{name} {what} each time the file is loaded",
        "do it in a task",
    )  # fmt: skip


def _dates(nodes: list[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """What is given as start_date or end_date: by keyword, or in a dict as default_args are."""
    for node in nodes:
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in _DATES:
                    yield keyword.arg, keyword.value
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in _DATES:
                    yield str(key.value), value
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant) and target.slice.value in _DATES:
                    yield str(target.slice.value), node.value


def _moving(file: str, name: str, line: int, value: ast.expr, names: dict[str, str]) -> Iterator[Finding]:
    calls = (node for node in ast.walk(value) if isinstance(node, ast.Call))
    moving = next((full for call in calls if (full := called(call, names)) in _MOVING), None)
    if moving is not None:
        yield Finding(
            WARNING, "moving-date", file, line, None, None,
            f"{name} comes from {moving}(), so it is another one each time the file is loaded",
            "write a fixed date",
        )  # fmt: skip


def _naive(file: str, name: str, line: int, value: ast.expr, names: dict[str, str]) -> Iterator[Finding]:
    if isinstance(value, ast.Call) and _gives_no_zone(called(value, names), value):
        yield Finding(
            HINT, "naive-date", file, line, None, None,
            f"{name} has no time zone: it is read in FLOWLET__CORE__DEFAULT_TIMEZONE (UTC)",
            "say the zone: datetime(..., tzinfo=UTC)",
        )  # fmt: skip


def _gives_no_zone(name: str | None, call: ast.Call) -> bool:
    """A call that makes a date, and by its arguments one without a zone."""
    if any(isinstance(part, ast.Starred) for part in call.args) or any(keyword.arg in {"tzinfo", None} for keyword in call.keywords):
        return False
    texts = [part.value for part in call.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    if name == "datetime.datetime":
        return len(call.args) < 8
    if name == "datetime.datetime.strptime":
        return len(call.args) == 2 and bool(texts) and "%z" not in texts[-1] and isinstance(call.args[1], ast.Constant)
    if name == "datetime.datetime.fromisoformat":
        return len(texts) == 1 and _ZONE.search(texts[0]) is None
    return name == "pendulum.naive"


def tells_of_dags(path: Path) -> bool:
    """Whether a file of a folder is one of DAGs: its text names a DAG and where it comes from (as in Airflow's safe mode)."""
    try:
        text = path.read_bytes().lower()
    except OSError:
        return True  # loading it says why
    return b"dag" in text and (b"flowlet" in text or b"airflow" in text)
