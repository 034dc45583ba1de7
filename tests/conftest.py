"""Fixtures that every room uses."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """flowlet runs on asyncio."""
    return "asyncio"
