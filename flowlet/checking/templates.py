"""Templates that will fail: syntax, names that no context has, params and tasks that the DAG does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flowlet.authoring.context import CONTEXT_KEYS
from flowlet.authoring.dag import DAG
from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.places import nearest
from flowlet.authoring.work import Work
from flowlet.checking.fields import operator_class, template_values, texts_in
from flowlet.checking.findings import ERROR, HINT, WARNING, Finding, about_task
from flowlet.checking.xcoms import may_push, unpushed

if TYPE_CHECKING:
    from jinja2 import nodes

#: Names of Airflow 2's context, and what says the same now.
_REMOVED = {
    "execution_date": "use logical_date", "next_execution_date": "use data_interval_end", "next_ds": "use data_interval_end | ds",
    "next_ds_nodash": "use data_interval_end | ds_nodash", "prev_execution_date": "use prev_data_interval_start_success",
    "prev_ds": "use prev_data_interval_start_success | ds", "prev_ds_nodash": "use prev_data_interval_start_success | ds_nodash",
    "yesterday_ds": "use macros.ds_add(ds, -1)", "yesterday_ds_nodash": "use macros.ds_format(macros.ds_add(ds, -1), '%Y-%m-%d', '%Y%m%d')",
    "tomorrow_ds": "use macros.ds_add(ds, 1)", "tomorrow_ds_nodash": "use macros.ds_format(macros.ds_add(ds, 1), '%Y-%m-%d', '%Y%m%d')",
    "prev_execution_date_success": "use prev_data_interval_start_success", "conf": "use var, conn, or os.environ in the task",
}  # fmt: skip

#: Methods of the dict that `params` is.
_OF_A_DICT = frozenset(dir(dict))


def check_templates(dag: DAG) -> Iterator[Finding]:
    """All template fields of all tasks."""
    for task in dag.tasks:
        if not _renders_itself(operator_class(task)):
            for field, value in template_values(task):
                for text in texts_in(value):
                    yield from _check(task, field, text)


def _renders_itself(cls: type) -> bool:
    theirs = [getattr(cls, name, None) for name in ("render_template_fields", "render_template")]
    return theirs != [Work.render_template_fields, Work.render_template]


def _check(task: BaseOperator, field: str, text: str) -> Iterator[Finding]:
    extensions = tuple(getattr(operator_class(task), "template_ext", ()))
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
        yield from _macros(task, field, tree)
        yield from _params(task, field, tree)
        yield from _pulls(task, field, tree)


def _undefined(task: BaseOperator, field: str, tree: nodes.Template) -> Iterator[Finding]:
    from jinja2.meta import find_undeclared_variables

    dag = task.dag
    if dag.template_undefined is not None or "undefined" in (dag.jinja_environment_kwargs or {}):
        return  # what an undefined name means is theirs to say
    for name in sorted(find_undeclared_variables(tree) - CONTEXT_KEYS - _guarded_names(tree)):
        instead = _REMOVED.get(name)
        yield about_task(
            ERROR, "undefined-name", task,
            f"{field}: {name!r} is no name of the context"
            + (nearest(name, CONTEXT_KEYS) if instead is None else ": Airflow 3 removed it"),
            instead or "correct it, or give it in user_defined_macros or params (as params.NAME)",
        )  # fmt: skip


def _macros(task: BaseOperator, field: str, tree: nodes.Template) -> Iterator[Finding]:
    """`macros.x` that there is not."""
    from jinja2 import nodes

    from flowlet.worker import macros

    if "macros" in (task.dag.user_defined_macros or {}):
        return
    for node in tree.find_all(nodes.Getattr):
        if isinstance(node.node, nodes.Name) and node.node.name == "macros" and not macros.has(node.attr):
            yield about_task(
                ERROR, "undefined-name", task, f"{field}: macros.{node.attr} is no macro{nearest(node.attr, macros.names())}",
                "correct it, or give it in user_defined_macros",
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
    """`xcom_pull(task_ids='x', key='k')` of this DAG where it has no task x, or x pushes no k: it would give None."""
    from jinja2 import nodes

    dag = task.dag
    for call in tree.find_all(nodes.Call):
        if not isinstance(call.node, nodes.Getattr) or call.node.attr != "xcom_pull" or call.dyn_kwargs is not None:
            continue
        given = {keyword.key: keyword.value for keyword in call.kwargs}
        if "dag_id" in given and _constants(given["dag_id"]) != [dag.dag_id]:
            continue
        if len(call.args) > 1:
            continue  # by its position dag_id, or in Airflow 2 the key
        keys = _constants(given["key"]) if "key" in given else []
        for name in _constants(given.get("task_ids", call.args[0] if call.args else None)):
            if not dag.has_task(name):
                yield about_task(
                    ERROR, "unknown-task", task,
                    f"{field}: xcom_pull(task_ids={name!r}) names no task of the DAG{nearest(name, dag.task_ids)}",
                    "pull from the full id of a task: GROUP.TASK in a group",
                )  # fmt: skip
                continue
            for key in keys:
                if not may_push(dag.get_task(name), key):
                    yield unpushed(task, dag.get_task(name), key)


def _constants(node: nodes.Node | None) -> list[str]:
    """The texts that stand there as constants."""
    from jinja2 import nodes

    members: list[Any] = list(node.items) if isinstance(node, (nodes.List, nodes.Tuple)) else [node]
    values = [member.value for member in members if isinstance(member, nodes.Const)]
    if len(values) == 1 and isinstance(values[0], (list, tuple)):
        values = list(values[0])  # jinja2 has folded them
    return [value for value in values if isinstance(value, str)]
