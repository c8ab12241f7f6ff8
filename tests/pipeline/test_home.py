"""Opening a hall: what it refuses at once, and that a look makes nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from core.errors import UsageError
from core.settings import Settings
from pipeline.home import Home


def opened(home: Path, *, create: bool = True) -> Home:
    return Home.open(Settings(home=home, contracts=home.parent), create=create)


@pytest.mark.parametrize("create", [True, False])
def test_a_hall_is_private_whatever_the_umask(tmp_path: Path, create: bool) -> None:
    before = os.umask(0)
    try:
        home = tmp_path / "below" / "hall"
        opened(home)
        opened(home, create=create)
    finally:
        os.umask(before)
    for path in (home.parent, home, *home.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_look_at_nothing_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no hall here"):
        opened(tmp_path / "below" / "hall", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "why"), [("a#b", "its path holds #, which Delta tables can't"), ("file/hall", "Not a directory")]
)
def test_a_home_that_cannot_be_used_is_told(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        opened(tmp_path / name)
    assert caught.value.what == f"SLUICE_HOME can't be used ({why})."
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_something_in_a_room_s_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(UsageError, match=r"SLUICE_HOME can't be used \(File exists\)"):
        opened(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_below_a_read_only_folder_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UsageError, match=r"SLUICE_HOME can't be used \(Permission denied\)"):
            opened(tmp_path / "hall")
    finally:
        tmp_path.chmod(0o700)
