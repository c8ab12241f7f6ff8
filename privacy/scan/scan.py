"""Columns to the kinds of personal data that they seem to hold, in one pass and bounded memory.

Texts are taken once each, as far as a bounded memory of them reaches, and a pattern or two over all of them leaves few that
are worth an exact test. Kinds of which a single value counts are looked for in every text; the others, and all in number
columns, in a sample that is large against the share they need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.carried import Kind
from privacy.scan.detector import Detector, Tally
from privacy.scan.detectors import FLOAT, NUMBER, TEXT
from privacy.scan.gate import ANY
from privacy.scan.plain import plain, worth_a_look

# Values of a sample, and exact tests of one kind, in the first chunk; half as many in each that follows, down to an eighth. A
# share of half a percent, the least that a rule asks for, is 20 of the first sample. Of more that match a gate, which have
# a form in common, a part says how many pass.
SAMPLE, CANDIDATES = 4096, 1024
_LEAST_PART = 8
# Distinct texts of a column that are remembered from chunk to chunk, and their bytes; a column with more is hardly a
# repeating one.
REMEMBERED, _REMEMBERED_BYTES = 1 << 15, 1 << 24
# No number below is a mobile, a card or a resident's; `chunks` leaves out columns that end below.
SMALLEST_NUMBER = 10**10
_LARGEST_NUMBER = float(1 << 63)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A column that seems to hold a kind. values: distinct ones that were tested and passed; share: of all distinct (0..1)."""

    column: str
    kind: Kind
    values: int
    share: float


def scan(columns: Iterable[tuple[str, Iterable[pa.Array]]]) -> tuple[Hit, ...]:
    """What columns hold, in their order and that of `Kind`; never a value.

    columns: a name and Arrow arrays, one in memory at a time; a dictionary array is a text column already made distinct. Only texts
    and numbers are looked at.
    """
    return tuple(hit for name, chunks in columns for hit in scan_column(name, chunks))


def scan_column(name: str, chunks: Iterable[pa.Array]) -> tuple[Hit, ...]:
    """What one column holds, in the order of `Kind`."""
    column: _Texts | _Numbers | None = None
    for chunk in chunks:
        if column is None:
            column = (
                _Texts() if is_text(chunk.type) else _Numbers(chunk.type) if is_number(chunk.type) else None
            )
        if column is None:
            return ()
        column.take(chunk)
    if column is None:
        return ()
    found: dict[Kind, Hit] = {}
    for detector, tally in column.tallies:
        if tally.is_hit and detector.kind not in found:
            found[detector.kind] = Hit(
                column=name, kind=detector.kind, values=len(tally.passed), share=tally.share
            )
    return tuple(found[kind] for kind in Kind if kind in found)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds texts."""
    t = pa.types
    inner = kind.value_type if t.is_dictionary(kind) else kind
    return bool(t.is_string(inner) or t.is_large_string(inner) or t.is_string_view(inner))


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type holds numbers."""
    t = pa.types
    return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind))


@dataclass
class _Budget:
    """How many values of a chunk are looked at closely: many of the first, fewer of those that follow."""

    part: int = 1

    def sample(self, values: pa.Array) -> pa.Array:
        return _sample(values, SAMPLE // self.part)

    def candidates(self, values: pa.Array) -> pa.Array:
        return _sample(values, CANDIDATES // self.part)

    def next(self) -> None:
        self.part = min(_LEAST_PART, 2 * self.part)


class _Texts:
    """A text column: tallies, and the texts seen so far."""

    def __init__(self) -> None:
        self._budget = _Budget()
        self.tallies = [(each, Tally(each.text)) for each in TEXT if each.text]
        self._known: pa.Array | None = pa.array([], pa.large_string())

    def take(self, chunk: pa.Array) -> None:
        if self._knows(chunk):
            return
        fresh = self._fresh(_distinct(chunk))
        if not len(fresh):
            return
        worth = worth_a_look(fresh)
        worth = worth.filter(pc.match_substring_regex(worth, ANY))
        some = plain(self._budget.sample(fresh))
        for detector, tally in self.tallies:
            tally.distinct += len(fresh) if detector.everywhere else len(some)
            _test(detector, tally, worth if detector.everywhere else some, self._budget)
        self._budget.next()

    def _knows(self, chunk: pa.Array) -> bool:
        """Whether all that the chunk may hold was seen before: for a dictionary of few texts that's told without its rows."""
        if self._known is None or not pa.types.is_dictionary(chunk.type):
            return False
        texts = chunk.dictionary.drop_null()
        if len(texts) > len(self._known):
            return False
        seen = pc.is_in(texts.cast(self._known.type), value_set=self._known)
        return bool(pc.all(seen, min_count=0).as_py())

    def _fresh(self, texts: pa.Array) -> pa.Array:
        if self._known is None:
            return texts
        fresh = texts.filter(pc.invert(pc.is_in(texts, value_set=self._known))) if len(self._known) else texts
        fits = (
            len(self._known) + len(fresh) <= REMEMBERED
            and self._known.nbytes + fresh.nbytes <= _REMEMBERED_BYTES
        )
        self._known = pa.concat_arrays([self._known, fresh]) if fits else None
        return fresh


class _Numbers:
    """A number column: tallies."""

    def __init__(self, kind: pa.DataType) -> None:
        self._budget = _Budget()
        detectors = FLOAT if pa.types.is_floating(kind) else NUMBER
        self.tallies = [(each, Tally(each.number)) for each in detectors if each.number]

    def take(self, chunk: pa.Array) -> None:
        some = pc.unique(self._budget.sample(chunk.drop_null()))
        long = pa.array(_long_numbers(some.to_pylist()), pa.large_string())
        for detector, tally in self.tallies:
            tally.distinct += len(some)
            _test(detector, tally, long, self._budget)
        self._budget.next()


def _test(detector: Detector, tally: Tally, texts: pa.Array, budget: _Budget) -> None:
    if detector.gate is not None:
        texts = texts.filter(pc.match_substring_regex(texts, detector.gate))
    some = budget.candidates(texts)
    for text in some.to_pylist():
        seen = detector.test(text)
        if seen is not None:
            tally.add(text, seen, len(texts) / len(some))


def _distinct(chunk: pa.Array) -> pa.Array:
    """The distinct texts of a chunk, without null."""
    if pa.types.is_dictionary(chunk.type):
        used = np.zeros(len(chunk.dictionary), np.bool_)
        used[chunk.indices.drop_null().to_numpy()] = True
        texts = chunk.dictionary if used.all() else chunk.dictionary.filter(pa.array(used))
    else:
        texts = pc.unique(chunk.cast(pa.large_string()))
    return texts.cast(pa.large_string()).drop_null()


def _sample(values: pa.Array, most: int) -> pa.Array:
    """At most so many of the values, evenly spread over their order: the same in every run over the same data."""
    if len(values) <= most:
        return values
    return values.take(pa.array(np.arange(most) * len(values) // most))


def _long_numbers(values: Sequence[object]) -> list[str]:
    """Those that are whole and long enough for a number of somebody's, in digits."""
    found = []
    for value in values:
        # A comparison with NaN is false, as it should be.
        if SMALLEST_NUMBER <= abs(value) < _LARGEST_NUMBER * 10 and value == int(value):  # type: ignore[arg-type,call-overload]
            found.append(str(abs(int(value))))  # type: ignore[call-overload]
    return found
