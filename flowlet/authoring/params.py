"""Params: values that a run may set, with defaults and a JSON Schema (Airflow: sdk/definitions/param.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from flowlet.authoring import places
from flowlet.authoring.xcom_arg import ResolveMixin
from flowlet.errors import DagError, ParamError

if TYPE_CHECKING:
    from flowlet.authoring.context import Context
    from flowlet.authoring.operator import BaseOperator

NOTSET: Any = type("NOTSET", (), {"__repr__": lambda _: "NOTSET", "__bool__": lambda _: False})()
"""Stands where no value was given; None is one."""


class Param:
    """One parameter. Keywords beside `default` and `description` are its JSON Schema (`type=`, ...).

    A schema needs the extra `flowlet[params]`; without it DagError, never silent acceptance.
    """

    __slots__ = ("description", "schema", "source", "value")

    def __init__(
        self, default: Any = NOTSET, description: str | None = None, source: str | None = None, **kwargs: Any
    ) -> None:
        self.value = default
        self.description = description
        self.source = source
        self.schema: dict[str, Any] = kwargs.pop("schema") if "schema" in kwargs else kwargs
        if self.schema:
            _need_jsonschema(self.schema)

    @property
    def has_value(self) -> bool:
        """Whether it has a default."""
        return self.value is not NOTSET

    def resolve(self, value: Any = NOTSET) -> Any:
        """The value if it satisfies the schema, else the default; ParamError says what does not."""
        final = self.value if value is NOTSET else value
        if final is NOTSET:
            raise ParamError("has no value and no default")
        _check_json(final)
        if self.schema:
            _check_schema(final, self.schema)
        return final

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        value = self.value if self.has_value else None
        return {"value": value, "description": self.description, "schema": self.schema}

    def __repr__(self) -> str:
        return f"Param({self.value!r})"


class ParamsDict(MutableMapping[str, Any]):
    """Params by name. Reading one resolves and checks it; writing one changes its value, not its schema."""

    __slots__ = ("_params", "_where")

    def __init__(
        self,
        params: Mapping[str, Any] | None = None,
        *,
        owner: str = "",
        site: places.Site | None = None,
    ) -> None:
        self._where = f" of {owner} ({places.spell(site)})" if owner else ""
        if params is not None and not isinstance(params, Mapping):
            raise DagError(f"params{self._where} must be a dict, not {type(params).__name__}")
        found = params._params if isinstance(params, ParamsDict) else dict(params or {})
        self._params: dict[str, Param] = {name: _as_param(value) for name, value in found.items()}
        for name, param in self._params.items():
            if not isinstance(name, str):
                raise DagError(f"the name of a param must be a string, not {name!r}{self._where}")
            self._check_default(name, param)

    def _check_default(self, name: str, param: Param) -> None:
        if param.has_value:
            try:
                _check_json(param.value)
            except ParamError as error:
                raise DagError(f"param {name!r}{self._where} {error}") from None

    def __getitem__(self, name: str) -> Any:
        try:
            return self._params[name].resolve()
        except ParamError as error:
            raise ParamError(f"param {name!r}{self._where} {error}") from None

    def __setitem__(self, name: str, value: Any) -> None:
        param = self._params.get(name)
        if isinstance(value, Param) or param is None:
            self._params[name] = _as_param(value)
            return
        changed = _as_param(value)
        changed.description, changed.schema, changed.source = param.description, param.schema, param.source
        self._params[name] = changed

    def __delitem__(self, name: str) -> None:
        del self._params[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __contains__(self, name: object) -> bool:
        return name in self._params

    def get_param(self, name: str) -> Param:
        """The param itself."""
        return self._params[name]

    def defaults(self) -> dict[str, Any]:
        """The values of those that have one, unchecked."""
        return {name: param.value for name, param in self._params.items() if param.has_value}

    def dump(self) -> dict[str, Any]:
        """All values, checked."""
        return {name: self[name] for name in self._params}

    def validate(self) -> dict[str, Any]:
        """As `dump`: ParamError names the first param that has no value or a wrong one."""
        return self.dump()

    def __repr__(self) -> str:
        return f"ParamsDict({self._params!r})"


class DagParam(ResolveMixin):
    """A param of the DAG as an argument of a task: what `dag.param("x")` and the arguments of `@dag` give."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def iter_references(self) -> Iterator[tuple[BaseOperator, str]]:
        return iter(())

    def resolve(self, context: Context) -> Any:
        """The run's value of the param."""
        try:
            return context["params"][self.name]
        except KeyError:
            raise ParamError(f"param {self.name!r} has no value in this run") from None

    def __repr__(self) -> str:
        return f"DagParam({self.name!r})"


def merge_params(
    dag: ParamsDict | None, task: ParamsDict | None, conf: Mapping[str, Any] | None, *, where: str = ""
) -> dict[str, Any]:
    """The values for one attempt: DAG <- task <- the run's conf, each checked. ParamError.

    Keys of conf that are no params are values too, unchecked (Airflow: `process_params`).
    """
    merged = ParamsDict(dag)
    for name in task or ():
        assert task is not None  # noqa: S101  an absent one has no names
        merged[name] = task.get_param(name)
    for name, value in (conf or {}).items():
        merged[name] = value
    merged._where = where
    return merged.dump()


def _as_param(value: Any) -> Param:
    return value if isinstance(value, Param) else Param(value)


def _check_json(value: Any) -> None:
    if value is None or type(value) in (int, bool):
        return
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise ParamError(f"must be JSON: {error}") from None


def _need_jsonschema(schema: Mapping[str, Any]) -> None:
    import importlib.util

    if importlib.util.find_spec("jsonschema") is None:
        raise DagError(
            f"a Param has the schema {dict(schema)!r}, and checking it needs jsonschema:"
            f" pip install 'flowlet[params]' ({places.spell(places.here())})"
        )


def _check_schema(value: Any, schema: Mapping[str, Any]) -> None:
    import jsonschema

    try:
        jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())
    except jsonschema.ValidationError as error:
        raise ParamError(f"is not valid: {error.message}") from None
    except jsonschema.SchemaError as error:
        raise ParamError(f"has a wrong schema: {error.message}") from None
