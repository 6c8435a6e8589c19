"""`planner` in a process of its own, as `python -m planner` starts it but with its imports done: most of the time that it takes to
serve a sandbox.

It is forked from a process that has imported them and nothing of a test. How a start goes that imports as it goes, and what a
signal meets there, is shown where tests run `python -m planner`.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TextIO

from hours import SATURDAY

_CLIENT = """\
import array, json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({path!r})
streams = array.array("i", [0, 1, 2])
server.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
server.sendall(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode())
server.shutdown(socket.SHUT_WR)
sys.exit(int(server.recv(4) or 70))
"""
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "pytest",  # of the script that started this process, which multiprocessing imports again
        "planner.__main__",
        "planner.cli.ci",
        "planner.cli.results",
        "planner.cli.tools",
        "planner.commands.run",
        "planner.commands.sandbox",
        "planner.sandbox.service.server",
        "uvicorn.lifespan.off",
        "uvicorn.loops.asyncio",
    ]
)


@dataclass(frozen=True)
class Forked:
    """What it writes, on either of its streams, comes out of `output`."""

    process: ForkServerProcess
    output: TextIO

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.output.close()


def planner(*arguments: str, cwd: Path) -> Forked:
    """With the environment as it is now."""
    return started(_command_line, arguments, cwd=cwd)


def started(work: Callable[..., int], *arguments: object, cwd: Path) -> Forked:
    """A process that does this work, a function of a module, with the environment as it is now."""
    reader, writer = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_main, args=(writer, dict(os.environ), cwd, work, arguments), daemon=True)
    process.start()
    writer.close()
    output = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
    reader.close()
    return Forked(process, output)


def _command_line(arguments: Sequence[str]) -> int:
    from planner.__main__ import main

    sys.argv = ["planner", *arguments]
    return main()


def _main(
    writer: Connection,
    environment: dict[str, str],
    cwd: Path,
    work: Callable[..., int],
    arguments: Sequence[object],
) -> None:
    os.dup2(writer.fileno(), 1)
    os.dup2(writer.fileno(), 2)
    writer.close()
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.exit(work(*arguments))


@dataclass(frozen=True)
class Installed:
    """A program that scripts can start again and again: it lets a server that has all imports done fork a `planner`."""

    server: ForkServerProcess
    program: Path

    def stop(self) -> None:
        self.server.kill()
        self.server.join()


def install(folder: Path) -> Installed:
    """Write the program `planner` into the folder, and start its server. Calls of its sandbox take a tenth of the time."""
    path = folder / "planner.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    server = _CONTEXT.Process(target=_serve, args=(listener,), daemon=True)
    server.start()
    listener.close()
    program = folder / "planner"
    program.write_text(f"#!{sys.executable} -IS\n{_CLIENT.format(path=str(path))}", encoding="utf-8")
    program.chmod(0o755)
    return Installed(server, program)


def _serve(listener: socket.socket) -> None:
    for name in ("gate", "plan", "promote", "publish", "record", "run"):
        import_module(f"planner.commands.{name}")
    for name in ("encodings.idna", "httpcore"):
        import_module(name)
    from worlds import quick_world_of

    import planner.workspace.service

    planner.workspace.service.world_of = quick_world_of
    _run_once()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    while True:
        client, _ = listener.accept()
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            _run(client)
        client.close()


def _run_once() -> None:
    """What a process does for the first time takes as long as all the rest: schemas, patterns, templates, later imports."""
    from planner.cli import main

    os.environ.clear()
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        Path(folder, "plans").mkdir()
        Path(folder, "planner.yaml").write_text("execution: {linger_seconds: 0}\n", encoding="utf-8")
        Path(folder, "plans/hours.yaml").write_text(SATURDAY, encoding="utf-8")
        with contextlib.chdir(folder), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            code = main(["run", "--sandbox", "--consent-to-charge"])
    assert code == 0


def _run(client: socket.socket) -> None:
    """What the client asks for, on its streams; then tell it the exit code."""
    from planner.__main__ import main

    code = 70
    try:
        _, [(_, _, data)], *_ = client.recvmsg(1, socket.CMSG_SPACE(3 * 4))
        for number, stream in enumerate(array.array("i", data)):
            os.dup2(stream, number)
            os.close(stream)
        with client.makefile("rb") as request:
            arguments, environment, cwd = json.load(request)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            for number, mode in enumerate(("r", "w", "w"))
        )
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(cwd)
        sys.argv = ["planner", *arguments]
        code = main()
    except BaseException:  # noqa: BLE001 - it is the end of this process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        client.sendall(str(code).encode())
        os._exit(code)
