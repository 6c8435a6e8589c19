"""An address on loopback where nobody listens, and where nobody begins to as long as it is asked for."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def nowhere() -> Generator[str]:
    """A port that was let go of may be another program's a moment later; one that is held and not listened at refuses."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
