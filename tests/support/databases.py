"""Databases for the tables of an organisation: SQLite, and Postgres started on loopback from Debian's package."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

WITH_PASSWORD = "guarded"
"""The server asks a role of this name for a password."""
MISSING = "Postgres is not installed (Debian: apt-get install postgresql)"


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`."""
    named = shutil.which("initdb")
    found = [Path(named).resolve().parent] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return found[-1] if found and (found[-1] / "pg_ctl").exists() else None


class Postgres:
    """One server, with a new database for each test."""

    def __init__(self) -> None:
        folder = programs()
        assert folder is not None, MISSING
        self._programs = folder
        self._user = _other_user()
        self._home = Path(tempfile.mkdtemp(prefix="planner-postgres-", dir="/tmp"))
        if self._user is not None:
            os.chown(self._home, pwd.getpwnam(self._user).pw_uid, -1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._run(
            "initdb", "--username=planner", "--auth=trust", "--no-sync", "--encoding=UTF8", "-D", f"{self._home}/data"
        )
        rules = self._home / "data" / "pg_hba.conf"
        rules.write_text(f"host all {WITH_PASSWORD} all scram-sha-256\n" + rules.read_text())
        self._databases = 0
        self.start()

    def start(self) -> None:
        settings = f"-h 127.0.0.1 -p {self.port} -k {self._home} -c max_connections=40 -c fsync=off"
        self._run("pg_ctl", "-w", "-D", f"{self._home}/data", "-o", settings, "-l", f"{self._home}/log", "start")

    def stop(self) -> None:
        """As if the machine was lost: nobody is waited for."""
        self._run("pg_ctl", "-D", f"{self._home}/data", "-m", "immediate", "stop")

    def new(self) -> str:
        """The address of an empty database."""
        self._databases += 1
        name = f"organisation{self._databases}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "planner", name)
        return f"postgresql://planner@127.0.0.1:{self.port}/{name}"

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            user=self._user,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _other_user() -> str | None:
    """Postgres refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
