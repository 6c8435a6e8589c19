"""Hours pass in milliseconds, and in the same order every time."""

from __future__ import annotations

from typing import Any

import pytest
from virtual_time import VirtualLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}
