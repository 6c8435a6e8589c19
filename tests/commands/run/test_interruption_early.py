"""An interruption is one from the first moment on: exit 130 and a line, never a traceback and never a raw death."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Generator

import anyio
import pytest
from patience import PATIENCE_SECONDS

from planner.session.interruption import defer, interruptible, release
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

AT_IMPORT = """
    import os, signal, sys

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests outlive their terminal

    class Interrupter:
        def find_spec(self, name, path=None, target=None):
            if name in {modules!r}:
                os.kill(os.getpid(), signal.{sent})

    sys.meta_path.insert(0, Interrupter())
    sys.argv = ["planner", *{arguments}]
    from planner.__main__ import main

    sys.exit(main())
"""


def interrupted(project: Project, modules: str, sent: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`planner` with these arguments, and a signal when each of these modules is imported."""
    program = textwrap.dedent(AT_IMPORT).format(modules=modules.split(), sent=sent, arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", program], cwd=project.root, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("modules", "sent"),
    [
        ("planner.cli", "SIGINT"),
        (
            "planner.commands.run planner.reports.html planner.sandbox.launching",
            "SIGHUP",
        ),  # the last with the first launch
    ],
)
def test_while_modules_are_imported(project: Project, modules: str, sent: str) -> None:
    """From our first import to the last, the reports say so and no older report remains."""
    project.write("reports/results.json", '{"outcome": "passed"}')
    ended = interrupted(project, modules, sent, "run", "--sandbox", "--consent-to-charge")
    assert ended.returncode == 130, ended.stderr
    assert "nterrupted" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    results = project.results()
    assert (results["outcome"], results["under_way"]) == ("interrupted", False)
    assert (project.root / "reports/report.md").read_text().splitlines()[0].startswith("# ⏹️ Interrupted")


@pytest.mark.parametrize(("module", "arguments"), [("click", ["validate"]), ("planner.commands.plan", ["plan", "run"])])
def test_a_command_that_reports_nothing_ends_at_once(project: Project, module: str, arguments: list[str]) -> None:
    """There is no report to wait for."""
    ended = interrupted(project, module, "SIGHUP" if module == "click" else "SIGINT", *arguments)
    assert ended.returncode == 130, ended.stderr
    assert ended.stdout == ""
    assert not (project.root / "reports").exists()


async def test_signal_handlers_are_restored() -> None:
    """What listens while calls are made leaves nothing behind, neither deaf nor deadly."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with interruptible() as interrupted:
        signal.raise_signal(signal.SIGTERM)
        with anyio.fail_after(PATIENCE_SECONDS):
            await interrupted.wait()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.fixture(autouse=True)
def handlers() -> Generator[None]:
    """Restores the handlers after the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_deferred_signal_interrupts_when_it_is_released(sent: signal.Signals) -> None:
    """Once, however often it came. Then the earlier handlers are back, except that SIGHUP is ignored."""
    signal.signal(sent, signal.default_int_handler)
    defer()
    signal.raise_signal(sent)
    signal.raise_signal(sent)
    with pytest.raises(KeyboardInterrupt):
        release()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert sent is signal.SIGHUP or signal.getsignal(sent) is signal.default_int_handler
    release()


def test_without_a_signal_nothing_is_interrupted() -> None:
    before = signal.getsignal(signal.SIGTERM)
    release()
    defer()
    release()
    assert signal.getsignal(signal.SIGTERM) is before
