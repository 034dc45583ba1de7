"""A child is a fork: what its parent has imported it need not import, and lives begin sooner."""

from __future__ import annotations

import importlib
import pkgutil

import flowlet

_ROOMS = ("store", "executors", "worker", "scheduler", "runs", "operators", "registry", "timetables", "engine")


def everything() -> None:
    """All that an engine imports while it opens and runs."""
    for room in _ROOMS:
        package = importlib.import_module(f"{flowlet.__name__}.{room}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
