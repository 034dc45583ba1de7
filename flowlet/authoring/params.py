"""Params: values that a run may set, with defaults and a JSON Schema (Airflow: sdk/definitions/param.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from flowlet import settings
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

    def resolve(self, value: Any = NOTSET, suppress_exception: bool = False) -> Any:
        """The value if one is given, else the default, if it satisfies the schema; ParamError says what does not.

        With `suppress_exception` None stands for what is wrong.
        """
        try:
            return self._checked(self.value if value is NOTSET else value)
        except ParamError:
            if suppress_exception:
                return None
            raise

    def _checked(self, final: Any) -> Any:
        if final is NOTSET:
            raise ParamError("has no value and no default")
        _check_json(final)
        if self.schema:
            _check_schema(final, self.schema)
        return final

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {**self.serialize(), "value": self.value if self.has_value else None}

    def serialize(self) -> dict[str, Any]:
        """What `deserialize` takes."""
        return {"value": self.value, "description": self.description, "schema": self.schema, "source": self.source}

    @staticmethod
    def deserialize(data: Mapping[str, Any], version: int = 1) -> Param:  # noqa: ARG004  Airflow's signature
        """The inverse of `serialize`."""
        return Param(data["value"], data["description"], data.get("source"), schema=data["schema"])

    def __copy__(self) -> Param:
        return Param(self.value, self.description, self.source, schema=self.schema)

    def __repr__(self) -> str:
        return f"Param({self.value!r})"


class ParamsDict(MutableMapping[str, Any]):
    """Params by name. Reading one resolves and checks it; writing one changes its value, not its schema.

    With `suppress_exception` a wrong value is read as None.
    """

    __slots__ = ("_params", "_where", "suppress_exception")

    def __init__(
        self,
        dict_obj: Mapping[str, Any] | None = None,
        suppress_exception: bool = False,
        *,
        owner: str = "",
        site: places.Site | None = None,
    ) -> None:
        self.suppress_exception = suppress_exception
        self._where = f" of {owner} ({places.spell(site)})" if owner else ""
        if dict_obj is not None and not isinstance(dict_obj, Mapping):
            raise DagError(f"params{self._where} must be a dict, not {type(dict_obj).__name__}")
        found: Mapping[Any, Any] = dict_obj or {}
        if isinstance(dict_obj, ParamsDict):
            found, self._where = dict_obj._params, self._where or dict_obj._where
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
            return self._params[name].resolve(suppress_exception=self.suppress_exception)
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

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (ParamsDict, dict)):
            return self.dump() == (other.dump() if isinstance(other, ParamsDict) else other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as a dict's

    def __copy__(self) -> ParamsDict:
        return ParamsDict(self, self.suppress_exception)

    def get_param(self, name: str) -> Param:
        """The param itself."""
        return self._params[name]

    def update(self, other: Any = (), /, **more: Any) -> None:
        """As a dict's; of another ParamsDict the params themselves are taken."""
        super().update(other._params if isinstance(other, ParamsDict) else other, **more)

    def defaults(self) -> dict[str, Any]:
        """The values of those that have one, unchecked."""
        return {name: param.value for name, param in self._params.items() if param.has_value}

    def dump(self) -> dict[str, Any]:
        """All values; None stands for what is missing or wrong."""
        return {name: param.resolve(suppress_exception=True) for name, param in self._params.items()}

    def validate(self) -> dict[str, Any]:
        """All values: ParamError names the first param that has no value or a wrong one."""
        return {name: self[name] for name in self._params}

    def serialize(self) -> dict[str, Any]:
        """As `dump`."""
        return self.dump()

    @staticmethod
    def deserialize(data: Mapping[str, Any], version: int = 1) -> ParamsDict:  # noqa: ARG004  Airflow's signature
        """Params with these defaults."""
        return ParamsDict(data)

    @staticmethod
    def filter_params_by_source(params: ParamsDict, source: str) -> ParamsDict:
        """Those of the DAG, or those of the task."""
        return ParamsDict({name: param for name, param in params._params.items() if param.source == source})

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
    dag: ParamsDict | None, task: ParamsDict | None, conf: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The values for one attempt: DAG <- task <- the run's conf, each checked. ParamError names whose param it is.

    Keys of conf that are no params are values too, unchecked (Airflow: `process_params`); with the setting
    `core.dag_run_conf_overrides_params` off, conf changes nothing.
    """
    merged = ParamsDict(dag)
    if task:
        merged.update(task)
    if conf and settings.get_bool("core", "dag_run_conf_overrides_params", True):
        merged.update(conf)
    whose = dag._where if dag else ""
    try:
        return {name: param.resolve() for name, param in merged._params.items()}
    except ParamError:
        for name in merged:  # which one: said only when it is asked for
            merged._where = task._where if task and name in task._params else whose
            merged[name]
        raise


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
    """By the formats that jsonschema checks as it is installed, as in Airflow: `date`, `time`, `email`, ..."""
    import jsonschema

    try:
        jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())
    except jsonschema.ValidationError as error:
        raise ParamError(f"is not valid: {error.message}") from None
    except jsonschema.SchemaError as error:
        raise ParamError(f"has a wrong schema: {error.message}") from None
