"""aiohttp without the certificates of all authorities there are, which it reads when it is imported, in a quarter of the time that
this takes, for whoever brings none of their own. Here everybody does; who did not would trust nobody."""

from __future__ import annotations

import ssl
import sys

if "aiohttp" in sys.modules:
    import aiohttp
else:
    _reading_all = ssl.create_default_context

    def _trusting_nobody() -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    ssl.create_default_context = _trusting_nobody
    try:
        import aiohttp
    finally:
        ssl.create_default_context = _reading_all

__all__ = ["aiohttp"]
