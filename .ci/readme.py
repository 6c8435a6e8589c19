"""README.md shows what the program really prints: its console blocks are run again, and compared or rewritten.

Usage: python .ci/readme.py            say where README.md and the program differ; exit code 1 when they do
       python .ci/readme.py --write    put the program's output of today into README.md, where it differs

All blocks run in one scratch folder, in order, as a reader would: it holds the example plans and is a git repository.
* ```console: each line that starts with `$ ` is a command, what follows is its output. A line `…` stands for any lines.
  `<!-- head=12 tail=5 -->` on the line before the block: `--write` keeps so many lines of each output.
* `<!-- file: NAME -->` before any other block: what the block holds is written to that file.
Times, dates, ages, digests and counts of requests may differ; lines of progress are left out, for no two runs have the same.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(
    r"(?:<!-- (?P<note>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)
VARYING = [
    (re.compile(r"\b\d+ requests? · \d+ launch(?:es)?(?: · \d+ rate-limited \(429\))?"), "<requests>"),
    (re.compile(r"sha256:[0-9a-f]{4,64}…?"), "sha256:…"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|\+00:00)?)?"), "<date>"),
    (re.compile(r"\b[\d.,]+ (?:ms|s|min|h|d)\b(?: \d+ (?:s|min)\b)?"), "<time>"),
]
PROGRESS = re.compile(r"^\d+ of \d+ runs? ·.*\n", re.MULTILINE)
SHELL = r"""
exec 2>&1
pip() { :; }
uv() { shift; "$@"; }
status=0
last() { return "$status"; }
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A command of a console block, and the output shown for it (lines with their ends)."""

    command: str
    output: str


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 2
    text = README.read_text(encoding="utf-8")
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = prepared(Path(folder))
        for block in list(BLOCK.finditer(text)):
            note = block["note"] or ""
            if note.startswith("file: "):
                target = scratch / note.removeprefix("file: ")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block["body"], encoding="utf-8")
            elif block["language"] == "console":
                shown = commands(block["body"])
                outputs = run([one.command for one in shown], scratch)
                problems += [
                    f"`{one.command}`: {out}"
                    for one, out in zip(shown, outputs, strict=True)
                    if "a bug in planner" in out
                ]
                if arguments:
                    body = "".join(
                        f"$ {one.command}\n{elided(out, note) if differences(one, out) else one.output}"
                        for one, out in zip(shown, outputs, strict=True)
                    )
                    text = text.replace(block["body"], body, 1)
                else:
                    problems += [p for one, out in zip(shown, outputs, strict=True) for p in differences(one, out)]
    if arguments and not problems:
        README.write_text(text, encoding="utf-8")
    print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


def prepared(scratch: Path) -> Path:
    """A folder as a reader has it: the example plans, in a repository."""
    shutil.copytree(ROOT / "plans", scratch / "plans")
    subprocess.run(["git", "init", "--quiet"], cwd=scratch, check=True)
    return scratch


def commands(body: str) -> list[Shown]:
    """The commands of a console block. A line that ends in a backslash goes on in the next."""
    parts = re.split(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)\n", body, flags=re.MULTILINE)
    if parts[0].strip():
        raise SystemExit(f"README.md: a console block does not start with a command: {parts[0]!r}")
    return [Shown(command, output) for command, output in zip(parts[1::2], parts[2::2], strict=True)]


def run(lines: list[str], scratch: Path) -> list[str]:
    """The output of each command; they share one shell, so that `$?` is the one of the command before."""
    marker = "\x1fnext\x1f"
    script = SHELL + "".join(f"printf '{marker}'; last; {line}\nstatus=$?\n" for line in lines)
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(scratch / "home"),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "COLUMNS": "110",
    }
    completed = subprocess.run(
        ["bash", "-c", script],
        cwd=scratch,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return [PROGRESS.sub("", output) for output in completed.stdout.split(marker)[1:]]


def differences(shown: Shown, output: str) -> list[str]:
    """A diff, or nothing. Lines `…` of what is shown match any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else re.escape(normalised(line)) + r"\n"
        for line in shown.output.splitlines()
    )
    if re.fullmatch(pattern, normalised(output)):
        return []
    diff = difflib.unified_diff(
        normalised(shown.output).splitlines(),
        normalised(output).splitlines(),
        "README.md",
        "the program",
        lineterm="",
        n=1,
    )
    return [f"README.md, `{shown.command}`:", *diff, ""]


def normalised(text: str) -> str:
    for varying, instead in VARYING:
        text = varying.sub(instead, text)
    return "\n".join(line.rstrip() for line in text.split("\n"))


def elided(output: str, note: str) -> str:
    """The first and the last lines that the note asks for, `…` between."""
    wanted = re.fullmatch(r"head=(\d+) tail=(\d+)", note)
    lines = [line.rstrip() for line in output.splitlines()]
    if wanted:
        head, tail = int(wanted[1]), int(wanted[2])
        if len(lines) > head + tail + 1:
            lines = [*lines[:head], "…", *lines[len(lines) - tail :]]
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
