"""The quarantine under attack: who may read it, and what becomes of it when somebody meddles."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.digest import canonical
from core.errors import IntegrityError, StateError, UsageError
from core.keys import FileKey
from core.sealing import OpeningKey, read_opening_key
from pipeline.quarantine.handout import Form
from pipeline.quarantine.sealed import MANIFEST, Kept
from pipeline.sweep import sweep
from tests.pipeline.hall import (
    CONTRACT,
    DATA,
    NOON,
    SECRET,
    Hall,
    change,
    traces,
    write_pair,
)

pytestmark = pytest.mark.usefixtures("no_value_in_any_log")

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
