"""Stage, reveal, read: with plain DuckDB and deltalake beside our own reader, and with everything that may go wrong."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from audit.events import EventKind
from catalog import delta
from catalog.catalog import Catalog
from catalog.manifest import PREFIX
from catalog.release import Release, Staged
from contracts.model import Contract
from core.errors import CatalogError, ConflictError, IntegrityError, InternalError, StateError, UsageError
from core.proof import TableFile
from core.store import Write

# The fixture's class; what it does is in conftest.
Hall = Any


def current(hall: Hall) -> list[str]:
    return [release.release for release in hall.catalog.releases()]


def test_a_release_is_read_by_plain_tools(hall: Hall) -> None:
    release = hall.publish("grocery_demand_1a", households=[1, 2], demand=[3, 4, 5])
    for table, wanted in zip(release.tables, ([1, 2], [3, 4, 5]), strict=True):
        delta = DeltaTable(table.uri, version=table.version)
        assert delta.to_pyarrow_table()["n"].to_pylist() == wanted
        path = str(Path(table.uri) / table.file)
        assert duckdb.read_parquet(path).to_arrow_table()["n"].to_pylist() == wanted
        newest = delta.history(1)[0]
        assert {key: value for key, value in newest.items() if key.startswith("sluice.")} == {
            "sluice.contract": "grocery-demand",
            "sluice.contractVersion": "1.0.0",
            "sluice.contractDigest": "c" * 64,
            "sluice.release": "grocery_demand_1a",
            "sluice.receipt": release.receipt,
            "sluice.sha256": table.sha256,
        }
        assert delta.metadata().configuration["delta.enableExpiredLogCleanup"] == "false"
    assert release.as_json() == {
        "contract": "grocery-demand",
        "contract_version": "1.0.0",
        "release": "grocery_demand_1a",
        "tables": [
            {
                "name": name,
                "uri": str(hall.root / "tables" / "grocery_demand" / name),
                "version": 0,
                "rows": rows,
            }
            for name, rows in (("households", 2), ("demand", 3))
        ],
        "receipt": release.receipt,
        "published_at": "2026-05-04T12:00:00+00:00",
    }
    assert json.loads(json.dumps(release.as_json())) == release.as_json()


def test_older_releases_stay_readable_by_version(hall: Hall) -> None:
    first = hall.publish("r_1", households=[1], demand=[1])
    second = hall.publish("r_2", households=[2], demand=[2, 2])
    assert [table.version for table in second.tables] == [1, 1]
    for release, wanted in ((first, [1]), (second, [2])):
        table = release.tables[0]
        assert DeltaTable(table.uri, version=table.version).to_pyarrow_table()["n"].to_pylist() == wanted
    assert hall.catalog.releases() == (second,)
    assert hall.catalog.releases(all=True) == (first, second)
    assert hall.catalog.find("r_1") == first
    assert hall.catalog.find("r_3") is None


def test_columns_may_change_from_release_to_release(hall: Hall) -> None:
    at = pa.array([dt.datetime(2026, 1, 1)], pa.timestamp("us"))
    hall.publish("r_1", households=[1], demand=[1])
    wide = pa.table({"名 字": ["x"], "at": at, "key": pa.array([b"0" * 16], pa.binary(16))})
    release = hall.publish("r_2", households=wide, demand=[2])
    assert DeltaTable(release.tables[0].uri).to_pyarrow_table()["名 字"].to_pylist() == ["x"]
    assert DeltaTable(release.tables[0].uri).to_pyarrow_table()["key"].to_pylist() == [b"0" * 16]
    assert hall.publish("r_3", households=[3], demand=[3]).tables[0].version == 2
    answers = [hall.catalog.query(f"SELECT * FROM r_{n}.households").table.column_names for n in (1, 2, 3)]
    assert answers == [["n"], ["名 字", "at", "key"], ["n"]]


def test_publishing_twice_publishes_once(hall: Hall) -> None:
    first = hall.publish("r_1")
    hall.publish("r_2")
    again = hall.publish("r_1")
    assert again == first
    assert current(hall) == ["r_2"]  # an old run that is repeated doesn't turn the catalog back
    assert DeltaTable(first.tables[0].uri).version() == 1


def test_what_is_staged_is_not_visible(hall: Hall) -> None:
    staged = hall.catalog.stage(hall.safe("r_1"), hall.contract)
    assert hall.catalog.releases(all=True) == ()
    assert hall.catalog.find("r_1") is None
    file = staged.tables["demand"]
    assert file.path.name == f"part-r_1-{file.sha256[:16]}.parquet"
    assert not DeltaTable.is_deltatable(str(file.path.parent))
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert hall.catalog.documents("r_1")["disclosure.json"].read_text() == '{"k_reached": 5}\n'
    assert hall.catalog.documents("r_9") == {}


def test_staging_copies(hall: Hall) -> None:
    safe = hall.safe("r_1")
    staged = hall.catalog.stage(safe, hall.contract)
    with safe.tables["demand"].path.open("r+b") as file:  # a process of the run still has it open
        file.write(b"XXXX")
    release = hall.catalog.reveal(staged, hall.receipt(staged), hall.contract)
    assert release.tables[1].rows == 3


def _flip(path: Path, at: int = 40) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_an_altered_file_of_the_run_is_not_staged(hall: Hall) -> None:
    safe = hall.safe("r_1")
    _flip(safe.tables["demand"].path)
    with pytest.raises(IntegrityError, match="The file of table `demand` isn't the one that was proved safe"):
        hall.catalog.stage(safe, hall.contract)
    safe.tables["demand"].path.unlink()
    with pytest.raises(IntegrityError, match="is gone"):
        hall.catalog.stage(safe, hall.contract)
    assert not list((hall.root / "tables" / "grocery_demand" / "demand").iterdir())


def test_an_altered_staged_file_is_not_revealed(hall: Hall) -> None:
    for attack in (_flip, Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])):
        staged = hall.catalog.stage(hall.safe("r_1"), hall.contract)
        attack(staged.tables["demand"].path)
        with pytest.raises(IntegrityError, match="Then remove the file and start the run again"):
            hall.catalog.reveal(staged, hall.receipt(staged), hall.contract)
        # Not even the tables whose files are whole are committed.
        assert not DeltaTable.is_deltatable(str(staged.tables["households"].path.parent))
        assert hall.catalog.releases() == ()
        if staged.tables["demand"].path.exists():
            with pytest.raises(IntegrityError):
                hall.catalog.stage(hall.safe("r_1"), hall.contract)
            staged.tables["demand"].path.unlink()
    assert hall.publish("r_1").release == "r_1"


def test_a_file_with_another_number_of_rows_is_not_staged(hall: Hall) -> None:
    safe = hall.safe("r_1")
    lying = TableFile(**{**vars(safe.tables["demand"]), "rows": 4})
    object.__setattr__(safe, "tables", {**safe.tables, "demand": lying})
    with pytest.raises(IntegrityError):
        hall.catalog.stage(safe, hall.contract)


def test_the_digest_is_the_tables_own(hall: Hall) -> None:
    safe = hall.safe("r_1")
    object.__setattr__(safe, "digest", "0" * 64)
    with pytest.raises(IntegrityError, match="digest isn't that of its tables"):
        hall.catalog.stage(safe, hall.contract)


def test_only_proofs_are_staged_and_revealed(hall: Hall) -> None:
    staged = hall.catalog.stage(hall.safe("r_1"), hall.contract)
    with pytest.raises(InternalError):
        hall.catalog.stage(staged, hall.contract)

    class Forged:
        kind, subject, digest, name = EventKind.RELEASE_STAGED, staged.release, staged.digest, "x"

    with pytest.raises(InternalError):
        hall.catalog.reveal(staged, Forged(), hall.contract)
    for proof in (Staged, Release):
        with pytest.raises(InternalError):
            proof(**vars(staged))


def test_a_receipt_of_something_else_reveals_nothing(hall: Hall) -> None:
    other = hall.catalog.stage(hall.safe("r_0"), hall.contract)
    staged = hall.catalog.stage(hall.safe("r_1"), hall.contract)
    facts = {"release": "r_1", "tables": {"demand": 0}}
    wrong = [
        hall.receipt(other),
        hall.receipt(staged, kind=EventKind.RELEASE_REVEALED, facts=facts),
    ]
    for receipt in wrong:
        with pytest.raises(CatalogError, match="doesn't speak of the staging of release r_1"):
            hall.catalog.reveal(staged, receipt, hall.contract)
    assert hall.catalog.releases() == ()


def test_a_receipt_of_other_content_reveals_nothing(hall: Hall) -> None:
    recorded = hall.catalog.stage(hall.safe("r_1"), hall.contract)
    receipt = hall.receipt(recorded)
    staged = hall.catalog.stage(hall.safe("r_1", households=[9], demand=[9]), hall.contract)
    with pytest.raises(IntegrityError, match="The ledger recorded other content for release r_1"):
        hall.catalog.reveal(staged, receipt, hall.contract)
    # Nor with the recorded digest and other files under it.
    object.__setattr__(staged, "digest", recorded.digest)
    with pytest.raises(IntegrityError, match="The ledger recorded other content"):
        hall.catalog.reveal(staged, receipt, hall.contract)
    assert hall.catalog.releases() == ()


def test_a_published_release_never_changes(hall: Hall) -> None:
    hall.publish("r_1")
    with pytest.raises(CatalogError, match="published already, with other content"):
        hall.catalog.stage(hall.safe("r_1", demand=[9]), hall.contract)


def test_a_release_belongs_to_one_text_of_one_contract(
    hall: Hall, make_contract: Callable[..., Contract]
) -> None:
    staged = hall.catalog.stage(hall.safe("r_1"), hall.contract)
    receipt = hall.receipt(staged)
    for other in (make_contract(digest="d" * 64), make_contract(id="another")):
        with pytest.raises(CatalogError, match="another contract, or another text"):
            hall.catalog.stage(hall.safe("r_1"), other)
        with pytest.raises(CatalogError, match="another contract, or another text"):
            hall.catalog.reveal(staged, receipt, other)


def test_names_never_mean_two_things(hall: Hall, make_contract: Callable[..., Contract]) -> None:
    hall.publish("grocery_demand_1")
    with pytest.raises(CatalogError, match="would share the name `grocery_demand`"):
        hall.under(make_contract(id="Grocery.Demand")).publish("other_1")
    taken = "is taken by contract grocery-demand"
    with pytest.raises(CatalogError, match=taken):
        hall.under(make_contract(id="other")).publish("grocery_demand_1")
    with pytest.raises(CatalogError, match=taken):
        hall.under(make_contract(id="other")).publish("grocery_demand")
    with pytest.raises(CatalogError, match=taken):
        hall.under(make_contract(id="grocery-demand-1")).publish("x_1")
    with pytest.raises(CatalogError, match=taken):
        hall.publish("grocery_demand")
    assert hall.under(make_contract(id="other")).publish("other_1").contract_id == "other"
    assert current(hall) == ["grocery_demand_1", "other_1"]


def test_odd_input_is_refused(hall: Hall) -> None:
    for name in ("", "R", "a-b", "1a", "../x", "a;b"):
        safe = hall.safe("r_1")
        object.__setattr__(safe, "release", name)
        with pytest.raises(InternalError):
            hall.catalog.stage(safe, hall.contract)
    for tables in (
        {},
        {"secrets": hall.safe("r_1").tables["demand"]},
        {"households": hall.safe("r_1").tables["demand"]},
    ):
        safe = hall.safe("r_1")
        object.__setattr__(safe, "tables", tables)
        with pytest.raises(CatalogError, match="aren't those of contract grocery-demand"):
            hall.catalog.stage(safe, hall.contract)
    safe = hall.safe("r_1")
    object.__setattr__(safe, "documents", {"../../x.json": safe.documents["disclosure.json"]})
    with pytest.raises(InternalError):
        hall.catalog.stage(safe, hall.contract)
    with pytest.raises(CatalogError):
        hall.catalog.documents("../keys")


@pytest.mark.parametrize("name", ["订 单", 'a "b" c', "a/b", "..", "_x", "100%", "a#b?c", "select"])
def test_any_table_name(
    tmp_path: Path, hall: Hall, make_contract: Callable[..., Contract], name: str
) -> None:
    there = hall.under(make_contract(name))
    release = there.publish("r_1", **{name: [7]})
    assert Path(release.tables[0].uri).parent == hall.root / "tables" / "grocery_demand"
    assert DeltaTable(release.tables[0].uri).to_pyarrow_table()["n"].to_pylist() == [7]
    quoted = name.replace('"', '""')
    assert there.catalog.query(f'SELECT * FROM r_1."{quoted}"').table["n"].to_pylist() == [7]


def test_an_empty_table_and_a_home_that_moved(hall: Hall, tmp_path: Path) -> None:
    hall.publish("r_1", demand=pa.table({"n": pa.array([], pa.int64())}))
    moved = tmp_path / "moved"
    shutil.copytree(hall.root, moved)
    release = Catalog(moved, hall.store).releases()[0]
    assert Path(release.tables[0].uri).is_relative_to(moved)
    assert Catalog(moved, hall.store).query("SELECT count(*) AS n FROM r_1.demand").table[
        "n"
    ].to_pylist() == [0]


def test_a_table_may_leave_the_contract(hall: Hall) -> None:
    hall.publish("r_1")
    release = hall.publish("r_2", demand=[4])
    assert [table.name for table in release.tables] == ["demand"]
    assert [table.name for table in hall.catalog.releases(all=True)[0].tables] == ["households", "demand"]


def test_two_runs_at_once_publish_two_whole_releases(hall: Hall) -> None:
    names = [f"r_{n}" for n in range(6)]
    for name in names:
        hall.safe(name)  # files first, so that the threads meet in the catalog
    with ThreadPoolExecutor(6) as pool:
        releases = list(pool.map(lambda name: hall.publish(name), names))
    assert sorted(release.release for release in hall.catalog.releases(all=True)) == names
    versions = [tuple(table.version for table in release.tables) for release in releases]
    assert sorted(versions) == [(n, n) for n in range(6)]
    last = hall.catalog.releases()[0]
    assert [table.version for table in last.tables] == [
        5,
        5,
    ]  # what plain tools see as newest is the current release


def test_the_same_run_twice_at_once_publishes_once(hall: Hall) -> None:
    hall.safe("r_1")
    staged = hall.catalog.stage(hall.safe("r_1"), hall.contract)
    receipt = hall.receipt(staged)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: hall.catalog.reveal(staged, receipt, hall.contract), range(4)))
    assert len({release.published_at for release in found}) == 1
    assert len(hall.catalog.releases(all=True)) == 1
    assert DeltaTable(found[0].tables[0].uri).version() == 0


def test_who_waits_too_long_is_told_why(hall: Hall) -> None:
    impatient = hall.catalog_with(lock_wait_s=0.0)
    staged = hall.catalog.stage(hall.safe("r_1"), hall.contract)
    receipt = hall.receipt(staged)
    with hall.catalog.publishing(hall.contract):
        with pytest.raises(
            ConflictError, match="Another run is publishing under contract grocery-demand right now"
        ):
            impatient.reveal(staged, receipt, hall.contract)
        with pytest.raises(ConflictError):
            impatient.stage(hall.safe("r_2"), hall.contract)
    assert impatient.reveal(staged, receipt, hall.contract).release == "r_1"


def test_a_manifest_that_moved_meanwhile_is_a_conflict(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from another machine, where no lock of this one counts."""
    hall.publish("r_1")
    staged = hall.catalog.stage(hall.safe("r_2"), hall.contract)
    receipt = hall.receipt(staged)
    commit = hall.store.commit

    def overtaken(writes: Any) -> None:
        entry = hall.store.get(f"{PREFIX}grocery_demand")
        commit([Write(entry.key, entry.value, entry.version)])
        commit(writes)

    monkeypatch.setattr(hall.store, "commit", overtaken)
    with pytest.raises(ConflictError, match="The releases of grocery-demand changed at the same moment"):
        hall.catalog.reveal(staged, receipt, hall.contract)
    monkeypatch.undo()
    assert current(hall) == ["r_1"]
    assert hall.catalog.reveal(staged, receipt, hall.contract).tables[0].version == 1


def test_a_manifest_of_a_newer_sluice_or_a_broken_one_is_not_guessed_at(hall: Hall) -> None:
    hall.publish("r_1")
    for value, told in (
        (b'{"format": 3}', "the newer Sluice"),
        (b"[]", "can't be read"),
        (b"{", "can't be read"),
    ):
        entry = hall.store.get(f"{PREFIX}grocery_demand")
        hall.store.commit([Write(entry.key, value, entry.version)])
        with pytest.raises(CatalogError, match=told):
            hall.catalog.releases()


def test_a_full_or_closed_disk_is_told(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("catalog.staging.os.fsync", full)
    with pytest.raises(match=r"The catalog can't be written \(No space left on device\)"):
        hall.publish("r_1")
    monkeypatch.undo()
    assert not list(hall.root.rglob("*.parquet"))
    (hall.home / "file").write_text("")
    with pytest.raises(StateError):
        Catalog(hall.home / "file" / "catalog", hall.store).stage(hall.safe("r_1"), hall.contract)
    hall.publish("r_1")
    (hall.root / "locks" / "grocery_demand.lock").unlink()
    (hall.root / "locks" / "grocery_demand.lock").mkdir()
    with pytest.raises(StateError):
        hall.publish("r_1")


def test_a_broken_delta_log_is_told(hall: Hall) -> None:
    release = hall.publish("r_1")
    log = Path(release.tables[0].uri) / "_delta_log" / "00000000000000000000.json"
    log.write_bytes(b"")
    with pytest.raises(CatalogError, match="The Delta table can't be read or written"):
        hall.publish("r_2")
    assert current(hall) == ["r_1"]


@pytest.mark.parametrize("name", ["a%20b", "h[1]", "what?", "a#b", "a|b", "a^b"])
def test_a_path_that_delta_tables_cannot_have_is_told_at_once(tmp_path: Path, hall: Hall, name: str) -> None:
    with pytest.raises(UsageError, match="which Delta tables can't"):
        type(hall)(tmp_path / name)


@pytest.mark.parametrize("name", ["a b", "店", "a=1", "a*b", "a{b}", "it's"])
def test_other_paths_are_fine(tmp_path: Path, hall: Hall, name: str) -> None:
    strange = type(hall)(tmp_path / name)
    assert strange.catalog.releases() == ()


def test_left_overs_of_a_crash_are_cleared(hall: Hall) -> None:
    folder = hall.root / "tables" / "grocery_demand" / "demand"
    folder.mkdir(parents=True)
    (folder / ".unfinished-0123").write_bytes(b"half")
    (folder / "_delta_log").mkdir()
    (folder / "_delta_log" / "00000000000000000000.json#1").write_bytes(b"half")
    release = hall.publish("r_1")
    assert sorted(os.listdir(folder)) == ["_delta_log", release.tables[1].file]


def test_statistics_are_exact_or_absent(hall: Hall) -> None:
    table = pa.table(
        {
            "whole": pa.array([3, None, 1]),
            "part": [0.5, 2.5, -1.0],
            "nan": [0.5, float("nan"), 1.0],
            "text": ["b", "a", None],
            "long": ["x" * 33, "a", None],
            "day": pa.array([dt.date(2026, 1, 2), dt.date(2026, 1, 1), None]),
            "at": pa.array([dt.datetime(2026, 1, 1), None, None], pa.timestamp("us")),
            "key": pa.array([b"0" * 16] * 3, pa.binary(16)),
            "none": pa.array([None] * 3, pa.int64()),
            "yes": [True, False, None],
        }
    )
    release = hall.publish("r_1", demand=table)
    log = Path(release.tables[0].uri) / "_delta_log" / "00000000000000000000.json"
    added = [json.loads(line)["add"] for line in log.read_text().splitlines() if '"add"' in line]
    assert json.loads(added[0]["stats"]) == {
        "numRecords": 3,
        "minValues": {"whole": 1, "part": -1.0, "text": "a", "day": "2026-01-01"},
        "maxValues": {"whole": 3, "part": 2.5, "text": "b", "day": "2026-01-02"},
        "nullCount": {
            "whole": 1, "part": 0, "nan": 0, "text": 1, "long": 1, "day": 1, "at": 2, "key": 0, "none": 3, "yes": 1,
        },
    }  # fmt: skip
    found = DeltaTable(release.tables[0].uri).to_pyarrow_table(filters=[("whole", ">", 2)])
    assert found["text"].to_pylist() == ["b"]


def test_dictionaries_are_published_as_their_values(hall: Hall) -> None:
    table = pa.table({"n": pa.array(["a", "b", "a"]).dictionary_encode()})
    release = hall.publish("r_1", demand=table)
    assert DeltaTable(release.tables[0].uri).to_pyarrow_table()["n"].to_pylist() == ["a", "b", "a"]


def test_files_of_the_run_need_not_outlive_the_publication(hall: Hall) -> None:
    release = hall.publish("r_1")
    shutil.rmtree(hall.home / "runs")
    assert pq.read_table(Path(release.tables[0].uri) / release.tables[0].file).num_rows == 3


def test_a_commit_from_elsewhere_is_a_conflict(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from another machine, between our look at the table and our commit."""
    folder = hall.root / "tables" / "grocery_demand" / "households"
    statistics = delta.statistics

    def overtaken(path: Path) -> dict[str, Any]:
        write_deltalake(str(folder), pa.table({"n": [9]}), mode="overwrite")
        return statistics(path)

    for release in ("r_1", "r_2"):
        staged = hall.catalog.stage(hall.safe(release), hall.contract)
        receipt = hall.receipt(staged)
        monkeypatch.setattr(delta, "statistics", overtaken)
        with pytest.raises(ConflictError, match=r"Somebody else committed to this table.*Run again"):
            hall.catalog.reveal(staged, receipt, hall.contract)
        monkeypatch.undo()
        assert hall.catalog.find(release) is None
        assert hall.catalog.reveal(staged, receipt, hall.contract).tables[0].rows == 3
        assert hall.catalog.query(f"SELECT n FROM {release}.households").table["n"].to_pylist() == [1, 2, 3]
