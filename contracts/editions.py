"""The schema of each version of the standard: v3.2.0 from its package, the older ones as steps back from it.

The package came out before v3.2.0 did, so the last mends are made here. Each step says what its version did not have, or
had otherwise. Descriptions are left as v3.2.0 has them; what a file may hold is what the older version published (tests hold
every step against the published schemas).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from open_data_contract_standard.model import OpenDataContractStandard

from contracts.shapes import Shape

EDITIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")  # oldest first

Schema = dict[str, Any]


@cache
def shape(edition: str) -> Shape:
    """The schema of one of EDITIONS, ready to be held against a document."""
    return Shape(schema(edition))


def schema(edition: str) -> Schema:
    """The JSON schema of one of EDITIONS. A new object, the caller's own."""
    latest: Schema = json.loads(OpenDataContractStandard.json_schema())
    _release(latest)
    for older in reversed(EDITIONS[EDITIONS.index(edition) : -1]):
        _STEPS[older](latest)
    named = latest["properties"]["apiVersion"]["enum"]
    latest["properties"]["apiVersion"]["enum"] = named[named.index(edition) :]  # newest first
    return latest


@cache
def server_types(edition: str) -> tuple[str, ...]:
    """The kinds of server that a version knows."""
    return tuple(schema(edition)["$defs"]["Server"]["properties"]["type"]["enum"])


def _drop(owner: Schema, *keys: str) -> None:
    for key in keys:
        owner["properties"].pop(key)


def _open(*owners: Schema) -> None:
    for owner in owners:
        owner.pop("additionalProperties", None)
        owner.pop("unevaluatedProperties", None)


def _without_servers(defs: Schema, types: Iterable[str]) -> None:
    server, gone = defs["Server"], set(types)
    known = server["properties"]["type"]["enum"]
    server["properties"]["type"]["enum"] = [name for name in known if name not in gone]
    server["allOf"] = [part for part in server["allOf"] if part["if"]["properties"]["type"]["const"] not in gone]  # fmt: skip


def _speaks_of(branch: Schema, *types: str) -> bool:
    """Whether a branch of the column's schema is for one of these logical types."""
    text = json.dumps(branch.get("if"))
    return any(f'"const": "{name}"' in text for name in types)


_ID = r"[^\s.#/\\@!%&^]+"
_OLD_ID = "[A-Za-z0-9_-]+"  # of v3.1.0


def _release(latest: Schema) -> None:
    """v3.2.0 as it was released. Does nothing to a schema that has it so.

    The package 3.2.0 wanted a `map` in each column without a logicalType, and `dimensions` in its options; and it took fewer
    signs in an id than the standard. Source: the standard's issues 322 and 325, its schema at the tag v3.2.0.
    """
    defs = latest["$defs"]
    for branch in defs["SchemaBaseProperty"]["allOf"]:
        if _speaks_of(branch, "map", "vector"):
            branch["if"]["required"] = ["logicalType"]
    for name in ("StableId", "FullyQualifiedReference"):
        defs[name]["pattern"] = defs[name]["pattern"].replace(_OLD_ID, _ID)


def _to_v3_1_0(latest: Schema) -> None:
    defs, servers = latest["$defs"], latest["$defs"]["ServerSource"]
    latest["required"].append("status")
    _drop(latest, "context")
    _drop(defs["SchemaObject"], "context")
    _drop(defs["SchemaElement"], "deprecated", "synonyms")
    _drop(defs["CustomProperty"], "vendor")
    _drop(defs["RelationshipBase"], "id")
    _drop(defs["ServiceLevelAgreementProperty"], "customProperties", "authoritativeDefinitions")
    column = defs["SchemaBaseProperty"]
    _drop(column, "enum", "semanticType")
    column["allOf"] = [branch for branch in column["allOf"] if not _speaks_of(branch, "map", "vector")]
    column["properties"]["logicalType"]["enum"] = [
        name for name in column["properties"]["logicalType"]["enum"] if name not in ("map", "vector")
    ]
    name, item = "[A-Za-z_][A-Za-z0-9_]*", _OLD_ID
    defs["StableId"]["pattern"] = f"^{item}$"
    defs["ShorthandReference"]["pattern"] = rf"^{name}\.{name}$"
    file = r"(?:(?:https?:\/\/)?[A-Za-z0-9._\-\/]+\.yaml#)?"
    defs["FullyQualifiedReference"]["pattern"] = rf"^{file}\/?{name}\/{item}(?:\/{name}\/{item})*$"
    _without_servers(defs, ["btrieve", "exasol", "fastobjects", "hana", "iceberg", "ingres", "poet"])
    _without_servers(defs, ["teradata", "vectorwise", "versant"])
    for server in servers.values():
        if server["properties"].get("port", {}).pop("$ref", None):
            server["properties"]["port"]["type"] = "integer"
    for kind in ("Custom", "Kinesis", "Sftp", "Kafka", "Glue", "Local", "Azure", "S3"):
        _drop(servers[f"{kind}Server"], "encoding")
    _drop(servers["AthenaServer"], "workgroup")
    servers["AthenaServer"].setdefault("required", []).append("stagingDir")


def _to_v3_0_2(latest: Schema) -> None:
    defs, servers = latest["$defs"], latest["$defs"]["ServerSource"]
    column, quality, library = (
        defs["SchemaBaseProperty"],
        defs["DataQuality"],
        defs["DataQualityLibrary"],
    )
    definition = defs["AuthoritativeDefinitions"]["items"]
    level, property_ = defs["ServiceLevelAgreementProperty"], defs["CustomProperty"]
    open_now = (defs["Pricing"], defs["SupportItem"], defs["Role"], defs["Server"], definition, level, property_, quality)  # fmt: skip
    _open(latest, column, *open_now)
    latest["additionalProperties"] = False
    for owner in (*open_now, defs["SchemaElement"]):
        _drop(owner, "id")
    _drop(definition, "description")
    _drop(level, "scheduler", "description", "schedule")
    _drop(property_, "description")
    del property_["required"]
    _drop(defs["SupportItem"], "customProperties")
    defs["SupportItem"]["required"].append("url")
    _drop(defs["SchemaObject"], "relationships")
    # A team was a list of its members, each open.
    latest["properties"]["team"] = {"type": "array", "items": {"$ref": "#/$defs/Team"}}
    member = defs["TeamMember"]
    _open(member)
    del member["required"]
    kept = ("username", "name", "description", "role", "dateIn", "dateOut", "replacedByUsername")
    member["properties"] = {key: part for key, part in member["properties"].items() if key in kept}
    defs["Team"] = member

    _drop(column, "relationships")
    column["properties"]["logicalType"]["enum"] = [
        name for name in column["properties"]["logicalType"]["enum"] if name not in ("timestamp", "time")
    ]
    column["allOf"] = [branch for branch in column["allOf"] if not _speaks_of(branch, "timestamp", "time")]
    for branch in column["allOf"]:
        if _speaks_of(branch, "date", "integer", "number"):
            options = branch["then"]["properties"]["logicalTypeOptions"]["properties"]
            options["exclusiveMinimum"] = options["exclusiveMaximum"] = {"type": "boolean"}

    # A rule of the library was named by `rule`, and stood with any number of bounds; SQL stood with anything.
    quality["allOf"][0]["if"] = {"properties": {"type": {"const": "library"}}}
    bounds = library.pop("allOf")[0]
    library["required"] = ["rule"]
    _drop(library, "metric", "arguments")
    operators = defs[bounds["$ref"].rpartition("/")[2]]
    for branch in operators["oneOf"]:
        library["properties"] |= branch["properties"]
    del defs["DataQualitySql"]["allOf"]

    _without_servers(defs, ["hive", "impala", "zen"])
    servers["DuckdbServer"]["properties"]["schema"]["type"] = "integer"  # v3.1.0 mended it
    _drop(servers["CustomServer"], "stream")
    for kind in ("Azure", "S3", "Sftp"):
        of_server = servers[f"{kind}Server"]["properties"]
        of_server["format"]["enum"] = ["parquet", "delta", "json", "csv"]
        of_server["delimiter"]["enum"] = ["new_line", "array"]


def _to_v3_0_1(latest: Schema) -> None:
    defs = latest["$defs"]
    _drop(defs["Team"], "name", "description")
    athena = defs["ServerSource"]["AthenaServer"]
    athena["required"][athena["required"].index("stagingDir")] = "staging_dir"
    _drop(defs["SchemaBaseProperty"], "physicalName")


def _to_v3_0_0(latest: Schema) -> None:
    _drop(latest["properties"]["description"], "customProperties", "authoritativeDefinitions")
    _drop(latest, "authoritativeDefinitions")
    _drop(latest["$defs"]["Role"], "customProperties")


_STEPS: dict[str, Callable[[Schema], None]] = {
    "v3.1.0": _to_v3_1_0,
    "v3.0.2": _to_v3_0_2,
    "v3.0.1": _to_v3_0_1,
    "v3.0.0": _to_v3_0_0,
}
