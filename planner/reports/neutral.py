"""Text that came from a call, a plan or the service is hostile; here it becomes harmless for the place it goes to.

Three rules for all places: one line stays one line; control characters, terminal sequences, and characters that reorder
or hide text become `�`, so that a reader sees that something was there; what is left reads as it was said.
Break-ups use the zero-width space, as the dependency bots do: invisible, and no mention, link or reference survives it.
"""

from __future__ import annotations

import re

REMOVED = "�"
_BREAK = "\u200b"

# Written with escapes throughout: these characters must not stand in a source file either.
_C0_C1 = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_HIDING = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e0fff"
)
_SURROGATES = "\ud800-\udfff"
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
"""C0, DEL and C1 but tab and newline, and the two separators that some readers take for line ends."""
_TERMINAL_CONTROLS = re.compile(f"(\x1b\\[[0-?]*[ -/]*[@-~]|\r)|{_CONTROLS.pattern}")
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, erase
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)"  # OSC (links, titles), DCS, SOS, PM, APC
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
        "|": "&#124;",  # not `\|`: readers disagree on what a backslash before it does
        "$": "&#36;",  # GitHub reads `$…$` as mathematics; see `_AMOUNT`
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
"""A `$` before a digit ends no mathematics (the rule of Pandoc, comrak and GitHub), and none is left that could: `$7.36` stays readable
in a terminal, too."""
_LIST_OR_RULE = re.compile(r"(?:[-+=]|(?P<number>[0-9]{1,9})(?=[.)]))")
_UNPRINTABLE = re.compile(f"[\x7f-\x9f{_HIDING}\u2028\u2029]")
_COLON_BEFORE_COLON = re.compile(":(?=:)")
_BACKTICKS = re.compile(r"`+")


def printable(text: str, *, terminal: bool = False) -> str:
    """`text` as every output file and stream takes it: no control character but newline and tab, and neither U+2028 nor U+2029.

    The last step before anything is written, whatever was made harmless before. `terminal`: colours and cursor movements stay.
    """
    if terminal:
        return _TERMINAL_CONTROLS.sub(lambda found: found[1] or REMOVED, text)
    return _CONTROLS.sub(REMOVED, text.replace("\r\n", "\n")) if _CONTROLS.search(text) else text


def one_line(text: str) -> str:
    """`text` on one line, without control, reordering or hidden characters; white space runs become one space."""
    return _SPACE.sub(" ", without_controls(text)).strip()


def without_controls(text: str) -> str:
    """`text` with each terminal sequence and each control, reordering, hidden or half character replaced by `�`.

    White space stays; every line end is a newline."""
    if text.isascii() and text.isprintable():  # as most texts are: none of that is in there
        return text
    return _UNWANTED.sub(REMOVED, _SEQUENCE.sub(REMOVED, _LINE_ENDS.sub("\n", text)))


def is_harmless_json(document: str) -> bool:
    """Whether `without_controls` would leave each text of a JSON document as it is; an escape may be one that it would not."""
    escapes = ("\\u", "\\b", "\\f", "\\r")
    return not any(map(document.__contains__, escapes)) and not (
        _UNWANTED.search(document) or _LINE_ENDS.search(document)
    )


def for_markdown(text: str) -> str:
    """Inline Markdown that shows `text` and does nothing else, anywhere in a line, a table cell included."""
    broken = _MARKDOWN_BREAKS.sub(_BREAK, one_line(text))
    escaped = _AMOUNT.sub("$", broken.translate(_MARKDOWN_ESCAPES))
    start = _LIST_OR_RULE.match(escaped)
    if start is None:
        return escaped
    if start["number"]:
        return f"{start['number']}\\{escaped[start.end() :]}"
    return "\\" + escaped


def markdown_code(text: str, *, in_table: bool = False) -> str:
    """A code span that shows `text` so that it can be copied; nothing is a mention or a link inside one.

    In a table cell even a code span's `|` must be escaped; a backslash before a `|` is read differently by different
    Markdown readers there, so such a text becomes plain escaped text."""
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
    """A sentence of ours, with what stands in backticks in it as code spans; all of it is made harmless part by part."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:
        return for_markdown(text)
    return "".join(markdown_code(part) if index % 2 else _inline(part) for index, part in enumerate(parts))


def _inline(text: str) -> str:
    """Of a piece of a sentence the white space at its ends stays."""
    before = " " if text[:1] == " " else ""
    after = " " if len(text) > 1 and text[-1] == " " else ""
    return f"{before}{for_markdown(text)}{after}" if text.strip() else before


def markdown_block(text: str, language: str = "text") -> str:
    """A fenced block of `text`, lines kept."""
    content = "\n".join(without_controls(line) for line in text.splitlines())
    fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(content)), default=0))
    return f"{fence}{language}\n{content}\n{fence}"


def for_terminal(text: str) -> str:
    """One line for a terminal or a CI log: no escape sequence, and no workflow command (`::…` at a line's start after
    wrapping, `##[…` anywhere)."""
    return _without_old_commands(_COLON_BEFORE_COLON.sub(": ", one_line(text)))


def for_terminal_block(text: str, prefix: str) -> list[str]:
    """Lines for a terminal or a CI log, their white space kept. `prefix` is what each starts with, so that none is a command."""
    return [prefix + _without_old_commands(without_controls(line)) for line in text.splitlines()]


def for_workflow_command(text: str, *, is_property: bool = False) -> str:
    """The message of a GitHub workflow command, or the value of one of its properties (`file=…`). Lines are kept, encoded."""
    lines = "\n".join(without_controls(line) for line in text.splitlines())
    encoded = _without_old_commands(lines).replace("%", "%25").replace("\n", "%0A")
    return encoded.replace(":", "%3A").replace(",", "%2C") if is_property else encoded


def for_json_text(document: str) -> str:
    r"""A JSON document that is safe to print: same values, but what a terminal or a CI log would obey is `\\u`-escaped.

    `document` must be valid JSON: such characters can then only stand inside its strings."""
    escaped = _UNPRINTABLE.sub(lambda found: _json_escape(found[0]), document)
    return escaped.replace("##[", "#\\u0023[")


def for_xml(text: str) -> str:
    """`text` without the characters that XML 1.0 forbids, or that hide or reorder; lines are kept."""
    return "\n".join(without_controls(line) for line in text.splitlines())


def _without_old_commands(text: str) -> str:
    """`##[…` anywhere in a line is a command to older runners."""
    return text.replace("##[", "# #[")


def _json_escape(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
