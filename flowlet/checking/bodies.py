"""What the bodies of tasks ask for, where their text says it: XComs of tasks, and params, that are not there."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from types import CodeType

from flowlet.authoring.dag import DAG
from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.places import nearest
from flowlet.checking.fields import operator_class
from flowlet.checking.findings import HINT, WARNING, Finding, about_task
from flowlet.checking.trees import function_tree, own_nodes
from flowlet.checking.xcoms import may_push, unpushed
from flowlet.named_tuple import NamedTuple
from flowlet.operators.python import PythonOperator

_INSTANCE = frozenset({"ti", "task_instance"})


class Pull(NamedTuple):
    """`ti.xcom_pull(task_ids="task_id", key="key")`."""

    task_id: str
    key: str | None


def check_bodies(dags: Sequence[DAG]) -> Iterator[Finding]:
    """All bodies of these DAGs. A function that several DAGs use may name what any of them has."""
    users: dict[CodeType, list[BaseOperator]] = {}
    for dag in dags:
        for task in dag.tasks:
            if not task.is_mapped and issubclass(operator_class(task), PythonOperator):
                code = getattr(getattr(task, "python_callable", None), "__code__", None)
                if code is not None:
                    users.setdefault(code, []).append(task)
    for tasks in users.values():
        tree = function_tree(tasks[0].python_callable)  # type: ignore[attr-defined]  # it has one, see above
        if isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _pulls(tree, tasks)
            yield from _params(tree, tasks)


def _pulls(tree: ast.FunctionDef | ast.AsyncFunctionDef, tasks: list[BaseOperator]) -> Iterator[Finding]:
    task = tasks[0]
    for pull in dict.fromkeys(_pulled(tree)):
        givers = [user.dag.get_task(pull.task_id) for user in tasks if user.dag.has_task(pull.task_id)]
        if not givers:
            yield about_task(
                WARNING, "unknown-task", task,
                f"xcom_pull(task_ids={pull.task_id!r}) names no task of the DAG{nearest(pull.task_id, task.dag.task_ids)}",
                "pull from the full id of a task: GROUP.TASK in a group",
            )  # fmt: skip
        elif pull.key is not None and not any(may_push(giver, pull.key) for giver in givers):
            yield unpushed(task, givers[0], pull.key)._replace(level=WARNING)


def _pulled(tree: ast.AST) -> Iterator[Pull]:
    """What is pulled from this DAG by constant names."""
    for node in own_nodes(tree):
        if not isinstance(node, ast.Call) or not _is_pull(node.func) or len(node.args) > 1:
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if {None, "dag_id", "run_id"} & given.keys() or _is_true(given.get("include_prior_dates")):
            continue
        key = given.get("key")
        name = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
        ids = given.get("task_ids", node.args[0] if node.args else None)
        for member in ids.elts if isinstance(ids, (ast.List, ast.Tuple)) else [ids]:
            if isinstance(member, ast.Constant) and isinstance(member.value, str):
                yield Pull(member.value, name)


def _is_pull(function: ast.expr) -> bool:
    """`ti.xcom_pull` and `context["ti"].xcom_pull`."""
    if not isinstance(function, ast.Attribute) or function.attr != "xcom_pull":
        return False
    of = function.value
    if isinstance(of, ast.Subscript):
        return isinstance(of.slice, ast.Constant) and of.slice.value in _INSTANCE
    return isinstance(of, ast.Name) and of.id in _INSTANCE


def _is_true(node: ast.expr | None) -> bool:
    return node is not None and not (isinstance(node, ast.Constant) and not node.value)


def _params(tree: ast.FunctionDef | ast.AsyncFunctionDef, tasks: list[BaseOperator]) -> Iterator[Finding]:
    """`params["x"]` that neither the DAG nor the task has, in a body that asks nowhere whether it is there."""
    task = tasks[0]
    if any("params" in (getattr(user, "op_kwargs", None) or ()) for user in tasks):
        return  # not those of the context
    known = {name for user in tasks for name in (*user.dag.params, *(user.params or ()))}
    for name in sorted(_named_params(tree) - known):
        level = HINT if task.dag.timetable is None or not task.dag.timetable.can_be_scheduled else WARNING
        yield about_task(
            level, "undefined-param", task, f"params[{name!r}] is a param neither of the DAG nor of the task{nearest(name, known)}",
            f"give it a default: params={{{name!r}: ...}}",
        )  # fmt: skip


def _named_params(tree: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    nodes = list(own_nodes(tree))
    is_given = "params" in {argument.arg for argument in (*tree.args.args, *tree.args.kwonlyargs)}
    if any(isinstance(node, (ast.Try, ast.In, ast.NotIn)) for node in nodes) or any(
        isinstance(node, ast.Name) and node.id == "params" and not isinstance(node.ctx, ast.Load) for node in nodes
    ):
        return set()
    return {
        node.slice.value
        for node in nodes
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
        and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
        and _is_params(node.value, is_given=is_given)
    }  # fmt: skip


def _is_params(node: ast.expr, *, is_given: bool) -> bool:
    """`params`, if the function takes them from its context, or `context["params"]`."""
    if isinstance(node, ast.Name):
        return is_given and node.id == "params"
    return (
        isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in {"context", "kwargs"}
        and isinstance(node.slice, ast.Constant) and node.slice.value == "params"
    )  # fmt: skip
