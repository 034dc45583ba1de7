"""Airflow's import paths, for DAG files that were written for Airflow.

In flowlet's own command line, and in a program after `import flowlet.airflow`, `import airflow...` means
flowlet: each name is the flowlet thing itself, so that both spellings mix. This face translates names and
owns no rule; what is missing belongs into the room that would own it. Nothing is imported before a file
asks for it. Importing this package raises ImportError where the real Airflow is already loaded.
"""

from __future__ import annotations

from flowlet.airflow.finder import NotInFlowlet as NotInFlowlet
from flowlet.airflow.finder import install as install

install()
