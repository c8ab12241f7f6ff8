"""Real small disks and read-only folders: a run says what is wrong, does nothing by halves, and goes on once it's mended."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import acts, mounts
from tests.crash.forks import Forks
from tests.crash.planted import Place, more_orders
from tests.crash.test_disk import still, tried
from tests.signed import trust

pytestmark = pytest.mark.system

Places = Callable[[], Place]

PAGE = 4096
FRESH_PAGES = (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, *range(20, 200, 3))
ENOUGH = 64 << 20
READ_ONLY = (".", "catalog", "keys", "runs", "quarantine", "state.sqlite")


@pytest.fixture(autouse=True)
def _mounts(forks: Forks) -> None:
    why = forks.run(mounts.possible).given()
    if why and os.environ.get("CI"):
        pytest.fail(f"no mounts of its own: {why}")
    if why:
        pytest.skip(f"no mounts of its own: {why}")


def used(folder: Path) -> int:
    """Bytes of the folder's disk that are taken."""
    held = os.statvfs(folder)
    return (held.f_blocks - held.f_bfree) * held.f_frsize


def small_disks(place: Place, pages: tuple[int, ...]) -> tuple[int, set[str]]:
    """Homes on disks of so many pages, until one is enough; each is given room and runs again."""
    mounts.own_mounts()
    said: set[str] = set()
    for count, size in enumerate(pages):
        there = Place(place.root.parent / f"disk-{count}")
        shutil.copytree(place.root, there.root)
        shutil.rmtree(there.home)
        there.home.mkdir()
        mounts.small_disk(there.home, ENOUGH)
        trust(there.settings)
        mounts.make_room(there.home, used(there.home) + size * PAGE)
        acts.settle(there)
        if not tried(there, said):
            return count, said
        mounts.make_room(there.home, ENOUGH)
        still(there, acts.NOTHING)
        acts.recover(there, 0)
    raise AssertionError(f"{pages[-1]} pages aren't enough: {said}")


def ever_smaller_room(place: Place) -> tuple[int, set[str]]:
    """A home with a release, on a disk with less and less room left, down to none."""
    mounts.own_mounts()
    said: set[str] = set()
    kept = place.root / "kept"
    place.home.rename(kept)
    place.home.mkdir()
    mounts.small_disk(place.home, ENOUGH)
    shutil.copytree(kept, place.home, dirs_exist_ok=True)
    shutil.rmtree(kept)
    acts.settle(place)
    before = acts.look(acts.opened(place))
    reading = sqlite3.connect(place.settings.database)  # its companions take no room of the runs' then
    reading.execute("SELECT count(*) FROM entry").fetchall()
    for pages in range(0, 200, 3):
        mounts.make_room(place.home, used(place.home) + pages * PAGE)
        refused = tried(place, said)
        mounts.make_room(place.home, ENOUGH)
        if not refused:
            reading.close()
            acts.recover(place, 1)
            return pages, said
        still(place, before)
    raise AssertionError(said)


def test_a_disk_too_small_for_a_first_release(forks: Forks, unsigned: Places) -> None:
    """From the first file of the hall to the release, the signed contract taken on the way."""
    refused, said = forks.run(small_disks, unsigned(), FRESH_PAGES).given()
    assert refused > 20
    assert any("SQLITE_FULL" in each for each in said)


def test_a_disk_with_too_little_room_for_another_release(forks: Forks, published: Places) -> None:
    pages, said = forks.run(ever_smaller_room, published()).given()
    assert pages > 10
    assert len(said) > 3


def cannot_write(place: Place, part: str) -> set[str]:
    mounts.own_mounts()
    acts.settle(place)
    before = acts.look(acts.opened(place))
    path = place.home / part
    mounts.read_only(path)
    said: set[str] = set()
    assert tried(place, said)
    mounts.as_before(path)
    still(place, before)
    acts.recover(place, 1)
    return said


@pytest.mark.parametrize("part", READ_ONLY)
def test_a_part_of_the_home_that_cannot_be_written(forks: Forks, published: Places, part: str) -> None:
    [said] = forks.run(cannot_write, published(), part).given()
    assert any(word in said for word in ("Read-only", "READONLY", "CANTOPEN")), said


def from_a_read_only_source(place: Place) -> None:
    mounts.own_mounts()
    mounts.read_only(place.shop)
    acts.recover(place, 0)


def test_a_source_that_cannot_be_written_is_read_all_the_same(forks: Forks, fresh: Places) -> None:
    place = fresh()
    forks.run(from_a_read_only_source, place).given()
    more_orders(place)
    assert forks.run(acts.publish, place).given() is True
