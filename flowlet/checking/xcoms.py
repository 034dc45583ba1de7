"""XCom keys that somebody asks for and nobody pushes, where the source says so for sure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flowlet.authoring.context import RETURN_KEY
from flowlet.authoring.dag import DAG
from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.xcom_arg import iter_resolvables
from flowlet.checking.findings import ERROR, Finding, about_task
from flowlet.checking.trees import function_tree
from flowlet.operators.bash import BashOperator
from flowlet.operators.decorators import DecoratedPython
from flowlet.operators.empty import EmptyOperator
from flowlet.operators.python import PythonOperator

#: By any of these a function comes to its context, and so may push.
_CONTEXT = frozenset({"ti", "task_instance", "kwargs", "context", "get_current_context", "xcom_push"})


def check_xcoms(dag: DAG) -> Iterator[Finding]:
    """References to keys that the task cannot push."""
    seen: set[tuple[str, str, str]] = set()
    for task in dag.tasks:
        if task.is_mapped:
            continue
        for giver, key in _references(task):
            if (task.task_id, giver.task_id, key) in seen or not _pushes_no_other_key(giver):
                continue
            seen.add((task.task_id, giver.task_id, key))
            yield about_task(
                ERROR, "xcom-key", task, f"asks for the XCom {key!r} of {giver.task_id!r}, which pushes no such key",
                f"give {giver.task_id!r} multiple_outputs=True (or `-> dict`), if what it returns has that key",
            )  # fmt: skip


def _references(task: BaseOperator) -> Iterator[tuple[BaseOperator, str]]:
    for field in task.template_fields:
        for resolvable in iter_resolvables(getattr(task, field, None)):
            for giver, key in resolvable.iter_references():
                if key != RETURN_KEY:
                    yield giver, key


def _pushes_no_other_key(giver: BaseOperator) -> bool:
    """Nothing of it can push but what returns its value."""
    if giver.multiple_outputs or giver.is_mapped:
        return False
    if giver._pre_execute_hook is not None or giver._post_execute_hook is not None or _callbacks(giver):
        return False
    if type(giver) in {BashOperator, EmptyOperator}:
        return True
    if not isinstance(giver, PythonOperator) or type(giver) not in {PythonOperator, DecoratedPython}:
        return False
    tree = function_tree(giver.python_callable)
    return isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _reaches_its_context(tree)


def _callbacks(giver: BaseOperator) -> bool:
    return bool(giver.on_execute_callback or giver.on_success_callback)


def _reaches_its_context(tree: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """It takes its task instance or the whole context, or calls a function that might look for them."""
    arguments = tree.args
    if arguments.kwarg is not None or tree.decorator_list[1:]:
        return True
    if _CONTEXT & {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}:
        return True
    nodes = [node for statement in tree.body for node in ast.walk(statement)]
    names = {node.id for node in nodes if isinstance(node, ast.Name)} | {
        node.attr for node in nodes if isinstance(node, ast.Attribute)
    }
    return bool(_CONTEXT & names) or any(isinstance(node, ast.Call) and not _is_builtin(node) for node in nodes)


def _is_builtin(call: ast.Call) -> bool:
    """A builtin function, or a method of a literal or a builtin's result: nothing that knows of contexts."""
    import builtins

    return isinstance(call.func, ast.Name) and hasattr(builtins, call.func.id)
