"""Variables: texts, or JSON, that tasks share (Airflow: sdk/definitions/variable.py)."""

from __future__ import annotations

import json
from typing import Any

from flowlet.errors import FlowletError, VariableNotFound
from flowlet.worker import vault
from flowlet.worker.secrets import SECRETS, is_sensitive, mask_secret, redact

NOTSET: Any = type("NOTSET", (), {"__repr__": lambda _: "NOTSET"})()


class Variable:
    """A variable by its key: `Variable.get("limits", deserialize_json=True)`, `Variable.set("day", "monday")`.

    It is looked up in the environment (`FLOWLET_VAR_X`, `AIRFLOW_VAR_X`, X in upper case), then in the file of
    the engine. What a task sets is seen at once by all tasks of the engine, and on file no later than the
    task's success. One whose name speaks of a secret is masked in logs.
    """

    def __init__(self, key: str, value: Any = None, description: str | None = None) -> None:
        self.key = key
        self.value = value
        self.description = description

    @classmethod
    def get(cls, key: str, default: Any = NOTSET, deserialize_json: bool = False, *, default_var: Any = NOTSET) -> Any:
        """The value; the default, if one is given and there is none. VariableNotFound (a KeyError).

        `default_var` is Airflow 2's spelling.
        """
        default = default_var if default is NOTSET else default
        text = vault.find(vault.VARIABLE, key)
        if text is not None:
            return read(key, text, parse=deserialize_json)
        if default is NOTSET:
            raise missing(key)
        mask_secret(default, key)
        return default

    @classmethod
    def set(cls, key: str, value: Any, description: str | None = None, serialize_json: bool = False) -> None:
        """Keep a text, or, with `serialize_json`, any JSON; other values are kept as `str` spells them."""
        text = json.dumps(value, indent=2) if serialize_json else str(value)
        learn(key, text)
        vault.the_vault(f"Variable.set({key!r})").keep_secret(vault.VARIABLE, _checked(key), text, description or "")

    @classmethod
    def delete(cls, key: str) -> None:
        """Forget it, if it is kept; what stands in the environment stays."""
        vault.the_vault(f"Variable.delete({key!r})").forget_secret(vault.VARIABLE, _checked(key))

    @classmethod
    def keys(cls, prefix: str | None = None) -> list[str]:
        """The keys of those on file; what stands in the environment alone is not listed, as in Airflow."""
        found = vault.find_vault()
        names = () if found is None else found.secret_names(vault.VARIABLE)
        return [name for name in names if name.startswith(prefix or "")]

    @classmethod
    def setdefault(cls, key: str, default: Any, description: str | None = None, deserialize_json: bool = False) -> Any:
        """The value, or the default, which is kept then (Airflow 2)."""
        found = cls.get(key, None, deserialize_json=deserialize_json)
        if found is not None:
            return found
        cls.set(key, default, description, serialize_json=deserialize_json)
        return default

    def __repr__(self) -> str:
        return f"<Variable {self.key}>"


def read(key: str, text: str, *, parse: bool) -> Any:
    """The value of a text; what is secret in it is masked in logs from now on."""
    learn(key, text)
    if not parse:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        raise FlowletError(f"variable {key!r} does not hold JSON") from None
    SECRETS.add_sensitive_members(value)
    return value


def learn(key: str, text: str) -> None:
    """A key that speaks of a secret has one; so may members of JSON."""
    if is_sensitive(key):
        SECRETS.add(text)
    elif text.lstrip().startswith(("{", "[")):
        try:
            SECRETS.add_sensitive_members(json.loads(text))
        except ValueError:
            return


def shown(key: str, text: str) -> str:
    """The text as a list may show it: masked if its key speaks of a secret, and so members of JSON."""
    if text.lstrip().startswith(("{", "[")) and not is_sensitive(key):
        try:
            value = json.loads(text)
        except ValueError:
            return text
        masked = redact(value)
        return text if masked == value else json.dumps(masked)
    return str(redact(text, key))


def missing(key: str) -> VariableNotFound:
    """There is none."""
    return VariableNotFound(
        f"variable {key!r} is not set: give FLOWLET_VAR_{str(key).upper()} in the environment,"
        f" `flowlet variables set {key}`, Variable.set({key!r}, ...) or engine.set_variable({key!r}, ...)"
    )


def _checked(key: object) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= 250:
        raise FlowletError(f"the key of a variable must be a text of 1 to 250 characters, not {key!r}")
    return key
