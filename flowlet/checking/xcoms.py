"""XCom keys that somebody asks for and nobody pushes, where the source says so for sure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flowlet.authoring.context import RETURN_KEY
from flowlet.authoring.dag import DAG
from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.xcom_arg import iter_resolvables
from flowlet.checking.fields import template_values, texts_in
from flowlet.checking.findings import ERROR, Finding, about_task
from flowlet.checking.trees import function_tree, own_nodes
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
        for giver, key in _references(task):
            if (task.task_id, giver.task_id, key) not in seen and not may_push(giver, key):
                seen.add((task.task_id, giver.task_id, key))
                yield unpushed(task, giver, key)


def unpushed(task: BaseOperator, giver: BaseOperator, key: str) -> Finding:
    """A task asks for a key that another never pushes."""
    return about_task(
        ERROR, "xcom-key", task, f"asks for the XCom {key!r} of {giver.task_id!r}, which pushes no such key",
        "return a dict that has the key" if giver.multiple_outputs else
        f"give {giver.task_id!r} multiple_outputs=True (or `-> dict`), if what it returns has that key",
    )  # fmt: skip


def _references(task: BaseOperator) -> Iterator[tuple[BaseOperator, str]]:
    for _, value in template_values(task):
        for resolvable in iter_resolvables(value):
            for giver, key in resolvable.iter_references():
                if key != RETURN_KEY:
                    yield giver, key


def may_push(giver: BaseOperator, key: str) -> bool:
    """False only if nothing of it can push this key: what it returns has it not, and it has no context to push with."""
    if key == RETURN_KEY or giver.is_mapped:
        return True
    if giver._pre_execute_hook is not None or giver._post_execute_hook is not None or _callbacks(giver) or _pushes_in_templates(giver):
        return True
    if type(giver) in {BashOperator, EmptyOperator}:
        return giver.multiple_outputs
    if not isinstance(giver, PythonOperator) or type(giver) not in {PythonOperator, DecoratedPython}:
        return True
    tree = function_tree(giver.python_callable)
    if not isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)) or _reaches_its_context(tree):
        return True
    return giver.multiple_outputs and key in (_returned_keys(tree) or {key})


def _returned_keys(tree: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str] | None:
    """The keys of the dicts that stand in its returns; None if it returns anything else."""
    keys: set[str] = set()
    for node in own_nodes(tree):
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return None
        if isinstance(node, ast.Return):
            names = node.value.keys if isinstance(node.value, ast.Dict) else [None]
            for name in names:
                if not isinstance(name, ast.Constant):
                    return None
                keys.add(str(name.value))
    return keys


def _pushes_in_templates(giver: BaseOperator) -> bool:
    """`{{ ti.xcom_push(...) }}` in a field: rendering it pushes. A file, or a macro of the user's, may do so, too."""
    texts = [text for _, value in template_values(giver) for text in texts_in(value)]
    if any("xcom_push" in text or text.endswith(tuple(giver.template_ext)) for text in texts):
        return True
    return bool(giver.dag.user_defined_macros) and any("{" in text for text in texts)


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
