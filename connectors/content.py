"""What names a table's rows: the same rows give the same digest, however the source cut them and whoever encrypts them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

BLOCK_ROWS = 1 << 16


class ContentDigest:
    """SHA-256 over a table's columns and rows, fed block by block (see `blocks`).

    A column enters as the Arrow IPC form of its values without the missing ones, whose bytes nobody defines, and where it
    misses any, of a bitmap that says which. Source: Arrow's columnar format, IPC record batch.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._hash = hashlib.sha256(schema.remove_metadata().serialize())

    def add(self, block: pa.Table) -> None:
        """Takes the next block: BLOCK_ROWS rows, fewer only in the last."""
        for column in block.columns:
            values = column.combine_chunks()
            if column.null_count:
                self._hash.update(b"missing")  # else a column of truth values might stand here itself
                self._feed(pc.is_valid(values))
                values = values.drop_null()
            self._feed(values)

    def hex(self) -> str:
        """The digest so far, hex."""
        return self._hash.hexdigest()

    def _feed(self, values: pa.Array | pa.ChunkedArray) -> None:
        for chunk in values.chunks if isinstance(values, pa.ChunkedArray) else (values,):
            self._hash.update(pa.record_batch([chunk], ["c"]).serialize())


def blocks(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of BLOCK_ROWS, the last one shorter."""
    waiting: list[pa.Table] = []
    count = 0
    for part in parts:
        waiting.append(part)
        count += part.num_rows
        if count >= BLOCK_ROWS:
            rows = pa.concat_tables(waiting)
            whole = count - count % BLOCK_ROWS
            for start in range(0, whole, BLOCK_ROWS):
                yield rows.slice(start, BLOCK_ROWS)
            waiting, count = [rows.slice(whole)], count - whole
    if count:
        yield pa.concat_tables(waiting)
