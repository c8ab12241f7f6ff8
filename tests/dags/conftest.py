"""An Airflow of the tests' own: its home is set before anything imports airflow, and its database made once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from pipeline.airflow.home import environment, prepare
from tests.open_doors import open_doors

_HOME = tempfile.TemporaryDirectory(prefix="sluice-airflow-")
_SETTINGS = Settings(home=Path(_HOME.name), contracts=Path(_HOME.name) / "contracts")
prepare(_SETTINGS, port=8080)
os.environ.update({k: v for k, v in environment(_SETTINGS, {}).items() if k.startswith("AIRFLOW")})

GOODS = Path(__file__).parent.parent / "data" / "goods.odcs.yaml"


@dataclass(frozen=True)
class Shop:
    """A SLUICE_HOME with contracts over a small CSV file, reference data only."""

    settings: Settings

    def contract(self, name: str, *, status: str = "active", rows: int = 0) -> Path:
        """A contract; more than `rows` rows are asked for, three are there."""
        path = self.settings.contracts / f"{name}.odcs.yaml"
        text = GOODS.read_text(encoding="utf-8").replace("goods-list", name)
        text = text.replace("status: active", f"status: {status}")
        text = text.replace("mustBeGreaterThan: 0", f"mustBeGreaterThan: {rows}")
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture(autouse=True)
def signed_or_not(request: pytest.FixtureRequest) -> None:
    """Tasks in this process are tested behind open doors; a live Airflow's contracts are signed."""
    if request.node.get_closest_marker("system") is None:
        request.getfixturevalue("open_doors")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    contracts = tmp_path / "my contracts 合同"
    (contracts / "data").mkdir(parents=True)
    (contracts / "data" / "goods.csv").write_text("id,name\n1,bread\n2,milk\n3,茶\n", encoding="utf-8")
    settings = Settings(home=tmp_path / "hall", contracts=contracts)
    monkeypatch.setenv("SLUICE_HOME", str(settings.home))
    monkeypatch.setenv("SLUICE_CONTRACTS", str(contracts))
    return Shop(settings)


@pytest.fixture(scope="session")
def airflow_database() -> Iterator[Any]:
    from airflow.utils import db  # noqa: PLC0415 (after the environment above)

    db.initdb()
    return db


__all__ = ["open_doors"]
