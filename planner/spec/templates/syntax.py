"""What Jinja says of a template that it cannot read, in an author's terms, and which tag of a line it means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

QUOTED = re.compile(r"['`\"]([^'`\"]+)['`\"]")
_ENDS = (
    "unexpected 'end of print statement'",
    "unexpected 'end of statement block'",
    "Expected an expression, got 'end of",
)
_WORD = re.compile(r"\{%[-+]?\s*(\w+)")
_OFFSET = re.compile(r" at \d+\Z")
_ALONE = {"if": "{}{{% endif %}}", "for": "{}{{% endfor %}}", "else": "{{% if a %}}{}{{% endif %}}"}
_ALONE["elif"] = _ALONE["else"]
_INSTEAD = {
    "&": "write `and`",
    "!": "write `not`, or != to compare",
    "?": "write 'this' if … else 'that'",
    "$": "a name stands without it",
}
"""What other languages write, to what these templates do."""
_TAGS = {"elseif": "elif", "elsif": "elif", "elsiif": "elif", "foreach": "for", "unless": "if not"}


def standing_alone(tag: str) -> str:
    """A block tag with what it needs beside it to be a template by itself; other tags are ones as they are."""
    word = _WORD.match(tag)
    return _ALONE.get(word[1], "{}").format(tag) if word is not None else tag


def without_place(message: str | None) -> str:
    """The message without the offset at the end of some, which is another in another text."""
    return _OFFSET.sub("", message or "")


def meant_by_word(message: str, tags: Sequence[re.Match[str]]) -> Iterator[re.Match[str]]:
    """Of the block tags on a line those that begin with the word that is said to be unknown, or to close nothing."""
    if not message.startswith("Encountered unknown tag"):
        return
    named = QUOTED.search(message)
    found = [tag for tag in tags if (word := _WORD.match(tag.group())) and named is not None and word[1] == named[1]]
    yield from reversed(found) if named is not None and named[1].startswith("end") else found


def in_plain_words(message: str, tag: str) -> str:
    """`tag` is the one in which it is, where that is known."""
    if message.startswith("Encountered unknown tag"):
        return _unknown_tag(message)
    if message.startswith("Unexpected end of template. Jinja was looking for"):
        word = message.split("'")[-2]
        return f"`{word}` is not closed: {{% end{word} %}} is missing"
    if message.startswith(("unexpected end of template", "unexpected '}'")) or "got '}'" in message:
        return "a tag is not closed: }} or %} is missing"
    if message == "Missing end of comment tag":
        return "this comment is not closed: #} is missing"
    if message.startswith(_ENDS):
        return "something is missing before the end of this tag"
    if message.startswith("unexpected char") and message.split(" ")[2][1:2] in {"'", '"'}:
        return "a quote is not closed in this tag"
    if message.startswith("unexpected char"):
        sign = message.split(" ")[2].strip("'")
        return f"`{sign}` means nothing in a tag; {_INSTEAD.get(sign, 'text is in quotes')}"
    if message.startswith("expected token"):
        return _unexpected(tag, *QUOTED.findall(message))
    if message == "tag name expected":
        return "a word is missing after {%, such as if or for"
    return message[:1].lower() + message[1:]


def _unknown_tag(message: str) -> str:
    word = message.split("'")[1]
    if not word.startswith("end"):
        hint = f"; write {{% {_TAGS[word]} … %}}" if word in _TAGS else ""
        return f"there is no tag `{word}`{hint}"
    open_block = message.rpartition("needs to be closed is ")[2]
    hint = f"; write {{% end{open_block.strip(chr(39))} %}}" if "needs to be closed" in message else ""
    return f"`{word}` closes nothing here{hint}"


def _unexpected(tag: str, wanted: str, found: str = "") -> str:
    """Of two things that stand beside one another in a tag, and cannot."""
    if found == "=":
        return "`=` cannot stand here; == compares"
    if found == "if" and (word := _WORD.match(tag)) is not None and word[1] == "else":
        return "`else if` is one word here: write {% elif … %}"
    if found == "|" and "||" in tag:
        return "`||` means nothing in a tag; write `or`"
    if wanted in {"end of print statement", "end of statement block"}:
        return f"`{found}` cannot follow here: a name has no spaces, text is in quotes, ~ joins two values and | applies a filter"
    return f"`{wanted}` is missing here" if found.startswith("end of") else f"`{wanted}` is missing before `{found}`"
