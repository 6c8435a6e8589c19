"""An interruption is one from the first moment on: exit 130 and a line, never a traceback and never a raw death."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap

import anyio
import pytest
from patience import PATIENCE_SECONDS

from planner.interruption import interruptible
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

AT_IMPORT = """
    import os, signal, sys

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests outlive their terminal

    class Interrupter:
        def find_spec(self, name, path=None, target=None):
            if name == {module!r}:
                os.kill(os.getpid(), signal.{sent})

    sys.meta_path.insert(0, Interrupter())
    sys.argv = ["planner", *{arguments}]
    from planner.__main__ import main

    sys.exit(main())
"""


def interrupted(project: Project, module: str, sent: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`planner` with these arguments, and a signal when this module is imported."""
    program = textwrap.dedent(AT_IMPORT).format(module=module, sent=sent, arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", program], cwd=project.root, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("module", "arguments"), [("click", ["validate"]), ("planner.commands.run", ["run"])])
def test_nothing_was_done_yet(project: Project, module: str, arguments: list[str]) -> None:
    """While modules are imported."""
    ended = interrupted(project, module, "SIGHUP" if module == "click" else "SIGINT", *arguments)
    assert ended.returncode == 130, ended.stderr
    assert ended.stdout == ""
    assert not (project.root / "reports").exists()


@pytest.mark.parametrize("module", ["click", "planner.commands.validate"])
def test_one_document_also_before_the_command_line_is_read(project: Project, module: str) -> None:
    """And not a second one where the command was begun."""
    ended = interrupted(project, module, "SIGINT", "validate", "--format", "json")
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["exit_code"], document["error"]["code"]) == (130, 130, "interrupted")
    assert document["diagnostics"] == []


async def test_signal_handlers_are_restored() -> None:
    """What listens while calls are made leaves nothing behind, neither deaf nor deadly."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with interruptible() as interrupted:
        signal.raise_signal(signal.SIGTERM)
        with anyio.fail_after(PATIENCE_SECONDS):
            await interrupted.wait()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
