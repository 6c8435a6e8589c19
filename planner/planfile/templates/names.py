"""Names that templates can use."""

from __future__ import annotations

import re
from collections.abc import Collection

from planner.diagnostics import Span
from planner.planfile.grammar.models import NAME
from planner.planfile.reporter import Reporter
from planner.planfile.templates.templates import RESERVED_NAMES
from planner.planfile.text import Searches, shorten, unknown

MAX_NAME = 100
_MOST_LISTED = 200
_NAME = re.compile(NAME)


def is_name(name: str) -> bool:
    """Whether templates can use a variable or an axis by this name."""
    return _NAME.fullmatch(name) is not None and len(name) <= MAX_NAME and name not in RESERVED_NAMES


def check_name(name: str, what: str, span: Span, reporter: Reporter) -> None:
    """Report a name that no template can use. `what` is "a variable" or "an axis"."""
    if is_name(name):
        return
    if name in RESERVED_NAMES:
        detail = f"`{name}` is a word of the template language; give {what} another name"
    else:
        fixed = corrected_name(name)
        hint = f"; write `{fixed}`" if is_name(fixed) else ""
        detail = f"`{shorten(name, 40)}` cannot be {what}: letters, digits and _, beginning with a letter{hint}"
    reporter.error("not-a-name", detail, span)


def corrected_name(name: str) -> str:
    """The most similar valid name; it may still be invalid."""
    return name if is_name(name) else "_".join(re.findall(r"[A-Za-z0-9]+", name)).lstrip("0123456789_")[:60]


def undefined(name: str, known: Collection[str], scenario: str, searches: Searches) -> str:
    """The error about a name that a template of the scenario uses and nothing defines."""
    what = f"`{shorten(name, 40)}` is neither a variable of the plan nor an axis of `{shorten(scenario, 40)}`"
    if len(known) <= _MOST_LISTED:
        known = [other for other in known if is_name(other)]
    return unknown(what, name, known, searches)
