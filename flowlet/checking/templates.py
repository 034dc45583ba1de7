"""Templates that will fail: syntax, names that no context has, params and tasks that the DAG does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flowlet.authoring.context import CONTEXT_KEYS
from flowlet.authoring.dag import DAG
from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.places import nearest
from flowlet.authoring.work import Work
from flowlet.checking.findings import ERROR, HINT, WARNING, Finding, about_task

if TYPE_CHECKING:
    from jinja2 import nodes

#: Methods of the dict that `params` is.
_OF_A_DICT = frozenset(dir(dict))


def check_templates(dag: DAG) -> Iterator[Finding]:
    """All template fields of all tasks."""
    for task in dag.tasks:
        if task.is_mapped or _renders_itself(task):
            continue
        for field in task.template_fields:
            for text in _texts(getattr(task, field, None)):
                yield from _check(task, field, text)


def _renders_itself(task: BaseOperator) -> bool:
    cls = type(task)
    return cls.render_template_fields is not Work.render_template_fields or cls.render_template is not Work.render_template


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, however nested."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for member in value:
            yield from _texts(member)


def _check(task: BaseOperator, field: str, text: str) -> Iterator[Finding]:
    extensions = tuple(task.template_ext)
    is_file = bool(extensions) and text.endswith(extensions)
    if not is_file and "{" not in text:
        return
    from jinja2 import TemplateNotFound, TemplateSyntaxError

    from flowlet.worker.templates import templates_of

    try:
        tree = templates_of(task, task.dag).parsed(text, is_file=is_file)
    except TemplateSyntaxError as error:
        where = f"{error.filename or field}, line {error.lineno}"
        yield about_task(ERROR, "template-syntax", task, f"{where}: {error.message}", "mend the template")
    except TemplateNotFound:
        yield about_task(
            ERROR, "template-file", task, f"{field} names the file {text!r}, which is not there",
            "put it into the DAG's folder or a template_searchpath; a space after a command keeps it from being a file name",
        )  # fmt: skip
    else:
        yield from _undefined(task, field, tree)
        yield from _params(task, field, tree)
        yield from _pulls(task, field, tree)


def _undefined(task: BaseOperator, field: str, tree: nodes.Template) -> Iterator[Finding]:
    from jinja2.meta import find_undeclared_variables

    dag = task.dag
    if dag.template_undefined is not None or "undefined" in (dag.jinja_environment_kwargs or {}):
        return  # what an undefined name means is theirs to say
    for name in sorted(find_undeclared_variables(tree) - CONTEXT_KEYS - _guarded_names(tree)):
        yield about_task(
            ERROR, "undefined-name", task, f"{field}: {name!r} is no name of the context{nearest(name, CONTEXT_KEYS)}",
            "correct it, or give it in user_defined_macros or params (as params.NAME)",
        )  # fmt: skip


def _guards(tree: nodes.Template) -> Iterator[nodes.Node]:
    """What stands under `| default(...)` or `is defined`: it may be absent."""
    from jinja2 import nodes

    for guard in tree.find_all((nodes.Filter, nodes.Test)):
        if guard.name in {"default", "d", "defined", "undefined"} and guard.node is not None:
            yield guard.node


def _guarded_names(tree: nodes.Template) -> set[str]:
    from jinja2 import nodes

    return {node.name for node in _guards(tree) if isinstance(node, nodes.Name)}


def _params(task: BaseOperator, field: str, tree: nodes.Template) -> Iterator[Finding]:
    """`params.x` that neither the DAG nor the task has: a scheduled run has no conf to give it."""
    dag = task.dag
    if dag.template_undefined is not None or "undefined" in (dag.jinja_environment_kwargs or {}):
        return
    known = {*dag.params, *(task.params or ())}
    guarded = {name for node in _guards(tree) if (name := _param(node)) is not None}
    level = HINT if dag.timetable is None or not dag.timetable.can_be_scheduled else WARNING
    for name in sorted(_named_params(tree) - known - guarded):
        yield about_task(
            level, "undefined-param", task,
            f"{field}: params.{name} is a param neither of the DAG nor of the task{nearest(name, known)}",
            f"give it a default: params={{{name!r}: ...}}",
        )  # fmt: skip


def _named_params(tree: nodes.Template) -> set[str]:
    from jinja2 import nodes

    names = (_param(node) for node in tree.find_all((nodes.Getattr, nodes.Getitem)))
    return {name for name in names if name is not None}


def _param(node: nodes.Node) -> str | None:
    """x of `params.x` and `params["x"]`."""
    from jinja2 import nodes

    of = getattr(node, "node", None)
    if not isinstance(of, nodes.Name) or of.name != "params":
        return None
    if isinstance(node, nodes.Getattr):
        return None if node.attr in _OF_A_DICT else node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return node.arg.value
    return None


def _pulls(task: BaseOperator, field: str, tree: nodes.Template) -> Iterator[Finding]:
    """`xcom_pull(task_ids='x')` of this DAG where it has no task x: it would give None."""
    from jinja2 import nodes

    dag = task.dag
    for call in tree.find_all(nodes.Call):
        if not isinstance(call.node, nodes.Getattr) or call.node.attr != "xcom_pull" or call.dyn_kwargs is not None:
            continue
        given = {keyword.key: keyword.value for keyword in call.kwargs}
        if _constants(given.get("dag_id")) not in ([], [dag.dag_id]):
            continue
        if "dag_id" in given and not _constants(given["dag_id"]):
            continue
        for name in _constants(given.get("task_ids", call.args[0] if call.args else None)):
            if not dag.has_task(name):
                yield about_task(
                    ERROR, "unknown-task", task,
                    f"{field}: xcom_pull(task_ids={name!r}) names no task of the DAG{nearest(name, dag.task_ids)}",
                    "pull from the full id of a task: GROUP.TASK in a group",
                )  # fmt: skip


def _constants(node: nodes.Node | None) -> list[str]:
    """The texts that stand there as constants."""
    from jinja2 import nodes

    members: list[Any] = list(node.items) if isinstance(node, (nodes.List, nodes.Tuple)) else [node]
    return [member.value for member in members if isinstance(member, nodes.Const) and isinstance(member.value, str)]
