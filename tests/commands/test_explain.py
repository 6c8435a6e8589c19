"""`planner explain`: pages of rules and checks, on a terminal, for programs and as the documents in docs/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from planner.checks import CHECKS
from planner.planfile.reporter import rules
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

DOCS = Path(__file__).parents[2] / "docs"


def sections(text: str) -> dict[str, str]:
    """A document by its headings."""
    parts = re.split(r"^(#+ .*)$", text, flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[0::2], strict=True))


@pytest.mark.parametrize(("arguments", "name"), [((), "diagnostics.md"), (("checks",), "checks.md")])
def test_the_documents_are_up_to_date(project: Project, arguments: tuple[str, ...], name: str) -> None:
    """docs/ holds what the program says of every code and every check today, to the letter.

    To bring them up to date: `planner explain --format markdown > docs/diagnostics.md`, and the same with `checks`.
    """
    said = project.planner("explain", *arguments, "--format", "markdown").out
    written = (DOCS / name).read_text(encoding="utf-8")
    assert list(sections(said)) == list(sections(written))
    for heading, text in sections(said).items():
        assert text == sections(written)[heading], heading
    assert said == written


@pytest.mark.parametrize("topic", ["check:duration", "duration"])
def test_a_check(project: Project, topic: str) -> None:
    """Its words, its own fields and those of every check, with types and defaults, and examples to copy."""
    ran = project.planner("explain", topic)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == snapshot("""\
# check: duration

The length of the call, in seconds.

* `min_seconds` (number, at least 0): Minimum length of the call, in seconds.
* `max_seconds` (number, more than 0): Maximum length of the call, in seconds.

```yaml
expect:
  - {check: duration, min_seconds: 10, max_seconds: 180}
```

Fields of every check:

* `id` (string): Names this expectation in reports; by default the kind of check.
* `severity` (one of critical, error, warning; default error): critical: fails the case in any run.
  error: counts against the pass rate. warning: reported only.
* `min_pass_rate` (number from 0 to 1): Share of runs in which this expectation must hold; by
  default the scenario's.
* `description` (string): Why this is expected, for the reader of a report.
""")


def test_json(project: Project) -> None:
    """The same for programs: `rules` and `checks`, of which one has one item."""
    document = project.planner("explain", "bad-regex", "--format", "json").json
    assert (document["schema_version"], document["checks"]) == ("2.0", [])
    (rule,) = document["rules"]
    assert list(rule) == ["code", "area", "summary", "explanation", "severity", "example"]
    assert (rule["code"], rule["severity"]) == ("bad-regex", "error")
    example = rule["example"]
    assert list(example) == ["environment", "beside", "broken", "fixed", "diagnostics"]
    assert example["broken"]["plan.yaml"].replace("days(", "days") == example["fixed"]["plan.yaml"]
    (fault,) = example["diagnostics"]
    assert (fault["code"], fault["file"], fault["line"], fault["column"]) == ("bad-regex", "plan.yaml", 7, 37)
    everything = project.planner("explain", "--format", "json").json
    assert [rule["code"] for rule in everything["rules"]] == list(rules())
    assert [check["check"] for check in everything["checks"]] == list(CHECKS)
    shown = {rule["code"]: rule for rule in everything["rules"]}
    assert shown["not-utf8"]["example"] is None
    assert shown["unused-variable"]["severity"] == "warning"


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("template-undefned", "there is no diagnostic `template-undefned`; did you mean `template-undefined`?"),
        ("plan-too-large", "there is no diagnostic `plan-too-large`; did you mean `template-too-large`?"),
        ("check:sais", "there is no check `sais`; did you mean `says`?"),
        ("zebra", "there is no diagnostic `zebra`\n"),
        ("../faults", "there is no diagnostic `../faults`"),
    ],
)
def test_unknown_topics(project: Project, topic: str, message: str) -> None:
    ran = project.planner("explain", topic)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
