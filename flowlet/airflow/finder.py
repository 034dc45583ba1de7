"""The importer: modules named `airflow...` are made when they are asked for, and hold nothing but a look-up."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import FrameType, ModuleType
from typing import Any

from flowlet.errors import FlowletError

_MARK = "_flowlet_shim"


class NotInFlowlet(FlowletError, ImportError):
    """A DAG file asks for a name of Airflow that flowlet does not have; the text says which, where, and why."""


class Finder:
    """Finds `airflow` and all below it. Comes first on `sys.meta_path`: the name is flowlet's here."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002  as above
    ) -> ModuleSpec | None:
        if fullname != "airflow" and not fullname.startswith("airflow."):
            return None
        from flowlet.airflow import names

        if names.is_module(fullname):
            return ModuleSpec(fullname, Loader(), is_package=True)  # type: ignore[arg-type]  # importlib.abc costs
        installed = _installed(fullname)
        if installed is not None:
            return installed
        raise NotInFlowlet(names.why_missing(*_wanted(fullname)))


class Loader:
    """Makes a module that looks its names up."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return ShimModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        from flowlet.airflow import names

        setattr(module, _MARK, True)
        if module.__name__ == "airflow":
            module.__dict__["__version__"] = names.VERSION
            from flowlet.airflow import spellings

            spellings.understand()


class ShimModule(ModuleType):
    """A module of Airflow's; each of its names is resolved when it is first used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        from flowlet.airflow import names

        value = names.find(self.__name__, name)
        if value is names.ABSENT and names.is_module(f"{self.__name__}.{name}"):
            return import_module(f"{self.__name__}.{name}")  # Airflow's own imports bring its modules about
        if value is names.ABSENT:
            raise AttributeError(f"{self.__name__} of flowlet has no {name!r}")
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        from flowlet.airflow import names

        return sorted({*self.__dict__, *names.available(self.__name__)})

    @property
    def __all__(self) -> list[str]:
        """What `from airflow.sdk import *` brings: the names that flowlet has."""
        from flowlet.airflow import names

        return names.available(self.__name__)


class StandInFinder:
    """Finds the stand-in for pendulum. Comes last on `sys.meta_path`: an installed one is found before."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002  as above
    ) -> ModuleSpec | None:
        if fullname != "pendulum" and not fullname.startswith("pendulum."):
            return None
        return ModuleSpec(fullname, _StandInLoader(), is_package=True)  # type: ignore[arg-type]  # as above


class _StandInLoader:
    def create_module(self, spec: ModuleSpec) -> None:
        """A plain module will do."""

    def exec_module(self, module: ModuleType) -> None:
        from flowlet.airflow import moments

        module.__dict__.update({name: getattr(moments, name) for name in moments.__all__})
        module.__dict__["__all__"] = list(moments.__all__)


FINDER, STAND_IN = Finder(), StandInFinder()


def install() -> None:
    """Put the finders in place; ImportError if the real Airflow is loaded. A second call changes nothing."""
    loaded = sys.modules.get("airflow")
    if loaded is not None and not getattr(loaded, _MARK, False):
        place = getattr(loaded, "__file__", None) or "an unknown place"
        raise ImportError(
            f"the real Airflow is loaded already (from {place}): flowlet.airflow cannot take its name in this"
            " process. Import flowlet.airflow first, or write `from flowlet import ...`"
        )
    if FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)
        sys.meta_path.append(STAND_IN)


def _installed(fullname: str) -> ModuleSpec | None:
    """A module of an installed provider package (or of Airflow's examples): its own code, on flowlet."""
    top, _, below = fullname.removeprefix("airflow.").partition(".")
    if top not in ("providers", "example_dags"):
        return None
    parts = [top, *below.split(".")[:-1]] if below else []
    folders = ["/".join([entry or ".", "airflow", *parts]) for entry in sys.path]
    return PathFinder.find_spec(fullname, folders)


def _wanted(fullname: str) -> tuple[str, str]:
    """The whole path that the import statement names (its parents come first), and `file:line` of the statement."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_import_machinery(frame):
        if frame.f_code.co_name == "_find_and_load":
            fullname = frame.f_locals.get("name", fullname)
        frame = frame.f_back
    place = "an unknown place" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
    return fullname, place


def _is_import_machinery(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__") or ""
    return name.startswith(("importlib", "flowlet.airflow")) or "importlib" in frame.f_code.co_filename
