"""Fixtures that every room uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import hypothesis
import pytest

# No test asserts a time: not an example of a property either, on a machine that does other things too. On a
# developer's machine properties look at other examples each time; where a change is judged, at the same ones.
hypothesis.settings.register_profile("flowlet", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("flowlet")


@pytest.fixture
def anyio_backend() -> str:
    """flowlet runs on asyncio."""
    return "asyncio"


@pytest.fixture
def airflow_names() -> Iterator[None]:
    """Airflow's names are flowlet's for the length of a test, and what that changes is undone afterwards."""
    from flowlet.airflow import finder
    from flowlet.authoring import spellings
    from flowlet.authoring.context import CONTEXT_KEYS
    from flowlet.clock import from_micros

    path, keys = list(sys.meta_path), set(CONTEXT_KEYS)
    finder.install()
    yield
    sys.meta_path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("airflow", "pendulum")]:
        del sys.modules[name]
    for table in (spellings.DAG_ARGUMENTS, spellings.TASK_ARGUMENTS, spellings.TRIGGER_RULES, spellings.CONTEXT):
        table.clear()
    CONTEXT_KEYS.intersection_update(keys)
    spellings.show_moments_by(from_micros)
