"""The folders of runs: whose they are, when they end, and what a crash leaves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import ConflictError, StateError
from core.keys import KeyStore
from core.parquet import read, writer
from core.proof import TableFile
from pipeline.handoff import RunGoneError
from pipeline.runs import IDLE_S, Runs, run_uuid, scheduler_is_gone

ID = str(uuid.UUID(int=7))
OWNER = {"dag_id": "shop", "run_id": "manual"}


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


@pytest.fixture
def runs(tmp_path: Path, keys: KeyStore) -> Runs:
    return Runs(tmp_path / "runs", keys)


def test_a_run_has_a_folder_and_a_key_of_its_own_until_it_ends(
    runs: Runs, keys: KeyStore, tmp_path: Path
) -> None:
    run, other = runs.begin(ID), runs.begin("another")
    assert run.folder.stat().st_mode & 0o777 == 0o700
    assert run.key.reveal() != other.key.reveal()
    assert runs.begin(ID).key.reveal() == runs.open(ID).key.reveal() == run.key.reveal()
    assert set(keys.runs_with_key()) == {ID, other.id}
    runs.end(ID)
    runs.end(ID)
    assert not run.folder.exists()
    assert keys.runs_with_key() == (other.id,)
    with pytest.raises(RunGoneError, match="is gone, as it is when a run ends"):
        runs.open(ID)
    assert runs.begin(ID).key.reveal() != run.key.reveal()


def test_what_cannot_be_removed_cannot_be_read(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key goes first: a folder that stays, or a backup of it, opens for nobody."""
    run = runs.begin(ID)
    with writer(run.folder / "t.parquet", pa.schema([("a", pa.string())]), run.key) as file:
        file.write(pa.table({"a": ["planted"]}))
    sealed = (tmp_path / "keys" / f"run-{ID}.json").read_bytes()
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    runs.end(ID)
    assert (run.folder / "t.parquet").exists()
    with pytest.raises(RunGoneError):
        runs.open(ID)
    left = TableFile(
        name="t", path=run.folder / "t.parquet", rows=1, size_bytes=1, sha256="", key=runs.begin(ID).key
    )
    with pytest.raises(OSError, match="decrypt"):
        read(left)
    assert sealed not in b"".join(path.read_bytes() for path in (tmp_path / "keys").iterdir())


def test_the_bytes_of_a_destroyed_key_are_overwritten(keys: KeyStore, tmp_path: Path) -> None:
    keys.make_run_key(ID)
    file = tmp_path / "keys" / f"run-{ID}.json"
    before = file.read_bytes()
    os.link(file, tmp_path / "the same blocks")
    keys.destroy_run_key(ID)
    after = (tmp_path / "the same blocks").read_bytes()
    assert len(after) == len(before)
    assert after != before


def test_an_id_that_is_no_uuid_gives_one(runs: Runs) -> None:
    assert run_uuid(ID) == ID
    assert run_uuid("../../etc") == run_uuid("../../etc") != run_uuid("../../tmp")
    assert runs.folder("../../etc").parent == runs.folder(ID).parent


def test_one_process_at_a_time_works_on_a_run(runs: Runs) -> None:
    with runs.held(ID):
        runs.begin(ID)
        with (
            pytest.raises(ConflictError, match="Another process works on this run"),
            runs.held(ID, wait_s=0.05),
        ):
            pytest.fail("two at a time")
    with runs.held(ID, wait_s=0):
        runs.end(ID)


def test_a_run_that_came_to_nothing_leaves_no_folder(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), runs.held(ID):
        raise ZeroDivisionError
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_errors_of_the_work_come_out_as_they_are(runs: Runs) -> None:
    with pytest.raises(FileNotFoundError), runs.held(ID):
        raise FileNotFoundError("of the work, not of the lock")


def test_what_a_killed_process_left_is_swept_and_what_lives_is_not(
    runs: Runs, tmp_path: Path, keys: KeyStore
) -> None:
    script = (
        "import sys, time; from pathlib import Path; from core.keys import KeyStore; from pipeline.runs import Runs\n"
        "home = Path(sys.argv[1]); runs = Runs(home / 'runs', KeyStore(home / 'keys'))\n"
        f"with runs.held('{ID}'):\n    runs.begin('{ID}'); print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        assert runs.sweep(scheduler_is_gone) == 0
        assert runs.open(ID).folder.is_dir()
        os.kill(process.pid, signal.SIGKILL)
    assert runs.sweep(scheduler_is_gone) == 1
    assert list((tmp_path / "runs").iterdir()) == []
    assert keys.runs_with_key() == ()


def test_a_schedulers_run_is_left_until_the_scheduler_says_it_is_over(runs: Runs) -> None:
    asked: list[tuple[dict[str, str], float]] = []

    def over(owner: object, idle_s: float) -> bool:
        asked.append((dict(owner), idle_s))  # type: ignore[call-overload]
        return len(asked) > 1

    run = runs.begin(ID, owner=OWNER)
    assert runs.sweep(over) == 0
    assert asked[0][0] == OWNER
    assert 0 <= asked[0][1] < 60
    assert runs.sweep(over) == 1
    assert not run.folder.exists()


def test_a_schedulers_run_that_nobody_touched_for_a_day_is_swept(runs: Runs) -> None:
    run = runs.begin(ID, owner=OWNER)
    assert runs.sweep(scheduler_is_gone) == 0
    for path in (*run.folder.iterdir(), run.folder):
        os.utime(path, (time.time() - IDLE_S - 60,) * 2)
    with runs.held(ID):
        assert runs.sweep(scheduler_is_gone) == 0  # a task works on it right now
    for path in (*run.folder.iterdir(), run.folder):
        os.utime(path, (time.time() - IDLE_S - 60,) * 2)
    assert runs.sweep(scheduler_is_gone) == 1


def test_a_clock_that_stepped_back_ends_no_run(runs: Runs) -> None:
    run = runs.begin(ID, owner=OWNER)
    os.utime(run.folder, (time.time() + 10 * IDLE_S,) * 2)
    assert runs.sweep(scheduler_is_gone) == 0


@pytest.mark.parametrize("owner", ["[1", "[" * 100_000, '"somebody"'])
def test_an_owner_that_cannot_be_read_is_nobody(runs: Runs, owner: str) -> None:
    run = runs.begin(ID, owner=OWNER)
    (run.folder / "owner.json").write_text(owner)
    assert runs.sweep(scheduler_is_gone) == 1


def test_a_copy_of_a_key_under_another_name_is_no_run(runs: Runs, keys: KeyStore, tmp_path: Path) -> None:
    """Else it would end each sweep, or the run whose key it is a copy of."""
    run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, "a"))
    with runs.held(run_id):
        run = runs.begin(run_id)
        for name in ("run-old.json", f"run-{run_id.upper()}.json", f"run-{run_id.replace('-', '')}.json"):
            shutil.copyfile(tmp_path / "keys" / f"run-{run_id}.json", tmp_path / "keys" / name)
        assert runs.sweep(scheduler_is_gone) == 0
        assert keys.runs_with_key() == (run_id,)
        assert runs.open(run_id).key.reveal() == run.key.reveal()


def test_a_link_in_place_of_a_folder_is_not_followed(runs: Runs, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / ID).symlink_to(elsewhere)
    assert runs.sweep(scheduler_is_gone) == 0
    assert list(elsewhere.iterdir()) == []


def test_what_is_not_ours_in_the_folder_stays(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "runs" / "notes").mkdir(parents=True)
    (tmp_path / "runs" / str(uuid.uuid4())).write_text("a file")
    assert runs.sweep(scheduler_is_gone) == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_key_without_a_folder_is_destroyed(runs: Runs, keys: KeyStore) -> None:
    shutil.rmtree(runs.begin(ID).folder)
    runs.sweep(scheduler_is_gone)
    assert keys.runs_with_key() == ()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, keys: KeyStore) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    runs = Runs(tmp_path / "runs", keys)
    with pytest.raises(StateError, match="The run's folder can't be used"):
        runs.begin(ID)
    with pytest.raises(StateError, match="The run's folder can't be used"), runs.held(ID):
        pytest.fail("there is no folder")
