"""docs/compliance.md describes what the code reads, asks and counts."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import yaml

from connectors.exclusion import MAX_IDS
from contracts import compliance, declared
from contracts.compliance import PROVISION
from contracts.regimes import crossborder, deidentification, grading, personal
from contracts.regimes.provision import FIELDS
from contracts.regimes.thresholds import TABLE

DOC = (Path(__file__).parents[3] / "docs" / "compliance.md").read_text(encoding="utf-8")


def test_each_rule_has_its_row_and_each_row_its_rule() -> None:
    rows = re.findall(r"`((?:grading|personal|crossborder|deidentification|provision)\.\w+)`", DOC)
    sources = "".join(
        inspect.getsource(module) for module in (grading, personal, crossborder, deidentification)
    )
    names = set(re.findall(r'"((?:grading|personal|crossborder|deidentification)\.\w+)"', sources))
    assert len(rows) == len(set(rows))
    assert set(rows) == names | {f"provision.{key}" for key in (*FIELDS, "notice")}
    assert {*FIELDS, "notice"} == set(PROVISION)


def test_the_table_of_numbers_is_the_codes() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.,]+) \|", DOC, re.MULTILINE))
    assert {key: float(value.replace(",", "")) for key, value in rows.items()} == {
        each.key: each.value for each in TABLE
    }
    assert f"{MAX_IDS // 10**6}\nmillion ids" in DOC or f"{MAX_IDS // 10**6} million ids" in DOC


@pytest.mark.parametrize(
    "word",
    [
        *compliance._COMPLIANCE, *compliance._FILING, *compliance._EXCLUSIONS, *PROVISION,
        *(word.value for kind in (declared.Basis, declared.FilingKind, declared.Grade, declared.Sensitivity) for word in kind),
    ],
)  # fmt: skip
def test_each_word_is_described(word: str) -> None:
    assert f"`{word}`" in DOC


def test_the_examples_are_yaml_and_it_is_no_advice() -> None:
    blocks = re.findall(r"(?:^    .*\n)+", DOC, flags=re.MULTILINE)
    assert len(blocks) == 2
    assert all(yaml.safe_load(block) for block in blocks)
    assert "**This is not legal advice.**" in DOC
