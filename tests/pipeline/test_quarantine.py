"""The quarantine: who may read it, for how long, and what becomes of it when somebody meddles or something breaks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from audit.events import EventKind
from audit.note import VerifierKey
from contracts.model import Contract, Source, Term
from core.digest import canonical, file_digest
from core.errors import ConflictError, IntegrityError, QualityError, SluiceError, StateError, UsageError
from core.keys import FileKey
from core.parquet import writer
from core.proof import TableFile
from core.sealing import OpeningKey, read_opening_key
from core.settings import Settings
from pipeline.home import Home
from pipeline.quarantine.handout import Form, file_name, open_elsewhere
from pipeline.quarantine.sealed import MANIFEST, Kept
from pipeline.quarantine.store import Broken, Quarantine
from pipeline.sweep import sweep

SECRET = "Ms Zhang, 13800138000"
DATA = pa.table({"id": [1, 2, 3], "name": ["a", SECRET, "c"]})
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONTRACT = Contract(
    id="a-contract",
    version="1.0.0",
    name="A contract",
    status="active",
    digest="ab" * 32,
    tenant="a platform",
    recipient="supplier",
    purpose="tests",
    term=Term(start=NOON.date(), end=NOON.date()),
    source=Source(connector="files"),
    privacy=None,
    max_quarantined=1.0,
    quarantine_days=30,
    tables=(),
)


@dataclass
class Hall:
    """A home whose clock is set by hand, and runs in it that set the second row of DATA aside."""

    folder: Path
    now: datetime = NOON
    platform_key: Path | None = None

    @property
    def home(self) -> Home:
        place = self.folder / "home"
        settings = Settings(home=place, contracts=self.folder, platform_key=self.platform_key)
        return Home.open(settings, clock=lambda: self.now)

    @property
    def store(self) -> Quarantine:
        return Quarantine(self.home, lock_wait_s=0.2)

    def set_aside(
        self,
        contract: Contract = CONTRACT,
        *,
        release: str = "r1",
        run_id: str | None = None,
        tables: Mapping[str, pa.Table] | None = None,
        rows: tuple[int, ...] = (1,),
        rules: tuple[str, ...] = ("name is short",),
        error: BaseException | None = None,
    ) -> Path:
        """One run to its end; where its quarantine lies, or would."""
        home = self.home
        run = home.runs.begin(run_id or str(uuid.uuid4()))
        with home.runs.held(run.id):
            try:
                with Quarantine(home, lock_wait_s=0.2).setting_aside(contract, run, release) as draft:
                    for number, (name, data) in enumerate((tables or {"t": DATA}).items()):
                        source = self._staged(run.folder / f"{number}.parquet", name, data, run.key)
                        broken = [(rule, np.array(rows, np.int64)) for rule in rules if rows]
                        if broken:
                            draft.take(
                                name, source, data.column_names, broken, away=f"table-{number}.parquet"
                            )
                    if error is not None:
                        raise error
            finally:
                home.runs.end(run.id)
        return home.settings.quarantine / contract.slug / run.id

    def _staged(self, path: Path, name: str, data: pa.Table, key: FileKey) -> TableFile:
        with writer(path, data.schema, key) as file:
            file.write(data)
        return TableFile(
            name=name,
            path=path,
            rows=data.num_rows,
            size_bytes=path.stat().st_size,
            sha256=file_digest(path),
            key=key,
        )

    def kinds(self) -> list[str]:
        ledger = self.home.ledger
        return [str(ledger.event(entry.index).kind) for entry in ledger.entries()]

    def facts(self) -> list[Mapping[str, Any]]:
        ledger = self.home.ledger
        return [ledger.event(entry.index).facts for entry in ledger.entries()]


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return Hall(tmp_path)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A platform's own private and public key, as `openssl genpkey` and `openssl pkey -pubout` write them."""
    return write_pair(tmp_path / "keys of the platform")


def write_pair(folder: Path) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    key = X25519PrivateKey.generate()
    private, public = folder / "private.pem", folder / "public.pem"
    private.touch(0o600)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    public.chmod(0o644)
    return private, public


def traces(folder: Path) -> list[Path]:
    """Files in which the planted value stands."""
    return [p for p in folder.rglob("*") if p.is_file() and b"13800138000" in p.read_bytes()]


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


def change(path: Path, **fields: object) -> None:
    manifest = json.loads((path / MANIFEST).read_bytes())
    (path / MANIFEST).write_bytes(canonical({**manifest, **fields}))


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


# Who may read it


def test_the_whole_home_reads_no_row_that_is_sealed_to_the_platforms_own_key(
    hall: Hall, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    private, hall.platform_key = pair
    path = hall.set_aside()
    kept = hall.store.find(path.name)
    assert kept.holder == "platform"
    assert not list(hall.home.settings.keys.glob("platform-*"))
    with pytest.raises(UsageError) as refused:
        hall.store.look(path.name, most=1)
    assert (
        refused.value.what
        == f"These rows are sealed to the platform's own key ({kept.key}), which the hall doesn't have."
    )
    assert refused.value.remedy == "Name the file of its private half with --key."
    # Every key that there is in the home, and that of the run while it was there, tried on seal and file.
    home = hall.home
    sealed = bytes.fromhex(json.loads((path / MANIFEST).read_bytes())["sealed"])
    secrets = [home.keys.contract_keys("a-contract").derive("quarantine"), FileKey.fresh().reveal()]
    secrets += [file.read_bytes()[:32] for file in home.settings.keys.iterdir() if file.stat().st_size >= 32]
    for secret in secrets:
        with pytest.raises(IntegrityError):
            OpeningKey.from_bytes(secret).open(sealed, context=b"")
    with pytest.raises(OSError, match="encrypted"):
        pq.read_table(path / "table-0.parquet")
    with pytest.raises(UsageError, match="isn't the one that the rows are sealed to"):
        hall.store.look(path.name, most=1, key=home.keys.platform_key("a platform"))
    other = read_opening_key(write_pair(tmp_path / "other")[0])
    with pytest.raises(UsageError, match=f"\\({other.sealing_key.name}\\) isn't the one .* \\({kept.key}\\)"):
        hall.store.release(path.name, to=tmp_path / "out", form=Form.CSV, key=other)
    assert path.is_dir()
    assert "quarantine.opened" not in hall.kinds()
    assert "quarantine.released" not in hall.kinds()
    shown = hall.store.look(path.name, most=1, key=read_opening_key(private))[1]
    assert shown["t"]["name"].to_pylist() == [SECRET]
    assert traces(hall.folder / "home") == []


def test_each_platform_has_its_own_key(hall: Hall, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    private, public = write_pair(tmp_path / "one")
    public.rename(keys / "a_platform.pem")
    hall.platform_key = keys
    path = hall.set_aside()
    assert hall.store.look(path.name, most=1, key=read_opening_key(private))[1]["t"].num_rows == 1
    with pytest.raises(
        UsageError, match="key can't be read"
    ):  # before anything is set aside, and never to another's key
        hall.set_aside(replace(CONTRACT, id="b", tenant="another platform"))
    hall.platform_key = None
    for tenant in ("a platform", "another platform"):
        hall.set_aside(replace(CONTRACT, id=f"of-{tenant.replace(' ', '-')}", tenant=tenant))
    names = {entry.key for entry in hall.store.entries() if isinstance(entry, Kept)}
    assert len(names) == 3


def test_a_lost_key_of_the_hall_is_told(hall: Hall) -> None:
    path = hall.set_aside()
    [key] = hall.home.settings.keys.glob("platform-*")
    key.unlink()
    with pytest.raises(UsageError, match="isn't the one that the rows are sealed to"):
        hall.store.look(path.name, most=1)


def swapped(one: Path, other: Path, name: str) -> None:
    (one / name).rename(one / "away")
    (other / name).rename(one / name)
    (one / "away").rename(other / name)


def change_places(one: Path, other: Path) -> None:
    one.rename(one.with_name("away"))
    other.rename(one)
    one.with_name("away").rename(other)


def truncated(one: Path, _: Path) -> None:
    with (one / "table-0.parquet").open("r+b") as file:
        file.truncate(100)


def flipped(one: Path, _: Path) -> None:
    data = bytearray((one / "table-0.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (one / "table-0.parquet").write_bytes(data)


def tables_of_one_swapped(one: Path, _: Path) -> None:
    (one / "table-0.parquet").rename(one / "away")
    (one / "table-1.parquet").rename(one / "table-0.parquet")
    (one / "away").rename(one / "table-1.parquet")


def a_link(one: Path, other: Path) -> None:
    (one / "table-0.parquet").rename(other / "elsewhere.parquet")
    (one / "table-0.parquet").symlink_to(other / "elsewhere.parquet")


def lost(one: Path, _: Path) -> None:
    (one / "table-0.parquet").unlink()


def a_pipe(one: Path, _: Path) -> None:
    (one / "table-0.parquet").unlink()
    os.mkfifo(one / "table-0.parquet", 0o600)


def another_path(one: Path, _: Path) -> None:
    manifest = json.loads((one / MANIFEST).read_bytes())
    manifest["tables"][0]["file"] = "../../../keys/wrapping.key"
    (one / MANIFEST).write_bytes(canonical(manifest))


def another_seal(one: Path, other: Path) -> None:
    change(one, sealed=json.loads((other / MANIFEST).read_bytes())["sealed"])


def another_contract(one: Path, _: Path) -> None:
    change(one, contract={"id": "b-contract", "version": "1.0.0", "digest": "ab" * 32})


def more_in_it(one: Path, _: Path) -> None:
    change(one, note="kept for ever")


def no_json(one: Path, _: Path) -> None:
    (one / MANIFEST).write_bytes(b"[" * 100_000)


def empty(one: Path, _: Path) -> None:
    (one / MANIFEST).write_bytes(b"")


def spaces(one: Path, _: Path) -> None:
    (one / MANIFEST).write_bytes(json.dumps(json.loads((one / MANIFEST).read_bytes()), indent=1).encode())


@pytest.mark.parametrize(
    "attack",
    [
        lambda one, other: swapped(one, other, "table-0.parquet"),
        lambda one, other: swapped(one, other, MANIFEST),
        change_places,
        truncated, flipped, tables_of_one_swapped, a_link, lost, a_pipe, another_path, another_seal, another_contract,
        more_in_it, no_json, empty, spaces,
    ],
)  # fmt: skip
@pytest.mark.parametrize("own_key", [False, True])
def test_nothing_is_shown_of_what_was_changed(
    hall: Hall, pair: tuple[Path, Path], attack: Callable[[Path, Path], None], own_key: bool
) -> None:
    private, public = pair
    hall.platform_key = public if own_key else None
    key = read_opening_key(private) if own_key else None
    one = hall.set_aside(release="r1", tables={"t": DATA, "u": DATA.slice(1)}, rows=(1,))
    other = hall.set_aside(release="r2", tables={"t": DATA.slice(1), "u": DATA}, rows=(1,))
    attack(one, other)
    with pytest.raises(IntegrityError) as refused:
        hall.store.look(one.name, most=5, key=key)
    with pytest.raises(IntegrityError):
        hall.store.release(one.name, to=hall.folder / "out", form=Form.PARQUET, key=key)
    with pytest.raises(IntegrityError):
        hall.store.release(one.name, to=hall.folder / "out", form=Form.SEALED)
    assert SECRET not in str(refused.value)
    assert refused.value.remedy
    assert one.is_dir()
    assert not list((hall.folder / "out").glob("*/*"))
    assert "quarantine.opened" not in hall.kinds()


def test_a_quarantine_moved_under_another_contract_is_not_shown(hall: Hall) -> None:
    path = hall.set_aside()
    (path.parent.parent / "b_contract").mkdir(mode=0o700)
    moved = path.parent.parent / "b_contract" / path.name
    path.rename(moved)
    with pytest.raises(IntegrityError, match="lies where another one was put"):
        hall.store.look(path.name, most=1)


def test_a_quarantine_that_somebody_made_with_the_public_key_is_not_shown(
    hall: Hall, pair: tuple[Path, Path]
) -> None:
    """The attack: rows planted for the engineer to take for the platform's own. The seal alone says nothing of its maker."""
    hall.platform_key = pair[1]
    forger = Hall(hall.folder / "forger", platform_key=pair[1])
    forger.folder.mkdir()
    forged = forger.set_aside()
    planted = hall.home.settings.quarantine / CONTRACT.slug / forged.name
    planted.parent.mkdir(mode=0o700)
    shutil.copytree(forged, planted)
    with pytest.raises(IntegrityError, match="isn't as the hall wrote it"):
        hall.store.look(forged.name, most=1, key=read_opening_key(pair[0]))


def test_loosened_modes_are_told(hall: Hall) -> None:
    path = hall.set_aside()
    for each, mode in ((path, 0o755), (path / MANIFEST, 0o644), (path / "table-0.parquet", 0o660)):
        before = each.stat().st_mode
        each.chmod(mode)
        with pytest.raises(StateError, match="Others may read or change this quarantine"):
            hall.store.look(path.name, most=1)
        each.chmod(before)
    assert hall.store.look(path.name, most=1)[1]
    path.chmod(0o755)
    hall.now = NOON + timedelta(days=31)
    sweep(hall.home)
    assert not path.exists()


@pytest.mark.parametrize(
    ("start", "what"),
    [("", "No quarantine"), ("zz", "No quarantine"), ("../", "No quarantine"), ("*", "No quarantine")],
)
def test_an_id_that_names_none_is_told(hall: Hall, start: str, what: str) -> None:
    hall.set_aside()
    with pytest.raises(UsageError, match=what) as refused:
        hall.store.find(start)
    assert "quarantine list" in refused.value.remedy


def test_the_beginning_of_an_id_is_enough_where_no_other_has_it(hall: Hall) -> None:
    alike = [f"aaaaaaaa-0000-4000-8000-00000000000{number}" for number in (1, 2)]
    for number, run_id in enumerate(alike):
        hall.set_aside(run_id=run_id, release=f"r{number}")
    with pytest.raises(UsageError, match="Several quarantines have an id that begins so"):
        hall.store.find("aaaa")
    assert hall.store.find(alike[0].upper()).id == alike[0]
    hall.set_aside(run_id="bbbbbbbb-0000-4000-8000-000000000000", release="r3")
    assert hall.store.find("b").release == "r3"


# Handing out


def test_rows_are_handed_out_whole_and_then_gone(hall: Hall) -> None:
    data = pa.table(
        {
            "n": pa.array([1, None, 3]),
            "d": pa.array([Decimal("1.50"), Decimal("99999999999999999999.99"), None], pa.decimal128(38, 2)),
            "at": pa.array([NOON, NOON, None], pa.timestamp("us", "UTC")),
            "day": pa.array([NOON.date()] * 3),
            "b": [True, None, False],
            "s": ["", 'q"u,o\nte', None],
        }
    )
    for form in (Form.PARQUET, Form.CSV):
        path = hall.set_aside(tables={"t": data}, rows=(0, 1, 2), rules=("one", "two"))
        place = hall.store.release(path.name[:8], to=hall.folder / "out", form=form)
        assert place == hall.folder / "out" / f"a_contract-{path.name[:8]}"
        assert place.stat().st_mode & 0o777 == 0o700
        [file] = place.iterdir()
        assert (file.name, file.stat().st_mode & 0o777) == (f"t.{form.value}", 0o600)
        if form is Form.PARQUET:
            assert pq.read_table(file, partitioning=None).drop_columns("_rules").equals(data)
        else:
            back = pyarrow.csv.read_csv(file, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True))
            assert back["s"].to_pylist()[1] == 'q"u,o\nte'
            assert (
                str(back["d"].to_pylist()[1]).startswith("99999999999999999999.99")
                or back["d"].type == pa.float64()
            )
            assert b"99999999999999999999.99" in file.read_bytes()
            assert back["_rules"].to_pylist() == ["one; two"] * 3
        assert hall.store.entries() == ()
        assert not path.exists()
        assert hall.kinds()[-3:] == ["quarantine.sealed", "quarantine.released", "quarantine.removed"]
        assert hall.facts()[-2] == {"tables": {"t": 3}, "form": form.value}


def test_nothing_is_handed_out_into_the_home(hall: Hall, tmp_path: Path) -> None:
    path, home = hall.set_aside(), hall.home.settings.home
    link = tmp_path / "link"
    link.symlink_to(home / "catalog")
    for to in (home, home / "catalog", home / "catalog" / "x" / "y", link, tmp_path / "x" / ".." / "home"):
        with pytest.raises(UsageError, match="into SLUICE_HOME"):
            hall.store.release(path.name, to=to, form=Form.CSV)
    assert path.is_dir()
    assert "quarantine.released" not in hall.kinds()


def test_nothing_is_written_over(hall: Hall, tmp_path: Path) -> None:
    path = hall.set_aside()
    place = tmp_path / "out" / f"a_contract-{path.name[:8]}"
    place.mkdir(parents=True)
    (place / "mine").write_text("mine")
    with pytest.raises(UsageError, match="Something is there already"):
        hall.store.release(path.name, to=tmp_path / "out", form=Form.CSV)
    (place / "mine").unlink()
    assert hall.store.release(path.name, to=tmp_path / "out", form=Form.CSV) == place


def test_rows_that_a_killed_attempt_left_go_with_the_next(hall: Hall, tmp_path: Path) -> None:
    path = hall.set_aside()
    left = tmp_path / "out" / f".a_contract-{path.name[:8]}.0123456789abcdef"
    left.mkdir(parents=True)
    (left / "t.csv").write_text(SECRET)
    hall.store.release(path.name, to=tmp_path / "out", form=Form.PARQUET)
    assert not left.exists()


def test_two_at_once_hand_out_once(hall: Hall, tmp_path: Path) -> None:
    path = hall.set_aside()
    begin = threading.Barrier(4)

    def act(number: int) -> Path | SluiceError:
        store = Quarantine(hall.home)
        begin.wait()
        try:
            return store.release(path.name, to=tmp_path / f"out{number}", form=Form.PARQUET)
        except SluiceError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(act, range(4)))
    assert sum(isinstance(each, Path) for each in ended) == 1
    assert all(isinstance(each, Path | UsageError) for each in ended)
    assert len(list(tmp_path.glob("out*/*/*.parquet"))) == 1
    assert hall.kinds().count("quarantine.released") == 1


def test_who_finds_it_in_use_is_told(hall: Hall, tmp_path: Path) -> None:
    path = hall.set_aside()
    with (
        hall.store._locked(path),
        pytest.raises(ConflictError, match="Somebody reads or removes this quarantine"),
    ):
        hall.store.release(path.name, to=tmp_path, form=Form.CSV)


_FULL = """
import resource, signal, sys
from pathlib import Path
from core.settings import Settings
from core.errors import StateError
from pipeline.quarantine.handout import Form
from pipeline.home import Home
from pipeline.quarantine.store import Quarantine
home = Home.open(Settings(home=Path(sys.argv[1]), contracts=Path(sys.argv[1])))
quarantine = Quarantine(home)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
for form in Form:
    try:
        quarantine.release(sys.argv[2], to=Path(sys.argv[3]), form=form)
    except StateError as error:
        print(error.what, error.remedy)
"""


def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path) -> None:
    hall = Hall(tmp_path, now=datetime.now(UTC))
    noise = pa.table({"s": [os.urandom(600).hex() for _ in range(4000)]})
    path = hall.set_aside(tables={"t": noise}, rows=tuple(range(4000)))
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path / "home"), path.name, str(tmp_path / "out")],
        capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = "The rows couldn't be handed out (File too large). They are still in the quarantine."
    assert done.stdout.count(said) == len(Form)
    assert list((tmp_path / "out").iterdir()) == []
    place = hall.store.release(path.name, to=tmp_path / "out", form=Form.PARQUET)
    assert pq.read_table(place / "t.parquet", partitioning=None)["s"].to_pylist() == noise["s"].to_pylist()


# Where the hall isn't the platform's machine


def test_what_is_handed_out_sealed_is_opened_elsewhere(
    hall: Hall, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    private, hall.platform_key = pair
    path = hall.set_aside()
    signer = VerifierKey.of(hall.home.keys.signer())
    carried = hall.store.release(path.name, to=tmp_path / "carried", form=Form.SEALED)
    assert traces(tmp_path / "carried") == []
    assert not path.exists()
    assert hall.facts()[-2]["form"] == "sealed"
    shutil.rmtree(hall.folder / "home")
    for who in (signer, None):
        place = open_elsewhere(
            carried, read_opening_key(private), to=tmp_path / f"out {bool(who)}", form=Form.PARQUET, hall=who
        )
        assert pq.read_table(place / "t.parquet", partitioning=None)["name"].to_pylist() == [SECRET]
    stranger = VerifierKey("logs.example/other", bytes(32))
    with pytest.raises(IntegrityError, match="isn't as the hall wrote it"):
        open_elsewhere(carried, read_opening_key(private), to=tmp_path / "no", form=Form.CSV, hall=stranger)
    with pytest.raises(UsageError, match="isn't the one"):
        open_elsewhere(carried, OpeningKey.from_bytes(bytes(32)), to=tmp_path / "no", form=Form.CSV)
    change(carried, until="2099-01-01T00:00:00+00:00")  # a signature nobody asks for; the seal still knows
    with pytest.raises(IntegrityError, match="seal doesn't open"):
        open_elsewhere(carried, read_opening_key(private), to=tmp_path / "no", form=Form.CSV)
    with pytest.raises(UsageError, match="no quarantine here"):
        open_elsewhere(tmp_path, read_opening_key(private), to=tmp_path / "no", form=Form.CSV)
    assert not (tmp_path / "no").exists()


@pytest.fixture(autouse=True)
def _no_value_in_any_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    yield
    said = capfd.readouterr()
    assert SECRET not in caplog.text + said.out + said.err


def test_kinds_are_all_used() -> None:
    assert {kind for kind in EventKind if kind.value.startswith("quarantine.")} == {
        EventKind.QUARANTINE_SEALED, EventKind.QUARANTINE_OPENED, EventKind.QUARANTINE_RELEASED, EventKind.QUARANTINE_REMOVED,
    }  # fmt: skip
