"""`conf`: Airflow's configuration, read from the environment.

`conf.get("core", "x")` is `FLOWLET__CORE__X`, else `AIRFLOW__CORE__X`, else one of a few defaults of
Airflow's, else `fallback`; without any of them SettingError (Airflow's AirflowConfigException).
"""

from __future__ import annotations

import json
import os
from typing import Any

from flowlet.settings import SettingError, variable

_MISSING: Any = object()
_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE = frozenset({"0", "f", "false", "n", "no", "off"})

_DEFAULTS = {
    ("api", "base_url"): "http://localhost:8080",
    ("core", "dags_folder"): "dags",
    ("core", "default_timezone"): "utc",
    ("core", "executor"): "LocalExecutor",
    ("core", "load_examples"): "False",
    ("core", "max_active_runs_per_dag"): "16",
    ("core", "max_active_tasks_per_dag"): "16",
    ("core", "parallelism"): "32",
    ("core", "unit_test_mode"): "False",
    ("operators", "default_owner"): "airflow",
    ("operators", "default_queue"): "default",
    ("operators", "default_deferrable"): "False",
    ("webserver", "base_url"): "http://localhost:8080",
}


class Configuration:
    """Reads; there is no configuration file."""

    def get(self, section: str, key: str, fallback: Any = _MISSING, **_: Any) -> Any:
        """The text of a setting."""
        text = _find(section, key)
        if text is not None:
            return text
        if fallback is not _MISSING:
            return fallback
        raise SettingError(f"no setting [{section}] {key}: set {variable(section, key)} in the environment")

    def getboolean(self, section: str, key: str, fallback: Any = _MISSING, **_: Any) -> bool:
        """A setting that says true or false."""
        text = str(self.get(section, key, fallback)).strip().lower()
        if text not in _TRUE | _FALSE:
            raise SettingError(f"{variable(section, key)}={text!r} must be true or false")
        return text in _TRUE

    def getint(self, section: str, key: str, fallback: Any = _MISSING, **_: Any) -> int:
        """A setting that is a whole number."""
        return int(self._number(int, section, key, fallback))

    def getfloat(self, section: str, key: str, fallback: Any = _MISSING, **_: Any) -> float:
        """A setting that is a number."""
        return float(self._number(float, section, key, fallback))

    def getlist(self, section: str, key: str, fallback: Any = _MISSING, delimiter: str = ",", **_: Any) -> Any:
        """A setting that lists words."""
        found = self.get(section, key, fallback)
        return [word.strip() for word in found.split(delimiter)] if isinstance(found, str) else found

    def getjson(self, section: str, key: str, fallback: Any = _MISSING, **_: Any) -> Any:
        """A setting that holds JSON."""
        found = self.get(section, key, fallback)
        try:
            return json.loads(found) if isinstance(found, str) else found
        except ValueError as error:
            raise SettingError(f"{variable(section, key)} must be JSON: {error}") from None

    def getimport(self, section: str, key: str, fallback: Any = None, **_: Any) -> Any:
        """What the dotted path in a setting names; None without one."""
        from flowlet.airflow.small import import_string

        path = self.get(section, key, fallback)
        try:
            return import_string(path) if path else None
        except ImportError as error:
            raise SettingError(f"{variable(section, key)}={path!r}: {error}") from None

    def get_mandatory_value(self, section: str, key: str, **_: Any) -> str:
        """The text of a setting that there must be."""
        return str(self.get(section, key))

    def getsection(self, section: str) -> dict[str, str] | None:
        """All that is known of a section."""
        found = {key: text for (of, key), text in _DEFAULTS.items() if of == section.lower()}
        for start in (variable(section, "").replace("FLOWLET__", "AIRFLOW__", 1), variable(section, "")):
            found |= {name.removeprefix(start).lower(): text for name, text in os.environ.items() if name.startswith(start)}
        return found or None

    def _number(self, kind: Any, section: str, key: str, fallback: Any) -> Any:
        text = self.get(section, key, fallback)
        try:
            return kind(text)
        except (TypeError, ValueError):
            raise SettingError(f"{variable(section, key)}={text!r} must be a number") from None

    def has_option(self, section: str, key: str, **_: Any) -> bool:
        """Whether `get` finds it."""
        return _find(section, key) is not None


def _find(section: str, key: str) -> str | None:
    ours = variable(section, key)
    for name in (ours, ours.replace("FLOWLET__", "AIRFLOW__", 1)):
        if name in os.environ:
            return os.environ[name]
    return _DEFAULTS.get((section.lower(), key.lower()))


conf = Configuration()
