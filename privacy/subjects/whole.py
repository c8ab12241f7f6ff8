"""A release as a whole: classes made anew beside those that go on from an earlier release, rows of the source beside rows that
are published again as they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.errors import InternalError
from core.parquet import read
from privacy.facts.ladders import SEGMENT
from privacy.history.further import Further
from privacy.history.intersection import Live
from privacy.history.memory import About, Earlier, Memory
from privacy.models.rules import Asked
from privacy.search.judge import judged
from privacy.search.tuples import Tuples
from privacy.subjects.attach import Column, class_of_rows
from privacy.subjects.classes import Classes
from privacy.subjects.cube import Cube, in_order
from privacy.subjects.encode import recoded
from privacy.subjects.names import Numbers
from privacy.subjects.naming import Labels
from privacy.subjects.order import Order

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What is published of r rows of the source and e of an earlier release, which count as rows r to r + e - 1.

    classes: all classes; those that go on stand behind the new ones. Who goes on although the source says something else of
    them by now is in none of its tuples, and counts in `persons` all the same. of_row: (r + e,) the class of each row that is
    published, else -1. unit_of_row: (r + e,) person codes, None where each row is somebody's own. segments: names of the
    segments, None without any. again: which of the earlier release's rows, as its memory numbers them, are published again;
    stays: (classes that go on,) their numbers in the earlier release. waiting: persons who are new and too few to be shown
    yet.
    """

    classes: Classes
    of_row: Ints
    unit_of_row: Ints | None
    segments: pa.Array | None
    earlier: Earlier | None
    again: npt.NDArray[np.int64]
    stays: Ints
    waiting: int

    def live(self, cube: Cube) -> Live:
        """The release as a live one: whom it shows, and in which class."""
        names = cube.owners.names if self.unit_of_row is None else self._names(cube)
        units = np.arange(len(self.of_row), dtype=np.int32) if self.unit_of_row is None else self.unit_of_row
        shown = np.flatnonzero(self.of_row >= 0)
        persons, first = np.unique(names[units[shown]], return_index=True)
        return Live(persons, self.of_row[shown][first])

    def close(
        self, cube: Cube, asked: Sequence[Asked], orders: Sequence[Sequence[str]]
    ) -> npt.NDArray[np.bool_]:
        """(classes,) whether each is as close to all that is published as `asked`. orders: see `made_beside`."""
        shown = np.flatnonzero(self.of_row >= 0)
        sensitive = np.full((len(shown), len(cube.secrets)), -1, np.int32)
        for j in sorted({each.column for each in asked}):
            sensitive[:, j] = self._ranks(cube, j, orders[j])[shown]
        units = self.unit_of_row[shown] if self.unit_of_row is not None else None
        tuples = Tuples(
            codes=np.empty((len(shown), 0), np.uint16),
            positions=(),
            weights=np.ones(len(shown), np.int32),
            sensitive=sensitive,
            units=units,
        )
        return judged(tuples, self.of_row[shown], len(self.classes.persons), k=1, asked=asked)

    def persons_in(self, cube: Cube, classes: npt.NDArray[np.bool_]) -> Ints:
        """The persons of the source who are in some of the new classes."""
        rows = np.flatnonzero(self.of_row[: cube.rows] >= 0)
        rows = rows[np.append(classes, np.zeros(len(self.stays), np.bool_))[self.of_row[rows]]]
        return rows.astype(np.int32) if cube.owners.of_row is None else np.unique(cube.owners.of_row[rows])

    def _ranks(self, cube: Cube, j: int, order: Sequence[str]) -> Ints:
        """(r + e,) the rank of each row's value in the sensitive column j, -1 where it's missing."""
        name, secret = list(cube.secrets.items())[j]
        if self.earlier is None:
            return np.asarray(recoded(secret.of_row, secret.folded, missing=-1), np.int32)
        before = self._again(name)
        coded = before.cast(secret.values.type).dictionary_encode()
        ranks = in_order(pa.concat_arrays([secret.values, coded.dictionary]), order)
        ours, theirs = ranks[: len(secret.values)], ranks[len(secret.values) :]
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return np.concatenate(
            [recoded(secret.of_row, ours, missing=-1), recoded(codes, theirs, missing=-1)]
        ).astype(np.int32)

    def segment_of_person(self, cube: Cube) -> pa.Table | None:
        """Every published person's segment, columns `person` (a number of `owners.names`) and `segment`; None without segments."""
        if self.segments is None or self.classes.segments is None:
            return None
        live = self.live(cube)
        return pa.table(
            {
                "person": live.persons,
                SEGMENT: self.segments.take(pa.array(self.classes.segments[live.classes])),
            }
        )

    def memory(self, cube: Cube, order: Order, about: About) -> Memory:
        """What is to be remembered of it. Rows come in the order of the source, those that go on behind them."""
        shown = np.flatnonzero(self.of_row >= 0)
        new = int(np.searchsorted(shown, cube.rows))  # of the source; the others go on
        source = None if new == cube.rows else shown[:new]
        place = np.empty(len(self.of_row), np.int32)
        place[order.rows] = np.arange(len(order.rows), dtype=np.int32)
        before = self.earlier.memory if self.earlier else None
        at = self.again[shown[new:] - cube.rows]

        def both(of_source: Numbers, of_earlier: Numbers | None) -> Numbers:
            return of_source if of_earlier is None else np.concatenate([of_source, of_earlier])

        def by_row(of_persons: Numbers) -> Numbers:
            who: npt.NDArray[Any] | None = cube.owners.of_row
            if source is not None:
                who = source if who is None else who[source]
            return of_persons if who is None else of_persons[who]

        secrets = np.empty((len(cube.secrets), len(shown)), np.int64).T  # a column lies in one piece
        for j in range(len(cube.secrets)):
            secrets[:, j] = both(cube.secret_numbers(j, source), before.secrets[at, j] if before else None)
        labels = self.classes.labels
        everything = len(shown) == len(self.of_row)
        return Memory(
            about=about,
            persons=both(by_row(cube.owners.names), before.persons[at] if before else None),
            content=both(by_row(cube.content()), before.content[at] if before else None),
            classes=self.of_row if everything else self.of_row[shown],
            rows=place if everything else place[shown],
            secrets=secrets,
            labels=tuple(label.names.take(pa.array(label.of_class)) for label in labels),
            losses=np.stack([label.loss for label in labels], axis=1)
            if labels
            else np.empty((len(self.classes.persons), 0)),
            segments=self.segments.take(pa.array(self.classes.segments))
            if self.segments is not None and self.classes.segments is not None
            else None,
        )

    def _names(self, cube: Cube) -> Numbers:
        if self.earlier is None:
            return cube.owners.names
        return np.concatenate([cube.owners.names, np.unique(self.earlier.memory.persons)])

    def beside(self, rows: int, name: str, kind: pa.DataType, give: Column) -> Column:
        """A column over the source's `rows` rows as one over all: of rows that go on it's as the earlier file has it."""
        if self.earlier is None or not len(self.again):
            return give
        return _joined(rows, kind, give, self._again(name))

    def _again(self, name: str) -> pa.Array:
        """(e,) a column of the rows that are published again, as the earlier file has it."""
        assert self.earlier is not None  # the caller has asked
        rows = self.earlier.memory.rows[self.again]
        return _plain(read(self.earlier.file, [name])[name].combine_chunks()).take(pa.array(rows))


def whole_of(
    cube: Cube, made: Classes, names: Callable[[int, int], pa.Array], further: Further | None
) -> Whole:
    """The release of classes `made` anew, and of what goes on. names: gives the names of so many new segments, numbered
    from so many on."""
    of_row = class_of_rows(cube, made)
    count = int(made.segments.max(initial=-1)) + 1 if made.segments is not None else 0
    if further is None or further.earlier is None:
        return Whole(
            classes=made,
            of_row=of_row,
            unit_of_row=cube.owners.of_row,
            segments=names(count, 0) if made.segments is not None else None,
            earlier=None,
            again=np.empty(0, np.int64),
            stays=np.empty(0, np.int32),
            waiting=0,
        )
    if cube.owners.of_row is None or cube.tuples.units is None:
        raise InternalError("Beside earlier releases each row says whose it is.")
    before, again = further.earlier.memory, np.flatnonzero(further.goes_on)
    stay = np.unique(before.classes[again])
    place = np.full(int(before.classes.max(initial=-1)) + 2, -1, np.int32)  # the last place is for -1
    place[stay] = len(made.persons) + np.arange(len(stay), dtype=np.int32)
    stands = place[further.stands]
    known = np.unique(before.persons)
    unit = np.searchsorted(known, before.persons[again])
    persons = np.bincount(
        place[before.classes[again]][np.unique(unit, return_index=True)[1]],
        minlength=len(made.persons) + len(stay),
    )[len(made.persons) :]
    segments: pa.Array | None = None
    of_class = made.segments
    if made.segments is not None and before.segments is not None:
        old = before.segments.take(pa.array(stay)).dictionary_encode()
        last = max((int(name[1:]) for name in before.segments.to_pylist()), default=0)
        segments = pa.concat_arrays([names(count, last), old.dictionary])
        of_class = np.concatenate([made.segments, old.indices.to_numpy().astype(np.int32) + np.int32(count)])
    as_before = np.where(further.as_before, stands, -1).astype(np.int32)[cube.tuples.units]
    shown_anew = made.of_tuple >= 0
    shown = np.zeros(cube.owners.count, np.bool_)
    shown[cube.tuples.units[shown_anew]] = True
    lost = int((~shown & (stands < 0)).sum())
    classes = replace(
        made,
        of_tuple=np.where(shown_anew, made.of_tuple, as_before).astype(np.int32),
        labels=tuple(
            _both_labels(label, before.labels[j], before.losses[:, j], stay)
            for j, label in enumerate(made.labels)
        ),
        segments=of_class,
        persons=np.concatenate([made.persons, persons]).astype(np.int64),
        lost=lost,
    )
    return Whole(
        classes=classes,
        of_row=np.concatenate([of_row, place[before.classes[again]]]).astype(np.int32),
        unit_of_row=np.concatenate([cube.owners.of_row, cube.owners.count + unit]).astype(np.int32),
        segments=segments,
        earlier=further.earlier,
        again=again,
        stays=stay.astype(np.int32),
        waiting=lost,
    )


def _both_labels(
    new: Labels, old: pa.Array, loss: npt.NDArray[np.float64], stay: Sequence[int] | Any
) -> Labels:
    """The labels of new classes, then of those old ones that stay."""
    names = pa.concat_arrays(
        [new.names.take(pa.array(new.of_class)), old.take(pa.array(stay)).cast(new.names.type)]
    )
    coded = names.dictionary_encode()
    return Labels(
        names=coded.dictionary,
        of_class=coded.indices.to_numpy().astype(np.int32),
        loss=np.concatenate([new.loss, loss[stay]]),
    )


def _joined(rows: int, kind: pa.DataType, give: Column, before: pa.Array) -> Column:
    coded = pa.types.is_dictionary(kind)
    before = before.cast(kind.value_type if coded else kind)

    def given(at: npt.NDArray[np.int32], start: int, end: int) -> pa.Array:
        new = at < rows
        if new.all():
            return give(at, start, end)
        theirs = before.take(pa.array(at[~new] - rows))
        ours = _plain(give(at[new], start, end)).cast(theirs.type) if new.any() else theirs.slice(0, 0)
        place = np.empty(len(at), np.int64)
        place[new], place[~new] = np.arange(len(ours)), len(ours) + np.arange(len(theirs))
        whole = pa.concat_arrays([ours, theirs]).take(pa.array(place))
        return whole.dictionary_encode() if coded else whole

    return given


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
