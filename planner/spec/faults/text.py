"""Rules of the text itself: the file, YAML, and the keys and values of a document."""

from __future__ import annotations

from planner.spec.faults.rule import Rule

FILE = (
    Rule(
        "file-unreadable",
        "file cannot be read",
        "The file is there but the operating system refused to let it be read: look at its permissions, or "
        "whether it is a link to something that is gone.",
    ),
    Rule(
        "file-too-large",
        "file is too large",
        "A file may have 16 MiB: a larger one is a mistake or an attack, and reading it would keep a pull "
        "request waiting. Split it: plans in one folder are loaded together.",
    ),
    Rule(
        "not-utf8",
        "file is not UTF-8 text",
        "Plans are UTF-8 text (a byte order mark is accepted). A file that was saved as UTF-16 or in an old "
        "code page would be read as other words than were written: save it again as UTF-8.",
    ),
    Rule(
        "control-character",
        "control character in the file",
        "Characters such as NUL, escape or form feed are invisible in a review, no caller can say them, and "
        "YAML forbids them. Remove the character; tabs and line breaks are allowed inside text. Of characters that YAML allows and nobody sees, "
        "those are warned of that change the order or the words that a reviewer reads: bidirectional controls, spaces without width, and joiners amid Latin letters.",
    ),
    Rule(
        "empty-file",
        "file is empty",
        "A plan file without a document tests nothing, and is most often one that was not saved. Delete the "
        "file, or write the plan.",
    ),
    Rule(
        "several-documents",
        "more than one document in the file",
        "One file is one plan, so that a fault, a result and a review all speak of the same thing. Put each "
        "document into a file of its own; plans in one folder are loaded together.",
    ),
)

YAML = (
    Rule(
        "yaml-syntax",
        "not valid YAML",
        "The text breaks the rules of YAML 1.2, so that its structure is unknown. Most often a bracket or "
        "quote is not closed, a colon in a text asks for quotes, or lines are indented unevenly. What follows "
        "this place could not be checked yet.",
    ),
    Rule(
        "yaml-version",
        "another YAML version is asked for",
        "Plans are YAML 1.2, in which yes, no, on and off are text. A %YAML directive would promise "
        "otherwise: remove it.",
    ),
    Rule(
        "duplicate-key",
        "key is written twice",
        "A mapping has each key once. YAML readers differ in which of two they keep, so that a reviewer and the tool "
        "could see two different plans. Keep one of them; where both are meant, a name or a `- ` is missing between "
        "them, and the second belongs to something else.",
    ),
    Rule(
        "key-not-text",
        "key is not text",
        "Keys are plain text. Most often this is a template that is not quoted: YAML reads {{ name }} as a "
        'mapping inside a mapping; write "{{ name }}".',
    ),
    Rule(
        "colon-without-space",
        "no space after a colon",
        "YAML ends a key at a colon with white space after it, so that check:says is one word: a key without a value. "
        "Write the space; quote the key if the colon is part of it.",
    ),
    Rule(
        "unknown-tag",
        "unknown YAML tag",
        "Tags such as !!python/object or !mine could mean anything; plans know only the standard ones (!!str, !!int, "
        "!!float, !!bool, !!null, !!map, !!seq). Remove the tag, and put a text that begins with ! in quotes.",
    ),
    Rule(
        "bad-alias",
        "alias cannot be followed",
        "In YAML, &name in front of a value names it, and *name stands for that value further down; <<: *name takes "
        "over the keys of a mapping. What is named stands above its first use, is complete there (a value cannot "
        "contain itself), and is a mapping where << takes it over. Write the value out where it is first used, with "
        "&name, and *name wherever it is used again.",
    ),
    Rule(
        "too-much-nesting",
        "nested too deeply",
        "A file may be nested 64 levels deep, aliases expanded. No readable plan comes near that: look for "
        "brackets that are not closed where they should be.",
    ),
    Rule(
        "too-many-nodes",
        "too many values",
        "A file may hold 1,000,000 values, aliases expanded, and fewer where a template may walk them. A few "
        "lines of aliases of aliases can stand for billions; this bound keeps such a file from exhausting "
        "memory. Write what is needed and no more, or split the plan.",
    ),
    Rule(
        "bad-number",
        "number cannot be used",
        "Infinity, not-a-number and numbers of hundreds of digits have no meaning in a plan. Write an "
        "ordinary number, or quote it if it is a text.",
    ),
    Rule(
        "number-rewritten",
        "unquoted number loses characters",
        "YAML reads 007 as 7, 1.10 as 1.1 and +14155550199 as 14155550199. Where the value is spoken in a "
        "prompt or compared, the difference is heard: quote it to keep it as written.",
    ),
    Rule(
        "not-as-it-looks",
        "unquoted text is not what it looks like",
        "Without quotes, a text ends at a # with a space before it, so that `order #12345` is `order`; and a line "
        "that is indented more goes on with the text of the line above, be there a - at its beginning or not. Quote "
        "the text, mend the indentation, or write a space after the # of a comment.",
    ),
)

DOCUMENT = (
    Rule(
        "missing-key",
        "required key is missing",
        "The plan format requires this key, because nothing sensible can be assumed for it. Add it; the "
        "message says what it is for.",
    ),
    Rule(
        "unknown-key",
        "unknown key",
        "The plan format has no such key here. It is refused, because a mistyped setting that is silently "
        "ignored costs money or hides a failure. Correct the key, move it to where it belongs, or remove it.",
    ),
    Rule(
        "wrong-type",
        "wrong type of value",
        "The value is of another type than the key takes. YAML decides types by how a value is written: 5 is "
        'a number, "5" is text, true is a boolean, [5] is a list. Write the type that the message asks for; '
        "nothing is converted silently, because a guess could be wrong.",
    ),
    Rule(
        "out-of-range",
        "value is out of range",
        "The value is outside the range in which it means something or stays affordable. The message says what the "
        "range is: write a value within it.",
    ),
    Rule(
        "not-a-choice",
        "value is not one of the choices",
        "The key takes one of a few fixed words, and the message lists them. Anything else would have to be guessed "
        "at: write one of them.",
    ),
    Rule(
        "bad-value",
        "value cannot be used",
        "The value has the right type but cannot mean anything here, or would mean two things. The message "
        "says which and what to write instead.",
    ),
    Rule(
        "version-unknown",
        "plan format version is not known",
        "Every file names the version of the plan format it is written in, so that a future format can never be "
        "misread. A newer version needs a newer planner: upgrade it, or write the version that this one reads.",
    ),
    Rule(
        "not-a-slug",
        "name is not a slug",
        "Names that end up in case ids, file names and reports have to be safe and alike everywhere: "
        "lower-case letters, digits, - and _, beginning with a letter or digit. The message proposes one.",
    ),
    Rule(
        "not-a-name",
        "name cannot be used in templates",
        "Variables and axes are used in templates by name, and there a - is a minus. A name has letters, "
        "digits and _, begins with a letter, and is no word that the template language keeps for itself.",
    ),
    Rule(
        "not-e164",
        "phone number is not E.164",
        'Numbers are written as "+", country code and subscriber number, in quotes: "+14155550199". Without '
        "quotes YAML reads a number and drops the plus.",
    ),
)
