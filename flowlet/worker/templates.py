"""Jinja for a DAG: a sandbox in which an undefined name is an error; each template compiled once.

Source: Airflow's templater and its environments (sdk/definitions/_internal/templater.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.nativetypes import NativeEnvironment
from jinja2.sandbox import SandboxedEnvironment

from flowlet.authoring.later import value_of

if TYPE_CHECKING:
    from jinja2 import nodes

    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator

#: Compiled templates that are kept for one DAG.
_MOST_TEMPLATES = 1024


class _Sandbox(SandboxedEnvironment):
    """Attributes that begin with one underscore may be read, as in Airflow; two stay closed."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return not attr.startswith("__") and super().is_safe_attribute(obj, attr.lstrip("_"), value)


class _NativeSandbox(NativeEnvironment, _Sandbox):
    """The same, with Python objects as results."""


class Templates:
    """The templates of one DAG in one environment."""

    def __init__(self, dag: DAG, *, native: bool) -> None:
        self.native = native
        self._environment = _make_environment(dag, native=native)
        self._compiled: dict[str, Any] = {}

    def render(self, text: str, context: Mapping[str, Any], *, is_file: bool = False) -> Any:
        """The text with the context filled in; `is_file`: of the template file of that name."""
        template = self._environment.get_template(text) if is_file else self._compiled.get(text)
        if template is None:
            if len(self._compiled) >= _MOST_TEMPLATES:
                self._compiled.clear()
            template = self._compiled[text] = self._environment.from_string(text)
        return template.render(context)

    def parsed(self, text: str, *, is_file: bool = False) -> nodes.Template:
        """The syntax tree of the same. TemplateSyntaxError, TemplateNotFound."""
        environment, name = self._environment, None
        if is_file:
            assert environment.loader is not None  # noqa: S101  made with one
            name = text
            text, _, _ = environment.loader.get_source(environment, name)
        environment.compile(text, name, name)  # finds filters and tests that do not exist, too
        return environment.parse(text, name)


_known: WeakKeyDictionary[DAG, dict[bool, Templates]] = WeakKeyDictionary()


def templates_of(task: BaseOperator | None, dag: DAG) -> Templates:
    """The templates of a DAG; native Python objects as results if the task, or else the DAG, says so."""
    native = task.render_template_as_native_obj if task is not None else None
    if native is None:
        native = dag.render_template_as_native_obj
    by_kind = _known.setdefault(dag, {})
    templates = by_kind.get(native)
    if templates is None:
        templates = by_kind[native] = Templates(dag, native=native)
    return templates


def _make_environment(dag: DAG, *, native: bool) -> SandboxedEnvironment:
    folders = [str(folder) for folder in (dag.folder, *(dag.template_searchpath or ())) if folder]
    options = {
        "undefined": dag.template_undefined or StrictUndefined,
        "extensions": ["jinja2.ext.do"],
        "loader": FileSystemLoader(folders),
        **(dag.jinja_environment_kwargs or {}),
    }
    environment = (_NativeSandbox if native else _Sandbox)(**options)
    environment.filters.update(_FILTERS)
    environment.globals.update(dag.user_defined_macros or {})
    environment.filters.update(dag.user_defined_filters or {})
    return environment


def _ds(moment: datetime | None) -> str | None:
    moment = value_of(moment)
    return None if moment is None else moment.strftime("%Y-%m-%d")


def _ds_nodash(moment: datetime | None) -> str | None:
    moment = value_of(moment)
    return None if moment is None else moment.strftime("%Y%m%d")


def _ts(moment: datetime | None) -> str | None:
    moment = value_of(moment)
    return None if moment is None else moment.isoformat()


def _ts_nodash(moment: datetime | None) -> str | None:
    moment = value_of(moment)
    return None if moment is None else moment.strftime("%Y%m%dT%H%M%S")


def _ts_nodash_with_tz(moment: datetime | None) -> str | None:
    moment = value_of(moment)
    return None if moment is None else moment.isoformat().replace("-", "").replace(":", "")


_FILTERS = {
    "ds": _ds,
    "ds_nodash": _ds_nodash,
    "ts": _ts,
    "ts_nodash": _ts_nodash,
    "ts_nodash_with_tz": _ts_nodash_with_tz,
}
