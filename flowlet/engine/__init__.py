"""Wiring: opens, connects, runs and closes the rooms. Holds no rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlet.engine.engine import Engine
    from flowlet.engine.run import DagRun
    from flowlet.engine.whole import run_dag, test_dag

__all__ = ["DagRun", "Engine", "run_dag", "test_dag"]

_HOMES = {"DagRun": "run", "Engine": "engine", "run_dag": "whole", "test_dag": "whole"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"flowlet.engine.{_HOMES[name]}"), name)
