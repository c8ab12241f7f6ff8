"""Makes a virtual environment hold exactly one lock file, and Sluice itself; does nothing when it already does.

Usage: python scripts/install.py VENV LOCK [--exact]   LOCK: hall, dev, oracle, peers or datacontract

What the environment holds is written in VENV/sluice.json: digests of the lock and of pyproject.toml, and the folder
it was made in (an environment's scripts name that folder, so a moved checkout makes it anew). The `dev` lock holds
all of `hall`: once it is installed, `hall` asks for nothing more.

Standard library only: it runs before anything is installed. Python 3.11 to 3.13.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
STILL_S = 2.5  # nobody looks at a still screen for longer
WIDER = {"hall": "dev"}  # lock -> the lock that holds all of it
WITHOUT_SLUICE = {"oracle", "peers", "datacontract"}


class InstallError(Exception):
    """What went wrong and what to do, for a person."""


def say(text: str) -> None:
    """A line for the person who waits."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def run(argv: Sequence[str], *, step: str, env: Mapping[str, str] | None = None, quiet: bool = False) -> None:
    """Runs a program that shows its own progress. Off a terminal, or when it is `quiet`, silence is filled in.

    Raises InstallError when it fails.
    """
    if sys.stderr.isatty() and not quiet:
        code = subprocess.run(argv, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    else:
        code = _run_aloud(argv, step=step, env=env)
    if code:
        raise InstallError(f"{step} failed (see above). Nothing is lost: the same command goes on from here.")


def _run_aloud(argv: Sequence[str], *, step: str, env: Mapping[str, str] | None) -> int:
    started = time.monotonic()
    with subprocess.Popen(
        argv, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        assert child.stdout is not None
        lines: queue.Queue[bytes | None] = queue.Queue()

        def read(stream: IO[bytes] = child.stdout) -> None:
            for line in stream:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=STILL_S)
            except queue.Empty:
                say(f"  … {step}, {time.monotonic() - started:.0f} s")
                continue
            if line is None:
                return child.wait()
            sys.stderr.write(line.decode("utf-8", "replace"))
            sys.stderr.flush()


def uv_settings(pip_config: str, env: Mapping[str, str]) -> dict[str, str]:
    """uv's environment variables for the mirror, certificate and proxy that pip was told to use.

    pip_config: what `pip config list` prints. A variable that uv would take from `env` already is left alone.
    The values may hold credentials: they go into a child's environment, and are never printed or written.
    """
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):  # pip's own order, the last one wins
        for line in pip_config.splitlines():
            key, is_pair, text = line.partition("=")
            if is_pair and key.startswith(section + "."):
                try:
                    found[key.removeprefix(section + ".")] = str(ast.literal_eval(text))
                except (ValueError, SyntaxError):
                    continue  # not a setting; pip prints notes on this stream too
    timeout = found.get("timeout") or found.get("default-timeout")
    wanted = {
        "UV_DEFAULT_INDEX": found.get("index-url", ""),
        "UV_INDEX": " ".join(found.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(found.get("find-links", "").split()),
        "UV_INSECURE_HOST": " ".join(found.get("trusted-host", "").split()),
        "UV_HTTP_TIMEOUT": timeout if timeout and timeout.isdigit() else "",
        "SSL_CERT_FILE": found.get("cert", ""),
        "SSL_CLIENT_CERT": found.get("client-cert", ""),
        "ALL_PROXY": found.get("proxy", ""),
        # pip looks for a version in all of its indexes, uv in the first that knows the name. Every file that is
        # installed is pinned by hash, so a look-alike in another index is refused, not installed.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if "extra-index-url" in found else "",
    }
    older_names = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
    return {
        name: value
        for name, value in wanted.items()
        if value and not env.get(name) and not env.get(older_names.get(name, ""))
    }


def digest(*paths: Path) -> str:
    """SHA-256 over the files' names and bytes, hex."""
    total = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        total.update(f"{path.name} {len(content)}\n".encode() + content)
    return total.hexdigest()


def lock_file(lock: str) -> Path:
    return ROOT / "requirements" / f"{lock}.txt"


def read_stamp(venv: Path) -> dict[str, str]:
    """What the environment holds; empty when nothing says so."""
    try:
        stamp = json.loads((venv / "sluice.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(venv: Path, stamp: Mapping[str, str]) -> None:
    fresh = venv / "sluice.json.new"
    fresh.write_text(json.dumps(stamp, indent=1, ensure_ascii=False) + "\n", "utf-8")
    os.replace(fresh, venv / "sluice.json")


def version_of(python: Path) -> str | None:
    """An environment's Python, such as "3.12", when it runs and has pip; else None."""
    try:
        done = subprocess.run(
            [python, "-c", "import sys, pip; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def make_venv(venv: Path, stamp: dict[str, str], *, exact: bool) -> dict[str, str]:
    """An environment that works, made anew where it doesn't; gives its stamp (empty for a new one).

    exact: its Python must have the version of the one that runs this.
    """
    mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
    why = ""
    if venv.exists():
        version = version_of(venv / "bin" / "python")
        if version not in ("3.11", "3.12", "3.13"):
            why = "its Python or its pip is gone"
        elif exact and version != mine:
            why = f"it has Python {version}, and {mine} was asked for"
        elif stamp and stamp.get("root") != str(ROOT):
            why = "the project's folder was moved or copied"
        else:
            return stamp
        if not (venv / "pyvenv.cfg").is_file() and any(venv.iterdir()):
            raise InstallError(
                f"{venv} is not a virtual environment, and it isn't empty. Move it away, or pass VENV=."
            )
        say(f"Making {venv} anew: {why}.")
    # Never the environment's own Python: it is about to go.
    base = getattr(sys, "_base_executable", None) or sys.executable
    if venv.exists():
        shutil.rmtree(venv)
    say(f"Making {venv} with Python {mine}.")
    run([base, "-m", "venv", str(venv)], step="making the environment", quiet=True)
    return {}


def bring_uv(python: Path) -> None:
    """The pinned installer, by pip and its hashes."""
    say("Installing uv, which installs the rest.")
    run(
        [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-user", "--no-deps", "--require-hashes",
         "-r", str(lock_file("bootstrap"))],
        step="installing uv",
    )  # fmt: skip


def has_cache_folder(env: Mapping[str, str]) -> bool:
    """Whether uv's own cache folder can be written to, or made: XDG_CACHE_HOME/uv, else .cache/uv of the user's home."""
    base = Path(env.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # not set, or not valid by the XDG specification
        base = Path(env.get("HOME") or os.path.expanduser("~")) / ".cache"
    folder = base / "uv"
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def uv_environment(python: Path) -> dict[str, str]:
    """The environment uv runs in: the user's own, and what pip was told."""
    config = subprocess.run(
        [python, "-m", "pip", "config", "list"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    env = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_REQUIRE_HASHES")
    }
    env.update(uv_settings(config.stdout, env))
    if not env.get("UV_CACHE_DIR") and not has_cache_folder(env):
        env.setdefault("UV_NO_CACHE", "1")  # uv would stop; this way it uses a folder that goes when it ends
    env["UV_PYTHON_DOWNLOADS"] = "never"  # the interpreter was chosen; nothing else may be fetched
    return env


def install(venv: Path, lock: str, *, exact: bool) -> None:
    """Brings the environment to `lock`. Raises InstallError."""
    stamp = make_venv(venv, read_stamp(venv), exact=exact)
    if lock in WIDER and stamp.get("lock") == WIDER[lock]:
        lock = WIDER[lock]
    want = {"root": str(ROOT), "lock": lock, "packages": digest(lock_file("bootstrap"), lock_file(lock))}
    if lock not in WITHOUT_SLUICE:
        want["project"] = digest(ROOT / "pyproject.toml")
    if stamp == want:
        return
    python = venv / "bin" / "python"
    uv = venv / "bin" / "uv"
    # From here on it holds neither the old nor the new; a run that broke off is told by that.
    (venv / "sluice.json").unlink(missing_ok=True)
    if stamp.get("packages") != want["packages"] or not uv.exists():
        bring_uv(python)
        env = uv_environment(python)
        say(f"Installing the packages of requirements/{lock}.txt.")
        run(
            [str(uv), "pip", "sync", "--require-hashes", "--python", str(python), str(lock_file(lock))],
            step="installing packages", env=env,
        )  # fmt: skip
    else:
        env = uv_environment(python)
    if lock not in WITHOUT_SLUICE:
        run(
            [str(uv), "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--python", str(python),
             "--editable", "."],
            step="installing Sluice itself", env=env,
        )  # fmt: skip
    write_stamp(venv, want)
    say(f"{venv} is ready.")


def main() -> int:
    options = argparse.ArgumentParser(description="Makes a virtual environment hold exactly one lock file.")
    options.add_argument("venv", type=Path)
    options.add_argument("lock", choices=("hall", "dev", "oracle", "peers", "datacontract"))
    options.add_argument(
        "--exact", action="store_true", help="the environment must have this Python's version"
    )
    given = options.parse_args()
    os.chdir(ROOT)
    try:
        install(given.venv, given.lock, exact=given.exact)
    except InstallError as error:
        say(f"{error}")
        return 1
    except KeyboardInterrupt:
        say("Stopped. The same command goes on from here.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
