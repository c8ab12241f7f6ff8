"""The folder of a hall's state: its mode whatever the umask, and which folders are refused or left alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import UsageError
from core.folder import UNFIT, prepare_home


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0, 0o022, 0o777])
def test_a_new_home_and_the_parents_made_for_it_are_private(
    tmp_path: Path, umask: Callable[[int], int], mask: int
) -> None:
    tmp_path.chmod(0o755)
    umask(mask)
    home = tmp_path / "a" / "b" / "hall"
    prepare_home(home)
    assert [mode(folder) for folder in (home, home.parent, home.parent.parent)] == [0o700] * 3
    assert mode(tmp_path) == 0o755  # was there before
    prepare_home(home)


@pytest.mark.parametrize("names", [[], ["keys", "airflow", "state.sqlite", "state.sqlite-wal"]])
def test_a_looser_home_is_tightened(tmp_path: Path, names: list[str]) -> None:
    home = tmp_path / "hall"
    home.mkdir()
    for name in names:
        (home / name).touch()
    home.chmod(0o777)
    prepare_home(home)
    assert mode(home) == 0o700


def test_a_stricter_home_stays_so(tmp_path: Path) -> None:
    home = tmp_path / "hall"
    home.mkdir()
    home.chmod(0o500)
    prepare_home(home)
    assert mode(home) == 0o500


@pytest.mark.parametrize(("name", "bits"), [("letters.txt", 0o755), ("keys", 0o1777)])
def test_a_folder_that_is_not_a_hall_s_alone_keeps_its_mode(tmp_path: Path, name: str, bits: int) -> None:
    """A home folder, or /tmp: closing it would lock out everybody else who uses it."""
    home = tmp_path / "shared"
    home.mkdir()
    (home / name).touch()
    home.chmod(bits)
    prepare_home(home)
    assert mode(home) == bits


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_another_user_s_folder_keeps_its_mode(tmp_path: Path) -> None:
    home = tmp_path / "hall"
    home.mkdir()
    home.chmod(0o755)
    os.chown(home, 12345, -1)
    prepare_home(home)
    assert mode(home) == 0o755


@pytest.mark.parametrize("character", sorted(UNFIT))
def test_a_path_that_delta_tables_cannot_have_is_refused_and_not_made(tmp_path: Path, character: str) -> None:
    home = tmp_path / f"a{character}b" / "hall"
    with pytest.raises(UsageError) as caught:
        prepare_home(home)
    assert (
        caught.value.what
        == f"SLUICE_HOME can't be used (its path holds {character}, which Delta tables can't)."
    )
    assert caught.value.where == str(home)
    assert caught.value.remedy == "Set SLUICE_HOME to a path without it."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("below", "why"),
    [("file", "File exists"), ("file/hall", "Not a directory"), ("n" * 300, "File name too long")],
)
def test_a_home_that_cannot_be_a_folder_is_told(tmp_path: Path, below: str, why: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        prepare_home(tmp_path / below)
    assert caught.value.what == f"SLUICE_HOME can't be used ({why})."
    assert caught.value.remedy == "Set SLUICE_HOME to a folder that you may write to."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_below_a_read_only_folder_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UsageError, match=r"SLUICE_HOME can't be used \(Permission denied\)"):
            prepare_home(tmp_path / "hall")
    finally:
        tmp_path.chmod(0o700)


def test_it_is_light() -> None:
    code = "import sys, core.folder; print([m for m in sys.modules if m in {'duckdb', 'pyarrow', 'deltalake', 'airflow'}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
