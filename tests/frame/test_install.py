"""`scripts/install.py`: what it makes of pip's settings, and when it has nothing to do."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.frame.tree import copy_frame, script

PIP = """\
:env:.index-url='https://user:secret@mirror.example/simple'
global.cert='/etc/ca.pem'
global.extra-index-url='\\nhttps://one.example/simple\\nhttps://two.example/simple'
global.find-links='/srv/wheels\\n/srv/more'
global.index-url='https://other.example/simple'
global.timeout='60'
install.trusted-host='mirror.example other.example'
a line that is no setting
"""


def test_uv_takes_what_pip_was_told() -> None:
    assert script("install").uv_settings(PIP, {}) == {
        "UV_DEFAULT_INDEX": "https://user:secret@mirror.example/simple",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/srv/wheels,/srv/more",
        "UV_INSECURE_HOST": "mirror.example other.example",
        "UV_HTTP_TIMEOUT": "60",
        "SSL_CERT_FILE": "/etc/ca.pem",
    }


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_a_setting_made_for_uv_goes_first(name: str) -> None:
    assert "UV_DEFAULT_INDEX" not in script("install").uv_settings(PIP, {name: "https://mine.example"})


def test_no_settings_no_variables() -> None:
    assert script("install").uv_settings("", {}) == {}


@pytest.mark.parametrize(
    ("variables", "there"),
    [
        ({"HOME": "home"}, True),
        ({"HOME": "home/not/yet"}, True),
        ({"HOME": "file"}, False),
        ({"HOME": "home", "XDG_CACHE_HOME": "file/cache"}, False),  # uv looks nowhere else then
        ({"HOME": "file", "XDG_CACHE_HOME": "home"}, True),
        ({"HOME": "taken"}, False),
        ({"HOME": "dangling"}, False),
    ],
)
def test_where_uv_can_keep_a_cache(tmp_path: Path, variables: dict[str, str], there: bool) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "taken" / ".cache").mkdir(parents=True)
    (tmp_path / "taken" / ".cache" / "uv").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    env = {name: str(tmp_path / value) for name, value in variables.items()}
    assert script("install").has_cache_folder(env) is there


def test_a_relative_cache_folder_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    env = {"HOME": str(tmp_path / "file"), "XDG_CACHE_HOME": "cache"}
    assert not script("install").has_cache_folder(env)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_that_is_not_ours_holds_no_cache(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert not script("install").has_cache_folder({"HOME": str(tmp_path)})
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("variables", "no_cache"),
    [
        ({"HOME": "home"}, None),
        ({"HOME": "file"}, "1"),
        ({"HOME": "file", "UV_CACHE_DIR": "home"}, None),
        ({"HOME": "file", "UV_CACHE_DIR": ""}, "1"),
        ({"HOME": "file", "UV_NO_CACHE": "true"}, "true"),
    ],
)
def test_without_a_cache_folder_uv_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], no_cache: str | None
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "file").touch()
    for name in ("UV_CACHE_DIR", "UV_NO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value) if value in ("home", "file") else value)
    assert script("install").uv_environment(Path(sys.executable)).get("UV_NO_CACHE") == no_cache


# --- whole runs, with a pip and a uv that only write down how they were called -----------------------------------

FAKE_PYTHON = """\
case "$*" in
  "-c import sys, pip;"*) echo {version} ;;
  "-m pip config list") echo ":env:.index-url='https://user:secret@mirror.example/simple'" ;;
  *) echo "python $*" >> "$CALLS"; [ -z "${{BREAK_PIP:-}}" ] ;;
esac
"""
FAKE_UV = 'echo "uv $*" >> "$CALLS"; echo "$UV_DEFAULT_INDEX" > "$CALLS.index"; [ -z "${BREAK_UV:-}" ]\n'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[str]]]:
    """install(lock, *options) in a copy of the frame whose environment holds fakes; gives exit code and calls."""
    root = copy_frame(tmp_path / "水闸 checkout")
    install = script("install")
    monkeypatch.setattr(install, "ROOT", root)
    monkeypatch.chdir(root)
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    calls = tmp_path / "calls"
    monkeypatch.setenv("CALLS", str(calls))
    bin_ = root / ".venv" / "bin"
    bin_.mkdir(parents=True)
    (root / ".venv" / "pyvenv.cfg").write_text("")
    for name, text in (("python", FAKE_PYTHON.format(version="3.12")), ("uv", FAKE_UV)):
        (bin_ / name).write_text("#!/bin/sh\n" + text)
        (bin_ / name).chmod(0o755)

    def call(lock: str, *options: str) -> tuple[int, list[str]]:
        calls.write_text("")
        monkeypatch.setattr(sys, "argv", ["install.py", *options, ".venv", lock])
        code = install.main()
        return code, [" ".join(line.split()[:4]) for line in calls.read_text("utf-8").splitlines()]

    return call


SYNC = ["python -m pip install", "uv pip sync --require-hashes", "uv pip install --quiet"]


def test_second_run_does_nothing(
    run: Callable[..., tuple[int, list[str]]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("hall") == (0, SYNC)
    said = capfd.readouterr()
    assert "Installing the packages of requirements/hall.txt." in said.err
    assert run("hall") == (0, [])
    assert capfd.readouterr() == ("", "")


def test_hall_is_content_with_dev(run: Callable[..., tuple[int, list[str]]]) -> None:
    assert run("hall") == (0, SYNC)
    assert run("dev") == (0, SYNC)
    assert run("hall") == (0, [])
    assert run("dev") == (0, [])


def test_a_changed_lock_is_installed_and_a_changed_project_alone_is_quick(
    run: Callable[..., tuple[int, list[str]]],
) -> None:
    run("dev")
    with Path("requirements/dev.txt").open("a") as lock:
        lock.write("\n")
    assert run("hall") == (0, SYNC)  # the environment holds dev, and dev changed
    with Path("pyproject.toml").open("a") as project:
        project.write("\n")
    assert run("dev") == (0, SYNC[2:])


def test_the_oracles_environment_holds_no_sluice(run: Callable[..., tuple[int, list[str]]]) -> None:
    assert run("oracle") == (0, SYNC[:2])


@pytest.mark.parametrize("broken", ["BREAK_PIP", "BREAK_UV"])
def test_a_run_that_broke_off_goes_on(
    run: Callable[..., tuple[int, list[str]]],
    broken: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    run("hall")
    monkeypatch.setenv(broken, "1")
    with Path("requirements/hall.txt").open("a") as lock:
        lock.write("\n")
    assert run("hall")[0] == 1
    assert "the same command goes on from here" in capfd.readouterr().err
    monkeypatch.delenv(broken)
    assert run("hall") == (0, SYNC)


def test_a_mirrors_password_is_neither_shown_nor_kept(
    run: Callable[..., tuple[int, list[str]]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run("hall")
    assert "secret" in (tmp_path / "calls.index").read_text()  # it did reach uv
    assert "secret" not in "".join(capfd.readouterr())
    for path in Path.cwd().rglob("*"):
        if path.is_file() and path.name != "python":  # the fake that says it
            assert b"secret@" not in path.read_bytes(), path


def test_a_folder_that_is_no_environment_is_left_alone(
    run: Callable[..., tuple[int, list[str]]], capfd: pytest.CaptureFixture[str]
) -> None:
    Path(".venv/pyvenv.cfg").unlink()
    Path(".venv/bin/python").unlink()
    assert run("hall") == (1, [])
    assert ".venv is not a virtual environment" in capfd.readouterr().err
    assert Path(".venv/bin/uv").exists()


@pytest.mark.parametrize("why", ["moved", "another Python was asked for", "its Python is gone"])
def test_an_environment_that_does_not_fit_is_made_anew(
    run: Callable[..., tuple[int, list[str]]], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("oracle") == (0, SYNC[:2])
    marker = Path(".venv/left over")
    marker.write_text("")
    stamp = Path(".venv/sluice.json")
    options = []
    if why == "moved":
        stamp.write_text(json.dumps(json.loads(stamp.read_text("utf-8")) | {"root": "/where/it/was"}))
    elif why == "another Python was asked for":
        other = "3.11" if sys.version_info[:2] != (3, 11) else "3.13"
        Path(".venv/bin/python").write_text(f"#!/bin/sh\necho {other}\n")
        options = ["--exact"]
    else:
        Path(".venv/bin/python").unlink()
    Path("requirements/bootstrap.txt").write_text(
        "no such package\n"
    )  # stops the run once the environment is made
    assert run("oracle", *options)[0] == 1
    assert not marker.exists()
    assert Path(".venv/bin/pip").exists()
    assert "Making .venv anew: " in capfd.readouterr().err


def test_stamp_says_what_is_there(run: Callable[..., tuple[int, list[str]]]) -> None:
    run("dev")
    stamp = json.loads(Path(".venv/sluice.json").read_text("utf-8"))
    assert stamp["lock"] == "dev"
    assert stamp["root"] == str(Path.cwd())
    assert set(stamp) == {"root", "lock", "packages", "project"}
