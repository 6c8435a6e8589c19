"""The documentation of a kind of check, as `planner explain` shows it."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot
from ruamel.yaml import YAML

from planner.checks import CHECKS
from planner.checks.explaining import check_doc, check_text, examples_of


def test_the_documentation_of_a_check_is_read_off_the_check() -> None:
    """What it does, each field with what it takes, its default and examples, and whole examples as a plan has them."""
    assert check_text(check_doc("tool_called", CHECKS["tool_called"])) == snapshot("""\
# check: tool_called

The agent calls a tool, at least once unless `times` says otherwise.

## Fields

* `name` (text; required): Name of the tool, as the agent calls it. Such as `"lookup_order"`.
* `arguments` (mapping): Arguments the call is made with: a value, or {matches: …}, {any_of: […]} or {exists: true} in place of one. Further arguments are welcome unless `exact: true`. Such as `{"note":{"exists":false},"order_id":"A-17","reason":{"matches":"late|delayed"}}`.
* `exact` (true or false; default false): Whether arguments (and keys within them) not written here are unwelcome.
* `result` ({matches: …}, {any_of: …}, {exists: …}, value or mapping): What the tool answers: a value or a matcher, as in `arguments`. Such as `{"matches":"refunded"}` or `{"status":"ok"}`.
* `after` (text): Counts only calls made when this other tool had already been called.
* `before` (text): Counts only calls made when this other tool had not yet been called.
* `times` (whole number, at least 1 or {min: …, max: …}; default {"min":1,"max":null}): How often: exactly N, or {min: N, max: M}; by default at least once. Such as `1` or `{"max":3,"min":1}`.

## Fields of every check

* `id` (text): Names this expectation in reports; by default the kind of check.
* `severity` (critical, error or warning; default "error"): critical: fails the case in any run. error: counts against the pass rate. warning: reported only.
* `min_pass_rate` (number, at least 0, at most 1): Share of runs in which this expectation must hold; by default the scenario's.
* `description` (text): Why this is expected, for the reader of a report.

## Examples

```yaml
expect:
  - check: tool_called
    name: lookup_order
    arguments: {order_id: A-17}
  - {check: tool_called, name: issue_refund, times: 1, after: verify_identity}
```
""")
    assert check_text(check_doc("all_of", CHECKS["all_of"])) == snapshot("""\
# check: all_of

All parts hold on the same call.

Fails when a part fails; else cannot be told when a part cannot; else holds. Several expectations of a scenario must all
hold anyway: this one is for use inside `any_of` and `not`, or to give several one severity and one pass rate.

## Fields

* `of` (list of expectations; required): The expectations that must all hold. Each is written as anywhere else, without `severity` and `min_pass_rate`, which are the whole's; an `id` names it in the finding.

## Fields of every check

* `id` (text): Names this expectation in reports; by default the kind of check.
* `severity` (critical, error or warning; default "error"): critical: fails the case in any run. error: counts against the pass rate. warning: reported only.
* `min_pass_rate` (number, at least 0, at most 1): Share of runs in which this expectation must hold; by default the scenario's.
* `description` (text): Why this is expected, for the reader of a report.

## Examples

```yaml
expect:
  - check: all_of
    id: identity-first
    severity: critical
    of:
    - {check: tool_called, name: verify_identity}
    - {check: tool_not_called, name: issue_refund, before: verify_identity}
```
""")


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_is_documented_whole(name: str, read: Any) -> None:
    """A sentence, a line for each field, and examples that read back as what the check gives as examples."""
    doc = check_doc(name, CHECKS[name])
    assert doc.summary.endswith(".")
    assert {field.name for field in (*doc.fields, *doc.shared)} == {
        field.alias or key for key, field in CHECKS[name].model_fields.items() if key != "check"
    }
    assert all(field.takes != "value" for field in doc.shared)
    text = check_text(doc)
    (item,) = YAML(typ="safe", pure=True).load(text.partition("```yaml\n")[2].partition("```")[0]).values()
    assert item == examples_of(CHECKS[name])
    assert all(read(**example) for example in item)
