"""The rooms are import packages of one distribution, and nobody else's module stands in their place."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.frame.tree import PROJECT, ROOMS, ROOT


def test_rooms_are_listed_once_for_all_tools() -> None:
    tool = PROJECT["tool"]
    assert sorted(tool["importlinter"]["root_packages"]) == sorted(ROOMS)
    assert sorted(tool["mypy"]["packages"]) == sorted(ROOMS)


def test_every_package_folder_is_a_listed_room() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert found == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_room_resolves_into_this_tree(room: str) -> None:
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin == str(ROOT / room / "__init__.py")


def test_no_other_distribution_claims_a_room() -> None:
    claims = packages_distributions()
    assert {room: set(claims.get(room, [])) - {"sluice-data"} for room in ROOMS} == {
        room: set() for room in ROOMS
    }


@pytest.mark.parametrize("room", ROOMS)
def test_no_installed_module_hides_a_room_from_airflow(room: str) -> None:
    # Airflow appends the DAG folder's parent to sys.path: what is installed comes first.
    installed = [path for path in sys.path if "site-packages" in path]
    assert installed
    for folder in installed:
        assert not list(Path(folder).glob(f"{room}.py"))
        assert not (Path(folder) / room).exists()


@pytest.mark.parametrize("room", ROOMS)
def test_room_says_what_it_is(room: str) -> None:
    text = (ROOT / room / "__init__.py").read_text("utf-8")
    assert ast.get_docstring(ast.parse(text))


def test_wheel_holds_the_rooms_and_what_they_read(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(ROOMS)
    shipped = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix in {".py", ".json", ".yaml"} and "__pycache__" not in path.parts
    }
    assert shipped <= names
