"""What installed provider packages say of themselves (their entry points `apache_airflow_provider`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowlet.errors import FlowletError
from flowlet.named_tuple import NamedTuple


class DialectInfo(NamedTuple):
    """A dialect of SQL that a provider brings."""

    name: str
    dialect_class_name: str
    provider_name: str


class HookInfo(NamedTuple):
    """The hook class of a type of connection."""

    hook_class_name: str
    connection_id_attribute_name: str | None
    package_name: str
    hook_name: str
    connection_type: str


class ProvidersManager:
    """Reads the packages when it is asked."""

    @property
    def dialects(self) -> dict[str, DialectInfo]:
        """By name."""
        return {
            found["dialect-type"]: DialectInfo(found["dialect-type"], found["dialect-class-name"], package)
            for package, about in _providers()
            for found in about.get("dialects", ())
        }

    @property
    def hooks(self) -> dict[str, HookInfo]:
        """By the type of connection."""
        return {
            found["connection-type"]: HookInfo(
                found["hook-class-name"], None, package, found["connection-type"], found["connection-type"]
            )
            for package, about in _providers()
            for found in about.get("connection-types", ())
        }


def decorator_of(name: str) -> Any:
    """What `@task.<name>` is by an installed provider package; None if none brings it."""
    for _, about in _providers():
        for found in about.get("task-decorators", ()):
            if found["name"] == name:
                return _imported(found["class-name"])
    return None


def hook_of(conn_id: str, conn_type: str | None, parameters: Mapping[str, Any]) -> Any:
    """The hook of a provider package for a type of connection (Airflow: Connection.get_hook). FlowletError."""
    found = ProvidersManager().hooks.get(conn_type or "")
    if found is None:
        raise FlowletError(
            f"connection {conn_id!r} is of type {conn_type!r}, for which no installed provider package brings a hook"
        )
    hook = _imported(found.hook_class_name)
    return hook(**{getattr(hook, "conn_name_attr", "conn_id"): conn_id, **parameters})


def _imported(path: str) -> Any:
    """What a dotted path names."""
    from importlib import import_module

    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _providers() -> Iterator[tuple[str, dict[str, Any]]]:
    from importlib.metadata import entry_points

    for entry in entry_points(group="apache_airflow_provider"):
        about = entry.load()()
        yield about.get("package-name", entry.name), about
