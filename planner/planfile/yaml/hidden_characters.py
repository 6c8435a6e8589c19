"""Characters that nobody sees, which make a reader see other words than are said, compared or compiled."""

from __future__ import annotations

import re
import unicodedata
from itertools import islice

from planner.planfile.reporter import Reporter
from planner.planfile.yaml.source import Source

_HIDDEN = re.compile(
    r"[\u202a-\u202e\u2066-\u2069]+"  # text that runs backwards, and its end
    r"|[\u200b\u2060\ufeff]+"  # spaces without width
    r"|(?<![^\x00-\x7f])[\u200c\u200d]+"  # joiners, which letters of some scripts, and emoji, have behind them
    r"|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+"  # tags, which only flags have
)
_MOST = 20


def warn_of_hidden(source: Source, reporter: Reporter) -> None:
    """Of raw ones: as an escape in double quotes everybody sees them."""
    if source.text.isascii():
        return
    for found in islice(_HIDDEN.finditer(source.text), _MOST):
        first = found[0][0]
        name = unicodedata.name(first, "a character without a name").lower()
        detail = (
            f"U+{ord(first):04X} ({name}) cannot be seen, and may make a reader see other words than these; remove it"
        )
        reporter.warning("control-character", detail, source.span(*found.span()))
