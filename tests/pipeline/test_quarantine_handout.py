"""The quarantine hands rows out: whole, once, and where they may be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from audit.note import VerifierKey
from core.errors import ConflictError, IntegrityError, SluiceError, UsageError
from core.sealing import OpeningKey, read_opening_key
from pipeline.quarantine.handout import Form, open_elsewhere
from pipeline.quarantine.store import Quarantine
from tests.pipeline.hall import (
    NOON,
    SECRET,
    Hall,
    change,
    traces,
)

pytestmark = pytest.mark.usefixtures("no_value_in_any_log")

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
