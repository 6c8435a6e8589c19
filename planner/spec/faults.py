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
        "YAML forbids them. Remove the character; tabs and line breaks are allowed inside text.",
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

_YAML = (
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
        "A mapping has each key once. YAML readers differ in which of two they keep, so that a reviewer and "
        "the tool could see two different plans.",
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
        "Tags such as !!python/object or !mine could mean anything; plans know only the standard ones (!!str, "
        "!!int, !!float, !!bool, !!null, !!map, !!seq).",
    ),
    Rule(
        "bad-alias",
        "alias cannot be followed",
        "An alias (*name) needs an anchor (&name) that is complete above it, and may not contain itself. A "
        "merge key (<<) takes mappings only. Move the anchor up to the first use, or write the value out.",
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
)

_DOCUMENT = (
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
        "not-supported-yet",
        "not supported yet",
        "The plan format defines this, but this version of planner does not do it. It is refused rather than "
        "ignored: a plan must not promise what does not happen. Remove it, or use a version that does it.",
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
        "The value is outside the range in which it means something or stays affordable. The message says "
        "what the range is.",
    ),
    Rule(
        "not-a-choice",
        "value is not one of the choices",
        "The key takes one of a few fixed words, and the message lists them. Anything else would have to be "
        "guessed at.",
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
        "Every file names the version of the plan format it is written in, so that a future format can never "
        "be misread. A newer version needs a newer planner.",
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

_REFERENCES = (
    Rule(
        "unknown-target",
        "no such target",
        "The alias is neither in the plan's targets nor in the chosen environment of planner.yaml, so that "
        "nobody knows whom to call. Correct it, or define it there.",
    ),
    Rule(
        "target-conflict",
        "target is defined in two places",
        "The plan and the chosen environment both define this alias, differently. Which one would be called "
        "must not be a matter of precedence: list the alias in the plan (targets: [alias]) or take it out of "
        "the environment.",
    ),
    Rule(
        "environment-needed",
        "target needs an environment",
        "The plan lists aliases, and what they stand for is in an environment of planner.yaml. Choose one "
        "with --environment, or write what to call into the plan itself.",
    ),
    Rule(
        "target-not-allowed",
        "target is not allowed by the project",
        "planner.yaml's policy.allowed_targets lists what may be called, and this target is not among it. "
        "Call another one, or have the policy changed by whoever owns it: on a pull request it is read from "
        "the base branch.",
    ),
    Rule(
        "duplicate-plan",
        "two plans have one name",
        "Plans loaded together must differ in name: every case id begins with it, and results are stored by "
        "case id. Rename one; often it was copied from the other.",
    ),
    Rule(
        "duplicate-id",
        "two expectations have one id",
        "Results speak of expectations by id, so ids are unique within a case, defaults included. Rename one, "
        "or leave the id out: it is then made from the kind of check.",
    ),
    Rule(
        "duplicate-item",
        "item is listed twice",
        "Listing the same thing twice would call it twice, or means that another was intended. Remove it, or "
        "correct it; runs repeats a call.",
    ),
    Rule(
        "colliding-case-id",
        "two cases have one case id",
        'Results are stored by case id. Two values that are written alike in it (17 and "17") or an include '
        "that repeats a case cannot be told apart. Change one or remove it.",
    ),
)

_LIBRARIES = (
    Rule(
        "not-a-library",
        "imported file is not a library",
        "A plan imports libraries: files with kind: library. Plans are not imported, so that each stands for itself: move what they share into a library.",
    ),
    Rule(
        "nested-library",
        "library imports a library",
        "There is one level of imports, so that a reader finds what a plan uses one step away, and no circle of imports can be. A plan may import both.",
    ),
    Rule(
        "misplaced-use",
        "use in the wrong place",
        "use stands in a plan: as an item of expect, or in place of an axis's values. What a library holds is written out, and so is what stands inside another expectation.",
    ),
    Rule(
        "import-conflict",
        "name is defined in two places",
        "What a plan imports joins what it defines itself. Which of two definitions is meant must not be a matter of precedence: rename one, or take it out.",
    ),
    Rule(
        "unknown-use",
        "no import has this name",
        "use names something that a library defines, and the plan must import that library: expectations where expectations are listed, axes among axes.",
    ),
    Rule(
        "unused-import",
        "import is not used",
        "Nothing of this library is used by the plan. Remove the import, or use what was meant.",
    ),
)

_SCENARIOS = (
    Rule(
        "no-scenarios",
        "plan has no scenario",
        "A plan without scenarios tests nothing, and a green result of it would mislead. Write a scenario, or "
        "remove the file.",
    ),
    Rule(
        "no-targets",
        "nothing to call",
        "A scenario needs at least one target, for there is nobody to call otherwise. Define what to call "
        "under targets; a scenario without targets of its own calls all of them.",
    ),
    Rule(
        "no-expectations",
        "scenario expects nothing",
        "A call that nothing is expected of costs money and can only pass. Add an expectation to the scenario "
        "or to defaults.expect.",
    ),
    Rule(
        "no-prompt",
        "scenario has no prompt",
        "The prompt tells the caller what to do: write prompt, or prompt_file for a longer one.",
    ),
    Rule(
        "two-prompts",
        "prompt and prompt_file together",
        "A scenario has one prompt: inline or from a file.",
    ),
    Rule(
        "empty-prompt",
        "prompt is empty",
        "A caller without instructions would improvise, at your cost. Write what the caller does; where a "
        "template renders to nothing, look at its conditions.",
    ),
    Rule(
        "unknown-check",
        "no such check",
        "Each expectation names a kind of check in its check key, and there is none of this name. `planner "
        "explain checks` lists them.",
    ),
    Rule(
        "bad-expectation",
        "expectation cannot be used",
        "The fields of this check contradict each other or leave nothing to check, so that it would always "
        "pass or never. The message says what is missing or too much.",
    ),
    Rule(
        "contradiction",
        "two parts contradict each other",
        "What the one asks for, the other forbids: two expectations that no call can satisfy together fail every call, at your cost, and a case cannot be both included and excluded.",
    ),
    Rule(
        "cannot-fail",
        "scenario cannot fail",
        "All its expectations have the severity warning, or need to hold in no run, so that its calls cost money and can only pass. "
        "Give one of them the severity error, or a min_pass_rate above 0.",
    ),
    Rule(
        "unused-target",
        "target is called by no scenario",
        "Every scenario names other targets. Remove it, or name it where it should be called: a reader expects that what is listed is tested.",
    ),
    Rule(
        "bad-regex",
        "regular expression is not valid",
        "Patterns are RE2, which takes linear time whatever the text, and therefore has no lookaround and no "
        "backreferences. Where a character such as ( or . is meant itself, write a backslash before it.",
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
        "Every value of an axis multiplies the calls; if nothing in the prompt or the expectations uses it, "
        "the same call is paid for several times. Use the axis, or remove it; runs repeats a call.",
    ),
    Rule(
        "unused-variable",
        "variable is used by no template",
        "A variable that nothing uses is a leftover, or a template writes its number out where the variable "
        "was meant. Remove it, or use it.",
    ),
    Rule(
        "bad-axis",
        "axis values cannot be used",
        "An axis is a list of texts, numbers, booleans, or mappings with an id, or the values of a file. Each "
        "value names its cases, so that a mapping needs an id, a list cannot be one value, and an axis "
        "without values would leave no case at all.",
    ),
    Rule(
        "unknown-axis",
        "no such axis",
        "include and exclude speak of the axes of the same matrix, by name. A mistyped axis would leave calls "
        "in that were meant to be out.",
    ),
    Rule(
        "matches-nothing",
        "include or exclude matches nothing",
        "An exclude that excludes nothing, or an include of a value that does not exist, is most often a "
        "typing mistake: calls that were meant to be left out would be paid for. Correct the value, or remove "
        "the line.",
    ),
    Rule(
        "no-cases",
        "matrix leaves no case",
        "Every combination is excluded, so that the scenario would test nothing and pass. Exclude fewer, or "
        "remove the scenario.",
    ),
    Rule(
        "shadowed-variable",
        "axis has the name of a variable",
        "In the templates of this scenario the name means the axis, in all others the variable. A reader of the prompt cannot tell which: give one of the two another name.",
    ),
    Rule(
        "literal-template",
        "value looks like a template",
        "Variables and axis values are not rendered, so that the caller would be told the braces as they are written. Write the text out, or put the template into the prompt.",
    ),
    Rule(
        "unused-value",
        "axis value is in no case",
        "exclude takes out every combination that has this value. It can be removed from the axis, and so can the exclusion; or the exclusion was meant to be narrower.",
    ),
    Rule(
        "too-many-cases",
        "matrix makes too many cases",
        "A matrix multiplies, and so does its price: a scenario may have 500 cases unless max_cases says "
        "more. Exclude combinations, take values out, or raise max_cases on purpose.",
    ),
)

_TEMPLATES = (
    Rule(
        "template-syntax",
        "template is not valid",
        "Prompts and texts of expectations are Jinja templates. Write {{ name }} for a variable; {% raw %} "
        "shows braces as they are.",
    ),
    Rule(
        "template-undefined",
        "template uses an undefined name",
        "A template sees the variables of the plan and the axes of the scenario's matrix, and nothing else. "
        "Correct the name, or define it: an unknown one would be spoken as nothing.",
    ),
    Rule(
        "template-forbidden",
        "template uses something that is not allowed",
        "Plans come from pull requests, so templates are sandboxed: no macros, includes or imports, no "
        "attribute that starts with an underscore, and only filters that are repeatable and cannot blow up. "
        "Write it with plain names, conditions and loops.",
    ),
    Rule(
        "template-failed",
        "template cannot be rendered",
        "Rendering the template with this case's values failed; the message says with which. Text and numbers "
        "are not added, for instance: join them by writing {{ a }}{{ b }}, or with ~.",
    ),
    Rule(
        "template-too-large",
        "rendered text is too large",
        "A rendered prompt may have 32 KiB: more is no instruction that a caller could follow, and a loop can "
        "make any amount of it. Shorten it.",
    ),
    Rule(
        "template-too-costly",
        "template does too much work",
        "Templates have a bounded number of steps, so that no plan can hang the tool. Take out nested loops; "
        "what varies belongs into the matrix.",
    ),
)

_FILES_BESIDE = (
    Rule(
        "file-missing",
        "file does not exist",
        "The path is relative to the file that names it, with / between folders, and upper and lower case "
        "differ. Correct the path, or add the file to the repository.",
    ),
    Rule(
        "file-outside",
        "file is outside the repository",
        "Paths stay inside the repository, symbolic links resolved, so that a plan from a stranger's pull "
        "request cannot read what it should not. Copy the file into the repository.",
    ),
    Rule(
        "bad-axis-file",
        "axis file cannot be used",
        "Axis values come from CSV with a header (name the column), JSON lines, or plain text with one value "
        "a line, as the file's name says. Correct the column or the row that the message names.",
    ),
)

_TOO_MUCH = (
    Rule(
        "more-faults",
        "more faults than are shown",
        "The first 1,000 faults of a file are shown; so many mostly have one cause. Mend those, and see what is left.",
    ),
)

AREAS: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "The file": _FILE,
        "YAML": _YAML,
        "The document": _DOCUMENT,
        "References": _REFERENCES,
        "Libraries": _LIBRARIES,
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
