"""httpx without its command line, which nobody here asks for, and which takes as long to import as the rest of it: it brings
rich's console and pygments along where they are installed, and does without where they are not."""

from __future__ import annotations

import sys
from typing import Any, cast

_COMMAND_LINE = "httpx._main"
_modules = cast("dict[str, Any]", sys.modules)

if "httpx" in _modules:
    import httpx
else:
    _modules[_COMMAND_LINE] = None
    try:
        import httpx
    finally:
        del _modules[_COMMAND_LINE]

__all__ = ["httpx"]
