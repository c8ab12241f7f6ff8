"""State that an earlier Sluice wrote is opened by this one: every archive beside this file, made by `tests.state.make`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from audit.events import EventKind
from catalog.release import ReleaseTable
from core.digest import file_digest
from core.errors import ExitCode
from core.proof import TableFile, set_digest
from tests.declared import declared
from tests.open_doors import open_doors
from tests.shop import MEMBERS
from tests.signed import sign_all
from tests.state import hall as state
from tests.state.formats import formats
from tests.state.hall import CONTRACT, Hall, leaves, live, unpack
from tests.state.make import MAX_BYTES, SUFFIX, archives

__all__ = ["open_doors"]

ARCHIVES = archives()
MAKE = "Make an archive and commit it with what holds of it: python -m tests.state.make WHAT-CHANGED"


def _name(archive: Path) -> str:
    return archive.name.removesuffix(SUFFIX)


each_archive = pytest.mark.parametrize("archive", ARCHIVES, ids=_name)


def told(archive: Path) -> Any:
    """What was seen of the hall when it was packed."""
    path = archive.with_name(archive.name.removesuffix(SUFFIX) + ".json")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def hall(archive: Path, tmp_path: Path) -> Hall:
    """The archive's hall, at a path where it never was."""
    return unpack(archive, tmp_path / "moved 搬家" / "here")


def assert_holds(recorded: Any, found: Any, where: str = "") -> None:
    """All that was told then is told now. More may be: a later Sluice may say more of the same thing."""
    if isinstance(recorded, Mapping):
        assert set(recorded) <= set(found), where
        for name in recorded:
            assert_holds(recorded[name], found[name], f"{where}.{name}")
    elif isinstance(recorded, list):
        assert len(recorded) == len(found), where
        for number, each in enumerate(recorded):
            assert_holds(each, found[number], f"{where}[{number}]")
    else:
        assert recorded == found, where


def verified(hall: Hall, held: Mapping[str, Any]) -> Any:
    """What `audit verify` finds with the checkpoint and the key that an auditor kept from the hall's first days."""
    kept = hall.folder / "auditor.checkpoint"
    kept.write_text(held["ledger"]["checkpoint"], encoding="utf-8")
    return hall.ask("audit", "verify", "--kept", str(kept), "--key", held["ledger"]["key"])


@each_archive
def test_the_log_holds_and_goes_on_from_the_kept_checkpoint(hall: Hall, archive: Path) -> None:
    held = told(archive)
    ledger, found = held["ledger"], verified(hall, held)
    assert found["holds"]
    assert (found["releases"], found["files"]) == (ledger["releases"], ledger["files"])
    entries = leaves(hall)
    assert entries[: ledger["entries"]] == ledger["leaves"]
    assert len(ledger["leaves"]) == ledger["entries"]
    # Then came the run that was killed.
    assert [kind for kind, _ in entries[ledger["entries"] :]][:2] == [
        EventKind.RUN_STARTED,
        EventKind.DATA_RECEIVED,
    ]


def _file(table: ReleaseTable) -> TableFile:
    """A published table's file as it lies there now."""
    path = Path(table.uri) / table.file
    return TableFile(
        name=table.name,
        path=path,
        rows=table.rows,
        size_bytes=path.stat().st_size,
        sha256=file_digest(path),
    )


@each_archive
def test_everything_published_is_seen_as_it_was(hall: Hall, archive: Path) -> None:
    held = told(archive)
    assert_holds(held["releases"], hall.ask("catalog", "list", "--all"))
    for each in held["asked"]:
        assert_holds(each["answer"], hall.ask(*each["words"]), " ".join(each["words"]))
    for query in held["queries"]:
        assert hall.ask("catalog", "query", query["sql"]) == query["rows"], query["sql"]
    catalog = hall.open().catalog
    for release in catalog.releases(all=True):
        if release.withheld and release.withheld.deleted:
            assert not any((Path(table.uri) / table.file).exists() for table in release.tables)
            continue
        files = {table.name: _file(table) for table in release.tables}
        tables = {name: file.sha256 for name, file in files.items()}
        assert {"": set_digest(files), **tables} == held["digests"][release.release]
        assert release.digest == set_digest(files)
        documents = catalog.documents(release.release)
        assert {name: file_digest(path) for name, path in documents.items()} == held["documents"][
            release.release
        ]


def is_signed(archive: Path) -> bool:
    """Whether the archive's hall had signed contracts: the first Sluice knew none."""
    return EventKind.CONTRACT_FINALIZED in {kind for kind, _ in told(archive)["ledger"]["leaves"]}


def sign_anew(hall: Hall) -> None:
    """The way on for a hall whose contract nobody signed: a new version, with the declarations that it lacks, is signed."""
    contract = hall.shop / f"{CONTRACT}.odcs.yaml"
    text = contract.read_text(encoding="utf-8").replace("version: 1.0.0", "version: 1.1.0")
    contract.write_text(declared(text), encoding="utf-8")
    sign_all(hall.open().settings)


@pytest.mark.parametrize("archive", [each for each in ARCHIVES if not is_signed(each)], ids=_name)
def test_a_run_moves_nothing_of_what_nobody_signed(hall: Hall, archive: Path) -> None:
    held = told(archive)
    for window in (*held["windows"]["published"], held["windows"]["cut_off"]):
        error = hall.run(window, code=ExitCode.REFUSED)
        assert (error["error"], error["where"]) == (
            "ContractError",
            f"contract {CONTRACT}, clause signatures",
        )
    assert_holds(held["releases"], hall.ask("catalog", "list", "--all"))


@each_archive
def test_a_run_of_what_is_published_publishes_nothing(
    hall: Hall, archive: Path, request: pytest.FixtureRequest
) -> None:
    held = told(archive)
    if not is_signed(archive):
        request.getfixturevalue("open_doors")  # the same text is meant, and that is without signatures
    releases = [each for each in held["releases"] if each["contract"] == CONTRACT]
    for window, release in zip(held["windows"]["published"], releases, strict=True):
        found = hall.run(window)
        assert (found["new"], found["release"]) == (False, release["release"])
    assert_holds(held["releases"], hall.ask("catalog", "list", "--all"))
    assert hall.run(held["windows"]["refused"], code=ExitCode.REFUSED)["error"] == "PrivacyError"


@each_archive
def test_a_new_release_stands_beside_the_old_with_the_same_pseudonyms(hall: Hall, archive: Path) -> None:
    """Its window is that of the run that was killed, whose leftovers don't stand in the way."""
    held = told(archive)
    old = [each["release"] for each in held["releases"]]
    if not is_signed(archive):
        sign_anew(hall)
    new = hall.run(held["windows"]["cut_off"])
    assert new["new"]
    assert new["release"] not in old
    assert [each["release"] for each in hall.ask("catalog", "list", "--all")] == [
        *old,
        new["release"],
    ]
    [same] = hall.ask(
        "catalog", "query",
        f"SELECT count(*) AS members FROM {old[-1]}.members AS old JOIN {new['release']}.members AS new USING (member)",
    )  # fmt: skip
    assert same == {"members": MEMBERS}
    assert state.pseudonym(hall, held["pseudonym"]["raw"]) == held["pseudonym"]["is"]
    assert {"member": held["pseudonym"]["is"]} in hall.ask(
        "catalog", "query", f"SELECT member FROM {new['release']}.members"
    )
    for query in held["queries"]:
        assert hall.ask("catalog", "query", query["sql"]) == query["rows"], query["sql"]
    ledger, found = held["ledger"], verified(hall, held)
    assert found["releases"] == ledger["releases"] + 1
    assert found["entries"] > ledger["entries"]
    assert not list((hall.home / "runs").iterdir()), "what the killed run left was not swept"


@each_archive
def test_an_archive_is_small_and_has_its_words(archive: Path) -> None:
    assert archive.stat().st_size < MAX_BYTES
    assert told(archive)["what"] == archive.name.removesuffix(SUFFIX).partition("-")[2]
    assert "member-" not in json.dumps(told(archive)["queries"])


def test_there_are_archives_numbered_from_one() -> None:
    assert ARCHIVES, MAKE
    assert [int(path.name.partition("-")[0]) for path in ARCHIVES] == list(range(1, len(ARCHIVES) + 1))
    assert {path.stem for path in Path(__file__).parent.glob("*.json")} == {
        path.name.removesuffix(SUFFIX) for path in ARCHIVES
    }


@pytest.mark.slow
def test_the_formats_of_today_are_in_the_newest_archive(tmp_path: Path) -> None:
    """Its shop, carried by the code of today, leaves state of the same form."""
    assert ARCHIVES, MAKE
    then = unpack(ARCHIVES[-1], tmp_path / "then")
    today = Hall(tmp_path / "today")
    today.folder.mkdir()
    then.shop.rename(today.shop)
    live(today)
    was, now = formats(then.home), formats(today.home)
    assert now == was, f"""What is kept in SLUICE_HOME has another form than in {ARCHIVES[-1].name}.
new: {sorted(now - was)}
gone: {sorted(was - now)}
{MAKE}"""


def test_every_kind_of_event_is_in_an_archive() -> None:
    recorded = {kind for archive in ARCHIVES for kind, _ in told(archive)["ledger"]["leaves"]}
    missing = sorted(set(EventKind) - recorded)
    assert not missing, f"No archive holds {missing}: have `live` in tests/state/hall.py do it. {MAKE}"
