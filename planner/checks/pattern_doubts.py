"""Phrases that are written as regular expressions, and regular expressions that are written as another language writes them.

A phrase is compared word by word: `order|refund` would be the two words beside each other, which nobody says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.checks.base import Doubt
from planner.checks.patterns import never_found, unescaped_prices
from planner.checks.wording import shown

_AS_PATTERN = re.compile(
    r"""
    \(\?(?:[a-zA-Z]+\)|[:=!<P])       # (?i) (?:
    | (?<![\w:])\\[bBdDwWsS]            # \b
    | \.\* | \.\+                      # .*
    | [\w)]\|[\w(]                     # order|refund
    | \[\^?\w-\w                      # [a-z]
    | ^\^\w                           # ^order
    | ^/.+/[a-z]*$                    # /order/i
    """,
    re.VERBOSE,
)
_DELIMITED = re.compile(r"/(.+)/([a-z]*)")


def doubtful_patterns(any_of: Sequence[str] | None, all_of: Sequence[str] | None, matches: str | None) -> list[Doubt]:
    """What is doubtful of the words that an expectation looks for."""
    found: list[Doubt] = []
    for name, phrases in (("any_of", any_of), ("all_of", all_of)):
        for index, phrase in enumerate(phrases or ()):
            if _AS_PATTERN.search(phrase):
                why = f"a phrase is compared word by word; if {shown(phrase)} is a regular expression, write it as `matches`"
                found.append(Doubt((name, index), why, "literal-pattern"))
    if matches is not None and (delimited := _DELIMITED.fullmatch(matches)) is not None:
        inner, flags = delimited.groups()
        flags = "".join(flag for flag in flags if flag in "ims")
        fixed = shown(f"(?{flags}){inner}" if flags else inner)
        why = f"write it without the slashes, such as {fixed}"
        found.append(Doubt(("matches",), why, "literal-pattern"))
    if matches is not None and any(prices := unescaped_prices(matches)):
        found.append(Doubt(("matches",), never_found(prices), "bad-regex"))
    return found
