"""The lists of attacks in docs/attacks.md, generated from the docstrings of the tests.

Usage: python .ci/attacks.py            exit code 1 if the page differs from the tests
       python .ci/attacks.py --write    write the page

A docstring that describes an attack has the form "ATTACK. Before: OUTCOME. Now: OUTCOME.". Tests without this form are not listed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "attacks.md"
LISTS = re.compile(r"(?<=<!-- attacks -->\n).*?(?=<!-- end -->)", re.DOTALL)
PARTS = re.compile(r"(.+?) Before: (.+?) Now: (.+)")
SUBJECTS = {
    "Policy": ["tests/security/test_policy.py"],
    "Git": ["tests/security/test_git.py"],
    "Journal and shared launches": ["tests/security/test_journal_values.py"],
    "Ceilings": [
        "tests/commands/run/test_consents.py",
        "tests/commands/stores/test_shared_store.py",
        "tests/judge/test_judge_calls_killed.py",
    ],
    "Lost machines and true reports": [
        "tests/execution/test_lost_machines.py",
        "tests/execution/test_new_machines.py",
        "tests/execution/test_reconciling.py",
        "tests/commands/stores/test_forced_ref.py",
        "tests/session/test_true_reports.py",
        "tests/providers/test_client_reading.py",
        "tests/providers/test_agents.py",
        "tests/commands/test_gate_states.py",
        "tests/execution/test_engine_stopped.py",
        "tests/test_exit_codes.py",
    ],
    "Verdicts and deployments": [
        "tests/verdicts/test_unfinished_sessions.py",
        "tests/verdicts/test_whole_grades.py",
        "tests/commands/test_gate.py",
        "tests/agents/test_previews.py",
        "tests/commands/test_deploy.py",
    ],
    "Stored results": [
        "tests/security/test_stored_documents.py",
        "tests/security/test_namespaces.py",
        "tests/security/test_promotion.py",
        "tests/security/test_fuzzed_documents.py",
    ],
    "Keys": ["tests/security/test_keys.py", "tests/commands/test_key_in_clear.py"],
    "Secrets of agents": ["tests/security/test_secrets.py", "tests/test_secret_values.py"],
    "Sandbox worlds": ["tests/security/test_worlds.py", "tests/sandbox/test_world_files.py"],
    "Folders and links": ["tests/security/test_own_folders.py", "tests/security/test_private_files.py"],
    "Bounded evaluation": [
        "tests/planfile/test_hostile.py",
        "tests/planfile/test_templates.py",
        "tests/checks/test_hostile_calls.py",
        "tests/checks/test_patterns.py",
        "tests/providers/test_decoding.py",
        "tests/reports/test_redaction.py",
    ],
    "Text from calls and plans": [
        "tests/reports/test_neutral.py",
        "tests/commands/test_control_characters.py",
        "tests/judge/test_judge_calls.py",
    ],
    "GitHub action": ["tests/test_action.py"],
}
"""Files by subject, as glob patterns."""


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 2
    page = PAGE.read_text(encoding="utf-8")
    try:
        current = LISTS.sub(lambda _: lists(), page)
    except ValueError as error:
        print(error)
        return 1
    if arguments:
        PAGE.write_text(current, encoding="utf-8", newline="\n")
    elif current != page:
        print(f"{PAGE.name} is out of date: python .ci/attacks.py --write")
        return 1
    return 0


def lists() -> str:
    """One list per subject."""
    found = dict(attacks())
    subject_of = {path: name for name, globs in SUBJECTS.items() for glob in globs for path in ROOT.glob(glob)}
    if without := sorted({path.name for path, _ in found} - {path.name for path in subject_of}):
        raise ValueError(f".ci/attacks.py: add {', '.join(without)} to SUBJECTS")
    parts: list[str] = []
    for subject in SUBJECTS:
        parts.append(f"\n## {subject}\n\n")
        for (path, test), attack in found.items():
            if subject_of[path] == subject:
                parts.append(f"* {attack} [{test}](../{path.relative_to(ROOT).as_posix()})\n")
    return "".join([*parts, "\n"])


def attacks() -> Iterator[tuple[tuple[Path, str], str]]:
    """Yield ((file, test), attack), sorted by file."""
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        source = path.read_text(encoding="utf-8")
        if "Now:" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
                continue
            text = " ".join((ast.get_docstring(node) or "").split())
            if parts := PARTS.fullmatch(text):
                yield (path, node.name), parts[1][0].upper() + parts[1][1:]
            elif "Before: " in text or "Now: " in text:
                raise ValueError(f'{path.name}: {node.name} needs the form "ATTACK. Before: OUTCOME. Now: OUTCOME."')


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
