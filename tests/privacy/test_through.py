"""What a column's doors keep from the release isn't in it, and the release keeps its limits without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from contracts.through import through
from core.errors import ContractError
from privacy.measures.classes import k_anonymity
from tests.privacy.test_anonymize import PEOPLE, SHOPS, VISITS, contract, people, safe, shops, visits


@pytest.mark.parametrize("kept_back", ["person", "age", "post code", "illness"])
def test_a_column_for_other_doors_is_not_released(tmp_path: Path, kept_back: str) -> None:
    columns = tuple(
        replace(c, doors=("query", "train")) if c.name == kept_back else c for c in PEOPLE.columns
    )
    agreed = contract(replace(PEOPLE, columns=columns), VISITS, SHOPS)
    result = safe(tmp_path, agreed, people=people(), visits=visits(), shops=shops())
    published = pq.read_table(result.tables["people"].path)
    assert published.column_names == [
        name for name in ("person", "age", "post code", "illness", "segment") if name != kept_back
    ]
    if kept_back != "person":
        quasi = [name for name in ("age", "post code") if name != kept_back]
        assert k_anonymity(published, quasi, unit="person") >= 3


def test_cells_of_it_are_refused(tmp_path: Path) -> None:
    columns = tuple(replace(c, doors=("query",)) if c.name == "spent" else c for c in VISITS.columns)
    with pytest.raises(ContractError, match="may not pass the door release, and its cells are made of it"):
        through(contract(PEOPLE, replace(VISITS, columns=columns)), "release")
