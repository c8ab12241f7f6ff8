"""The Makefile and what it runs before anything is installed: the stumbles that a newcomer is spared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frame.tree import ROOT, copy_frame, make, program

TARGETS = ("demo", "up", "test", "test-system", "lint", "bench", "clean-demo")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_frame(tmp_path / "水闸 与 空格's folder")


def choose(venv: Path, asked: str = "", *, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(path) if path else os.environ["PATH"]}
    return subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "python.sh"), str(venv), asked],
        env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_make_alone_lists_every_target(checkout: Path) -> None:
    done = make(checkout)
    assert done.returncode == 0, done.stderr
    for target in TARGETS:
        assert re.search(rf"^  make {target} +\w", done.stdout, re.MULTILINE), target


def test_wrong_python_is_refused_with_what_fits(checkout: Path, tmp_path: Path) -> None:
    old = program(tmp_path / "old python" / "python3", "echo version 3.10\n")
    done = make(checkout, "demo", f"PYTHON={old}")
    assert done.returncode != 0
    assert (
        f"Python 3.10 ({old}) is not one of those that Sluice's packages are locked for: 3.11, 3.12, 3.13."
        in done.stderr
    )
    assert "make demo PYTHON=/path/to/python3.12" in done.stderr
    assert not (checkout / ".venv").exists()


def test_python_without_venv_names_its_apt_package(checkout: Path, tmp_path: Path) -> None:
    bare = program(tmp_path / "python3", "echo venv 3.12\n")
    done = make(checkout, "test", f"PYTHON={bare}")
    assert done.returncode != 0
    assert "sudo apt install python3.12-venv" in done.stderr
    assert "PYTHON=" not in done.stderr.replace(f"PYTHON={bare}", "")


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ("echo build 3.13", "is not a plain CPython"),
        ("exit 1", "is not a Python that runs"),
        ("echo '# nothing'", "is not a Python that runs"),
    ],
)
def test_other_misfits_are_refused(tmp_path: Path, says: str, message: str) -> None:
    done = choose(tmp_path / "none", str(program(tmp_path / "python3", says + "\n")))
    assert done.returncode == 1
    assert done.stdout == ""
    assert message in done.stderr


def test_a_missing_python_is_refused(tmp_path: Path) -> None:
    done = choose(tmp_path / "none", str(tmp_path / "no such python"))
    assert done.returncode == 1
    assert "is not a Python that runs" in done.stderr


def test_a_broken_shim_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3.13", "echo 'command not found' >&2; exit 127\n")
    program(tmp_path / "bin" / "python3.12", "echo version 2.7\n")
    fits = program(tmp_path / "bin" / "python3.11", "echo ok 3.11\n")
    done = choose(tmp_path / "none", path=tmp_path / "bin")
    assert (done.returncode, done.stdout.strip()) == (0, str(fits)), done.stderr


def test_the_environments_own_python_is_kept(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3.13", "echo ok 3.13\n")
    own = program(tmp_path / "my venv" / "bin" / "python", "echo ok 3.11\n")
    done = choose(tmp_path / "my venv", path=tmp_path / "bin")
    assert (done.returncode, done.stdout.strip()) == (0, str(own)), done.stderr


def test_the_probe_accepts_the_python_that_runs_this(tmp_path: Path) -> None:
    done = choose(tmp_path / "none", sys.executable)
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable), done.stderr


def test_nothing_about_the_machine_reaches_python(checkout: Path, tmp_path: Path) -> None:
    spy = program(
        tmp_path / "python3",
        'case "$1" in -c) echo ok 3.12 ;; *) echo "path=$PYTHONPATH home=$PYTHONHOME write=$PYTHONDONTWRITEBYTECODE $*" ;; esac\n',
    )
    done = make(
        checkout,
        "hall",
        f"PYTHON={spy}",
        PYTHONPATH="/elsewhere",
        PYTHONHOME="/elsewhere",
        PYTHONDONTWRITEBYTECODE="1",
    )
    assert done.stdout.strip() == "path= home= write= scripts/install.py --exact .venv hall"


def test_clean_demo_removes_what_sluice_made_and_nothing_else(checkout: Path) -> None:
    home = checkout / "我的 home"
    for folder in ("keys", "catalog", "airflow"):
        (home / folder).mkdir(parents=True)
        (home / folder / "file").write_text("x")
    for name in ("state.sqlite", "state.sqlite-wal", "notes.txt"):
        (home / name).write_text("x")
    done = make(checkout, "clean-demo", f"PYTHON={sys.executable}", SLUICE_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in home.iterdir()] == ["notes.txt"]
    assert "Removed from" in done.stdout
    assert "Left alone, since Sluice didn't make it: notes.txt." in done.stdout


def test_clean_demo_follows_no_link(checkout: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (checkout / ".sluice").mkdir()
    (checkout / ".sluice" / "catalog").symlink_to(outside)
    done = make(checkout, "clean-demo", f"PYTHON={sys.executable}")
    assert done.returncode == 0, done.stderr
    assert (outside / "precious").exists()
    assert not (checkout / ".sluice").exists()


def test_clean_demo_waits_for_a_running_airflow(checkout: Path) -> None:
    airflow = checkout / ".sluice" / "airflow"
    airflow.mkdir(parents=True)
    hold = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(airflow / "service.lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        holder.stdout.readline()
        refused = make(checkout, "clean-demo", f"PYTHON={sys.executable}")
        holder.communicate("\n")
    assert refused.returncode != 0
    assert "Stop `make up`" in refused.stderr
    assert airflow.exists()
    assert make(checkout, "clean-demo", f"PYTHON={sys.executable}").returncode == 0
    assert not airflow.exists()


def test_clean_demo_twice_is_fine(checkout: Path) -> None:
    done = make(checkout, "clean-demo", f"PYTHON={sys.executable}")
    assert done.returncode == 0
    assert "Nothing to clean" in done.stdout


def test_system_tests_are_run_as_soon_as_one_exists(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    ran = program(checkout / ".venv" / "bin" / "python", 'echo "$*"\n')
    tests = checkout / "tests" / "catalog"
    tests.mkdir(parents=True)
    command = ["/bin/sh", "scripts/test-system.sh", str(ran.parent.parent)]
    none = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    assert none.stdout.startswith("No test needs a Debian program yet")
    (tests / "test_x.py").write_text("@pytest." + "mark.system\ndef test_x(): ...\n")
    one = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    assert one.stdout.strip() == "-m pytest -m system"


@pytest.mark.parametrize("ci", [False, True])
def test_a_missing_program_is_told_with_its_package_and_an_error_under_ci(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, ci: bool
) -> None:
    script = checkout / "scripts" / "test-system.sh"
    text = script.read_text("utf-8")
    script.write_text(text.replace("\nneeds ", "\nneeds no-package no-program\nneeds ", 1), "utf-8")
    ran = program(checkout / ".venv" / "bin" / "python", 'echo "$*"\n')
    (checkout / "tests").mkdir(exist_ok=True)
    (checkout / "tests" / "test_x.py").write_text("@pytest." + "mark.system\ndef test_x(): ...\n")
    monkeypatch.delenv("CI", raising=False)
    if ci:
        monkeypatch.setenv("CI", "1")
    command = ["/bin/sh", "scripts/test-system.sh", str(ran.parent.parent)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert line.startswith("Programs are missing: apt-get install no-package")
    assert (done.returncode, done.stdout.strip()) == ((1, "") if ci else (0, "-m pytest -m system"))
    named = [*command[:2], "--missing"]
    listed = subprocess.run(named, cwd=checkout, capture_output=True, text=True, check=True).stdout
    assert listed.split()[0] == "no-package"


def test_scripts_are_plain_posix_shell() -> None:
    for path in [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / "requirements" / "compile.sh"]:
        assert path.read_text("utf-8").startswith("#!/bin/sh\n")
        checked = subprocess.run(["/bin/sh", "-n", str(path)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_ci_runs_what_the_readme_says() -> None:
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    assert re.findall(r"^step make (\S+)", path.read_text("utf-8"), re.MULTILINE) == ["test", "test-system"]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_left_out_system_tests_are_told_in_one_line(tmp_path: Path, workers: list[str]) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text("utf-8"), "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = system\n")
    marked = "@pytest." + "mark.system"
    (tmp_path / "test_x.py").write_text(
        f"import pytest\n{marked}\n@pytest.mark.parametrize('n', [1, 2])\ndef test_a(n): assert 0\ndef test_b(): pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not system", "-p", "no:cacheprovider", *workers],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("make test-system") == 1
    assert (
        "2 tests that need Debian programs, or many minutes, left out; run them: make test-system"
        in done.stdout
    )
