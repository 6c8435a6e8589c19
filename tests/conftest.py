"""What all tests share: one event loop implementation, the one the program runs on."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The program runs on asyncio only; a second backend would double the time and prove nothing."""
    return "asyncio"
