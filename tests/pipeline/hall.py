"""A hall whose clock is set by hand, for the tests of its quarantine: no test of them may say the planted value."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from contracts.model import Contract, Term
from core.digest import canonical
from core.keys import FileKey
from core.parquet import writer
from core.proof import TableFile
from core.settings import Settings
from pipeline.home import Home
from pipeline.quarantine.sealed import MANIFEST
from pipeline.quarantine.store import Quarantine
from tests.agreement import agreement
from tests.staged import table_file

SECRET = "Ms Zhang, 13800138000"
DATA = pa.table({"id": [1, 2, 3], "name": ["a", SECRET, "c"]})
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONTRACT = agreement(
    digest="ab" * 32,
    tenant="a platform",
    term=Term(start=NOON.date(), end=NOON.date()),
    max_quarantined=1.0,
    quarantine_days=30,
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
        return table_file(name, path, rows=data.num_rows, key=key)

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


def change(path: Path, **fields: object) -> None:
    """Edits fields of a quarantine's manifest, as somebody would who can write to its folder."""
    manifest = json.loads((path / MANIFEST).read_bytes())
    (path / MANIFEST).write_bytes(canonical({**manifest, **fields}))


@pytest.fixture
def no_value_in_any_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Fails a test in which the planted value was logged or printed; for `pytestmark` of each module that plants it."""
    yield
    said = capfd.readouterr()
    assert SECRET not in caplog.text + said.out + said.err
