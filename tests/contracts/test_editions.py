"""Each version's schema, made by steps back from the newest, is the one that was published."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from contracts.editions import EDITIONS, schema, server_types, shape
from contracts.shapes import resolve

VECTORS = Path(os.environ.get("SLUICE_VECTORS") or "no-vectors") / "odcs"
OLDER = EDITIONS[:-1]
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(),
    reason=f"{len(OLDER)} conformance tests left out: ODCS's schemas aren't in SLUICE_VECTORS",
)
NOTES = {"description", "examples", "title", "default", "deprecated", "$comment", "$id", "$schema", "$defs", "format"}  # fmt: skip


def published(edition: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(
        (VECTORS / f"odcs-json-schema-{edition}.json").read_text(encoding="utf-8")
    )
    return read


def bare(part: Any, root: dict[str, Any], reached: dict[str, Any]) -> Any:
    """What a schema demands: without notes and the order of names; what is referred to goes to `reached`."""
    if isinstance(part, list):
        return [bare(item, root, reached) for item in part]
    if not isinstance(part, dict):
        return part
    kept: dict[str, Any] = {}
    for key, value in part.items():
        if key in NOTES:
            continue
        if key == "properties":
            kept[key] = {name: bare(item, root, reached) for name, item in value.items()}
        elif key in ("enum", "required"):
            kept[key] = sorted(value)
        else:
            kept[key] = bare(value, root, reached)
        if key == "$ref" and value not in reached:
            reached[value] = None
            reached[value] = bare(resolve(root, value), root, reached)
    return kept


@needs_vectors
@pytest.mark.parametrize("edition", OLDER)
def test_the_schema_demands_what_was_published(edition: str) -> None:
    ours, theirs = schema(edition), published(edition)
    ours_reached: dict[str, Any] = {}
    theirs_reached: dict[str, Any] = {}
    assert bare(ours, ours, ours_reached) == bare(theirs, theirs, theirs_reached)
    assert ours_reached.keys() == theirs_reached.keys()
    for name, part in theirs_reached.items():
        assert ours_reached[name] == part, name


def test_each_version_names_itself_and_older_ones() -> None:
    for number, edition in enumerate(EDITIONS):
        named = schema(edition)["properties"]["apiVersion"]["enum"]
        assert named[0] == edition
        assert not set(EDITIONS[number + 1 :]) & set(named)


def test_a_schema_is_the_callers_own() -> None:
    schema("v3.1.0").clear()
    assert schema("v3.1.0")["$defs"]
    assert shape("v3.1.0") is shape("v3.1.0")


def test_servers_came_with_the_versions() -> None:
    assert "hive" not in server_types("v3.0.2")
    assert "hive" in server_types("v3.1.0")
    assert "hana" not in server_types("v3.1.0")
    assert "hana" in server_types("v3.2.0")
