"""Wiring: opens, connects, runs and closes the rooms. Holds no rule."""

from flowlet.engine.engine import Engine
from flowlet.engine.run import DagRun
from flowlet.engine.whole import run_dag, test_dag

__all__ = ["DagRun", "Engine", "run_dag", "test_dag"]
