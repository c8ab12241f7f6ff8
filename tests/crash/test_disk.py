"""A disk that is full or can't be written: said in words, nothing half done, and as if it never was once it's mended."""

from __future__ import annotations

import resource
import signal
import sqlite3
from collections.abc import Callable

import pytest

from core.errors import ExitCode, InternalError, SluiceError
from core.progress import Progress, silent
from pipeline import route
from pipeline.attest import attest
from pipeline.home import Home
from tests.crash import acts
from tests.crash.faults import FullDisk, Point, part
from tests.crash.forks import Forks
from tests.crash.planted import SEED, Place, found, open_planted

Places = Callable[[], Place]

STEPS = ("open", "check", "receive", "validate", "anonymize", "stage", "reveal")
FILE_SIZES = (0, 100, 4096)  # bytes; a run's files are about 15,000


def tried(place: Place, said: set[str], progress: Progress = silent) -> bool:
    """One run: False when it publishes, True when it's refused as a fault, with what, where and remedy and no value."""
    try:
        route.run("small-shop", home=acts.signed_home(place), progress=progress)
    except SluiceError as error:
        refused = error
    else:
        return False
    assert not isinstance(refused, InternalError)
    assert refused.exit_code in (ExitCode.FAULT, ExitCode.USAGE), repr(refused)
    assert refused.what
    assert refused.where
    assert refused.remedy
    assert SEED not in str(refused).lower()
    said.add(f"{type(refused).__name__}: {refused.what}")
    return True


def still(place: Place, before: acts.Seen) -> None:
    """Readers see what they saw, or the new release as well, whole; no raw value lies anywhere."""
    home = Home.open(place.settings)
    attest(home)
    after = tuple(release.release for release in home.catalog.releases(all=True))
    assert after[: len(before.releases)] == before.releases
    assert len(after) <= len(before.releases) + 1
    assert not found(place.home, place.temp, place.work)


def fill_at_each_point(
    published: Place, listed: Place, fresh: Place, choose: Callable[[list[Point]], list[Point]]
) -> tuple[int, int, set[str]]:
    """A disk that is full from each chosen point of a run on, one after the other; how many points there are and what was said.

    published: a place with a release; listed: another like it, fresh: one without, both to find the points in.
    """
    disk = FullDisk(published.root.parent)
    disk.arm()
    points = []
    for place in (listed, fresh):
        disk.fill(None)
        acts.publish(place)
        points.append(list({point[:2]: point for point in reversed(disk.points)}.values())[::-1])
    said: set[str] = set()
    first = [point for point in points[1] if point[:2] not in {known[:2] for known in points[0]}]
    for number, point in enumerate(choose(first)):
        place = open_planted(fresh.root.parent / f"{number}")
        assert full_from(disk, point, place, said)
        still(place, acts.NOTHING)
    acts.recover(place, 0)
    acts.settle(published)
    before = acts.look(Home.open(published.settings))
    for point in choose(points[0]):
        assert full_from(disk, point, published, said)
        still(published, before)
    acts.recover(published, 1)
    return len(first), len(points[0]), said


def full_from(disk: FullDisk, point: Point, place: Place, said: set[str]) -> bool:
    acts.settle(place)
    disk.fill(point)
    try:
        return tried(place, said)
    finally:
        disk.fill(None)


def within_file_sizes(place: Place, sizes: tuple[int, ...]) -> tuple[set[str], set[str]]:
    """A limit on the size of each file from each step on, for whatever writes then; the steps it hit, and what was said."""
    acts.settle(place)
    before = acts.look(Home.open(place.settings))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    said: set[str] = set()
    hit: set[str] = set()
    # While somebody has the store open its companions are there, so that it can be read under any limit.
    reading = sqlite3.connect(place.settings.database)
    reading.execute("SELECT count(*) FROM entry").fetchall()
    for step in STEPS:
        for size in sizes:

            def limit(now: str, done: float | None = None, /, *, step: str = step, size: int = size) -> None:
                if now == step:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

            try:
                limit("open")
                refused = tried(place, said, limit)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            if not refused:
                return hit, said
            hit.add(step)
            still(place, before)
    reading.close()
    acts.recover(place, 1)
    return hit, said


@pytest.mark.slow
def test_a_disk_that_is_full_from_any_point_on_is_said_and_mended(
    forks: Forks, published: Places, fresh: Places
) -> None:
    fill(forks, published, fresh, part)


@pytest.mark.system
def test_a_disk_that_is_full_from_each_point_on_is_said_and_mended(
    forks: Forks, published: Places, fresh: Places
) -> None:
    fill(forks, published, fresh, list)


def fill(
    forks: Forks, published: Places, fresh: Places, choose: Callable[[list[Point]], list[Point]]
) -> None:
    first, second, _ = forks.run(fill_at_each_point, published(), published(), fresh(), choose).given()
    assert first > 10
    assert second > 50


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_said_and_mended(forks: Forks, published: Places) -> None:
    hit, _ = forks.run(within_file_sizes, published(), FILE_SIZES).given()
    assert hit == set(STEPS)
