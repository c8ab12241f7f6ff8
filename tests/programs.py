"""The programs that some tests need beside Python. Where they are missing such a test is skipped, under CI it fails."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

_DEBIAN = Path(
    "/usr/lib/postgresql"
)  # Debian keeps each version's programs in a folder of its own, off the PATH
_UNPRIVILEGED = "postgres"  # who runs it when we are root, which it refuses
_PATIENCE_S = 60.0


def left_out(program: str, package: str) -> None:
    """Ends the test, since `program` is missing."""
    reason = f"{program} is missing; apt-get install {package}"
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL of our own. url: SQLAlchemy's name for its one database. process: the one to end."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A fresh PostgreSQL on 127.0.0.1; it and its data are gone afterwards."""
    found = [path.parent for path in _DEBIAN.glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if not found and not on_path:
        left_out("PostgreSQL", "postgresql")
    programs = max(found, key=lambda path: int(path.parent.name)) if found else Path(str(on_path)).parent
    folder = Path(tempfile.mkdtemp(prefix="sluice-postgres-"))
    user = _UNPRIVILEGED if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    data, log, secret = folder / "data", folder / "log", token_hex(16)
    try:
        (folder / "password").write_text(secret, encoding="utf-8")
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
        with log.open("wb") as output:
            process = None
            try:
                make = [programs / "initdb", "-D", data, "-U", "airflow", "-A", "scram-sha-256", "--no-sync"]
                make += ["--no-locale", "-E", "UTF8", f"--pwfile={folder / 'password'}"]
                subprocess.run(make, check=True, stdout=output, stderr=output, cwd="/", **_as(user))
                port = _free_port()
                serve = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder, "-F"]
                serve += ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
                process = subprocess.Popen(
                    serve, stdout=output, stderr=output, cwd="/", start_new_session=True, **_as(user)
                )
                _until_ready(programs, port, process)
                url = f"postgresql+psycopg2://airflow:{secret}@127.0.0.1:{port}/postgres"
                yield Postgres(url, process)
            except BaseException:
                print(log.read_text(encoding="utf-8", errors="replace")[-4000:])
                raise
            finally:
                if process is not None:
                    process.send_signal(signal.SIGINT)  # without waiting for who is connected
                    process.wait(_PATIENCE_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as(user: str) -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _until_ready(programs: Path, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while subprocess.run(
        [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
    ).returncode:
        assert process.poll() is None, "PostgreSQL ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
