"""Template fields: rendered per attempt, in a sandbox, with undefined names as errors.

Source: Airflow's templater (sdk/definitions/_internal/templater.py). Values are data: what comes out of a
template, out of conf or an XCom is never rendered again. jinja2 is imported when a field has a `{`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from flowlet.authoring.xcom_arg import XComArg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator

_plans: WeakKeyDictionary[BaseOperator, tuple[str, ...]] = WeakKeyDictionary()
_environments: WeakKeyDictionary[DAG, dict[bool, Any]] = WeakKeyDictionary()


def fields_to_render(task: BaseOperator) -> tuple[str, ...]:
    """The template fields of an operator that hold something to render; found once."""
    fields = _plans.get(task)
    if fields is None:
        extensions = tuple(task.template_ext)
        fields = _plans[task] = tuple(
            name for name in task.template_fields if _needs(getattr(task, name, None), extensions)
        )
    return fields


def render(original: BaseOperator, copy: BaseOperator, dag: DAG, context: Mapping[str, Any]) -> None:
    """Set the rendered fields on the attempt's copy."""
    for name in fields_to_render(original):
        setattr(copy, name, _render(getattr(original, name), original, dag, context))


def _needs(value: Any, extensions: tuple[str, ...]) -> bool:
    if value is None or isinstance(value, (int, float, bool)):
        return False
    if isinstance(value, str):
        return "{" in value or (bool(extensions) and value.endswith(extensions))
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_needs(item, extensions) for item in value)
    if isinstance(value, dict):
        return any(_needs(item, extensions) for pair in value.items() for item in pair)
    return hasattr(value, "resolve") or bool(getattr(value, "template_fields", ()))


def _render(value: Any, task: BaseOperator, dag: DAG, context: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return _render_text(value, task, dag, context)
    if isinstance(value, XComArg) or hasattr(value, "resolve"):
        return value.resolve(context)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_render(item, task, dag, context) for item in value)
    if isinstance(value, tuple):
        return type(value)(*(_render(item, task, dag, context) for item in value))
    if isinstance(value, dict):
        return {key: _render(item, task, dag, context) for key, item in value.items()}
    if getattr(value, "template_fields", ()):
        return _render_object(value, task, dag, context)
    return value


def _render_object(value: Any, task: BaseOperator, dag: DAG, context: Mapping[str, Any]) -> Any:
    from copy import copy

    twin = copy(value)
    for name in value.template_fields:
        setattr(twin, name, _render(getattr(value, name), task, dag, context))
    return twin


def _render_text(text: str, task: BaseOperator, dag: DAG, context: Mapping[str, Any]) -> Any:
    extensions = tuple(task.template_ext)
    if extensions and text.endswith(extensions):
        text = _file(text, dag)
    if "{" not in text:
        return text
    native = task.render_template_as_native_obj
    environment = _environment(dag, dag.render_template_as_native_obj if native is None else native)
    template = environment.flowlet_compiled.get(text)
    if template is None:
        template = environment.flowlet_compiled[text] = environment.from_string(text)
    return template.render(context)


def _file(name: str, dag: DAG) -> str:
    """A template in a file: in the DAG's folder or on its template_searchpath."""
    folders = [dag.folder, *(dag.template_searchpath or ())]
    for folder in folders:
        path = Path(folder) / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"the template {name!r} is in none of {', '.join(map(str, folders))}")


def _environment(dag: DAG, native: bool) -> Any:
    environments = _environments.setdefault(dag, {})
    if native not in environments:
        environments[native] = _make_environment(dag, native)
    return environments[native]


def _make_environment(dag: DAG, native: bool) -> Any:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.nativetypes import NativeEnvironment
    from jinja2.sandbox import SandboxedEnvironment

    class NativeSandbox(SandboxedEnvironment, NativeEnvironment):
        """Native types, in the sandbox."""

    kind = NativeSandbox if native else SandboxedEnvironment
    options = {
        "undefined": dag.template_undefined or StrictUndefined,
        "extensions": ["jinja2.ext.do"],
        "cache_size": 0,
        "loader": FileSystemLoader([str(dag.folder), *map(str, dag.template_searchpath or ())]),
        **(dag.jinja_environment_kwargs or {}),
    }
    environment = kind(**options)
    environment.flowlet_compiled = {}  # type: ignore[attr-defined]  # compiled once, found by text
    environment.filters.update(_FILTERS)
    environment.globals.update(dag.user_defined_macros or {})
    environment.filters.update(dag.user_defined_filters or {})
    return environment


_FILTERS = {
    "ds": lambda moment: moment.strftime("%Y-%m-%d"),
    "ds_nodash": lambda moment: moment.strftime("%Y%m%d"),
    "ts": lambda moment: moment.isoformat(),
    "ts_nodash": lambda moment: moment.strftime("%Y%m%dT%H%M%S"),
    "ts_nodash_with_tz": lambda moment: moment.isoformat().replace("-", "").replace(":", ""),
}
