"""Where a command's CPU goes, by package: `python tests/benchmarks/packages.py FILE planner-arguments…` writes a table to FILE.

A signal comes every 2 ms of the process's CPU (`ITIMER_PROF`, threads included); what is on the stack then is asked for
the innermost line of a known package. Code in C belongs to the line that called it. Signals that come while one waits are
lost, and most kernels look only every 4 ms: what came shares the whole CPU.
"""

from __future__ import annotations

import atexit
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY_SECONDS = 0.002
PACKAGES = (
    # the innermost frame whose file has the word decides
    ("importing", ("importlib", "<frozen")),
    ("JSON and models", ("pydantic", "/planner/providers/thunderphone/wire")),
    ("HTTP", ("/httpx/", "/httpcore/", "/h11/", "/yarl/", "/multidict/", "/anyio/", "/asyncio/", "selectors.py")),
    ("HTTP: ours", ("/planner/network/", "/planner/providers/")),
    ("journal", ("/planner/execution/journal",)),
    ("evidence", ("/planner/evidence", "/planner/results/")),
    ("execution", ("/planner/execution/",)),
    ("judging", ("/planner/checks/", "/planner/verdicts/", "/planner/judge/", "/planner/statistics")),
    ("plans", ("/planner/planfile/", "/ruamel", "/yaml/", "/jinja2/")),
    ("changes", ("/planner/changes/",)),
    ("reports", ("/planner/reports/", "/planner/github/")),
    ("commands", ("/planner/",)),
)


def package_of(frame: FrameType | None) -> tuple[str, str]:
    while frame is not None:
        file = frame.f_code.co_filename
        for package, words in PACKAGES:
            if any(word in file for word in words):
                return package, f"{'/'.join(Path(file).parts[-3:])}:{frame.f_code.co_name}"
        frame = frame.f_back
    return "other", ""


def main() -> int:
    packages: Counter[str] = Counter()
    places: Counter[tuple[str, str]] = Counter()

    def sample(number: int, frame: FrameType | None) -> None:
        del number
        package, place = package_of(frame)
        packages[package] += 1
        places[package, place] += 1

    def log() -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        each_ms = time.process_time() * 1000 / max(1, packages.total())
        lines = [f"{count * each_ms:8.0f} ms  {package}" for package, count in packages.most_common()]
        lines += [
            f"{count * each_ms:8.0f} ms  {package:18} {place}" for (package, place), count in places.most_common(45)
        ]
        Path(out).write_text("\n".join(lines) + "\n", encoding="utf-8")

    out, *arguments = sys.argv[1:]
    signal.signal(signal.SIGPROF, sample)
    atexit.register(log)
    signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)
    sys.argv = ["planner", *arguments]
    from planner.__main__ import main as planner_main

    return planner_main()


if __name__ == "__main__":
    raise SystemExit(main())
