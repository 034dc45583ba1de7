"""Small functions that provider packages take from Airflow's own modules."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

SURE: Final = True
""""This is Airflow 3.0 or later", for packages that ask."""
UNSURE: Final = False
DEFAULT_OWNER: Final = "airflow"
DEFAULT_QUEUE: Final = "default"

_TRUE = frozenset({"on", "t", "true", "y", "yes", "1"})


def to_boolean(astring: str | None) -> bool:
    """Whether a text says yes."""
    return astring is not None and astring.strip().lower() in _TRUE


def getuser() -> str:
    """The name of the user that this process runs as."""
    import getpass

    return getpass.getuser()


def import_string(dotted_path: str) -> Any:
    """What a dotted path names. ImportError if there is no such thing."""
    from importlib import import_module

    module, _, name = dotted_path.rpartition(".")
    if not module:
        raise ImportError(f"{dotted_path} doesn't look like a module path")
    try:
        return getattr(import_module(module), name)
    except AttributeError:
        raise ImportError(f'Module "{module}" does not define a "{name}" attribute/class') from None


def qualname(o: Any) -> str:
    """The dotted path of a class, a function or an object's class."""
    named = o if hasattr(o, "__qualname__") else type(o)
    return f"{named.__module__}.{named.__qualname__}"


def is_valid_dotpath(path: str) -> bool:
    """Whether a text could be a dotted path."""
    return isinstance(path, str) and all(part.isidentifier() for part in path.split("."))


def iter_namespace(ns: Any) -> Any:
    """The dotted paths of the modules in a package."""
    import pkgutil

    return (found.name for found in pkgutil.iter_modules(ns.__path__, f"{ns.__name__}."))


def merge_dicts(dict1: dict[Any, Any], dict2: dict[Any, Any]) -> dict[Any, Any]:
    """Both together, the second above the first, also in dicts within."""
    merged = dict(dict1)
    for key, value in dict2.items():
        inner = merged.get(key)
        merged[key] = (
            merge_dicts(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
        )
    return merged


def exactly_one(*args: Any) -> bool:
    """Whether one of these is true, and no other."""
    return sum(map(bool, args)) == 1


def prune_dict(val: Any, mode: str = "strict") -> Any:
    """Without what is None (strict) or false (truthy), also within."""
    if isinstance(val, dict):
        pruned = {key: prune_dict(value, mode) for key, value in val.items()}
        return {key: value for key, value in pruned.items() if _stays(value, mode)}
    if isinstance(val, list):
        return [value for value in (prune_dict(value, mode) for value in val) if _stays(value, mode)]
    return val


def _stays(value: Any, mode: str) -> bool:
    return value is not None if mode == "strict" else bool(value)


class NoLineage:
    """Takes whatever hooks say of the data they touch; lineage is not collected here."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith(("add_", "create_")):
            raise AttributeError(name)
        return lambda *_, **__: None


def get_hook_lineage_collector() -> NoLineage:
    """Where hooks report what they read and write."""
    return NoLineage()


class Stats:
    """Takes what operators count and measure; nothing is done with it."""

    @staticmethod
    def incr(*_: Any, **__: Any) -> None:
        """Count up."""

    decr = gauge = timing = incr

    @staticmethod
    @contextmanager
    def timer(*_: Any, **__: Any) -> Iterator[None]:
        """Measure a block."""
        yield


def hookimpl(function: Callable[..., Any] | None = None, **_: Any) -> Any:
    """Marks a listener of a plugin, of which there are none here."""
    return function if function is not None else lambda function: function


@contextmanager
def patch_environ(new_env_variables: Mapping[str, str]) -> Iterator[None]:
    """Variables of this process's environment, for a while."""
    before = {name: os.environ.get(name) for name in new_env_variables}
    os.environ.update(new_env_variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def execute_in_subprocess(cmd: Sequence[str], cwd: str | None = None, env: Mapping[str, str] | None = None) -> None:
    """Run a command; what it prints is logged. CalledProcessError if it fails."""
    import logging
    import subprocess

    with subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env=env, text=True) as process:  # noqa: S603  the user's
        for line in process.stdout or ():
            logging.getLogger("flowlet.task").info("%s", line.rstrip())
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, cmd)


def chunks(items: Sequence[Any], chunk_size: int) -> Iterator[Sequence[Any]]:
    """So many at a time."""
    if chunk_size <= 0:
        raise ValueError("Chunk size must be a positive integer")
    for start in range(0, len(items), chunk_size):
        yield items[start : start + chunk_size]


def convert_camel_to_snake(camel_str: str) -> str:
    """`SomeOperator` as `some_operator`."""
    import re

    return re.sub(r"(?!^)([A-Z]+)", r"_\1", camel_str).lower()


def md5(string: bytes = b"", /) -> Any:
    """A digest that nobody's safety depends on."""
    import hashlib

    return hashlib.md5(string, usedforsecurity=False)
