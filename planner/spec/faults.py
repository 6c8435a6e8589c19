"""Every fault an authored file can have: a stable code, a summary without the author's words, and why it matters.

`planner explain CODE` prints the explanation. Codes are never reused for another meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of fault. `summary` is one short phrase, `explanation` one paragraph for `planner explain`."""

    code: str
    summary: str
    explanation: str


_FILE = (
    Rule(
        "file-unreadable",
        "file cannot be read",
        "The file is there but the operating system refused to read it: look at its permissions.",
    ),
    Rule(
        "file-too-large",
        "file is too large",
        "A plan file may have 16 MiB. Split a larger one: plans in one folder are loaded together.",
    ),
    Rule(
        "not-utf8",
        "file is not UTF-8 text",
        "Plans are UTF-8 text (a byte order mark is accepted). A file saved as UTF-16 or in an old code page has to be saved again as UTF-8.",
    ),
    Rule(
        "control-character",
        "control character in the file",
        "Characters such as NUL, escape or form feed are invisible in a review, no caller can say them, and YAML forbids them. "
        "Tabs and line breaks are allowed inside text.",
    ),
    Rule(
        "empty-file",
        "file is empty",
        "A plan file without a document can hold no scenario; delete the file, or write the plan.",
    ),
    Rule(
        "several-documents",
        "more than one document in the file",
        "One file is one plan. Put each document into a file of its own.",
    ),
)

_YAML = (
    Rule(
        "yaml-syntax",
        "not valid YAML",
        "The text breaks the rules of YAML 1.2, so that its structure is unknown. Nothing after this place could be checked.",
    ),
    Rule(
        "yaml-version",
        "another YAML version is asked for",
        "Plans are YAML 1.2, in which yes, no, on and off are text. A %YAML directive would promise otherwise: remove it.",
    ),
    Rule(
        "duplicate-key",
        "key is written twice",
        "A mapping has each key once. YAML readers differ in which of two they keep, so that a reviewer and the tool could see two different plans.",
    ),
    Rule(
        "key-not-text",
        "key is not text",
        "Keys are plain text. Most often this is a template that is not quoted: YAML reads {{ name }} as a mapping inside a mapping; "
        'write "{{ name }}".',
    ),
    Rule(
        "unknown-tag",
        "unknown YAML tag",
        "Tags such as !!python/object or !mine could mean anything; plans know only the standard ones (!!str, !!int, !!float, !!bool, !!null, !!map, !!seq).",
    ),
    Rule(
        "bad-alias",
        "alias cannot be followed",
        "An alias (*name) needs an anchor (&name) that is complete above it, and may not contain itself. A merge key (<<) takes mappings only.",
    ),
    Rule(
        "too-much-nesting",
        "nested too deeply",
        "A file may be nested 64 levels deep, aliases expanded. No readable plan comes near that.",
    ),
    Rule(
        "too-many-nodes",
        "too many values",
        "A file may hold 1,000,000 values, aliases expanded. A few lines of aliases of aliases can stand for billions; this bound keeps such a file from exhausting memory.",
    ),
    Rule(
        "bad-number",
        "number cannot be used",
        "Infinity, not-a-number and numbers of hundreds of digits have no meaning in a plan.",
    ),
    Rule(
        "number-rewritten",
        "unquoted number loses characters",
        "YAML reads 007 as 7, 1.10 as 1.1 and +14155550199 as 14155550199. Where the value is spoken in a prompt or compared, the difference is heard: quote it to keep it as written.",
    ),
)

_DOCUMENT = (
    Rule(
        "missing-key",
        "required key is missing",
        "The plan format requires this key; nothing sensible can be assumed for it.",
    ),
    Rule(
        "unknown-key",
        "unknown key",
        "The plan format has no such key here. It is refused, because a mistyped setting that is silently ignored costs money or hides a failure.",
    ),
    Rule(
        "not-supported-yet",
        "not supported yet",
        "The plan format defines this, but this version of planner does not do it. It is refused rather than ignored.",
    ),
    Rule(
        "wrong-type",
        "wrong type of value",
        'The value is of another type than the key takes. YAML decides types by how a value is written: 5 is a number, "5" is text, true is a boolean.',
    ),
    Rule(
        "out-of-range",
        "value is out of range",
        "The value is outside the range in which it means something or stays affordable.",
    ),
    Rule("not-a-choice", "value is not one of the choices", "The key takes one of a few fixed words."),
    Rule(
        "bad-value",
        "value cannot be used",
        "The value has the right type but does not mean anything here; the message says why.",
    ),
    Rule(
        "version-unknown",
        "plan format version is not known",
        "Every file names the version of the plan format it is written in, so that a future format can never be misread. A newer version needs a newer planner.",
    ),
    Rule(
        "not-a-slug",
        "name is not a slug",
        "Names that end up in case ids, file names and reports are lower-case letters, digits, - and _, and begin with a letter or digit.",
    ),
    Rule(
        "not-a-name",
        "name cannot be used in templates",
        "Variables and axes are used in templates by name: letters, digits and _, beginning with a letter, and no word that the template language keeps for itself.",
    ),
    Rule(
        "not-e164",
        "phone number is not E.164",
        'Numbers are written as "+", country code and subscriber number, in quotes: "+14155550199". Without quotes YAML reads a number and drops the plus.',
    ),
)

_REFERENCES = (
    Rule(
        "unknown-target",
        "no such target",
        "The alias is neither in the plan's targets nor in the chosen environment of planner.yaml.",
    ),
    Rule(
        "target-conflict",
        "target is defined in two places",
        "The plan and the chosen environment both define this alias, differently. Which one would be called must not be a matter of precedence: list the alias in the plan (targets: [alias]) or take it out of the environment.",
    ),
    Rule(
        "environment-needed",
        "target needs an environment",
        "The plan lists aliases, and what they stand for is in an environment of planner.yaml: choose one with --environment.",
    ),
    Rule(
        "target-not-allowed",
        "target is not allowed by the project",
        "planner.yaml's policy.allowed_targets lists what may be called, and this target is not among it.",
    ),
    Rule(
        "duplicate-plan",
        "two plans have one name",
        "Plans loaded together must differ in name: a case id begins with it.",
    ),
    Rule(
        "duplicate-id",
        "two expectations have one id",
        "Results speak of expectations by id, so ids are unique within a case, defaults included.",
    ),
    Rule(
        "duplicate-item",
        "item is listed twice",
        "Listing the same thing twice would call it twice, or means that another was intended.",
    ),
    Rule(
        "colliding-case-id",
        "two cases have one case id",
        'Results are stored by case id. Two values that are written alike in it (17 and "17") or an include that repeats a case cannot be told apart.',
    ),
)

_SCENARIOS = (
    Rule("no-scenarios", "plan has no scenario", "A plan without scenarios tests nothing."),
    Rule("no-targets", "nothing to call", "A scenario needs at least one target."),
    Rule(
        "no-expectations",
        "scenario expects nothing",
        "A call that nothing is expected of costs money and can only pass. Add an expectation to the scenario or to defaults.expect.",
    ),
    Rule(
        "no-prompt",
        "scenario has no prompt",
        "The prompt tells the caller what to do: write prompt, or prompt_file for a longer one.",
    ),
    Rule("two-prompts", "prompt and prompt_file together", "A scenario has one prompt: inline or from a file."),
    Rule("empty-prompt", "prompt is empty", "A caller without instructions would improvise, at your cost."),
    Rule("unknown-check", "no such check", "Each expectation names a kind of check in its check key."),
    Rule(
        "bad-expectation",
        "expectation cannot be used",
        "The fields of this check contradict each other or leave nothing to check; the message says what.",
    ),
    Rule(
        "bad-regex",
        "regular expression is not valid",
        "Patterns are RE2: linear time, therefore without lookaround and backreferences.",
    ),
    Rule(
        "quarantine-passed",
        "quarantine has ended",
        "A quarantine keeps known failures from counting for a while. After its last day (UTC) they count again: remove it when the fault is mended, or give it a new day, so that somebody looks again.",
    ),
)

_MATRICES = (
    Rule(
        "unused-axis",
        "axis is used by no template",
        "Every value of an axis multiplies the calls; if nothing in the prompt or the expectations uses it, the same call is paid for several times. Use runs to repeat a call.",
    ),
    Rule(
        "unused-variable",
        "variable is used by no template",
        "A variable that nothing uses is a leftover or a typing mistake in a template.",
    ),
    Rule(
        "bad-axis",
        "axis values cannot be used",
        "An axis is a list of texts, numbers, booleans, or mappings with an id, or the values of a file.",
    ),
    Rule("unknown-axis", "no such axis", "include and exclude speak of the axes of the same matrix."),
    Rule(
        "matches-nothing",
        "include or exclude matches nothing",
        "An exclude that excludes nothing, or an include of a value that does not exist, is most often a typing mistake.",
    ),
    Rule("no-cases", "matrix leaves no case", "exclude removes every combination."),
    Rule(
        "too-many-cases",
        "matrix makes too many cases",
        "500 cases a scenario unless max_cases says more: a matrix multiplies, and so does its price.",
    ),
)

_TEMPLATES = (
    Rule(
        "template-syntax",
        "template is not valid",
        "Prompts and texts of expectations are Jinja templates. Write {{ name }} for a variable; {% raw %} shows braces as they are.",
    ),
    Rule(
        "template-undefined",
        "template uses an undefined name",
        "A template sees the variables of the plan and the axes of the scenario's matrix, and nothing else.",
    ),
    Rule(
        "template-forbidden",
        "template uses something that is not allowed",
        "Templates are sandboxed: no macros, includes or imports, no attribute that starts with an underscore, and only filters that are repeatable and cannot blow up.",
    ),
    Rule(
        "template-failed",
        "template cannot be rendered",
        "Rendering the template with this case's values failed; the message says with which.",
    ),
    Rule("template-too-large", "rendered text is too large", "A rendered prompt may have 32 KiB."),
    Rule(
        "template-too-costly",
        "template does too much work",
        "Templates have a bounded number of steps, so that no plan can hang the tool.",
    ),
)

_FILES_BESIDE = (
    Rule("file-missing", "file does not exist", "The path is relative to the file that names it."),
    Rule(
        "file-outside",
        "file is outside the repository",
        "Paths stay inside the repository, symbolic links resolved, so that a plan cannot read what it should not.",
    ),
    Rule(
        "bad-axis-file",
        "axis file cannot be used",
        "Axis values come from CSV with a header (name the column), JSON lines, or plain text with one value a line.",
    ),
)

_TOO_MUCH = (Rule("more-faults", "more faults than are shown", "The first 1,000 faults of a file are shown."),)

AREAS: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "The file": _FILE,
        "YAML": _YAML,
        "The document": _DOCUMENT,
        "References": _REFERENCES,
        "Scenarios": _SCENARIOS,
        "Matrices": _MATRICES,
        "Templates": _TEMPLATES,
        "Files beside the plan": _FILES_BESIDE,
        "Too much of everything": _TOO_MUCH,
    }
)
"""Where a fault is to be found, in the order in which a file is read, to the rules it can break there."""

RULES: Mapping[str, Rule] = MappingProxyType({rule.code: rule for rules in AREAS.values() for rule in rules})
"""Every rule, by its code."""
