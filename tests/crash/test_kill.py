"""kill -9 at every point of the route at which the disk changes, and at random moments: a re-run makes it as if it never was."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Sequence

import pytest

from tests.crash import acts
from tests.crash.faults import Point, distinct, part
from tests.crash.forks import Ended, Forks
from tests.crash.planted import Place

KILLED = 9
IN_A_ROW = 5  # crashes before the run that succeeds, in the newcomer's suite
RANDOM_MOMENTS, MANY_MOMENTS = 8, 200

Places = Callable[[], Place]
Act = Callable[[Place, Point | None], tuple[list[Point], list[int]]]


def points(forks: Forks, place: Place) -> tuple[list[Point], list[Point]]:
    """Every point of a run in that place, and those that matter."""
    every, disks = forks.run(acts.publish_until, place, None).given()
    shutil.rmtree(place.root)
    return every, distinct(every, disks)


def kill_at(
    forks: Forks,
    make: Places,
    at: Sequence[Point],
    earlier: int,
    in_a_row: int,
    act: Act = acts.publish_until,
) -> None:
    """Kills acts at these points, so many after each other in one place; then all must be as if nothing had happened."""
    for start in range(0, len(at), in_a_row):
        place = make()
        for point in at[start : start + in_a_row]:
            ended = forks.run(act, place, point)
            if not ended.killed:  # the run before it came too far for this point
                ended.given()
                continue
            assert ended.killed == KILLED, ended.told
            check(forks.run(acts.look_after_kill, place, earlier), point)
        check(forks.run(acts.recover, place, earlier), at[start : start + in_a_row])
        shutil.rmtree(place.root)


def check(ended: Ended, at: object) -> None:
    if ended.killed or ended.raised:
        pytest.fail(f"{at}\n{ended.told}")


@pytest.mark.slow
def test_a_kill_at_any_point_of_a_second_release_is_mended(forks: Forks, published: Places) -> None:
    every, some = points(forks, published())
    assert len(every) > 100
    kill_at(forks, published, part(some), 1, IN_A_ROW)


@pytest.mark.slow
def test_a_kill_at_any_point_of_the_very_first_run_is_mended(
    forks: Forks, fresh: Places, published: Places
) -> None:
    """Only what a home that has a release doesn't do any more: the making of a contract's keys, the catalog and the tables.

    The store and the hall's own keys are made when the contract is signed: see the next test.
    """
    known = {point[:2] for point in points(forks, published())[1]}
    _, some = points(forks, fresh())
    new = [point for point in some if point[:2] not in known]
    assert len(new) > 10
    kill_at(forks, fresh, part(new), 0, IN_A_ROW)


@pytest.mark.slow
def test_a_kill_at_any_point_of_the_signing_in_a_new_hall_is_mended(forks: Forks, unsigned: Places) -> None:
    every, disks = forks.run(acts.sign_until, unsigned(), None).given()
    assert len(every) > 40
    kill_at(forks, unsigned, part(distinct(every, disks)), 0, IN_A_ROW, acts.sign_until)


@pytest.mark.system
def test_a_kill_at_each_point_of_the_signing_is_mended(forks: Forks, unsigned: Places) -> None:
    every, disks = forks.run(acts.sign_until, unsigned(), None).given()
    kill_at(forks, unsigned, distinct(every, disks), 0, 1, acts.sign_until)


@pytest.mark.system
@pytest.mark.parametrize("earlier", [0, 1])
def test_a_kill_at_each_point_alone_is_mended(
    forks: Forks, fresh: Places, published: Places, earlier: int
) -> None:
    make = published if earlier else fresh
    kill_at(forks, make, points(forks, make())[0], earlier, 1)


def kill_at_random(forks: Forks, published: Places, moments: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"random.Random({seed})")
    rng = random.Random(seed)
    place = published()
    started = time.monotonic()
    forks.run(acts.publish, place).given()
    longest = time.monotonic() - started
    killed = 0
    for moment in range(moments):
        place = published()
        delay = rng.uniform(0.0, longest)
        child = forks.start(acts.publish, place)
        time.sleep(delay)
        child.kill()
        ended = child.wait()
        killed += ended.killed == KILLED
        assert ended.killed in (0, KILLED), ended.told
        check(forks.run(acts.recover, place, 1), f"moment {moment}, after {delay} s, random.Random({seed})")
        shutil.rmtree(place.root)
    assert killed > moments // 3


@pytest.mark.slow
def test_a_kill_at_random_moments_is_mended(forks: Forks, published: Places) -> None:
    kill_at_random(forks, published, RANDOM_MOMENTS)


@pytest.mark.system
def test_a_kill_at_many_random_moments_is_mended(forks: Forks, published: Places) -> None:
    kill_at_random(forks, published, MANY_MOMENTS)
