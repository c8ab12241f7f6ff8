"""The small cube of a subject table: distinct tuples of quasi-identifiers and sensitive values, and whose they are.

Encode (values to codes) and group (rows to distinct tuples); `attach` brings classes back to the rows, by position,
never by a join. The table is read once; what stays in memory are codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Column
from contracts.protection import Transform, Treatment
from core.errors import PrivacyError
from core.parquet import batches, schema
from core.progress import Progress, silent
from core.proof import TableFile
from privacy.hierarchies.hierarchy import Hierarchy
from privacy.search.tuples import Tuples
from privacy.subjects.encode import Encoder, recoded
from privacy.subjects.grouping import distinct, look_up, mostly_distinct, packed
from privacy.subjects.names import KEY_BYTES, Numbers, mixed_codes, numbers
from privacy.subjects.units import Owners, Units, folded
from privacy.transforms.coding import clamped, rounded

_BLOCK = 1 << 15  # tuples


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A sensitive column. values: distinct ones, without NULL, sorted (the source's order would tell); of_row: (rows,) codes into them, -1 for NULL.

    folded: (values,) the code of each value as a person would tell them apart, in the order of the values.
    """

    values: pa.Array
    of_row: npt.NDArray[Any]
    folded: npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Cube:
    """Distinct tuples and the way back to the rows.

    hierarchies: by quasi-identifier, in order. secrets: by sensitive column, in order. tuples: what the searches see.
    tuple_of_row: (rows,) index into tuples, None where each row is a tuple of its own. owners: whose each row is. numbers: for
    each quasi-identifier (leaves,) and then for each sensitive column (values,) a number for each value, the same in all
    that is read with the same key.
    """

    rows: int
    hierarchies: Mapping[str, Hierarchy]
    secrets: Mapping[str, Secret]
    tuples: Tuples
    tuple_of_row: npt.NDArray[np.int32] | None
    owners: Owners
    numbers: tuple[Numbers, ...] = ()

    def of_rows(self, of_tuples: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What stands behind each row, from what stands behind each tuple."""
        return of_tuples if self.tuple_of_row is None else of_tuples[self.tuple_of_row]

    def content(self) -> Numbers:
        """(persons,) a number for all that is said of each person; it changes when any of that does."""
        tuples = self.tuples
        whole = mixed_codes([tuples.codes, tuples.sensitive], self.numbers)
        if self.owners.of_row is None:
            return np.asarray(self.of_rows(whole.view(np.int64)), np.int64)
        assert tuples.units is not None  # several rows a person
        total = np.zeros(self.owners.count, np.uint64)
        np.add.at(total, tuples.units, whole)
        return total.view(np.int64)

    def secret_numbers(self, j: int, rows: npt.NDArray[np.integer[Any]] | None = None) -> Numbers:
        """(rows,) the number of the value of each row, or of those named, in the sensitive column j, 0 where it's missing."""
        secret = list(self.secrets.values())[j]
        values = np.append(self.numbers[len(self.hierarchies) + j], 0)
        codes = secret.of_row if rows is None else secret.of_row[rows]
        made = np.empty(len(codes), np.int64)
        look_up(np.append(values[secret.folded], 0), codes, made)
        return made


def build_cube(
    file: TableFile,
    *,
    name: str,
    unit: str,
    quasi_identifiers: Sequence[Column],
    sensitive: Sequence[Column],
    key: bytes | None = None,
    apart: bool = False,
    progress: Progress = silent,
) -> Cube:
    """The cube of a subject table.

    file: rows of persons with the columns named. key: of the numbers for persons and values; None draws one. apart: a tuple
    is of one person only, as `Tuples.units` then says. Raises PrivacyError when a row names no person, or when a declared
    hierarchy lacks a value.
    """
    columns = [*quasi_identifiers, *sensitive]
    for column in quasi_identifiers:
        if column.hierarchy is None:
            raise PrivacyError(
                f"`{name}.{column.name}` has no hierarchy.", remedy="Give it a sluiceHierarchy."
            )
    encoders = {column.name: Encoder() for column in columns}
    key = key or token_bytes(KEY_BYTES)
    units = Units(table=name, unit=unit, key=key)
    rows = 0
    fields = schema(file)
    texts = [each for each in encoders if pa.types.is_string(fields.field(each).type) and each != unit]
    for batch in batches(file, list(dict.fromkeys([unit, *encoders])), encoded=texts):
        progress(f"encode {name}", rows / max(1, file.rows))
        units.add(batch.column(unit))
        for each, encoder in encoders.items():
            encoder.add(batch.column(each))
        rows += batch.num_rows
    owners = units.owners(each=apart)
    told: list[Numbers] = []
    hierarchies: dict[str, Hierarchy] = {}
    coded: list[npt.NDArray[Any]] = []
    for column in quasi_identifiers:
        values, codes = encoders.pop(column.name).finish()
        hierarchy, leaf, codes = _coarsened(
            column, values, codes, kind=fields.field(column.name).type, table=name
        )
        hierarchies[column.name] = hierarchy
        told.append(_by_code(values, leaf, len(hierarchy), key))
        coded.append(codes)
    secrets: dict[str, Secret] = {}
    for column in sensitive:
        values, codes = sorted_values(*coarser(column, *encoders.pop(column.name).finish()))
        leaves = column.hierarchy.leaves if column.hierarchy and column.hierarchy.kind == "ordered" else ()
        secrets[column.name] = Secret(values=values, of_row=codes, folded=in_order(values, leaves))
        folds = secrets[column.name].folded
        coded.append(recoded(codes, folds, missing=-1))
        told.append(_by_code(values, folds, int(folds.max(initial=-1)) + 1, key))
    tuples, tuple_of_row = _grouped(coded, hierarchies, secrets, owners, rows)
    return Cube(
        rows=rows,
        hierarchies=hierarchies,
        secrets=secrets,
        tuples=tuples,
        tuple_of_row=tuple_of_row,
        owners=owners,
        numbers=tuple(told),
    )


def _by_code(values: pa.Array, codes: npt.NDArray[Any], count: int, key: bytes) -> Numbers:
    """(count,) the number of the values behind each code; what has one code reads alike. 0 where there is none."""
    made = np.zeros(count, np.int64)
    there = codes >= 0
    made[codes[there]] = numbers(folded(values), key)[there]
    return made


def coarser(column: Column, values: pa.Array, codes: npt.NDArray[Any]) -> tuple[pa.Array, npt.NDArray[Any]]:
    """Distinct values as they are published, and the codes that go with them: rounded, or clamped. The models are about
    what is published."""
    told = column.treatment or Treatment()
    if column.transform is Transform.ROUND and told.step is not None:
        made = rounded(values, told.step)
    elif column.transform is Transform.CLAMP:
        made = clamped(values, told.low, told.high)
    else:
        return values, codes
    encoder = Encoder()
    encoder.add(made)
    found, places = encoder.finish()
    return found, recoded(codes, places.astype(np.int64), missing=-1)


def sorted_values(values: pa.Array, codes: npt.NDArray[Any]) -> tuple[pa.Array, npt.NDArray[Any]]:
    """Distinct values in their own order, and the codes that go with it."""
    plain = values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values
    order = pc.sort_indices(plain).to_numpy()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return values.take(pa.array(order)), recoded(codes, place, missing=-1)


def in_order(values: pa.Array, leaves: Sequence[str] = ()) -> npt.NDArray[np.int32]:
    """The rank of each distinct value among all, -1 for an empty text; spellings of one text have one rank.

    By the values' own order, or where `leaves` says another, by that: values that it lacks come after the others.
    """
    plain = folded(values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values)
    known = plain.drop_null().unique()
    known = known.take(pc.sort_indices(known))
    if leaves and len(known):
        said = folded(pa.array(leaves, pa.string())).cast(known.type).drop_null().unique()
        known = pa.concat_arrays([said, known.filter(pc.invert(pc.is_in(known, value_set=said)))])
    ranks = pc.index_in(plain, value_set=known) if len(known) else pa.nulls(len(values), pa.int32())
    return np.asarray(ranks.fill_null(-1).to_numpy(zero_copy_only=False), np.int32)


def _coarsened(
    column: Column, values: pa.Array, codes: npt.NDArray[Any], *, kind: pa.DataType, table: str
) -> tuple[Hierarchy, npt.NDArray[Any], npt.NDArray[Any]]:
    """The hierarchy of a column's values, the leaf of each value, and that of each row."""
    assert column.hierarchy is not None  # the caller has said so
    if pa.types.is_null(values.type):  # no rows, or a column that says nothing
        values = values.cast(pa.string() if pa.types.is_null(kind) else kind)
    missing = bool((codes < 0).any())
    every = pa.concat_arrays([values, pa.nulls(1, values.type)]) if missing else values
    counts = None
    if (
        column.hierarchy.kind == "built"
    ):  # by rows: where persons have several, that weighs those who have more
        counts = np.bincount(codes.astype(np.int64) + 1, minlength=len(values) + 1)
        counts = np.append(counts[1:], counts[:1]) if missing else counts[1:]
    hierarchy = Hierarchy.of(column.hierarchy, every, column=f"{table}.{column.name}", counts=counts)
    leaf = hierarchy.encode(values)
    return hierarchy, leaf, recoded(codes, leaf, missing=len(hierarchy) - 1 if missing else 0)


def _grouped(
    coded: list[npt.NDArray[Any]],
    hierarchies: Mapping[str, Hierarchy],
    secrets: Mapping[str, Secret],
    owners: Owners,
    rows: int,
) -> tuple[Tuples, npt.NDArray[np.int32] | None]:
    """The distinct tuples of the rows' codes, and which is each row's."""
    d = len(hierarchies)
    cardinalities = [len(hierarchy) for hierarchy in hierarchies.values()]
    cardinalities += [int(secret.folded.max(initial=-1)) + 1 for secret in secrets.values()]
    keys, sizes = list(coded), list(cardinalities)
    if owners.of_row is not None:
        keys.append(owners.of_row)
        sizes.append(owners.count)
    words = packed(keys, sizes) or [np.zeros(rows, np.int64)]
    tuple_of_row: npt.NDArray[np.int32] | None = None
    if rows and not mostly_distinct(words):
        tuple_of_row, first = distinct(words)
        weights = np.bincount(tuple_of_row, minlength=len(first))
        coded = [codes[first] for codes in coded]
        units = owners.of_row[first] if owners.of_row is not None else None
    else:
        weights = np.ones(rows, np.int32)
        units = owners.of_row
    del words, keys
    n = len(weights)
    codes = np.empty((n, d), np.uint16 if max(cardinalities[:d], default=0) < 1 << 16 else np.int32)
    for start in range(0, n, _BLOCK):  # a block stays in the cache while its columns are put in
        for j in range(d):
            codes[start : start + _BLOCK, j] = coded[j][start : start + _BLOCK]
    sensitive = np.empty((n, len(secrets)), np.int32)
    for j in range(len(secrets)):
        sensitive[:, j] = coded[d + j]
    tuples = Tuples(
        codes=codes,
        positions=tuple(hierarchy.positions for hierarchy in hierarchies.values()),
        ends=tuple(hierarchy.ends for hierarchy in hierarchies.values()),
        weights=np.ones(n, np.int32) if units is not None else weights.astype(np.int32),
        sensitive=sensitive,
        units=units,
    )
    return tuples, tuple_of_row
