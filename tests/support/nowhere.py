"""Addresses where nobody is: a port that nobody listens at, and names that no name server knows."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

NO_HOST = "nobody.invalid"


@contextmanager
def nowhere() -> Generator[str]:
    """A released port may belong to another program a moment later; a bound port without a listener refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def no_host() -> Generator[None]:
    """`NO_HOST` is unknown at once: where there is no network a name server may take minutes to say so, and some know every name."""
    lookup: Callable[..., Any] = socket.getaddrinfo

    def known(host: Any, *arguments: Any, **options: Any) -> Any:
        if host in (NO_HOST, NO_HOST.encode()):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return lookup(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", known)
        yield
