"""Example plans, a library and a planner.yaml, damaged: by hand as people do it, and as nobody does."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from planner.cli import main

ROOT = Path(__file__).parents[2]

LIBRARY = """\
version: 1
kind: library
description: What several plans share.
owners: ["@acme/voice"]
expectations:
  polite: {check: never_says, matches: "(?i)calm down", severity: critical}
  closing:
    - {check: says, any_of: ["{{ policy_days }} days", "thirty days"], in: last}
    - {check: latency, p95_ms: 2500, severity: warning}
vars: {policy_days: 30, greeting: "Hello, {{ x }}"}
"""
PLAN = """\
version: 1
plan: shared
imports: [lib.yaml]
targets: {support: {agent: 12}, hotline: {phone_number: 77}}
budget: {max_cost_cents: 900}
defaults: &defaults
  runs: 3
  expect:
    - {check: call, status: completed}
    - use: polite
scenarios:
  refund:
    description: A caller asks how long they have.
    tags: [policy, smoke]
    targets: [support, hotline]
    direction: outbound
    target_number: "+14155550199"
    prompt: |
      You are {{ caller.name }}, {{ mood }}. You speak {{ language }}.
      {% if mood == "furious" %}Shout.{% else %}Ask about order {{ order | upper }}.{% endif %}
    matrix:
      axes:
        mood: [calm, furious, 7]
        language: [English, Spanish]
        caller: [{id: ana, name: Ana Ruiz}, {id: bob, name: Bob Lee}]
        order: {file: orders.csv, column: number}
      exclude: [{mood: calm, language: Spanish}]
      include: [{mood: confused, language: English, caller: ana, order: "17"}]
      strategy: pairwise
      max_cases: 60
    min_pass_rate: 0.8
    runs: 20
    max_age: 14d
    quarantine: {until: 2027-01-31, reason: "ticket VOX-41"}
    expect:
      - use: closing
      - check: any_of
        of:
          - {check: tool_called, name: lookup_order, arguments: {order_id: "{{ order }}"}, times: {min: 1, max: 2}}
          - check: not
            of: {check: says, all_of: [one, two], spoken: true}
      - {check: expression, cel: "call.duration_seconds < 120.0 || turns.exists(t, t.role == 'tool')"}
      - {check: duration, max_seconds: "{{ policy_days }}"}
"""
PROJECT = """\
version: 1
environments:
  staging: {support: {agent: 12}, hotline: {phone_number: 31}}
execution: {settle_seconds: 600, linger_seconds: 60}
policy:
  max_cost_cents: 2000
  allowed_targets: [{agent: 12}, {phone_number: 77}]
  max_concurrent_runs: 5
rates: {spark: 8}
redact: ["(?i)member number \\\\d+"]
"""
ORDERS = "number,item\n12345,lamp\n777,desk\n"

TOKENS = [
    "&a ", "*a", "&a *a", "<<", "<<: *a", "<<: [*a, *a]", "!!python/object:os.system ", "!!int ", "!!binary ", "!a ", "%YAML 1.1\n---\n", "---\n", "...\n",
    "{", "}", "[", "]", ":", ": ", "- ", "? ", ", ", "\n", "\n  ", "\t", '"', "'", "|", ">", "|2-", "#", "@", "`", "%",
    "{{", "}}", "{{ x }}", "{%", "%}", "{% for x in range(99999) %}", "{% endfor %}", "{#", "{{ 'x' * 99999 }}", "{{ v.__class__ }}", "{{ x | ",
    "null", "~", "true", "no", "-1", "0", "007", "1e999", "-0.0", ".inf", ".nan", "0x1F", "0o17", "9" * 30, "9" * 5_000, "1_000", "2027-02-30", "1d",
    "\0", "\x07", "\ud7ff", "\ufeff", "\ufffe", "\u2028", "\u0085", "\u202e", "é", "😀", "ß", "\u0130", "\r", "\r\n", "\x1b[31m", "a\u0301" * 50,
    "plan:", "version: 2", "targets:", "expect:", "check:", "axes:", "include:", "exclude:", "runs: x", "prompt_file: /etc/passwd", "prompt_file: ../x", "imports: [lib.yaml]",
    "id: a", "use: polite", "matches: '(a+)+$'", "matches: '('", "cel: 'turns.all('", "file: lib.yaml", "column: number", "strategy: pairwise", "max_cases: 100000",
    "[" * 70, "{a: " * 70, "- " * 70, "(" * 300, "x" * 40_000,
]  # fmt: skip
"""What is put in: of YAML, of templates, of values, of unusual characters, of plans."""


@dataclass(frozen=True)
class Mutant:
    """The files of a repository, one of them damaged, and how."""

    files: Mapping[str, bytes]
    how: str


class Mutants:
    """The same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - repeatable, no secret
        plans = {f"plans/{path.name}": path.read_bytes() for path in sorted((ROOT / "plans").glob("*.yaml"))}
        self.beside = {
            f"plans/prompts/{path.name}": path.read_bytes() for path in (ROOT / "plans" / "prompts").glob("*")
        }
        self.beside["orders.csv"] = ORDERS.encode()
        shared = {"lib.yaml": LIBRARY, "shared.yaml": PLAN, "planner.yaml": PROJECT}
        self.damaged = {**plans, **{name: content.encode() for name, content in shared.items()}}

    def take(self, count: int) -> Iterator[Mutant]:
        for _ in range(count):
            yield self.one()

    def one(self) -> Mutant:
        chance = self.chance
        name = chance.choice(list(self.damaged))
        content = self.damaged[name]
        done: list[str] = []
        for _ in range(chance.choice([1, 1, 2, 3, 8])):
            change = chance.choice(
                [self._flip, self._line_gone, self._line_twice, self._indented, self._spliced, self._token, self._token, self._value, self._cut, self._moved]
            )  # fmt: skip
            content = change(content)
            done.append(change.__name__.strip("_"))
        # The others of its kind stay away, for the sake of time; what a plan imports is there.
        files = {other: self.damaged[other] for other in ("lib.yaml", "shared.yaml", "planner.yaml") if "/" not in name}
        return Mutant({**self.beside, **files, name: content}, f"{name}: {', '.join(done)}")

    def _flip(self, content: bytes) -> bytes:
        if not content:
            return content
        place = self.chance.randrange(len(content))
        return content[:place] + bytes([content[place] ^ (1 << self.chance.randrange(8))]) + content[place + 1 :]

    def _line(self, content: bytes) -> tuple[list[bytes], int]:
        lines = content.splitlines(keepends=True) or [b""]
        return lines, self.chance.randrange(len(lines))

    def _line_gone(self, content: bytes) -> bytes:
        lines, number = self._line(content)
        return b"".join([*lines[:number], *lines[number + 1 :]])

    def _line_twice(self, content: bytes) -> bytes:
        lines, number = self._line(content)
        return b"".join([*lines[: number + 1], *lines[number:]] * self.chance.choice([1, 1, 1, 3]))

    def _indented(self, content: bytes) -> bytes:
        lines, number = self._line(content)
        line = lines[number]
        left = line.lstrip(b" ")
        lines[number] = b" " * max(0, len(line) - len(left) + self.chance.choice([-4, -2, -1, 1, 2, 4])) + left
        return b"".join(lines)

    def _spliced(self, content: bytes) -> bytes:
        other = self.damaged[self.chance.choice(list(self.damaged))]
        start = self.chance.randrange(len(other))
        place = self.chance.randrange(len(content) + 1)
        return content[:place] + other[start : start + self.chance.choice([10, 100, 1_000])] + content[place:]

    def _token(self, content: bytes) -> bytes:
        place = self.chance.randrange(len(content) + 1)
        token = self.chance.choice(TOKENS).encode("utf-8", "surrogatepass")
        return content[:place] + token + content[place + self.chance.choice([0, 0, 1, len(token)]) :]

    def _value(self, content: bytes) -> bytes:
        lines, number = self._line(content)
        key, colon, _ = lines[number].partition(b":")
        lines[number] = key + colon + b" " + self.chance.choice(TOKENS).encode("utf-8", "surrogatepass") + b"\n"
        return b"".join(lines)

    def _cut(self, content: bytes) -> bytes:
        start = self.chance.randrange(len(content) + 1)
        return content[:start] + content[start + self.chance.choice([1, 5, 50, 500]) :]

    def _moved(self, content: bytes) -> bytes:
        lines, number = self._line(content)
        line = lines.pop(number)
        lines.insert(self.chance.randrange(len(lines) + 1), line)
        return b"".join(lines)


def judged(folder: Path, mutant: Mutant) -> str:
    """Write the files into the folder, validate them as a user does: what is wrong with how that went, or nothing."""
    (folder / ".git").mkdir(exist_ok=True)
    for root, _, names in os.walk(folder):
        for name in names:
            Path(root, name).unlink()
    for name, content in mutant.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    said = io.StringIO()
    with chdir(folder), redirect_stdout(said), redirect_stderr(said):
        code = main(["validate", "."])
    if code not in {0, 2} or "Traceback" in said.getvalue():
        return f"planner validate ended with {code}: {said.getvalue()[-3_000:]}"
    if code and not said.getvalue().strip():
        return f"planner validate ended with {code} and said nothing"
    return ""
