"""docs/contract.md describes what the code reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors import registry
from contracts import cellplan, hierarchy, own, rowplan, rules, standard, terms, transforms
from contracts.carried import Kind
from contracts.checks import FORMATS
from contracts.model import LogicalType, Role, TableKind
from contracts.protection import Search, Transform
from contracts.transforms import ALLOWED

DOC = (Path(__file__).parents[2] / "docs" / "contract.md").read_text(encoding="utf-8")
WORDS = set(re.findall(r"[A-Za-z0-9.]+", DOC))


@pytest.mark.parametrize(
    ("title", "place"),
    [
        ("the contract", own.CONTRACT),
        ("a server", own.SERVER),
        ("a table", own.TABLE),
        ("a column", own.COLUMN),
    ],
)
def test_our_keys_have_their_rows_where_they_belong(title: str, place: str) -> None:
    section = DOC.partition(f"\n## Our keys for {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(sluice\w+)` \|", section, re.MULTILINE)
    assert rows == [key for key, belongs in own.KEYS.items() if belongs == place]


def test_there_is_no_other_place() -> None:
    assert DOC.count("\n## Our keys for ") == len(set(own.KEYS.values()))


def test_no_key_is_described_that_the_code_does_not_know() -> None:
    assert set(re.findall(r"\bsluice[A-Z]\w+", DOC)) == set(own.KEYS)


@pytest.mark.parametrize(
    "word",
    sorted(
        {
            *cellplan._KEYS, *cellplan._AGGREGATES, *terms.CONNECTORS, *standard.VERSIONS, *rules.BOUNDS, *rules._METRICS,
            *FORMATS, *(kind.value for kind in (*LogicalType, *TableKind, *Role, *Transform)),
            "unit", "k", "l", "maxSuppressed", "maxShare", "from", "until", "width", "origin", "label", "decimals",
            *hierarchy._KINDS, *(key for keys in hierarchy._KINDS.values() for key in keys), *hierarchy.PARTS, *terms.PRIVACY,
            *rowplan.KEYS, *rowplan.PERIODS, rowplan.LASTING, rowplan.CHANGING, *Search, *Kind,
            *(key for keys in transforms.PARAMETERS.values() for key in keys),
        }
    ),
)  # fmt: skip
def test_each_word_of_our_keys_is_described(word: str) -> None:
    assert word in WORDS


@pytest.mark.parametrize("role", Role)
def test_the_table_of_roles_is_the_codes(role: Role) -> None:
    row = next(line for line in DOC.splitlines() if line.startswith(f"| `{role.value}` |"))
    assert re.findall(r"`(\w+)`", row)[1:] == [transform.value for transform in ALLOWED[role]]


def test_the_examples_are_yaml() -> None:
    blocks = re.findall(r"(?:^    .*\n)+", DOC, flags=re.MULTILINE)
    assert len(blocks) == 5
    for block in blocks:
        loaded: Any = yaml.safe_load(block)
        assert loaded


def test_connectors_are_those_that_are_registered() -> None:
    assert set(registry.CONNECTORS) == set(terms.CONNECTORS)
