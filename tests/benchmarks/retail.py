"""The retail scenarios as plans: can real instructions, tool calls and facts be said in the plan grammar?

    python tests/benchmarks/retail.py retail-scenarios.jsonl OUT

writes OUT/*.yaml, one plan for each tool that a scenario expects first, validates and expands them, and
says what that gave; exit code 1 where a scenario is refused. The data (114 scenarios of tau2-bench's retail domain, MIT) is not part of this
repository. One line is one scenario: `id`, `known_info`, `reason_for_call`, `unknown_info`, `task_instructions`, `expected_tool_calls`,
`must_communicate`.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from planner.planfile.load import load_plans
from planner.planfile.model import Project

WRITES = (
    "cancel_pending_order",
    "exchange_delivered_order_items",
    "modify_pending_order_address",
    "modify_pending_order_items",
    "modify_pending_order_payment",
    "modify_user_address",
    "return_delivered_order_items",
    "transfer_to_human_agents",
)
"""Tools that change something: what is not expected must not happen."""

HEAD = """\
version: 1
plan: {plan}
description: Retail callers whose agent has to {what}.
targets: {{retail: {{agent: 1}}}}
defaults: {{expect: [{{check: call, status: completed}}]}}
scenarios:
"""

Row = Mapping[str, Any]


def scenario(row: Row) -> str:
    """One scenario as YAML, in any form: brackets are JSON."""
    parts = (row[key] for key in ("known_info", "reason_for_call", "unknown_info", "task_instructions"))
    lines = [line for text in parts if text and text != "." for line in text.splitlines() if line.strip()]
    return (
        f"  s{row['id']}:\n    prompt: |\n"
        + "".join(f"      {line.strip()}\n" for line in lines)
        + "    expect:\n"
        + "".join(f"      - {json.dumps(item, ensure_ascii=False)}\n" for item in expectations(row))
    )


def expectations(row: Row) -> Iterator[dict[str, Any]]:
    """What the agent must do, must not do and must say."""
    calls: Sequence[Row] = row["expected_tool_calls"]
    for call in calls:
        yield {"check": "tool_called", "name": call["name"], "arguments": call["arguments"], "times": 1}
    for name in WRITES:
        if all(call["name"] != name for call in calls):
            yield {"check": "tool_not_called", "name": name}
    for fact in row["must_communicate"]:
        yield {"check": "says", "any_of": [fact]} | ({"spoken": True} if any(map(str.isdigit, fact)) else {})


def plans(rows: Sequence[Row]) -> dict[str, str]:
    """File name to text."""
    by_tool: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_tool[row["expected_tool_calls"][0]["name"] if row["expected_tool_calls"] else "change_nothing"].append(row)
    texts: dict[str, str] = {}
    for tool, group in sorted(by_tool.items()):
        plan = f"retail-{tool.replace('_', '-')}"
        text = HEAD.format(plan=plan, what=tool.replace("_", " ")) + "\n".join(map(scenario, group))
        texts[f"{plan}.yaml"] = text
    return texts


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    rows = [json.loads(line) for line in Path(arguments[0]).read_text(encoding="utf-8").splitlines() if line.strip()]
    folder = Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    texts = plans(rows)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    loaded, diagnostics = load_plans([folder], cwd=folder, project=Project())
    for item in diagnostics:
        print(f"{item.span.file}:{item.span.line}: {item.severity.value}: {item.detail} [{item.code}]")
    cases = [case for plan in loaded for case in plan.cases]
    expected = sum(len(case.expectations) for case in cases)
    size = sum(map(len, texts.values()))
    longest = max((len(line) for text in texts.values() for line in text.splitlines()), default=0)
    print(
        f"{len(rows)} scenarios, {len(loaded)} of {len(texts)} plans valid, {len(cases)} cases, {expected} expectations"
    )
    print(
        f"{size:,} characters, the longest line has {longest}; the longest prompt {max(len(c.prompt) for c in cases):,}"
    )
    return 0 if len(cases) == len(rows) and not diagnostics.has_errors else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
