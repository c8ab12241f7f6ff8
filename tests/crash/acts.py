"""What the children do: a run, a run that is killed, and the look at what it left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from audit.events import EventKind
from catalog.release import Release
from contracts import shelf
from contracts.model import Contract
from contracts.odcs import load_contract
from pipeline import route
from pipeline.agreements.desk import Desk
from pipeline.attest import attest
from pipeline.home import Home
from tests.crash.faults import Faults, Point
from tests.crash.planted import Place, found, open_planted


def settle(place: Place) -> None:
    """Makes the folders of `place` this process's own: whatever writes to a temporary or its working folder is seen."""
    os.environ["TMPDIR"] = tempfile.tempdir = str(place.temp)
    os.chdir(place.work)
    shelf.load_contract = _load_once


_loaded: dict[bytes, Contract] = {}


def _load_once(path: Path) -> Contract:
    """What the route reads at each step; reading it writes nothing, and half of a small run's time is the reading."""
    text = path.read_bytes()
    if text not in _loaded:
        _loaded[text] = load_contract(path)
    found = _loaded[text]
    return replace(found, path=path, source=replace(found.source, base=path.parent))


def rehearse(root: Path) -> None:
    """The route up to what is safe, so that whatever is loaded late is loaded."""
    place = open_planted(root)
    home = Home.open(place.settings)
    shelf.load_contract = _load_once
    made = route.check("small-shop", run_id="rehearsal", home=home)
    for step in (route.receive, route.validate, route.anonymize):
        made = step(made, home=home)


def publish(place: Place) -> bool:
    """One run in a home that is opened anew; gives whether it published."""
    settle(place)
    return route.run("small-shop", home=Home.open(place.settings)).new


def signed_home(place: Place) -> Home:
    """The place's home, which has taken the contract that waits for it, if one does."""
    home = Home.open(place.settings)
    if place.signed.exists():
        Desk(home).take(place.signed.read_bytes())
    return home


def publish_until(place: Place, at: Point | None) -> tuple[list[Point], list[int]]:
    """One run that is killed at a point; without one, gives the points it came by and what the disk held at each."""
    settle(place)
    faults = Faults(place.root, at)
    faults.arm()
    route.run("small-shop", home=Home.open(place.settings))
    return faults.points, faults.disks


def sign_until(place: Place, at: Point | None) -> tuple[list[Point], list[int]]:
    """A hall is made, and takes the contract that both signed (`place.signed`); killed at a point, or not, as above."""
    settle(place)
    faults = Faults(place.root, at)
    faults.arm()
    signed_home(place)
    return faults.points, faults.disks


@dataclass(frozen=True)
class Seen:
    """What readers see. releases: all, oldest first. rows: of each of their tables. events: the ledger's kinds."""

    releases: tuple[str, ...]
    rows: dict[str, int]
    events: tuple[str, ...]


NOTHING = Seen(releases=(), rows={}, events=())


def look(home: Home) -> Seen:
    """What readers see now; fails when anything of it doesn't hold."""
    attest(home)
    releases, current = _both(home)
    rows = {f"{release.release}.{table.name}": table.rows for release in releases for table in release.tables}
    if rows:
        counts = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS n FROM {name}" for name in rows)
        counted = home.catalog.query(counts).table.to_pylist()
        assert {each["name"]: each["n"] for each in counted} == rows
    assert [release.release for release in current] == [release.release for release in releases[-1:]]
    kinds = tuple(str(home.ledger.event(entry.index).kind) for entry in home.ledger.entries())
    return Seen(releases=tuple(release.release for release in releases), rows=rows, events=kinds)


def _both(home: Home) -> tuple[tuple[Release, ...], tuple[Release, ...]]:
    """All releases and the current ones, of one moment: a run may publish between two looks."""
    while True:
        releases, current = home.catalog.releases(all=True), home.catalog.releases()
        if home.catalog.releases(all=True) == releases:
            return releases, current


def look_after_kill(place: Place, earlier: int) -> Seen:
    """Readers see what was there before or what the run published, and no raw value lies anywhere."""
    settle(place)
    left = found(place.home, place.temp, place.work)
    assert not left, f"raw values after the kill: {left}"
    if not place.settings.database.exists() and earlier == 0:
        return NOTHING
    before = look(Home.open(place.settings))
    assert len(before.releases) in (earlier, earlier + 1)
    return before


def recover(place: Place, earlier: int) -> tuple[Seen, Seen]:
    """Looks at what killed runs left, runs again, and looks whether all is as if nothing had happened.

    earlier: how many releases there were before. Gives what was seen before and after.
    """
    before = look_after_kill(place, earlier)
    home = signed_home(place)
    publication = route.run("small-shop", home=home)
    after = look(home)
    assert len(after.releases) == earlier + 1
    assert after.releases[:earlier] == before.releases[:earlier]
    for kind in (EventKind.RELEASE_STAGED, EventKind.RELEASE_REVEALED):
        assert after.events.count(kind) == earlier + 1, kind
    assert after.events[-1] == EventKind.RUN_COMPLETED
    assert publication.release.release == after.releases[-1]
    assert_clean(place, home)
    return before, after


def assert_clean(place: Place, home: Home) -> None:
    """No raw value, no run, no key of one, no draft, no file in the catalog that no release names."""
    assert not found(place.home, place.temp, place.work)
    assert not list(place.temp.iterdir()), list(place.temp.iterdir())
    assert not list(place.work.iterdir()), list(place.work.iterdir())
    assert not list(home.settings.runs.iterdir())
    assert not home.keys.runs_with_key()
    stays = home.settings.registry / ".lock"  # who brings a newer registry holds it
    drafts = [path for path in place.home.rglob(".*") if "_delta_log" not in path.parts and path != stays]
    assert not drafts, drafts
    releases = home.catalog.releases(all=True)
    named = {(table.uri, table.file) for release in releases for table in release.tables}
    catalog = home.settings.catalog
    staged = {(str(path.parent), path.name) for path in (catalog / "tables").rglob("*.parquet")}
    assert {file for file in staged if "_delta_log" not in file[0]} == named
    reports = {path.name for path in (catalog / "reports").iterdir()}
    assert reports == {release.release for release in releases}
    logs = {path.suffix for path in catalog.rglob("_delta_log/*")}
    assert logs <= {".json", ".parquet"} or logs <= {".json", ".parquet", ""}, logs


def call(act: Callable[[Home], object], place: Place) -> object:
    """An act on a home that is opened anew."""
    settle(place)
    return act(Home.open(place.settings))


def opened(place: Place) -> Home:
    """The place's home."""
    return Home.open(place.settings)
