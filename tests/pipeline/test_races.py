"""Runs against runs, readers, sweeps and those who change files: in processes of their own, one stopped where it hurts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.content import BLOCK_ROWS
from core.errors import ContractError, PrivacyError, SourceError
from core.files import remove_drafts
from core.proof import Window
from pipeline import route
from pipeline.attest import attest
from pipeline.home import Home
from pipeline.sweep import sweep
from tests.crash import acts
from tests.crash.forks import LONGEST_S, Child, Forks, the_forks
from tests.crash.planted import Place, more_orders, open_planted
from tests.signed import conclude

STEPS = ("check", "receive", "validate", "anonymize", "publish", "stage", "reveal")
AT_ONCE, READERS, READINGS = 10, 2, 12


@pytest.fixture
def forks() -> Forks:
    return the_forks()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return open_planted(tmp_path / "place")


# What the children do.


def run_until(place: Place, stop: str, sign: Path, window: Window) -> bool:
    """A run that says when it comes to `stop`, and goes on once it's told to; gives whether it published."""

    def progress(step: str, done: float | None = None, /) -> None:
        if step == stop and not sign.exists():
            sign.touch()
            wait_for(sign.with_suffix(".go"))

    acts.settle(place)
    home = Home.open(place.settings)
    return route.run("small-shop", home=home, window=window, progress=progress).new


def swept(place: Place) -> None:
    sweep(acts.opened(place))


def first_opened(place: Place, go: Path) -> tuple[str, bytes, bytes]:
    """Opens a home at the very moment that others do, while somebody clears drafts; gives what all must agree on."""
    wait_for(go)
    home = Home.open(place.settings)
    remove_drafts(home.settings.home)
    remove_drafts(home.settings.keys)
    signer = home.keys.signer()
    return signer.name, signer.public_key, home.keys.contract_keys("small-shop").derive("races")


def read_all_the_while(place: Place, least: int) -> int:
    """Attests and queries again and again, and at least until somebody says that it's enough; gives how often."""
    acts.settle(place)
    home = Home.open(place.settings)
    seen: tuple[str, ...] = ()
    times = 0
    while times < least or not (place.root / "enough").exists():
        found = acts.look(home).releases
        assert found[: len(seen)] == seen
        seen = found
        times += 1
    return times


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.002)


@contextmanager
def stopped(forks: Forks, place: Place, at: str, window: Window | None = None) -> Iterator[Child]:
    """A run that stands still at a step; when the block ends it goes on."""
    signs = sorted(place.root.glob("*.sign"))
    sign = place.root / f"{len(signs)}.sign"
    child = forks.start(run_until, place, at, sign, window or Window())
    deadline = time.monotonic() + LONGEST_S
    while not sign.exists() and not child.answer.exists():
        assert time.monotonic() < deadline, child.wait()  # it was killed: nothing will ever come of it
        time.sleep(0.002)
    try:
        yield child
    finally:
        sign.with_suffix(".go").touch()


def held(place: Place, releases: int) -> acts.Seen:
    """What readers see in the end; all of it holds."""
    seen = acts.look(Home.open(place.settings))
    assert len(seen.releases) == releases
    assert seen.events.count("release.staged") == seen.events.count("release.revealed") == releases
    assert not list(place.settings.runs.iterdir())
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_of_two_runs_one_publishes_and_the_other_says_so(forks: Forks, place: Place, step: str) -> None:
    with stopped(forks, place, step) as first:
        second = forks.start(run_until, place, "", place.root / "never", Window())
        if step != "reveal":  # there the first holds the contract, and the second waits for it
            assert second.wait().given() is True
    assert first.wait().given() is (step == "reveal")
    if step == "reveal":
        assert second.wait().given() is False
    held(place, 1)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["check", "stage"])
def test_two_runs_at_the_very_same_moment(forks: Forks, place: Place, step: str) -> None:
    with stopped(forks, place, step) as first, stopped(forks, place, step) as second:
        pass
    assert sorted([first.wait().given(), second.wait().given()]) == [False, True]
    held(place, 1)


def months(start: int, end: int) -> Window:
    return Window(start=datetime(2026, start, 1, tzinfo=UTC), end=datetime(2026, end, 1, tzinfo=UTC))


@pytest.mark.slow
@pytest.mark.parametrize("step", ["receive", "stage"])
def test_of_two_windows_that_overlap_one_is_published(forks: Forks, place: Place, step: str) -> None:
    with (
        stopped(forks, place, step, months(1, 7)) as first,
        stopped(forks, place, step, months(4, 10)) as second,
    ):
        pass
    ended = [first.wait(), second.wait()]
    refused = [each.raised for each in ended if each.raised]
    assert [each.value for each in ended if not each.raised] == [True]
    assert isinstance(refused[0], PrivacyError)
    assert "its window overlaps that of small_shop_" in str(refused[0])
    held(place, 1)


@pytest.mark.slow
def test_two_runs_that_saw_different_sources_both_publish(forks: Forks, place: Place) -> None:
    with stopped(forks, place, "stage") as first:
        more_orders(place)
        assert forks.run(acts.publish, place).given() is True
    assert first.wait().given() is True
    held(place, 2)


@pytest.mark.slow
def test_a_reader_in_the_middle_of_a_file_reads_on(forks: Forks, place: Place) -> None:
    forks.run(acts.publish, place).given()
    home = Home.open(place.settings)
    [table] = [each for each in home.catalog.releases()[0].tables if each.name == "members"]
    path = Path(table.uri) / table.file
    whole = pq.read_table(path)
    with pq.ParquetFile(path) as file:
        batches = file.iter_batches(10)
        read = [next(batches)]
        for batch in range(2):
            more_orders(place, batch=batch)
            assert forks.run(acts.publish, place).given() is True
            forks.run(swept, place).given()
        read += batches
    assert pa.Table.from_batches(read).equals(whole)
    assert pq.read_table(path).equals(whole)
    held(place, 3)


def contract_of(place: Place) -> Path:
    return place.shop / "small-shop.odcs.yaml"


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS[1:5])
def test_a_contract_that_changes_under_a_run_stops_it(forks: Forks, place: Place, step: str) -> None:
    contract = contract_of(place)
    changed = contract.read_text(encoding="utf-8").replace("k: 4", "k: 5")
    changed = changed.replace("version: 1.0.0", "version: 1.1.0")
    with stopped(forks, place, step) as run:
        contract.write_text(changed, encoding="utf-8")
    with pytest.raises(ContractError, match="was changed while run"):
        run.wait().given()
    held(place, 0)
    conclude(Home.open(place.settings), contract)
    assert forks.run(acts.publish, place).given() is True
    held(place, 1)


@pytest.mark.slow
@pytest.mark.parametrize("length", [0, 40, 1500, -60, None], ids=str)
def test_a_contract_that_is_half_written_stops_a_run(forks: Forks, place: Place, length: int | None) -> None:
    """Cut off in the midst, or after a line, so that it is a whole contract of one column less."""
    contract = contract_of(place)
    whole = contract.read_bytes()
    length = whole.rindex(b"      - {name: remark") if length is None else length
    with stopped(forks, place, "validate") as run:
        contract.write_bytes(whole[:length])
    with pytest.raises(ContractError, match=r"The contract can't be used|was changed while run"):
        run.wait().given()
    held(place, 0)
    contract.write_bytes(whole)
    assert forks.run(acts.publish, place).given() is True
    held(place, 1)


@pytest.mark.slow
def test_a_source_that_is_written_to_while_it_is_read_stops_a_run(forks: Forks, place: Place) -> None:
    orders = place.shop / "data" / "orders.csv"
    small = orders.read_bytes()
    head, _, rows = small.partition(b"\n")
    orders.write_bytes(head + b"\n" + rows * 120)  # more than is read at once
    with stopped(forks, place, f"receive orders: {BLOCK_ROWS:,} rows") as run:
        more_orders(place)
    with pytest.raises(SourceError, match="written to while it was read"):
        run.wait().given()
    held(place, 0)
    orders.write_bytes(small)
    assert forks.run(acts.publish, place).given() is True
    held(place, 1)


@pytest.mark.slow
def test_a_sweep_never_touches_a_run_that_lives(forks: Forks, place: Place) -> None:
    forks.run(acts.publish, place).given()
    for number, step in enumerate(STEPS):
        more_orders(place, batch=number)
        with stopped(forks, place, step) as run:
            forks.run(swept, place).given()
        assert run.wait().given() is True, step
    held(place, 1 + len(STEPS))


@pytest.mark.slow
def test_many_open_a_fresh_home_at_once(forks: Forks, place: Place) -> None:
    for attempt in range(3):
        shutil.rmtree(place.home)  # also the one in which the contract was signed
        go = place.root / f"go-{attempt}"
        children = [forks.start(first_opened, place, go) for _ in range(AT_ONCE)]
        go.touch()
        assert len({child.wait().given() for child in children}) == 1
        left = {path.name for path in place.home.iterdir() if path.name.startswith(".")}
        assert not left


@pytest.mark.slow
def test_readers_see_only_what_holds_while_runs_publish(forks: Forks, place: Place) -> None:
    forks.run(acts.publish, place).given()
    readers: Sequence[Child] = [forks.start(read_all_the_while, place, READINGS) for _ in range(READERS)]
    for number in range(3):
        more_orders(place, batch=number)
        assert forks.run(acts.publish, place).given() is True
    (place.root / "enough").touch()
    for reader in readers:
        assert reader.wait().given() >= READINGS
    held(place, 4)
    attest(Home.open(place.settings))
