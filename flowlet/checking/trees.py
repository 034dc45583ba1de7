"""The parts of a source text that the checks look at: what runs while it is loaded, what a name stands for."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DESCRIBING = frozenset({"dag", "task_group"})


def run_while_loaded(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes that are executed when the file is loaded: no bodies of functions, but those under `@dag`."""
    for child in ast.iter_child_nodes(tree):
        yield child
        if isinstance(child, ast.Lambda) or (isinstance(child, ast.If) and _is_not_for_loading(child.test)):
            continue
        if isinstance(child, _FUNCTIONS) and not _describes(child):
            for part in (*child.decorator_list, child.args):
                yield part
                yield from run_while_loaded(part)
            continue
        yield from run_while_loaded(child)


def _is_not_for_loading(test: ast.expr) -> bool:
    """`if __name__ == "__main__":` and `if TYPE_CHECKING:`."""
    return any(isinstance(node, ast.Name) and node.id in {"__name__", "TYPE_CHECKING"} for node in ast.walk(test))


def _describes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Its body describes tasks: it is under `@dag` or `@task_group`, or makes a DAG, as factories do."""
    decorators = [one.func if isinstance(one, ast.Call) else one for one in function.decorator_list]
    if any(_last_name(decorator) in _DESCRIBING for decorator in decorators):
        return True
    return any(isinstance(node, ast.Call) and _last_name(node.func) == "DAG" for node in own_nodes(function))


def _last_name(node: ast.AST) -> str:
    return (dotted(node) or "").rpartition(".")[2]


def dotted(node: ast.AST) -> str | None:
    """`a.b.c` of names and attributes; None of anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Each name that an import makes, to what it stands for: `dt` to `datetime.datetime`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def called(node: ast.Call, names: dict[str, str]) -> str | None:
    """The full name of what is called, if an import says it: `datetime.datetime.now`."""
    name = dotted(node.func)
    if name is None:
        return None
    first, dot, rest = name.partition(".")
    return f"{names[first]}{dot}{rest}" if first in names else None


def function_tree(function: Callable[..., Any]) -> ast.AST | None:
    """The syntax tree of a function; None if its source cannot be had or read alone."""
    import inspect
    import textwrap

    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None


def own_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions in it."""
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield child
            yield from own_nodes(child)
