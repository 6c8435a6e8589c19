"""How one scalar is written: its quotes, and its lines where it has several."""

from __future__ import annotations

import json
import re

from planner.spec.formatting.reading import BREAK
from planner.spec.formatting.tree import Scalar
from planner.spec.yaml.syntax import NOT_IN_YAML

STEP = 2
"""Columns of indentation a level."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_READ_OTHERWISE = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""Unquoted, some reader of YAML takes these for something else than text."""
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNUSUAL_BREAK = re.compile("[\x85\u2028\u2029]")
_ESCAPED = re.compile(f"{NOT_IN_YAML.pattern}|[\x85\u2028\u2029\ufeff]")
_HEADER = re.compile(r"([|>])([-+0-9]*)[ \t]*(#.*)?")
_INDENTED = re.compile(r"( *)[^ \n\r\x85\u2028\u2029]")


def key_text(key: Scalar) -> str:
    """A key on one line: without quotes where nobody could misread it."""
    if key.style in {"'", '"'} and _PLAIN_KEY.fullmatch(key.value) and key.value.lower() not in _READ_OTHERWISE:
        return key.value
    if key.style in {"|", ">"} or BREAK.search(key.text):
        return key_text(_double_quoted(key.value))
    return _quoted(key)


def inline_text(scalar: Scalar) -> str | None:
    """The scalar as it may stand inside brackets on one line; None where it has several."""
    if scalar.style in {"|", ">"} or BREAK.search(scalar.text):
        return None
    if not scalar.text:
        return '""' if "!" in scalar.properties else "null"
    return _quoted(scalar)


def lines(scalar: Scalar, indent: int) -> list[str]:
    """The scalar as a value of a block whose keys stand at `indent`: the line of the key goes on with the first."""
    if scalar.style in {"|", ">"}:
        return _block(scalar, indent)
    if _UNUSUAL_BREAK.search(scalar.text):
        return [_quoted(_double_quoted(scalar.value))]
    written = BREAK.split(scalar.text)
    if len(written) == 1:
        return [_quoted(scalar)]
    escapes = scalar.style == '"'
    stripped = [_without_end(written[0], escapes=escapes)]
    for line in written[1:]:
        text = _without_end(line.lstrip(" \t"), escapes=escapes)
        stripped.append(" " * (indent + STEP) + text if text else "")
    return stripped


def keeps_blank_lines(scalar: Scalar) -> bool:
    """Whether blank lines after the scalar are part of it."""
    header = _HEADER.match(scalar.text)
    return scalar.style in {"|", ">"} and header is not None and "+" in header[2]


def _without_end(line: str, *, escapes: bool) -> str:
    """Without the white space at its end, which means nothing, unless a backslash before it says that it does."""
    stripped = line.rstrip(" \t")
    slashes = len(stripped) - len(stripped.rstrip("\\"))
    return line[: len(stripped) + 1] if escapes and slashes % 2 else stripped


def _quoted(scalar: Scalar) -> str:
    """On one line, in double quotes where no backslash is needed for them, else in single ones where these do."""
    text, value = scalar.text, scalar.value
    if _UNUSUAL_BREAK.search(text):
        return _quoted(_double_quoted(value))
    needs_backslash = '"' in value or "\\" in value
    if scalar.style == "'" and not needs_backslash:
        return f'"{value}"'
    if scalar.style == '"' and needs_backslash and "'" not in value:
        escapes = {match[1] for match in _ESCAPE.finditer(text)}
        if escapes <= set('"\\/'):
            return f"'{value}'"
    return text


def _double_quoted(value: str) -> Scalar:
    """The value in double quotes on one line, whatever is in it."""
    text = _ESCAPED.sub(lambda match: f"\\u{ord(match.group()):04x}", json.dumps(value, ensure_ascii=False))
    return Scalar(text, value, '"')


def _block(scalar: Scalar, indent: int) -> list[str]:
    """A `|` or `>` text: its lines as they are, indented anew."""
    header = _HEADER.match(scalar.text)
    assert header is not None
    style, indicators, comment = header[1], header[2], header[3]
    body = scalar.text[header.end() :]
    first, kept = _INDENTED.search(body), _INDENTED.search(scalar.value)
    if first is None or kept is None or _UNUSUAL_BREAK.search(body):
        return [_quoted(_double_quoted(scalar.value)) + (f"  {comment.rstrip()}" if comment else "")]
    before = len(first[1]) - len(kept[1])
    content = [line[before:] for line in BREAK.split(body)[1:]]
    while not content[-1]:
        content.pop()
    ends = len(scalar.value) - len(scalar.value.rstrip("\n"))
    chomping = "-" if not ends else "+" if "+" in indicators else ""
    if chomping == "+":
        content += [""] * (ends - 1)
    explicit = str(STEP) if any(char.isdigit() for char in indicators) else ""
    head = f"{style}{explicit}{chomping}" + (f"  {comment.rstrip()}" if comment else "")
    return [head, *(" " * (indent + STEP) + line if line else "" for line in content)]
