"""Rendering an operator's template fields for one attempt (Airflow: sdk/definitions/_internal/templater.py).

What has to be rendered is found once per operator: fields that hold neither a template nor an XComArg are
left alone, and jinja is imported for a field that needs it. What a template or an XComArg gives is a value:
it is never rendered again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flowlet.authoring.xcom_arg import ResolveMixin, XComArg

if TYPE_CHECKING:
    from flowlet.authoring.context import Context
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator
    from flowlet.worker.templates import Templates

NOTHING, OUTPUTS, VALUES, TEMPLATES = 0, 1, 2, 3

_ATOMS = frozenset({int, float, bool, type(None), bytes, complex})


class Plan:
    """The fields of one operator that have to be rendered, and what the hardest of them needs."""

    __slots__ = ("_extensions", "_fields", "_most")

    def __init__(self, fields: tuple[str, ...], *, most: int, extensions: tuple[str, ...]) -> None:
        self._fields = fields
        self._most = most
        self._extensions = extensions

    @property
    def needs_only_outputs(self) -> bool:
        """Whether it is done with what other tasks pushed, and with nothing else of the context."""
        return self._most == OUTPUTS

    def render(self, task: BaseOperator, dag: DAG, context: Context, fixed: Container[int] = ()) -> None:
        """Set the rendered fields on this copy of the operator, one after the other.

        What has an id in `fixed` came from another task: it is a value, whatever it looks like.
        """
        render = self._renderer(task, dag, context, fixed)
        for field in self._fields:
            try:
                rendered = render(getattr(task, field))
            except Exception as problem:
                problem.add_note(f"in the template field {field!r}")
                raise
            object.__setattr__(task, field, rendered)

    def resolve(self, task: BaseOperator, context: Context) -> dict[str, Any]:
        """The values of the fields, where only outputs are needed; the operator stays as it is."""
        values = {}
        for field in self._fields:
            try:
                values[field] = resolve(getattr(task, field), context)
            except Exception as problem:
                problem.add_note(f"in the template field {field!r}")
                raise
        return values

    def _renderer(
        self, task: BaseOperator, dag: DAG, context: Context, fixed: Container[int] = ()
    ) -> Callable[[Any], Any]:
        if self._most < TEMPLATES:
            return lambda value: resolve(value, context)
        from flowlet.worker.templates import templates_of

        return Renderer(context, templates_of(task, dag), self._extensions, fixed).render


def resolve(value: Any, context: Context) -> Any:
    """A value with its XComArgs resolved: the common shapes at once, the others by a Renderer."""
    kind = type(value)
    if kind is XComArg:
        return value.resolve(context)
    if kind is tuple:
        return tuple([resolve(item, context) for item in value])
    if kind is dict:
        return {key: resolve(item, context) for key, item in value.items()}
    return value if kind is str or kind in _ATOMS else Renderer(context, None).render(value)


class Renderer:
    """Renders any value in one context; gives the same object back where there is nothing to render."""

    __slots__ = ("_context", "_extensions", "_fixed", "_templates")

    def __init__(
        self, context: Context, templates: Templates | None, extensions: tuple[str, ...] = (), fixed: Container[int] = ()
    ) -> None:
        self._fixed = fixed
        self._context = context
        self._templates = templates
        self._extensions = extensions

    def render(self, value: Any) -> Any:
        kind = type(value)
        if self._fixed and id(value) in self._fixed:
            return value
        if kind is str:
            return self._text(value)
        if kind in _ATOMS:
            return value
        if kind is dict:
            return self._dict(value) if value else value
        if kind is tuple or kind is list:
            return self._sequence(value, kind) if value else value
        return self._other(value)

    def _text(self, value: str) -> Any:
        if self._templates is None:
            return value
        if self._extensions and value.endswith(self._extensions):
            return self._templates.render(value, self._context, is_file=True)
        return self._templates.render(value, self._context) if _is_template(value, native=self._templates.native) else value

    def _dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        rendered = {key: self.render(item) for key, item in value.items()}
        return rendered if any(rendered[key] is not value[key] for key in value) else value

    def _sequence(self, value: Any, kind: Callable[[list[Any]], Any]) -> Any:
        rendered = [self.render(item) for item in value]
        return (
            kind(rendered) if any(new is not old for new, old in zip(rendered, value, strict=True)) else value
        )

    def _other(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(str(value))
        if isinstance(value, ResolveMixin):
            return value.resolve(self._context)
        if isinstance(value, dict):
            return self._dict(value)
        if isinstance(value, (set, frozenset, list, tuple)):
            kind: Any = type(value)
            return self._sequence(value, getattr(kind, "_make", kind))
        fields = getattr(value, "template_fields", None)
        return self.render_object(value, fields) if isinstance(fields, (list, tuple)) else value

    def render_object(self, value: Any, fields: Sequence[str]) -> Any:
        """A copy of an object that has template fields of its own."""
        from copy import copy

        twin = copy(value)
        for field in fields:
            if hasattr(value, field):
                setattr(twin, field, self.render(getattr(value, field)))
        return twin


def plan_rendering(task: BaseOperator) -> Plan | None:
    """Look through the template fields of an operator; None if there is nothing to render."""
    extensions, native = tuple(task.template_ext), _is_native(task)
    wanted, most = [], NOTHING
    for field in task.template_fields:
        value = getattr(task, field, None)
        if value and (need := needs(value, extensions, native=native)):
            wanted.append(field)
            if need > most:
                most = need
    return Plan(tuple(wanted), most=most, extensions=extensions) if wanted else None


def _is_native(task: BaseOperator) -> bool:
    if task.render_template_as_native_obj is not None or task._dag is None:
        return bool(task.render_template_as_native_obj)
    return task._dag.render_template_as_native_obj


def _is_template(text: str, *, native: bool) -> bool:
    """Whether Jinja would make something else of a text, as Airflow lets it of every text.

    It takes the newline at the end away and writes the others as its own. Of a native template it reads what comes
    out as a literal, also where nothing is filled in: "5" is a number, "" is None.
    """
    return native or "{" in text or text[-1:] == "\n" or "\r" in text


def needs(value: Any, extensions: tuple[str, ...] = (), *, native: bool = False) -> int:
    """The most of NOTHING, OUTPUTS (XComArgs), VALUES (a param, say) and TEMPLATES (text for Jinja, a file)."""
    kind = type(value)
    if kind is tuple or kind is dict:  # the arguments of a call: nearly always
        return _most_needed(value if kind is tuple else value.values(), extensions, native)
    if kind in _ATOMS:
        return NOTHING
    if isinstance(value, str):
        return TEMPLATES if _is_template(value, native=native) or (extensions and value.endswith(extensions)) else NOTHING
    if isinstance(value, ResolveMixin):
        return OUTPUTS if type(value) is XComArg else VALUES
    if isinstance(value, dict):
        return _most_needed(value.values(), extensions, native)
    if isinstance(value, (list, tuple, set, frozenset)):
        return _most_needed(value, extensions, native)
    fields = getattr(value, "template_fields", None)
    if isinstance(fields, (list, tuple)):
        return _most_needed([getattr(value, field, None) for field in fields], extensions, native)
    return NOTHING


def _most_needed(values: Iterable[Any], extensions: tuple[str, ...], native: bool) -> int:
    most = NOTHING
    for value in values:
        need = OUTPUTS if type(value) is XComArg else needs(value, extensions, native=native)
        if need > most:
            most = need
    return most
