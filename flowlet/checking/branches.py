"""What a branch may choose, where its source or its arguments say it for sure."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from flowlet.authoring.dag import DAG
from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.places import nearest
from flowlet.checking.findings import ERROR, Finding, about_task
from flowlet.checking.trees import function_tree, own_nodes
from flowlet.operators.branch import BranchPythonOperator

_OURS = "flowlet.operators."


def alternatives(task: BaseOperator) -> list[list[str]] | None:
    """The ids of each choice; None where it cannot be told, or one of them is none of the DAG's."""
    choices = _choices(task)
    dag = task.dag
    if choices is None or not all(dag.has_task(name) or dag.has_task_group(name) for ids in choices for name in ids):
        return None
    return choices


def check_branches(dag: DAG) -> Iterator[Finding]:
    """Choices that name a task which the DAG does not have."""
    known = [*dag.task_ids, *dag.task_group_dict]
    for task in dag.tasks:
        for name in sorted({name for ids in _choices(task) or () for name in ids} - set(known)):
            yield about_task(
                ERROR, "unknown-task", task, f"chooses {name!r}, which is no task of the DAG{nearest(name, known)}",
                "choose the full id of a task or a group that comes directly after it",
            )  # fmt: skip


def _choices(task: BaseOperator) -> list[list[str]] | None:
    if task.is_mapped or not type(task).__module__.startswith(_OURS):
        return None
    if isinstance(task, BranchPythonOperator):
        return _returned(task)
    sides = [getattr(task, f"follow_task_ids_if_{side}", None) for side in ("true", "false")]
    ids = [_ids(side) for side in sides]
    return None if None in ids else [side for side in ids if side is not None]


def _ids(side: object) -> list[str] | None:
    if isinstance(side, str):
        return [side]
    if isinstance(side, Iterable) and not isinstance(side, dict):
        names = list(side)
        return names if names and all(isinstance(name, str) for name in names) else None
    return None


def _returned(task: BranchPythonOperator) -> list[list[str]] | None:
    """The constants that the callable returns; None if it returns anything else."""
    tree = function_tree(task.python_callable)
    if not isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    found: list[list[str]] = []
    for node in own_nodes(tree):
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return None
        if isinstance(node, ast.Return):
            ids = [_constants(value) for value in _sides(node.value)]
            if None in ids:
                return None
            found += [names for names in ids if names is not None]
    return found or None


def _sides(value: ast.expr | None) -> Iterator[ast.expr | None]:
    if isinstance(value, ast.IfExp):
        yield from _sides(value.body)
        yield from _sides(value.orelse)
    else:
        yield value


def _constants(value: ast.expr | None) -> list[str] | None:
    members = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
    if value is None or (isinstance(value, ast.Constant) and value.value is None):
        return []
    names = [member.value for member in members if isinstance(member, ast.Constant) and isinstance(member.value, str)]
    return names if len(names) == len(members) else None
