"""`Variable`: what `Variable.get` found in Airflow's database is in the environment here."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flowlet.errors import FlowletError
from flowlet.worker.accessors import VAR

_MISSING: Any = object()


class Variable:
    """Reads `FLOWLET_VAR_X` and `AIRFLOW_VAR_X`, as `var.value.x` in a template does."""

    @classmethod
    def get(
        cls,
        key: str,
        default: Any = _MISSING,
        deserialize_json: bool = False,
        *,
        default_var: Any = _MISSING,
    ) -> Any:
        """The variable, as JSON if asked for; the default if it is not set, VariableNotFound (a KeyError) without one.

        `default_var` is Airflow 2's name of `default`, and was its second argument too.
        """
        fallback = default if default_var is _MISSING else default_var
        reader = VAR["json" if deserialize_json else "value"]
        return reader[key] if fallback is _MISSING else reader.get(key, fallback)

    @classmethod
    def set(
        cls,
        key: str,
        value: Any,
        description: str | None = None,  # noqa: ARG003  Airflow's signature
        serialize_json: bool = False,
    ) -> NoReturn:
        """Not possible: variables are the environment's."""
        text = json.dumps(value) if serialize_json else value
        raise FlowletError(
            f"variable {key!r} cannot be set to {text!r} here: give FLOWLET_VAR_{key.upper()} in the environment,"
            " or hand the value on as an XCom"
        )

    @classmethod
    def setdefault(
        cls,
        key: str,
        default: Any,
        description: str | None = None,  # noqa: ARG003  Airflow's signature
        deserialize_json: bool = False,
    ) -> Any:
        """The variable, or the default; the default is not kept."""
        return cls.get(key, default, deserialize_json)
