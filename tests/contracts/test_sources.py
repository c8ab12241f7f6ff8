"""No source of persons is published twice, and no value that can't name a person is taken for a name."""

from __future__ import annotations

from typing import Any

import pytest

AGAIN = """\
  - name: again
    physicalName: {physical}
    logicalType: object
    customProperties:
      - {{property: sluiceKind, value: facts}}
      - property: sluiceCells
        value:
          segmentsOf: members
          dimensions: [{{name: family, levels: [{{label: family, column: family}}]}}]
          measures: [{{name: lines, aggregate: count}}]
    properties:
      - {{name: member, logicalType: integer, required: true, customProperties: [{{property: sluiceRole, value: identifier}}]}}
      - {{name: family, logicalType: string, customProperties: [{{property: sluiceRole, value: attribute}}]}}
"""
TOLD = (
    "101: again reads the same source as sales: cells made twice from the same facts subtract from each other. "
    "Publish one cell plan per source table."
)


@pytest.mark.parametrize("physical", ["sales", "SALES", "Sales"])
def test_one_source_of_facts_has_one_cell_plan(shop: Any, physical: str) -> None:
    shop.text += AGAIN.format(physical=physical)
    assert shop.says() == [TOLD]


def test_another_source_has_a_cell_plan_of_its_own(shop: Any) -> None:
    shop.text += AGAIN.format(physical="returns")
    assert shop.says() == []


@pytest.mark.parametrize("path", ["./data/all.csv", "data/ALL.csv", "/lake/all.parquet"])
def test_one_file_without_the_tables_name_is_one_source(shop: Any, path: str) -> None:
    shop.changed(("./data/{table}.csv", path)).text += AGAIN.format(physical="returns")
    told = shop.says()
    assert TOLD in told
    assert [line for line in told if line.startswith("93: articles reads the same source as members")]
    assert len(told) == 2


ASTRAY = (
    "101: again: its name at the source can't stand for {table} in the server's path. "
    "Write physicalName as a file's or folder's plain name, and the folders before it into the path."
)


@pytest.mark.parametrize(
    "physical", ["./sales", "x/../sales", "sales/", "../sales", "..", ".", "/etc/passwd", "'a\\b'"]
)
def test_a_name_that_leads_elsewhere_is_refused(shop: Any, physical: str) -> None:
    shop.changed(("./data/{table}.csv", "./data/{table}")).text += AGAIN.format(physical=physical)
    assert shop.says() == [ASTRAY]


def test_a_name_is_no_home_folder(shop: Any) -> None:
    shop.text += AGAIN.format(physical="'~root'")
    assert shop.says() == []
    assert shop.changed(("./data/{table}.csv", "'{table}/x.csv'")).says() == [ASTRAY]


def test_a_tables_own_name_is_told_once(shop: Any) -> None:
    shop.changed(("  - name: articles", "  - name: x/articles"))
    assert shop.says() == [
        "93: The table name `x/articles` can't be a file's name. Leave out slashes and a leading dot."
    ]
    shop.changed(("  - name: x/articles", "  - name: ~root"), ("./data/{table}.csv", "'{table}/x.csv'"))
    assert shop.says() == [ASTRAY.replace("101: again", "93: ~root")]


def test_another_connector_knows_sources_by_their_names(shop: Any) -> None:
    server = "    type: local\n    path: ./data/{table}.csv\n    format: csv\n"
    custom = "    type: custom\n    customProperties: [{property: sluiceConnector, value: completejourney}]\n"
    shop.changed((server, custom)).text += AGAIN.format(physical="Sales")
    assert [line.split(": ", 1)[1] for line in shop.says()] == [TOLD.split(": ", 1)[1]]


def test_persons_and_their_facts_may_come_from_one_source(shop: Any) -> None:
    assert shop.changed(("physicalName: people", "physicalName: sales")).says() == []


def test_reference_tables_may_share_a_source(shop: Any) -> None:
    shop.text += """\
  - name: brands
    physicalName: articles
    logicalType: object
    customProperties: [{property: sluiceKind, value: reference}]
    properties: [{name: brand, logicalType: string}]
"""
    assert shop.says() == []


@pytest.mark.parametrize("kind", ["number", "boolean", "date", "timestamp"])
def test_the_privacy_unit_is_a_text_or_a_whole_number(shop: Any, kind: str) -> None:
    shop.changed(
        (
            "      - name: member\n        logicalType: integer",
            f"      - name: member\n        logicalType: {kind}",
        ),
        ("{name: member, logicalType: integer,", f"{{name: member, logicalType: {kind},"),
    )
    why = f"is the privacy unit and {kind}: such values don't name persons reliably. Make it a string or an integer."
    assert shop.says() == [f"29: members.member {why}", f"79: sales.member {why}"]


def test_the_privacy_unit_may_be_text(shop: Any) -> None:
    shop.changed(
        (
            "      - name: member\n        logicalType: integer",
            "      - name: member\n        logicalType: string",
        ),
        ("{name: member, logicalType: integer,", "{name: member, logicalType: string,"),
    )
    assert shop.says() == []
