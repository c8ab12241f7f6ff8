"""What the contract has done to a column of facts that go out as rows: the one place that knows which transform does it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.model import Column
from contracts.protection import Transform, Treatment
from core.errors import InternalError
from privacy.facts.coded import Coded
from privacy.facts.pseudonyms import Named
from privacy.subjects.attach import ROW_GROUP_ROWS
from privacy.subjects.encode import Encoder, recoded
from privacy.transforms.coding import clamped, redacted, rounded
from privacy.transforms.dates import shift_days
from privacy.transforms.noise import noised
from privacy.transforms.tokens import Tokens


def treated(column: Column, coded: Coded, unit: Named, *, shift_key: bytes, tokens: Tokens) -> Coded:
    """The column as it goes out. coded: as it came.

    unit: the published pseudonym of each row: days of one pseudonym move alike, and what changes the pseudonym changes the
    move. shift_key: 32 bytes of the contract. Raises what the transforms do.
    """
    values, codes = coded
    told = column.treatment or Treatment()
    encoder = Encoder()
    if column.transform is Transform.KEEP:
        return coded
    if column.transform is Transform.NOISE and told.scale is not None and told.step is not None:
        # A draw for each row: two rows of one value must not move alike, nor may a value's noise be learnt from many.
        for start in range(0, max(1, len(codes)), ROW_GROUP_ROWS):
            encoder.add(noised(_rows(coded, start, start + ROW_GROUP_ROWS), scale=told.scale, step=told.step))
        return encoder.finish()
    if column.transform is Transform.SHIFT and told.days is not None:
        whole = _rows(coded, 0, len(codes))
        encoder.add(shift_days(whole, unit.of_row, unit.names, key=shift_key, days=told.days))
        return encoder.finish()
    if column.transform is Transform.TOKEN and column.name in tokens:
        return _coded(tokens[column.name](values), codes)
    return by_value(column.name, column.transform, told, coded)


def by_value(name: str, transform: Transform, told: Treatment, coded: Coded) -> Coded:
    """The column `name` after a transform that looks at nothing but the value. told: its parameters."""
    values, codes = coded
    if transform is Transform.ROUND and told.step is not None:
        return _coded(rounded(values, told.step), codes)
    if transform is Transform.CLAMP:
        return _coded(clamped(values, told.low, told.high), codes)
    if transform is Transform.REDACT:
        return _coded(redacted(values), codes)
    raise InternalError(
        f"`{name}` lacks what its transform `{transform.value}` needs.",
        remedy="Report this: it's a defect.",
    )


def _coded(made: pa.Array, codes: npt.NDArray[Any]) -> Coded:
    """What was made of the distinct values, some of which may be one now."""
    encoder = Encoder()
    encoder.add(made)
    names, places = encoder.finish()
    return names, recoded(codes, places.astype(np.int64), missing=-1)


def _rows(coded: Coded, start: int, end: int) -> pa.Array:
    values, codes = coded
    here = codes[start:end]
    return values.take(pa.array(here, mask=here < 0))
