"""`conf`: Airflow's configuration, read from the environment.

`conf.get("core", "x")` is `FLOWLET__CORE__X`, else `AIRFLOW__CORE__X`, else one of a few defaults of
Airflow's, else `fallback`; without any of them SettingError (Airflow's AirflowConfigException).
"""

from __future__ import annotations

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
