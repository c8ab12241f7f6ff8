"""The quarantine: what is kept, and for how long."""

from __future__ import annotations

import os
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from audit.events import EventKind
from core.errors import IntegrityError, QualityError, StateError, UsageError
from pipeline.quarantine.handout import Form, file_name
from pipeline.quarantine.sealed import MANIFEST, Kept
from pipeline.quarantine.store import Broken
from pipeline.sweep import sweep
from tests.pipeline.hall import (
    CONTRACT,
    DATA,
    NOON,
    SECRET,
    Hall,
    change,
    traces,
)

pytestmark = pytest.mark.usefixtures("no_value_in_any_log")

# What is kept, and how


def test_what_is_set_aside_is_kept_and_can_be_looked_at(hall: Hall) -> None:
    path = hall.set_aside(rules=("name is short", "small"))
    [kept] = hall.store.entries()
    assert isinstance(kept, Kept)
    assert (kept.id, kept.contract_id, kept.release, kept.holder) == (path.name, "a-contract", "r1", "hall")
    assert (kept.set_aside_at, kept.until, kept.rows) == (NOON, NOON + timedelta(days=30), 1)
    assert kept.tables[0].rules == {"name is short": 1, "small": 1}
    looked, shown = hall.store.look(path.name[:8], most=10)
    assert looked == kept
    assert shown["t"].to_pylist() == [{"id": 2, "name": SECRET, "_rules": ["name is short", "small"]}]
    assert hall.kinds() == ["quarantine.sealed", "quarantine.opened"]
    assert hall.facts()[0]["until"] == "2026-12-23T12:00:00+00:00"
    assert hall.facts()[1] == {"tables": {"t": 1}}
    assert traces(hall.folder) == []


def test_its_folders_and_files_are_its_owners_only_whatever_the_umask(hall: Hall) -> None:
    before = os.umask(0)
    try:
        path = hall.set_aside()
    finally:
        os.umask(before)
    for each in (path, path.parent, path.parent.parent):
        assert each.stat().st_mode & 0o777 == 0o700
    assert {file.name for file in path.iterdir()} == {MANIFEST, "table-0.parquet"}
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in path.iterdir())


def test_each_look_is_an_event_of_its_own_before_the_rows(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hall.set_aside(rows=(0, 1, 2))
    hall.store.look(path.name, most=2)
    hall.store.look(path.name, most=2)
    assert hall.kinds()[1:] == ["quarantine.opened"] * 2
    assert hall.facts()[1] == {"tables": {"t": 2}}

    def deaf(*_: object, **__: object) -> None:
        raise StateError("The ledger can't be written.")

    monkeypatch.setattr("audit.ledger.Ledger.append", deaf)
    monkeypatch.setattr("pipeline.quarantine.store.first_rows", lambda *_: pytest.fail("rows were read"))
    with pytest.raises(StateError, match="ledger"):
        hall.store.look(path.name, most=2)
    with pytest.raises(StateError, match="ledger"):
        hall.store.release(path.name, to=hall.folder / "out", form=Form.CSV)
    assert not (hall.folder / "out").exists()


def test_no_row_set_aside_leaves_nothing(hall: Hall) -> None:
    path = hall.set_aside(rows=())
    assert not path.exists()
    assert hall.store.entries() == ()
    assert hall.kinds() == []


def test_a_contract_may_keep_nothing(hall: Hall) -> None:
    path = hall.set_aside(replace(CONTRACT, quarantine_days=0))
    assert not path.exists()
    assert not list(hall.home.settings.keys.glob("platform-*"))
    assert hall.kinds() == []


def test_a_run_stopped_for_too_many_rows_leaves_them_to_be_looked_at(hall: Hall) -> None:
    run_id = str(uuid.uuid4())
    with pytest.raises(QualityError):
        hall.set_aside(run_id=run_id, error=QualityError("Too many."))
    assert hall.store.look(run_id, most=1)[1]["t"].num_rows == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), StateError("broken"), IntegrityError("changed")])
def test_a_run_stopped_for_anything_else_leaves_none(hall: Hall, error: BaseException) -> None:
    with pytest.raises(type(error)):
        hall.set_aside(error=error)
    assert hall.store.entries() == ()
    assert traces(hall.folder) == []


def test_a_retry_replaces_its_own_and_a_rerun_that_of_its_release(hall: Hall) -> None:
    run_id = str(uuid.uuid4())
    hall.set_aside(run_id=run_id, release="r1")
    path = hall.set_aside(run_id=run_id, release="r1", rows=(0, 1))
    assert [entry.id for entry in hall.store.entries()] == [run_id]
    assert hall.store.find(run_id).rows == 2
    other = hall.set_aside(release="r2")
    again = hall.set_aside(release="r1")
    assert [entry.id for entry in hall.store.entries()] == sorted([other.name, again.name])
    assert not path.exists()
    assert hall.kinds().count("quarantine.removed") == 2
    assert {facts["why"] for facts in hall.facts() if "why" in facts} == {"superseded"}
    hall.set_aside(run_id=again.name, rows=())  # its source was corrected meanwhile
    assert [entry.id for entry in hall.store.entries()] == [other.name]


def test_two_runs_of_one_contract_keep_apart(hall: Hall) -> None:
    home, runs = hall.home, [str(uuid.uuid4()) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pair: hall.set_aside(run_id=pair[1], release=f"r{pair[0]}"), enumerate(runs)))
    assert sorted(entry.id for entry in hall.store.entries()) == sorted(runs)
    for run_id in runs:
        assert hall.store.look(run_id, most=1)[1]["t"]["name"].to_pylist() == [SECRET]
    assert list(home.settings.runs.iterdir()) == []


@pytest.mark.parametrize("death", ["sync", "write_manifest", "record", "destroy", "Path.rename"])
def test_a_run_killed_halfway_leaves_none_or_a_whole_one(
    hall: Hall, death: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = str(uuid.uuid4())
    hall.set_aside(run_id=run_id)

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        target = "pathlib.Path.rename" if death == "Path.rename" else f"pipeline.quarantine.store.{death}"
        patch.setattr(target, die)
        patch.setattr(
            "pipeline.quarantine.aside.Draft.clear", lambda self: self.tables.clear()
        )  # a kill clears nothing up
        with pytest.raises(Killed):
            hall.set_aside(run_id=run_id, rows=(0, 1))
    for entry in hall.store.entries():
        assert isinstance(entry, Kept)
    hall.set_aside(run_id=run_id, rows=(0, 1))
    sweep(hall.home)
    [kept] = hall.store.entries()
    assert isinstance(kept, Kept)
    assert kept.rows == 2
    assert traces(hall.folder) == []


@pytest.mark.parametrize(
    "name",
    ["..", "../../catalog/x", "a/b", "by*", "订单", ".hidden", "o" * 128, "CON", 'q"uote', "-rf", "~7E"],
)
def test_odd_table_names_stay_in_their_folder(hall: Hall, name: str) -> None:
    path = hall.set_aside(tables={name: DATA, "other": DATA})
    assert {file.name for file in path.iterdir()} == {MANIFEST, "table-0.parquet", "table-1.parquet"}
    assert hall.store.look(path.name, most=1)[1][name]["name"].to_pylist() == [SECRET]
    place = hall.store.release(path.name, to=hall.folder / "out", form=Form.PARQUET)
    assert pq.read_table(place / file_name(name, "parquet"), partitioning=None)["id"].to_pylist() == [2]
    assert {file.parent for file in (hall.folder / "out").rglob("*.parquet")} == {place}


def test_names_of_files_never_meet() -> None:
    names = ["a/b", "a~2Fb", "a:b", "a?b", "a~3Fb", "订" * 128, "订" * 127 + "单", ".a", "~2Ea"]
    files = [file_name(name, "csv") for name in names]
    assert len(set(files)) == len(names)
    assert all(len(file.encode()) < 255 and "/" not in file and not file.startswith(".") for file in files)


def test_a_thousand_rules(hall: Hall) -> None:
    rules = tuple(f"rule {number} 规" for number in range(1000))
    path = hall.set_aside(rules=rules, rows=(0, 1, 2))
    kept, shown = hall.store.look(path.name, most=1)
    assert kept.tables[0].rules == dict.fromkeys(rules, 3)
    assert shown["t"]["_rules"].to_pylist() == [list(rules)]


# How long


def test_it_is_kept_for_the_days_and_no_longer(hall: Hall) -> None:
    path = hall.set_aside()
    hall.now = NOON + timedelta(days=30) - timedelta(microseconds=1)
    sweep(hall.home)
    assert path.is_dir()
    hall.now = NOON + timedelta(days=30)
    with pytest.raises(UsageError, match="is gone"):  # before anything has swept
        hall.store.look(path.name, most=1)
    sweep(hall.home)
    assert not path.exists()
    assert hall.kinds() == ["quarantine.sealed", "quarantine.removed"]
    sealed, removed = hall.facts()
    assert removed == {"digest": sealed["digest"], "why": "expired"}


def test_a_clock_that_steps_back_removes_nothing_early(hall: Hall) -> None:
    path = hall.set_aside()
    for now in (NOON - timedelta(days=4000), NOON + timedelta(days=29), NOON - timedelta(days=1)):
        hall.now = now
        sweep(hall.home)
        assert path.is_dir()
        assert hall.store.look(path.name, most=1)[1]["t"].num_rows == 1


def test_a_zone_changes_nothing(hall: Hall) -> None:
    path = hall.set_aside()
    hall.now = (NOON + timedelta(days=30)).astimezone(timezone(timedelta(hours=-11))) - timedelta(seconds=1)
    sweep(hall.home)
    assert path.is_dir()


def test_a_look_is_not_cut_off_by_its_end(hall: Hall) -> None:
    path = hall.set_aside()
    store = hall.store
    hall.now = NOON + timedelta(days=31)
    with store._locked(path):
        sweep(hall.home)
        assert path.is_dir()
    sweep(hall.home)
    assert not path.exists()


@pytest.mark.parametrize("at", ["open", "unlink", "rmtree"])
def test_a_removal_that_was_cut_off_is_completed(
    hall: Hall, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hall.set_aside()
    hall.now = NOON + timedelta(days=31)

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(
            {
                "open": "pipeline.quarantine.store.destroy",
                "unlink": "pathlib.Path.unlink",
                "rmtree": "shutil.rmtree",
            }[at],
            die,
        )
        with pytest.raises(Killed):
            hall.store.sweep()
    assert path.is_dir()
    hall.now = NOON  # whatever the clock says: it was removed
    sweep(hall.home)
    assert not path.exists()
    assert hall.kinds().count("quarantine.removed") == 1


def test_a_manifest_edited_to_keep_for_longer_is_found_and_keeps_nothing(hall: Hall) -> None:
    path = hall.set_aside()
    change(path, until="2099-01-01T00:00:00+00:00")
    [entry] = hall.store.entries()
    assert isinstance(entry, Broken)
    with pytest.raises(IntegrityError, match="manifest of this quarantine isn't as the hall wrote it"):
        hall.store.look(path.name, most=1)
    sweep(hall.home)
    assert path.is_dir()  # for who must find out
    hall.now = NOON + timedelta(days=30)  # as the ledger has it
    sweep(hall.home)
    assert not path.exists()


def test_what_the_hall_never_put_there_is_not_shown_and_not_removed(hall: Hall) -> None:
    path = hall.set_aside()
    stranger = path.with_name(str(uuid.uuid4()))
    shutil.copytree(path, stranger)
    change(stranger, id=stranger.name)
    hall.now = NOON + timedelta(days=400)
    sweep(hall.home)
    assert [entry.id for entry in hall.store.entries()] == [stranger.name]
    with pytest.raises(IntegrityError):
        hall.store.find(stranger.name)


def test_one_that_was_handed_out_and_put_back_is_not_shown(hall: Hall, tmp_path: Path) -> None:
    path = hall.set_aside()
    shutil.copytree(path, tmp_path / "older")
    hall.store.release(path.name, to=tmp_path / "out", form=Form.PARQUET)
    shutil.copytree(tmp_path / "older", path)
    with pytest.raises(UsageError, match="is gone"):
        hall.store.look(path.name, most=1)
    sweep(hall.home)
    assert not path.exists()


def test_kinds_are_all_used() -> None:
    assert {kind for kind in EventKind if kind.value.startswith("quarantine.")} == {
        EventKind.QUARANTINE_SEALED, EventKind.QUARANTINE_OPENED, EventKind.QUARANTINE_RELEASED, EventKind.QUARANTINE_REMOVED,
    }  # fmt: skip
