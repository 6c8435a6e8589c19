"""Neutralise text from calls, plans and the service for each output format.

In all formats, one line stays one line; control characters, terminal sequences, and characters that reorder or hide
text become `�`. Mentions, links and references are broken by a zero-width space, as dependency bots do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

REMOVED = "�"
_BREAK = "\u200b"

# As escapes, because these characters must not be in a source file either.
_C0_C1 = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_HIDING = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff"
)
_SURROGATES = "\ud800-\udfff"
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
"""C0, DEL and C1 except tab and newline, and two separators that some readers treat as line ends."""
_TERMINAL_CONTROLS = re.compile(f"(\x1b\\[[0-?]*[ -/]*[@-~]|\r)|{_CONTROLS.pattern}")
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, erase
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)"  # OSC (links, titles), DCS …
    r"|\x1b[ -/]*[0-~]"  # the other escapes
)
_UNWANTED = re.compile(f"[{_C0_C1}{_HIDING}{_SURROGATES}]")
_SPACE = re.compile(r"[\s\x85\u2028\u2029]+")

_MARKDOWN_ESCAPES = str.maketrans(
    {
        **{character: "\\" + character for character in "\\`*_[]~#"},
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "|": "&#124;",  # not `\|`, which renderers treat differently
        "$": "&#36;",  # GitHub renders `$…$` as mathematics; see `_AMOUNT`
    }
)
_MARKDOWN_BREAKS = re.compile(
    r"(?<=@)(?=\S)"  # @mention, address
    r"|(?<=#)(?=\w)|(?<=\bgh-)(?=\d)"  # #123, GH-123
    r"|(?<=/)(?=/)|(?<=www)(?=\.)|(?<=mailto:)(?=\S)|(?<=xmpp:)(?=\S)"  # scheme://, www.x
    r"|(?<=\S[.。．｡])(?=[^\W\d_]{2,}(?![^\W_])|xn--)"  # x.com
    r"|(?<=:)(?=[a-z+-][\w+-]*:)"  # :emoji:
    r"|(?<=\b[a-f])(?=[0-9a-f]{6,39}\b)|(?<=\b\d)(?=\d*[a-f])(?=[0-9a-f]{6,39}\b)",  # a commit
    re.IGNORECASE,
)
_AMOUNT = re.compile(r"&#36;(?=[0-9])")
"""A `$` before a digit cannot end mathematics (Pandoc, comrak, GitHub), and all others are escaped. So `$7.36` stays
readable."""
_LIST_OR_RULE = re.compile(r"(?:[-+=]|(?P<number>[0-9]{1,9})(?=[.)]))")
_UNPRINTABLE = re.compile(f"[\x7f-\x9f{_HIDING}\u2028\u2029]")
_COLON_BEFORE_COLON = re.compile(":(?=:)")
_BACKTICKS = re.compile(r"`+")


def printable(text: str, *, terminal: bool = False) -> str:
    """`text` without control characters (except newline and tab), U+2028 and U+2029: the last step before any output.

    `terminal` keeps colours and cursor movements.
    """
    if terminal:
        return _TERMINAL_CONTROLS.sub(lambda found: found[1] or REMOVED, text)
    return _CONTROLS.sub(REMOVED, text.replace("\r\n", "\n")) if _CONTROLS.search(text) else text


def one_line(text: str) -> str:
    """`text` on one line, with single spaces, and without control, reordering or hidden characters."""
    return _SPACE.sub(" ", without_controls(text)).strip()


def without_controls(text: str) -> str:
    """`text` with terminal sequences, control, reordering and hidden characters, and lone surrogates replaced by `�`.

    White space stays; every line end becomes a newline."""
    if text.isascii() and text.isprintable():  # fast path
        return text
    return _UNWANTED.sub(REMOVED, _SEQUENCE.sub(REMOVED, _LINE_ENDS.sub("\n", text)))


def for_markdown(text: str) -> str:
    """Inline Markdown that only shows `text`, anywhere in a line or table cell."""
    broken = _MARKDOWN_BREAKS.sub(_BREAK, one_line(text))
    escaped = _AMOUNT.sub("$", broken.translate(_MARKDOWN_ESCAPES))
    start = _LIST_OR_RULE.match(escaped)
    if start is None:
        return escaped
    if start["number"]:
        return f"{start['number']}\\{escaped[start.end() :]}"
    return "\\" + escaped


def markdown_code(text: str, *, in_table: bool = False) -> str:
    """A code span, from which `text` can be copied. Nothing inside is a mention or a link.

    In a table cell, `|` must be escaped even in a code span. As renderers treat a backslash before a
    `|` differently, a string with both becomes plain escaped text."""
    line = one_line(text)
    if not line:
        return ""
    if in_table and "\\|" in line:
        return for_markdown(line)
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(line)), default=0))
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    span = f"{fence}{pad}{line}{pad}{fence}"
    return span.replace("|", "\\|") if in_table else span


def markdown_prose(text: str) -> str:
    """A sentence with code spans in backticks; each part is neutralised."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:
        return for_markdown(text)
    return "".join(markdown_code(part) if index % 2 else _inline(part) for index, part in enumerate(parts))


def _inline(text: str) -> str:
    """`for_markdown` that keeps white space at the ends."""
    before = " " if text[:1] == " " else ""
    after = " " if len(text) > 1 and text[-1] == " " else ""
    return f"{before}{for_markdown(text)}{after}" if text.strip() else before


def markdown_block(text: str, language: str = "text") -> str:
    """A fenced block of lines."""
    content = "\n".join(without_controls(line) for line in text.splitlines())
    fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(content)), default=0))
    return f"{fence}{language}\n{content}\n{fence}"


def for_terminal(text: str) -> str:
    """One line for a terminal or CI log, without escape sequences and workflow commands (`::…`, `##[…`)."""
    return _without_old_commands(_COLON_BEFORE_COLON.sub(": ", one_line(text)))


def for_terminal_block(text: str, prefix: str) -> list[str]:
    """Lines for a terminal or CI log, with their white space. Each starts with `prefix`, so that none is a command."""
    return [prefix + _without_old_commands(without_controls(line)) for line in text.splitlines()]


def for_workflow_command(text: str, *, is_property: bool = False) -> str:
    """The message of a GitHub workflow command, or the value of a property (`file=…`)."""
    lines = "\n".join(without_controls(line) for line in text.splitlines())
    encoded = _without_old_commands(lines).replace("%", "%25").replace("\n", "%0A")
    return encoded.replace(":", "%3A").replace(",", "%2C") if is_property else encoded


def for_json_text(document: str) -> str:
    r"""A JSON document with the same values, in which control characters and workflow commands are `\\u`-escaped.

    `document` must be valid JSON, so that these can only occur inside strings."""
    escaped = _UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], document)
    return escaped.replace("##[", "#\\u0023[")


def picked(value: object, *names: str) -> dict[str, Any]:
    """Attributes of an object, by name."""
    return {name: getattr(value, name) for name in names}


def json_document(
    document: Mapping[str, Any],
    *,
    exit_code: int = 0,
    error: Mapping[str, str] | None = None,
    diagnostics: Sequence[Any] = (),
) -> str:
    """The one document of a command with `--format json`: JSON that is safe to print. Its first fields are the same for
    all commands. `error` is an `error_document`."""
    common = {"schema_version": "2.0", "exit_code": exit_code, "error": error, "diagnostics": diagnostics}
    return for_json_text(to_json({**common, **document}, indent=2).decode()) + "\n"


def error_document(code: str, message: str, hint: str = "") -> dict[str, str]:
    """`code` is that of a `PlannerError`."""
    return {"code": code, "message": message, "hint": hint}


def for_xml(text: str) -> str:
    """Lines without characters that XML 1.0 forbids, or that hide or reorder text."""
    return "\n".join(without_controls(line) for line in text.splitlines())


def _without_old_commands(text: str) -> str:
    """Older runners treat `##[…` anywhere in a line as a command."""
    return text.replace("##[", "# #[")
