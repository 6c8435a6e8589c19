"""What all tests share: one event loop implementation, the one the program runs on, and no race with the clock."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("planner", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("planner")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The program runs on asyncio only; a second backend would double the time and prove nothing."""
    return "asyncio"
