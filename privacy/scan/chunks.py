"""The columns of a table at rest, as the scan reads them: texts as dictionaries, and only numbers that are long enough."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from core.errors import SourceError
from core.parquet import read
from core.proof import TableFile
from privacy.scan.scan import SMALLEST_NUMBER, is_number, is_text


def columns(file: TableFile) -> tuple[str, ...]:
    """The text and number columns that may hold a kind. Numbers that the file's own statistics show to be short stay out.

    Raises SourceError when the file can't be read.
    """
    try:
        with _opened(file, ()) as opened:
            return tuple(
                field.name
                for field in opened.schema_arrow
                if is_text(field.type) or (is_number(field.type) and not _is_short(opened, field.name))
            )
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from None


def chunks(file: TableFile, column: str) -> Iterator[pa.Array]:
    """One column's rows that count, a row group at a time; texts as dictionary arrays. Raises SourceError."""
    try:
        out = read(file.without).column(0).to_numpy() if file.without else None
        start = 0
        # A page of texts lies there with its distinct values already gathered: to unfold and gather them again would cost
        # more than all that is done with them.
        with _opened(file, (column,)) as opened:
            for group in range(opened.num_row_groups):
                rows = opened.read_row_group(group, columns=[column])[column]
                for chunk in rows.chunks:
                    end = start + len(chunk)
                    yield chunk if out is None else chunk.filter(pa.array(_stays(out, start, end)))
                    start = end
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from None


def _stays(out: npt.NDArray[np.int64], start: int, end: int) -> npt.NDArray[np.bool_]:
    stays = np.ones(end - start, np.bool_)
    first, last = np.searchsorted(out, (start, end))
    stays[out[first:last] - start] = False
    return stays


def _opened(file: TableFile, dictionaries: tuple[str, ...]) -> pq.ParquetFile:
    key = pe.create_decryption_properties(footer_key=file.key.reveal()) if file.key else None
    return pq.ParquetFile(file.path, read_dictionary=list(dictionaries), decryption_properties=key)


def _is_short(opened: pq.ParquetFile, name: str) -> bool:
    """Whether the statistics of every row group say that the column's numbers are short."""
    for number in range(opened.num_row_groups):
        group = opened.metadata.row_group(number)
        parts = [group.column(at) for at in range(group.num_columns)]
        known = [part.statistics for part in parts if part.path_in_schema == name]
        if not known or not all(each is not None and each.has_min_max for each in known):
            return False
        if not all(abs(side) < SMALLEST_NUMBER for each in known for side in (each.min, each.max)):
            return False
    return True


def _unreadable(file: TableFile, error: Exception) -> SourceError:
    return SourceError(
        f"Table {file.name} can't be read: {type(error).__name__}.",  # the library's own text may hold a value
        where=file.path.name,
        remedy="Run again; if it stays so, look at the disk.",
    )
