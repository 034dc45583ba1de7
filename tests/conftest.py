"""Fixtures that every room uses."""

from __future__ import annotations

import os

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
