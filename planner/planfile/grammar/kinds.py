"""Which kind of check an expectation is."""

from __future__ import annotations

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.planfile.grammar.field_errors import mistyped, wrong_type
from planner.planfile.reporter import Reporter
from planner.planfile.text import shorten, unknown
from planner.planfile.yaml.document import Container, Document, Mapping, at
from planner.planfile.yaml.numbers import as_written


def kind_of(document: Document, container: Container, key: str | int, reporter: Reporter) -> type[Expectation] | None:
    """The kind of check that an expectation names; None, and a diagnostic, if it names none."""
    written = at(container, key)
    if not isinstance(written, Mapping):
        message = wrong_type("a mapping such as {check: says, any_of: [...]}", written)
        reporter.error("wrong-type", message, document.value(container, key))
        return None
    if id(written) in reporter.incomplete:
        return None  # what was to be merged into it was reported: what is missing is not known
    if "check" not in written:
        _report_missing(document, container, key, written, reporter)
        return None
    name = written["check"]
    place = document.value(written, "check")
    if not isinstance(name, str):
        reporter.error("wrong-type", wrong_type("text", name, as_written(document, written, "check")), place)
        return None
    if name not in CHECKS:
        reporter.error("unknown-check", unknown(f"there is no check `{shorten(name, 40)}`", name, CHECKS), place)
        return None
    return CHECKS[name]


def _report_missing(
    document: Document, container: Container, key: str | int, written: Mapping, reporter: Reporter
) -> None:
    meant = next((name for name in written if mistyped(name, ["check"])), None)
    name = next((name for name in written if name in CHECKS), None)
    if meant is not None:
        message = f"`{shorten(meant)}` is not a key here; did you mean `check`?"
        reporter.error("unknown-key", message, document.key(written, meant))
    elif "use" in written:
        message = "`use` stands in a plan's `expect`, one in the list; here, write the expectation itself"
        reporter.error("misplaced-use", message, document.key(written, "use"))
    elif name is not None:
        message = f"`check` is required: write {{check: {name}, …}}"
        reporter.error("missing-key", message, document.key(written, name))
    else:
        message = f"`check` is required; known: {', '.join(CHECKS)}"
        reporter.error("missing-key", message, document.value(container, key))
