"""A subject table made safe: classes of at least k persons with l distinct sensitive values, and segments above them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from contracts.model import Column, Contract, PrivacyTerms, Role, Table, Transform
from core.errors import PrivacyError
from core.keys import ContractKeys
from privacy.cells import SEGMENT
from privacy.cube import Cube, build_cube, distinct_rows, folded
from privacy.kernel import partition
from privacy.pseudonym import pseudonymize

NO_PROFILE = "no-profile"  # the segment of persons whom the subject table doesn't hold


@dataclass(frozen=True, kw_only=True)
class SafeSubjects:
    """A generalised subject table and what is known of it.

    published: the safe rows. unit_of_row: whose each published row is, for the measures only. segments: (person's key,
    segment) for every person published, columns `unit` and `segment`. suppressed_units, suppressed_rows: left out.
    """

    published: pa.Table
    unit_of_row: npt.NDArray[np.int32]
    segments: pa.Table
    suppressed_units: int
    suppressed_rows: int
    ncp: float
    ncp_by_column: Mapping[str, float]


def generalize(
    table: pa.Table,
    contract: Contract,
    plan: Table,
    keys: ContractKeys,
    *,
    segment_min_units: int | None,
    source_digest: str,
) -> SafeSubjects:
    """The subject table `plan` of the contract with its quasi-identifiers coarsened and its identifiers replaced.

    table: the validated rows, of the source that `source_digest` names. segment_min_units: fewest persons of a segment, or None when no facts need segments.
    Raises PrivacyError when the limits can't be met within the suppression limit.
    """
    terms = _terms(contract)
    quasi = [
        column for column in plan.with_role(Role.QUASI_IDENTIFIER) if column.transform is Transform.GENERALIZE
    ]
    sensitive = [
        column for column in plan.with_role(Role.SENSITIVE) if column.transform is not Transform.DROP
    ]
    rows = table.num_rows
    cube = build_cube(table, name=plan.name, unit=terms.unit, quasi_identifiers=quasi, sensitive=sensitive)
    units = cube.units
    apart = _far_apart(cube, most=int(terms.max_suppressed * units))
    if apart.any():
        table = table.filter(pa.array(~apart[cube.unit_of_row]))
        cube = build_cube(
            table, name=plan.name, unit=terms.unit, quasi_identifiers=quasi, sensitive=sensitive
        )
    segment = np.zeros(len(cube.tuples.weights), np.int32)
    if segment_min_units is not None:
        segment = partition(cube.tuples, k=max(terms.k, segment_min_units), l_distinct=terms.l)
    part = partition(cube.tuples, k=terms.k, l_distinct=terms.l, within=segment)
    keep = _safe_parts(cube, part, terms)[part][cube.tuple_of_row]
    lost_units = units - len(np.unique(cube.unit_of_row[keep]))
    if rows and lost_units > terms.max_suppressed * units:
        raise _cannot(contract, plan, cube, lost=lost_units, units=units)
    class_of_row = part[cube.tuple_of_row]
    order = shuffled(class_of_row, keep, keys.derive("order", plan.name, source_digest))
    segment_names = pa.array([f"S{number + 1:02d}" for number in range(int(segment.max(initial=0)) + 1)])
    segment_of_row = segment_names.take(pa.array(segment[cube.tuple_of_row]))
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    low, high = _corners(cube.tuples.codes, part)
    losses: dict[str, float] = {}
    part_of_row = class_of_row[order]
    for column in plan.columns:
        if column.transform is Transform.PSEUDONYM:
            columns[column.name] = pseudonymize(
                table[column.name], pseudonym_key(keys, contract, column)
            ).take(order)
        elif column.transform is Transform.GENERALIZE:
            j = list(cube.hierarchies).index(column.name)
            hierarchy = cube.hierarchies[column.name]
            labels = hierarchy.labels(low[:, j].tolist(), high[:, j].tolist())
            columns[column.name] = labels.take(pa.array(part_of_row)).cast(pa.string())
            loss = hierarchy.loss(low[:, j].tolist(), high[:, j].tolist())[part_of_row]
            losses[column.name] = float(loss.mean()) if len(loss) else 0.0
        elif column.transform is Transform.KEEP:
            columns[column.name] = table[column.name].take(order)
    if segment_min_units is not None:
        if SEGMENT in columns:
            raise PrivacyError(
                f"`{plan.name}` has a column `{SEGMENT}` of its own.",
                remedy="Rename it: releases use that name.",
            )
        columns[SEGMENT] = segment_of_row.take(order)
    return SafeSubjects(
        published=pa.table(columns),
        unit_of_row=cube.unit_of_row[order],
        segments=pa.table(
            {"unit": folded(table[terms.unit]).take(order), SEGMENT: segment_of_row.take(order)}
        )
        .group_by("unit")
        .aggregate([(SEGMENT, "min")])
        .rename_columns(["unit", SEGMENT]),
        suppressed_units=lost_units,
        suppressed_rows=rows - len(order),
        ncp=float(np.mean(list(losses.values()))) if losses else 0.0,
        ncp_by_column=losses,
    )


def pseudonym_key(keys: ContractKeys, contract: Contract, column: Column) -> bytes:
    """The key of one column's pseudonyms: another one for each contract, recipient and column name."""
    return keys.derive("pseudonym", contract.recipient, column.name)


def _terms(contract: Contract) -> PrivacyTerms:
    if contract.privacy is None:
        raise PrivacyError(
            f"Contract {contract.id} has rows of persons and no privacy terms.", remedy="Add sluicePrivacy."
        )
    return contract.privacy


_FAR = 0.5  # of the whole span, on the mean over the quasi-identifiers


def _far_apart(cube: Cube, *, most: int) -> npt.NDArray[np.bool_]:
    """The persons to leave out for the others' sake, (units,): those whose rows lie farthest apart, at most `most`.

    All rows of a person stay in one class, so a person with rows at both ends of everything makes one class of all. Persons
    of the same span are left out together or not at all: nothing depends on the order of rows.
    """
    tuples = cube.tuples
    apart = np.zeros(cube.units, np.bool_)
    if tuples.units is None or most == 0 or not tuples.positions:
        return apart
    span = np.zeros(cube.units)
    for j, places in enumerate(tuples.positions):
        low, high = np.full(cube.units, 1.0), np.zeros(cube.units)
        np.minimum.at(low, tuples.units, places[tuples.codes[:, j]])
        np.maximum.at(high, tuples.units, places[tuples.codes[:, j]])
        span += (high - low) / len(tuples.positions)
    far = np.sort(span[span >= _FAR])[::-1]
    if len(far) > most:
        far = far[far > far[most]]
    apart[:] = span >= far[-1] if len(far) else False
    return apart


def _safe_parts(cube: Cube, part: npt.NDArray[np.int32], terms: PrivacyTerms) -> npt.NDArray[np.bool_]:
    """Whether each part keeps both limits; counted anew, not taken from the kernel's word."""
    count = int(part.max(initial=-1)) + 1
    tuples = cube.tuples
    if tuples.units is None:
        persons = np.bincount(part, weights=tuples.weights, minlength=count)
    else:
        persons = _distinct(part, tuples.units, count)
    safe = persons >= terms.k
    for j in range(tuples.sensitive.shape[1]):
        known = tuples.sensitive[:, j] >= 0
        safe &= _distinct(part[known], tuples.sensitive[known, j], count) >= terms.l
        if tuples.units is not None and terms.l > 1:
            safe &= (
                persons - _most_shared(part[known], tuples.sensitive[known, j], tuples.units[known], count)
                >= terms.l - 1
            )
    return np.asarray(safe, np.bool_)


def _distinct(part: npt.NDArray[np.int32], codes: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
    """Distinct codes in each part, (count,)."""
    pairs, _, _ = distinct_rows(np.stack([part, codes], axis=1))
    return np.bincount(pairs[:, 0], minlength=count).astype(np.int64)


def _most_shared(
    part: npt.NDArray[np.int32], values: npt.NDArray[np.int32], units: npt.NDArray[np.int32], count: int
) -> npt.NDArray[np.int64]:
    """How many persons of each part share its commonest value, (count,)."""
    most = np.zeros(count, np.int64)
    having, _, _ = distinct_rows(np.stack([part, values, units], axis=1))
    pairs, _, persons = distinct_rows(having[:, :2])
    np.maximum.at(most, pairs[:, 0], persons)
    return most


def _corners(
    codes: npt.NDArray[np.int32], part: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Lowest and highest code of each part in each dimension, two (parts, d) arrays."""
    count = int(part.max(initial=-1)) + 1
    low = np.full((count, codes.shape[1]), np.iinfo(np.int32).max, np.int32)
    high = np.zeros((count, codes.shape[1]), np.int32)
    np.minimum.at(low, part, codes)
    np.maximum.at(high, part, codes)
    return low, high


def shuffled(
    class_of_row: npt.NDArray[np.int32], keep: npt.NDArray[np.bool_], key: bytes
) -> npt.NDArray[np.int64]:
    """Kept rows by class, and within a class in an order that only the key knows: the source's order would tell.

    key: 32 bytes, of one table of one source; with a lasting key a row would keep its place from release to release.
    """
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    noise = np.frombuffer(stream.update(bytes(8 * len(class_of_row))), np.uint64)
    order = np.lexsort((noise, class_of_row))
    return np.asarray(order[keep[order]], np.int64)


def _cannot(contract: Contract, plan: Table, cube: Cube, *, lost: int, units: int) -> PrivacyError:
    terms = _terms(contract)
    names = ", ".join(cube.hierarchies) or "none"
    return PrivacyError(
        f"Release refused: contract {contract.id} {contract.version} asks for k {terms.k} and l {terms.l} over "
        f"`{terms.unit}` in `{plan.name}` (quasi-identifiers: {names}); {lost} of {units} would have to be left out, "
        f"and the limit is {terms.max_suppressed:.2%}.",
        remedy="Ask for a larger table, lower k or l, or raise maxSuppressed.",
        k=terms.k,
        l=terms.l,
        suppressed_units=lost,
        units=units,
    )
