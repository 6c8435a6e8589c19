"""What RE2 says of a pattern it cannot read, in words that tell an author what to write instead."""

from __future__ import annotations

import re

TOO_LARGE = "written out, it is too large; repeat less"
_LOOKAROUND = re.compile(r"\(\?<?[=!]")
_POSSESSIVE = re.compile(r"\(\?>|[*+?}]\+")
_BACKREFERENCE = re.compile(r"\\[1-9]|\(\?P=|\\k<")
_OTHERWISE = {
    "\\Z": r"write \z for the end of the text",
    "\\u": "write the character itself",
    "\\e": "write the character itself",
    "\\<": r"write \b for the edge of a word",
    "\\>": r"write \b for the edge of a word",
}
_SAID = re.compile(r"(?P<kind>[a-z][^:]*)(?:: (?P<what>.*))?", re.DOTALL)


def explained(said: str, pattern: str) -> str:
    """One sentence; `said` is what RE2 says of the pattern."""
    return f"this is not a regular expression: {_lacking(pattern) or _told(said)}"


def _lacking(pattern: str) -> str:
    """What other languages have, and patterns that take linear time cannot have."""
    if found := _LOOKAROUND.search(pattern):
        return f"`{found[0]}` looks ahead or back, which these patterns cannot; write what must be there and what must not as two of them"
    if found := _BACKREFERENCE.search(pattern):
        return f"`{found[0]}` repeats what was found before, which these patterns cannot; write it out"
    if found := _POSSESSIVE.search(pattern):
        return f"`{found[0]}` asks never to go back, and these patterns never do; leave out the {'last `+`' if found[0].endswith('+') else '`?>`'}"
    return ""


def _told(said: str) -> str:
    found = _SAID.match(said)
    kind, what = (found["kind"], found["what"] or "") if found is not None else (said, "")
    match kind:
        case "missing )":
            return r"a ( is not closed; close it, or write \( for the character itself"
        case "unexpected )":
            return r"a ) closes nothing; remove it, or write \) for the character itself"
        case "missing ]":
            return r"a [ is not closed; close it, or write \[ for the character itself"
        case "invalid character class range" | "invalid character class":
            if what.startswith(("\\", "[:")):
                return f"there is no class `{what}`; \\d is a digit, \\w a letter, digit or _, \\s white space"
            return f"`{what}` runs backwards; write the earlier character first"
        case "invalid repetition size":
            return f"`{what}` repeats too often or runs backwards: at most 1,000 times with those inside and around it, the smaller number first"
        case "bad repetition operator":
            return f"`{what}` repeats a repetition; write one of the two"
        case "no argument for repetition operator":
            return f"`{what}` repeats nothing; write before it what it repeats, such as .{what}, or \\{what} for the character itself"
        case "invalid escape sequence" if what in _OTHERWISE:
            return f"`{what}` has no meaning; {_OTHERWISE[what]}"
        case "invalid escape sequence":
            return f"`{what}` has no meaning; write {what[1:]} without the backslash, or \\\\ for a backslash itself"
        case "trailing \\ at end of regexp" | "trailing \\":
            return r"nothing follows the \ at the end; write \\ for the character itself"
        case "invalid named capture group" | "invalid group name":
            return f"`{what}` is no name of a group; leave the name out, such as (…)"
        case "invalid perl operator":
            return rf"`{what}` has no meaning; (?i) ignores case, (?: ) groups, \( is the character itself"
        case "pattern too large - compile failed" | "pattern too large":
            return TOO_LARGE
        case _:
            return said
