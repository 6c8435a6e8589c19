"""What the YAML parser says of text that is not YAML, in words that tell an author what to change."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Any

from yaml import CBaseLoader, MarkedYAMLError, YAMLError, events

from planner.diagnostics import Related
from planner.spec.document import Items, Mapping
from planner.spec.faults.reporting import Reporter
from planner.spec.faults.wording import shorten
from planner.spec.source import Source
from planner.spec.yaml.aliases import alias_amid_keys
from planner.spec.yaml.quotes import quote_inside

NOT_IN_YAML = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML forbids (https://yaml.org/spec/1.2.2/#51-character-set)."""


STANDARD_TAG = "tag:yaml.org,2002:"
MAX_DEPTH = 64
"""Levels a file may be nested, aliases expanded."""
TOO_DEEP = (
    f"a file may be nested {MAX_DEPTH} levels deep, and this is deeper; look for a bracket that should be closed before"
)

_TEMPLATE = re.compile(r"\{\{[^{}\n]*[A-Za-z_][^{}\n]*\}\}")

TAGGED_TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "bool": bool,
    "null": type(None),
}


_SINGLE = "if this is a regular expression, put it in single quotes"

_BEGUN = {
    "while parsing a flow mapping": "this brace",
    "while parsing a flow sequence": "this bracket",
    "while parsing a block mapping": "the mapping",
    "while parsing a block collection": "the list",
    "while scanning a simple key": "what may be a key",
}
"""What the parser was at, where its beginning helps to find the fault."""


_CONFLICT = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: |$)")
_GLUED = re.compile(r"\s*(?:- )?([A-Za-z_][A-Za-z0-9_-]*):(\S.*)")
_OPEN_TEXT = re.compile(r":[ ]+[|>][-+]?[ ]*\r?\n\s*\Z")
_WORD = re.compile(r"[^\s,{}\[\]]+\Z")
_MOST_READ_AGAIN = 1_000_000
"""Characters."""
_COMMENT = re.compile(r"[ \t](?P<sign>#)[0-9A-Za-z][^\n]*?(?P<closing>[\]}])")
_MOST_COMMENTS = 20
_NEAR = 2
"""So many lines below one that is indented oddly the parser still stumbles over it."""


_TOLD = {
    "block sequence entries are not allowed": (
        "an item cannot begin here: each begins with `- ` on a line of its own; put a text that begins with - in quotes"
    ),
    "mapping keys are not allowed": "an unquoted text cannot begin with `? `; put it in quotes",
    "expected comment or line break": "a text after | or > begins on the next line, indented; or write it in quotes, without the sign",
    "incompatible YAML document": "this is no version of YAML that is known; take the line away, it is not needed",
    "invalid Unicode character escape code": "this escape is no character: write the character itself",
}
"""What the parser says of what is best told by what to write."""


def report_syntax(error: YAMLError, source: Source, reporter: Reporter) -> None:
    """Report the parser's error where it is; the first forbidden character, if there is one, is to blame."""
    forbidden = NOT_IN_YAML.search(source.text)
    if forbidden is not None:
        detail = f"U+{ord(forbidden.group()):04X} is not allowed in YAML; remove it"
        reporter.error("control-character", detail, source.span(forbidden.start(), forbidden.end()))
        return
    marked: Any = error  # untyped
    if not isinstance(error, MarkedYAMLError) or marked.problem_mark is None:
        reporter.error("yaml-syntax", " ".join(str(error).split()), source.whole())
        return
    if marked.context == "while scanning a quoted scalar":
        start = int(marked.context_mark.index)
        reporter.error("yaml-syntax", "this quote is not closed", source.span(start, start + 1))
        return
    start = min(int(marked.problem_mark.index), len(source.text))
    if "nesting depth" in str(marked.problem):  # libyaml has a bound of its own, and looks ahead
        start = _too_deep(source.text, start)
        reporter.error("too-much-nesting", TOO_DEEP, source.span(start, start + 1))
        return
    if odd := _oddly_indented(source, start):
        reporter.error("yaml-syntax", _odd(odd[1]), source.span(odd.start(), odd.end()))
        return
    related: list[Related] = []
    began = marked.context_mark
    what = _BEGUN.get(str(marked.context))
    if what is not None and began is not None and began.line != marked.problem_mark.line:
        related.append(Related(f"{what} began here", source.span(began.index, began.index + 1)))
    if str(marked.context).startswith("while parsing a flow") and began is not None:
        comment = _comment_amid(source.text, int(began.index), start)
        if comment is not None:
            sign, closing = comment
            detail = f"what follows ` #` is a comment, so that the `{closing}` there closes nothing; put the text with the # in quotes"
            reporter.error("yaml-syntax", detail, source.span(sign, sign + 1), *related)
            return
    if "could not find expected ':'" in str(marked.problem) and began is not None:
        start = int(began.index)  # the key, where the parser has read on to the next line
        related.clear()
    if reporter.unreadable_before(source.span(start, start)):
        return  # what follows a template without quotes is no YAML for that reason alone
    related.extend(_text_before(source, start))
    detail = _explained(str(marked.problem or "not YAML"), source.text, start)
    reporter.error("yaml-syntax", detail, source.span(start, start + 1), *related)


def _too_deep(text: str, start: int) -> int:
    """Where the first level too many begins, of brackets on one line that the parser has looked at up to `start`."""
    opened: list[int] = []
    for place in range(text.rfind("\n", 0, start) + 1, start + 1):
        if text[place] in "[{":
            opened.append(place)
        elif text[place] in "]}" and opened:
            opened.pop()
    if len(opened) <= MAX_DEPTH or opened[0] > _MOST_READ_AGAIN:
        return start
    return opened[max(0, MAX_DEPTH - _levels(text[: opened[0]]))]


def _levels(text: str) -> int:
    """How many containers are open where the text ends."""
    levels = 0
    next_event: Callable[[], Any] = CBaseLoader(f"{text}[".encode()).get_event
    with suppress(YAMLError):  # the bracket is not closed
        for event in iter(next_event, None):
            levels += isinstance(event, events.CollectionStartEvent) - isinstance(event, events.CollectionEndEvent)
    return levels - 1


def _comment_amid(text: str, began: int, end: int) -> tuple[int, str] | None:
    """A # that makes a comment of the bracket or brace that was to close one of those opened at `began` or behind, and which."""
    for found in islice(_COMMENT.finditer(text, began, end), _MOST_COMMENTS):
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if line.count('"') % 2 == 0 and line.count("'") % 2 == 0 and any(sign in line for sign in "[{"):
            return found.start("sign"), found["closing"]
    return None


def _oddly_indented(source: Source, start: int) -> re.Match[str] | None:
    """The last line that is indented with what is no space to YAML, if that is near above."""
    if source.text.isascii():
        return None
    line = source.span(start, start).line
    found = list(_ODD_INDENTATION.finditer(source.text, 0, start + 1))
    return found[-1] if found and line - source.span(found[-1].start(), found[-1].start()).line <= _NEAR else None


def _text_before(source: Source, start: int) -> list[Related]:
    """Where a quoted text that ends just before the fault begins, if that is lines above: its own closing quote is missing."""
    before = source.text[:start].rstrip(" ")
    quote = before[-1:]
    if quote not in {'"', "'"}:
        return []
    opened = before.rfind(quote, 0, len(before) - 1)
    if opened < 0 or "\n" not in before[opened:]:
        return []
    return [Related("a quoted text began here, and its closing quote may be missing", source.span(opened, opened + 1))]


def _explained(problem: str, text: str, start: int) -> str:
    if not text[start:].strip():
        return "the file ends here, but a bracket or brace is still open"
    at = text[start : start + 1]
    begin = text.rfind("\n", 0, start) + 1
    line = text[begin:start]
    rest = text[begin:].partition("\n")[0]
    if _CONFLICT.match(rest):
        return "this is the mark of a merge conflict; keep what is right of the two versions, and remove the marks"
    if at == "\t" or (not line.strip(" \t") and "\t" in line):
        return "a tab cannot indent YAML; use spaces"
    if at in {"@", "`", "%"} and "cannot start any token" in problem:
        return f"an unquoted text cannot begin with {at}; put it in quotes"
    if meant := alias_amid_keys(problem, text, start):
        return meant
    if inside := quote_inside(problem, text, start):
        return inside
    for said, detail in _TOLD.items():
        if said in problem:
            return detail
    if "mapping values are not allowed" in problem:
        return (
            'a key cannot stand here: look at its indentation; if this is a text with a colon, put it in quotes: "…: …"'
        )
    if text[start - 1 : start] in {"]", "}"} and at not in ",]}:#\n\r\t ":
        whole = shorten(
            line[line.rfind("[" if text[start - 1] == "]" else "{") :] + rest[len(line) :].split(",")[0].rstrip(" ]}"),
            40,
        )
        return f"text cannot go on after a closing bracket: put all of it in quotes, such as '{whole}'"
    if "did not find expected key" in problem:
        return "this does not continue the mapping above: its keys begin in one column, and text after a closing quote is not allowed"
    if "unknown escape character" in problem or "expected hexdecimal" in problem:
        escape = text[start : start + 2] if at == "\\" else text[start - 2 : start]
        return f"`{escape}` means nothing in double quotes; {_SINGLE}, or write \\{escape}"
    if "expected '-' indicator" in problem:
        return "this does not continue the list above: its items begin with `- ` in one column, and keys of an item below its first key"
    if "could not find expected ':'" in problem and (glued := _GLUED.match(rest)):
        return f"a space follows the colon: write `{glued[1]}: {shorten(glued[2], 40)}`"
    if "could not find expected ':'" in problem and _OPEN_TEXT.search(text[:begin]):
        return "a text below | or > is indented more than its key: indent this, and all of it"
    if "could not find expected ':'" in problem:
        return "a key without a colon: write `key: value`"
    if "found unexpected ':'" in problem and (word := _WORD.search(line)) is not None:
        if text[start + 1 : start + 2] not in {"[", "{", '"', "'"}:
            return f"a space and a value follow the colon of `{shorten(word[0], 40)}`"
        return f"a space follows the colon: write `{shorten(word[0], 40)}: {text[start + 1]}…`"
    if "expected alphabetic or numeric character" in problem and text[start - 1 : start] in {"*", "&"}:
        begins = "an alias" if text[start - 1] == "*" else "an anchor"
        return f"an unquoted `{text[start - 1]}` begins {begins} here; put all of the text in quotes"
    if "did not find expected ',' or" in problem:
        closing = problem.rpartition("'")[0][-1:]
        if text.startswith("{{", start):
            return "YAML reads these braces as mappings: a text with a template in it is in quotes, all of it"
        if at in {"[", "{"} and (word := _WORD.search(line)) is not None:
            return f"a text with `{at}` stands in quotes here, all of it: '{shorten(word[0], 40)}{at}…'"
        if at == ":" and ": " in line and (word := _WORD.search(line)) is not None:
            return f"a comma or a `{closing}` is missing before `{shorten(word[0], 40)}`; or this is a text with a colon: put all of it in quotes"
        between = (
            f"a `{closing}` is missing before this"
            if at in {"]", "}"}
            else f"a comma or a `{closing}` is missing before this"
        )
        return f"{between}; look for a bracket or quote that is not closed"
    return problem


_ESCAPE = re.compile(r"\\\\|(\\[abfv])")


def control_escape(quoted: str) -> str:
    """What to say of a text in double quotes that holds a control character; most are meant for a regular expression."""
    found = next((escape[1] for escape in _ESCAPE.finditer(quoted) if escape[1]), "")
    if found:
        return f"`{found}` in double quotes is a control character; {_SINGLE}, or write \\{found}"
    return "this text holds a control character, written as an escape; remove it"


_ODD_SPACES = "\u00a0\u2002\u2003\u2007\u2009\u200b\u202f\u3000\ufeff"
_ODD_INDENTATION = re.compile(rf"^[ ]*([{_ODD_SPACES}])[ {_ODD_SPACES}]*", re.MULTILINE)


def keys_indented_oddly(source: Source, root: Mapping, reporter: Reporter) -> bool:
    """Whether keys begin with what looks like a space and is none to YAML, which is reported: they belong elsewhere."""
    text = source.text
    if text.isascii() or not any(space in text for space in _ODD_SPACES) or _ODD_INDENTATION.search(text) is None:
        return False
    errors = reporter.errors
    waiting: list[Any] = [root]
    seen: set[int] = set()
    while waiting:
        container = waiting.pop()
        if id(container) in seen:
            continue
        seen.add(id(container))
        if isinstance(container, Mapping):
            for key, (start, *_) in container.marks.items():
                if (odd := _ODD_INDENTATION.match(key)) and text.startswith(odd[0], start):  # not in quotes
                    reporter.error("yaml-syntax", _odd(odd[1]), source.span(start, start + odd.end()))
        inside = container.values() if isinstance(container, Mapping) else container
        waiting.extend([value for value in inside if isinstance(value, (Mapping, Items))])
    return reporter.errors > errors


def _odd(space: str) -> str:
    what = "a no-break space" if space == "\u00a0" else "a space of another kind"
    return f"this line is indented with {what} (U+{ord(space):04X}), which is no indentation to YAML; write spaces in its place"


def tag_name(tag: str) -> str:
    return shorten(f"!!{tag.removeprefix(STANDARD_TAG)}" if tag.startswith(STANDARD_TAG) else tag)


def unquoted_template(written: str) -> str:
    """The text that was meant by an empty mapping, all of whose keys were none: a template without quotes, as was reported."""
    return written if _TEMPLATE.fullmatch(written) else ""


def not_a_key(text: str, start: int, end: int) -> tuple[str, int, int]:
    """What to say of a key that is no text, and where: most are templates without quotes."""
    if text[start : start + 2] == "{{":
        start, end = start + 1, end - 1
    if text[start - 1 : start + 1] != "{{":
        if text[start : start + 1] == "*":
            name = shorten(text[start:end], 40)
            return f"to take over the keys of an anchor, write <<: {name}", start, end
        return "a key is one text, not a mapping, a list or an alias of one", start, end
    end = min(end + 1, len(text))
    return f'YAML reads this as a mapping; quote the template: "{shorten(text[start - 1 : end])}"', start - 1, end
