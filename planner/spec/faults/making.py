"""Rules of what cases are made from: matrices, templates, files beside the plan."""

from __future__ import annotations

from planner.spec.faults.rule import Rule

MATRICES = (
    Rule(
        "unused-axis",
        "axis is used by no template",
        "Every value of an axis multiplies the calls; if nothing in the prompt or the expectations uses it, "
        "the same call is paid for several times. Use the axis, or remove it (runs repeats a call); or its name is "
        "mistyped here, where the templates have the right one.",
    ),
    Rule(
        "unused-variable",
        "variable is used by no template",
        "A variable that nothing uses is a leftover, or a template writes its number out where the variable "
        "was meant, or its name is mistyped here. Remove it, use it, or correct it.",
    ),
    Rule(
        "bad-axis",
        "axis values cannot be used",
        "An axis is a list of texts, numbers, booleans, or mappings with an id, or the values of a file. Each value "
        "names its cases, so that a mapping needs an id, a list cannot be one value, and an axis without values would "
        "leave no case at all. Write at least one value, and an id in each mapping.",
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
        "Variables and axis values are not rendered, and single braces are no template anywhere, so that the caller would be told the braces as they are written. Write the text out, or put the template into the prompt, in double braces.",
    ),
    Rule(
        "unused-value",
        "axis value is in no case",
        "exclude takes out every combination that has this value. It can be removed from the axis, and so can the exclusion; or the exclusion was meant to be narrower.",
    ),
    Rule(
        "same-call",
        "axis value makes the same call again",
        "The prompt and the expectations come out the same for several values of an axis, so that one call is paid for "
        "several times. Mostly a condition is mistyped, such as {% if mood == 'frious' %}; or an axis matters for some "
        "values of another one only, and the others can be excluded. To repeat a call on purpose, write runs.",
    ),
    Rule(
        "too-many-cases",
        "matrix makes too many cases",
        "A matrix multiplies, and so does its price: a scenario may have 500 cases unless max_cases says "
        "more. Exclude combinations, take values out, or raise max_cases on purpose.",
    ),
)

TEMPLATES = (
    Rule(
        "template-syntax",
        "template is not valid",
        "Prompts and texts of expectations are Jinja templates: {{ name }} puts a value in, and {% if a == 1 %}…{% "
        "endif %} leaves a part out. What stands between the braces cannot be understood, and would be said as it is "
        "written; the message says what is wrong with it. {% raw %}…{% endraw %} around braces shows them as they "
        "are.",
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
        "Templates have a bounded number of steps, so that no plan can hang the tool. Take out nested loops; what "
        "varies belongs in the matrix.",
    ),
)

FILES_BESIDE = (
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
        "project-misplaced",
        "project file where nobody reads it",
        "planner.yaml is read at the root of the repository, and under that name alone. One of another name, or "
        "beside the plans, would be ignored, and with it what it was to hold back: ceilings, targets, quiet hours. "
        "Rename it, or move it.",
    ),
    Rule(
        "bad-axis-file",
        "axis file cannot be used",
        "Axis values come from CSV with a header (name the column), JSON lines, or plain text with one value "
        "a line, as the file's name says. Correct the column or the row that the message names.",
    ),
)

TOO_MUCH = (
    Rule(
        "more-faults",
        "more faults than are shown",
        "The first 1,000 faults of a file are shown; so many mostly have one cause. Mend those, and see what is left.",
    ),
)
