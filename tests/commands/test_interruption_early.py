"""An interruption is one from the first moment on: exit 130 and a line, never a traceback and never a raw death."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import anyio
import pytest

from planner.commands.interruption import interruptible
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

AT_IMPORT = """
    import os, signal, sys

    class Interrupter:
        def find_spec(self, name, path=None, target=None):
            if name == {module!r}:
                os.kill(os.getpid(), signal.{sent})

    sys.meta_path.insert(0, Interrupter())
    sys.argv = ["planner", "run", "--sandbox", "--consent-to-charge"]
    from planner.__main__ import main

    sys.exit(main())
"""


@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("module", ["planner.cli", "click", "planner.commands.run", "planner.sandbox.launching"])
def test_while_modules_are_imported(project: Project, module: str, sent: str) -> None:
    """From the first import of ours to the last."""
    program = textwrap.dedent(AT_IMPORT).format(module=module, sent=sent)
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=project.root, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 130, ended.stderr
    assert "nterrupted" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


async def test_signals_do_afterwards_what_they_did_before() -> None:
    """What listens while calls are made leaves nothing behind, neither deaf nor deadly."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with interruptible() as interrupted:
        signal.raise_signal(signal.SIGTERM)
        with anyio.fail_after(5):
            await interrupted.wait()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
