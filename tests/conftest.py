"""Fixtures that every room uses."""

from __future__ import annotations

import hypothesis
import pytest

# No test asserts a time: not an example of a property either, on a machine that does other things too.
hypothesis.settings.register_profile("flowlet", deadline=None)
hypothesis.settings.load_profile("flowlet")


@pytest.fixture
def anyio_backend() -> str:
    """flowlet runs on asyncio."""
    return "asyncio"
