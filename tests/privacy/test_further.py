"""Releases over time and beside each other, attacked on the published files: a reader keeps all of them and compares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.model import Contract, LogicalType, Role, Table, TableKind
from contracts.protection import HierarchySpec, PrivacyTerms, Search, Transform, Treatment
from core.digest import file_digest, sha256_hex
from core.errors import IntegrityError, PrivacyError
from core.keys import FileKey, KeyStore
from core.parquet import read, writer
from core.proof import TableFile, Window, set_digest
from pipeline.validation.validate import validated_from
from privacy.anonymize import anonymize
from privacy.history.memory import Earlier, History, read_memory
from privacy.safe import Anonymized
from privacy.subjects.names import numbers
from tests.agreement import agreement
from tests.privacy.test_anonymize import column
from tests.staged import table_file

K, L = 3, 2
Person = tuple[int, int, str]  # age, area, illness

PEOPLE = Table(
    name="people",
    physical_name="people",
    kind=TableKind.SUBJECTS,
    columns=(
        column("person", Role.IDENTIFIER, Transform.PSEUDONYM, LogicalType.STRING),
        column("age", Role.QUASI_IDENTIFIER, Transform.GENERALIZE),
        column("area", Role.QUASI_IDENTIFIER, Transform.GENERALIZE),
        column("illness", Role.SENSITIVE, Transform.KEEP, LogicalType.STRING),
    ),
)


def terms(**given: object) -> PrivacyTerms:
    return PrivacyTerms(**({"unit": "person", "k": K, "l": L} | given))


@dataclass
class Hall:
    """Publishes tables of persons, one release after another, of any contract."""

    folder: Path
    names: bytes = bytes(range(16))
    files: FileKey = field(default_factory=FileKey.fresh)
    live: list[Earlier] = field(default_factory=list)

    def publish(self, people: Mapping[str, Person], contract: Contract, *, rows: int = 1) -> Anonymized:
        """rows: of each person, in one area after another."""
        number = len(self.live)
        path = self.folder / f"raw-{number}.parquet"
        pq.write_table(pa.concat_tables([as_table(people, along=at) for at in range(rows)]), path)
        files = {"people": table_file("people", path, rows=rows * len(people))}
        validated = validated_from(
            contract_id=contract.id,
            contract_digest=contract.digest,
            window=Window(),
            source_digest=sha256_hex(f"{contract.id} {number} {sorted(people.items())}".encode()),
            tables=files,
            quarantined={},
        )
        assert set_digest(files)
        out = self.folder / f"out-{number}"
        history = History(names=self.names, files=self.files, live=tuple(self.live))
        safe = anonymize(
            validated,
            contract,
            KeyStore(self.folder / "keys").contract_keys(contract.id),
            out=out,
            history=history,
        )
        digests = {name: digest for name, (_, digest) in safe.memory.items()}
        memory = read_memory(out / "memory", self.files, digests)
        self.live.append(Earlier(release=f"r{number}", memory=memory, file=safe.tables["people"]))
        return safe

    def rows(self, number: int) -> list[dict[str, object]]:
        return pq.read_table(self.live[number].file.path).to_pylist()


def as_table(people: Mapping[str, Person], *, along: int = 0) -> pa.Table:
    rows = list(people.items())
    return pa.table(
        {
            "person": pa.array([name for name, _ in rows], pa.string()),
            "age": pa.array([said[0] for _, said in rows], pa.int64()),
            "area": pa.array([said[1] + along for _, said in rows], pa.int64()),
            "illness": pa.array([said[2] for _, said in rows], pa.string()),
        }
    )


def agreed(name: str = "care-2026", table: Table = PEOPLE, **given: object) -> Contract:
    return agreement(table, id=name, recipient=name, privacy=terms(**given))


def crowd(count: int, seed: int, first: int = 0) -> dict[str, Person]:
    rng = np.random.default_rng(seed)
    return {
        f"p{number}": (
            int(rng.integers(20, 80)),
            int(rng.integers(0, 6)),
            str(rng.choice(["flu", "gout", "none"])),
        )
        for number in range(first, first + count)
    }


def small(rows: list[dict[str, object]]) -> bool:
    """Whether some rows tell more than a class may."""
    return bool(rows) and (
        len({row["person"] for row in rows}) < K or len({row["illness"] for row in rows}) < L
    )


def by_label(rows: list[dict[str, object]]) -> dict[tuple[object, object], dict[object, dict[str, object]]]:
    classes: dict[tuple[object, object], dict[object, dict[str, object]]] = {}
    for row in rows:
        classes.setdefault((row["age"], row["area"]), {})[row["person"]] = row
    return classes


def differences(
    early: list[dict[str, object]], late: list[dict[str, object]]
) -> Iterator[list[dict[str, object]]]:
    """Every set of rows that two versions, or the change feed between them, show by themselves."""
    then, now = by_label(early), by_label(late)
    where_then = {row["person"]: label for label, rows in then.items() for row in rows.values()}
    for label in then.keys() | now.keys():
        old, new = then.get(label, {}), now.get(label, {})
        yield [row for name, row in old.items() if name not in new]
        yield [row for name, row in new.items() if name not in old]
        for source in {where_then.get(name) for name in new}:
            if source != label:
                yield [row for name, row in new.items() if where_then.get(name) == source]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_no_two_versions_differ_by_fewer_than_k(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, seed: int
) -> None:
    hall = Hall(tmp_path_factory.mktemp("hall"))
    rng = np.random.default_rng(seed)
    people = crowd(data.draw(st.integers(8, 60)), seed)
    first = 1000
    gone: dict[str, Person] = {}
    for _ in range(3):
        hall.publish(people, agreed())
        leave = data.draw(st.sampled_from([0.02, 0.3]))
        left = {name for name in people if rng.random() < leave}
        back = {name: said for name, said in gone.items() if rng.random() < 0.5}
        gone |= {name: people[name] for name in left}
        people = {name: said for name, said in people.items() if name not in left} | back
        for name in list(people):
            if rng.random() < data.draw(st.sampled_from([0.0, 0.02, 0.4])):
                people[name] = crowd(1, int(rng.integers(2**31)))["p0"]
        newcomers = crowd(data.draw(st.integers(0, 8)), int(rng.integers(2**31)), first)
        first += len(newcomers)
        people |= newcomers
    try:
        hall.publish(people, agreed())
    except PrivacyError as refused:
        pytest.fail(f"a further release is narrower, never refused: {refused}")
    for early, late in combinations(range(len(hall.live)), 2):
        for rows in differences(hall.rows(early), hall.rows(late)):
            assert not small(rows), (early, late, rows)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("lone", [False, True])
def test_a_memory_says_of_each_row_whose_it_is(tmp_path: Path, rows: int, lone: bool) -> None:
    """Also where somebody is left out, and where persons have several rows."""
    hall = Hall(tmp_path)
    people = {f"p{number}": (20 + number // 6, 1, ("flu", "gout")[number % 2]) for number in range(30)}
    if lone:
        people["alone"] = (200, 90, "rage")
    search = Search.FULL_DOMAIN if lone else Search.MULTIDIMENSIONAL
    hall.publish(people, agreed(search=search, max_suppressed=0.1), rows=rows)
    memory, file = hall.live[-1].memory, hall.rows(-1)
    assert sorted(memory.rows.tolist()) == list(range(len(file))) == list(range(30 * rows))
    pairs: dict[str, set[tuple[object, object]]] = {"person": set(), "illness": set(), "label": set()}
    contents: dict[object, set[int]] = {}
    for at, row in enumerate(memory.rows.tolist()):
        told = file[row]
        pairs["person"].add((int(memory.persons[at]), told["person"]))
        pairs["illness"].add((int(memory.secrets[at, 0]), told["illness"]))
        pairs["label"].add((int(memory.classes[at]), (told["age"], told["area"])))
        contents.setdefault(told["person"], set()).add(int(memory.content[at]))
    for kind, found in pairs.items():
        assert len(found) == len({number for number, _ in found}), kind
    assert len(pairs["person"]) == len({name for _, name in pairs["person"]}) == 30
    assert {len(each) for each in contents.values()} == {1}
    # The same number for those of whom the source says the same, and for nobody else.
    numbered = dict(zip(numbers(pa.array(list(people)), hall.names).tolist(), people.values(), strict=True))
    said_of = {(int(c), numbered[int(p)]) for c, p in zip(memory.content, memory.persons, strict=True)}
    assert len(said_of) == len({c for c, _ in said_of}) == len({said for _, said in said_of}) == 10
    if not lone:
        said = dict(people, p3=(64, 1, "gout"))
        hall.publish(said, agreed(search=search, max_suppressed=0.1), rows=rows)
        again = hall.live[-1].memory
        now = {
            hall.rows(-1)[row]["person"]: int(again.content[at]) for at, row in enumerate(again.rows.tolist())
        }
        assert now == {
            name: number for name, (number,) in contents.items()
        }  # who changed alone goes on as before


def test_a_memory_of_the_first_form_is_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    people = crowd(40, 3)
    safe = hall.publish(people, agreed())
    earlier = hall.live[0]
    folder = safe.tables["people"].path.parent / "memory"
    digests = {}
    for path in sorted(folder.iterdir()):
        file = TableFile(name=path.stem, path=path, rows=0, size_bytes=0, sha256="", key=hall.files)
        table = read(file)
        about = json.loads(table.schema.metadata[b"sluice.memory"]) | {"version": 1}
        if "row" in table.column_names:
            table = table.take(pa.array(np.argsort(earlier.memory.rows))).drop_columns(["row"])
        fields = table.schema.with_metadata({b"sluice.memory": json.dumps(about).encode()})
        with writer(path, fields, hall.files) as sink:
            sink.write(table.cast(fields))
        digests[path.name] = file_digest(path)
    hall.live[0] = replace(earlier, memory=read_memory(folder, hall.files, digests))
    assert hall.live[0].memory.rows.tolist() == list(range(len(hall.rows(0))))
    report = hall.publish(people, agreed()).report
    assert report["beside"]["again"] == 40  # type: ignore[index]
    assert sorted(map(str, hall.rows(0))) == sorted(map(str, hall.rows(1)))


def test_one_newcomer_waits_and_one_leaver_stays(tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    people = crowd(30, 1)
    hall.publish(people, agreed())
    left, came = dict(people), {"p900": (33, 2, "gout")}
    del left["p7"]
    report = hall.publish(left | came, agreed()).report
    assert [(r["person"], r["age"], r["area"], r["illness"]) for r in sorted(hall.rows(0), key=str)] == [
        (r["person"], r["age"], r["area"], r["illness"]) for r in sorted(hall.rows(1), key=str)
    ]
    assert report["beside"] == {
        "live": 1,
        "persons": 30,
        "exposed": 0,
        "smallest": report["beside"]["smallest"],  # type: ignore[index]
        "k": K,
        "again": 30,
        "held": 0,  # one of each: fewer than k
        "waiting": 0,
    }


def test_newcomers_are_shown_once_they_are_a_class(tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    people = crowd(30, 1)
    hall.publish(people, agreed())
    many = crowd(9, 5, 900)
    hall.publish(people | many, agreed())
    old = {row["person"] for row in hall.rows(0)}
    new = [row for row in hall.rows(1) if row["person"] not in old]
    assert len(new) == 9
    assert len(hall.rows(1)) == 39


def test_who_is_still_there_is_published_byte_by_byte_as_before(tmp_path: Path) -> None:
    """Noise drawn anew each time would be averaged away, and classes cut anew intersected."""
    noisy = replace(
        PEOPLE,
        columns=(
            *PEOPLE.columns,
            replace(
                column("cost", Role.SENSITIVE, Transform.NOISE),
                treatment=Treatment(scale=Decimal(100), step=Decimal(1)),
            ),
        ),
    )
    hall = Hall(tmp_path)

    def with_costs(people: Mapping[str, Person]) -> pa.Table:
        return as_table(people).append_column("cost", pa.array([1000 + 10 * i for i in range(len(people))]))

    contract = agreed(table=noisy)
    people = crowd(40, 3)
    for extra in ({}, crowd(9, 4, 900)):
        number = len(hall.live)
        pq.write_table(with_costs(people | extra), tmp_path / "raw.parquet")
        validated = validated_from(
            contract_id=contract.id,
            contract_digest=contract.digest,
            window=Window(),
            source_digest=sha256_hex(str(number).encode()),
            tables={"people": table_file("people", tmp_path / "raw.parquet", rows=len(people | extra))},
            quarantined={},
        )
        out = tmp_path / f"out-{number}"
        history = History(names=hall.names, files=hall.files, live=tuple(hall.live))
        keys = KeyStore(tmp_path / "keys").contract_keys(contract.id)
        safe = anonymize(validated, contract, keys, out=out, history=history)
        digests = {name: digest for name, (_, digest) in safe.memory.items()}
        memory = read_memory(out / "memory", hall.files, digests)
        hall.live.append(Earlier(release=f"r{number}", memory=memory, file=safe.tables["people"]))
    before = {row["person"]: row for row in hall.rows(0)}
    after = {row["person"]: row for row in hall.rows(1)}
    assert all(after[person] == row for person, row in before.items())
    assert len(after) == 49


COARSE = replace(
    PEOPLE,
    columns=tuple(
        replace(each, hierarchy=HierarchySpec(kind="intervals", widths=(Decimal(7), Decimal(21))))
        if each.name == "age"
        else each
        for each in PEOPLE.columns
        if each.name != "area"
    ),
)


def candidates(hall: Hall) -> dict[int, int]:
    """The attack of Ganta and others: whoever knows in which classes a person is, intersects them over all releases."""
    where: dict[int, list[int]] = {}
    for number, each in enumerate(hall.live):
        for person, number_of_class in zip(
            each.memory.persons.tolist(), each.memory.classes.tolist(), strict=True
        ):
            where.setdefault(person, [-1] * len(hall.live))[number] = number_of_class
    sizes: dict[tuple[int, ...], int] = {}
    for classes in where.values():
        sizes[tuple(classes)] = sizes.get(tuple(classes), 0) + 1
    return {person: sizes[tuple(classes)] for person, classes in where.items()}


def test_two_contracts_with_different_hierarchies_leave_k_candidates(tmp_path: Path) -> None:
    people = crowd(80, 9)
    alone = Hall(tmp_path / "alone")
    for folder in ("alone", "hall"):
        (tmp_path / folder).mkdir()
    alone.publish(people, agreed())
    first = list(alone.live)
    alone.live = []
    alone.folder = tmp_path / "hall"
    alone.publish(people, agreed("other-2026", COARSE))
    alone.live = [*first, *alone.live]
    assert min(candidates(alone).values()) < K, "the attack works on releases that don't know of each other"

    together = Hall(tmp_path / "hall")
    together.live = first
    report = together.publish(people, agreed("other-2026", COARSE)).report
    assert min(candidates(together).values()) >= K
    assert report["beside"]["exposed"] == 0  # type: ignore[index]
    assert report["beside"]["live"] == 1  # type: ignore[index]


def test_what_a_contract_bears_buys_detail_and_no_more(tmp_path: Path) -> None:
    people = crowd(80, 9)
    for name in ("none", "all"):
        (tmp_path / name).mkdir()
    losses = {}
    for name, share in (("none", 0.0), ("all", 1.0)):
        hall = Hall(tmp_path / name)
        hall.publish(people, agreed())
        report = hall.publish(people, agreed("other-2026", COARSE, max_intersected=share)).report
        losses[name] = report["subjects"]["ncp"]  # type: ignore[index]
        exposed = sum(size < K for size in candidates(hall).values())
        assert report["beside"]["exposed"] == exposed  # type: ignore[index]
        assert exposed <= share * len(people)
    assert losses["all"] < losses["none"]


def test_a_full_domain_search_beside_another_release_is_refused(tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    hall.publish(crowd(40, 2), agreed())
    with pytest.raises(PrivacyError, match="full-domain") as caught:
        hall.publish(crowd(40, 2), agreed("other-2026", COARSE, search=Search.FULL_DOMAIN))
    assert "search" in caught.value.remedy


def test_a_source_with_some_of_a_class_shows_none_of_them(tmp_path: Path) -> None:
    """The other contract's source lacks one person of each class: those who are left would be told from that one."""
    hall = Hall(tmp_path)
    people = crowd(12, 2)
    hall.publish(people, agreed())
    by_class: dict[int, list[int]] = {}
    for person, number in zip(
        hall.live[0].memory.persons.tolist(), hall.live[0].memory.classes.tolist(), strict=True
    ):
        by_class.setdefault(number, []).append(person)
    fewer = dict(list(people.items())[:-1])
    with pytest.raises(PrivacyError, match="would have to be left out"):
        hall.publish(fewer, agreed("other-2026", COARSE))
    hall.publish(fewer, agreed("other-2026", COARSE, max_suppressed=0.9))
    assert min(candidates(hall).values()) >= K


def test_what_is_remembered_holds_no_value_and_opens_only_whole(tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    people = {**crowd(30, 1), "a very rare name": (55, 3, "an unheard-of illness")}
    with pytest.raises(PrivacyError):
        hall.publish({"p1": (30, 1, "flu")}, agreed())
    safe = hall.publish(people, agreed())
    folder = tmp_path / "out-0" / "memory"
    for path in folder.iterdir():
        data = path.read_bytes()
        assert data[:4] == b"PARE", "the footer is encrypted as well"
        assert b"rare name" not in data
        assert path.stat().st_mode & 0o077 == 0
    digests = {name: digest for name, (_, digest) in safe.memory.items()}
    with pytest.raises(IntegrityError):
        read_memory(folder, FileKey.fresh(), digests)
    changed = folder / "rows.parquet"
    changed.write_bytes(changed.read_bytes()[:-9] + b"x" * 9)
    with pytest.raises(IntegrityError):
        read_memory(folder, hall.files, digests)


def test_a_class_that_is_no_longer_like_everyone_is_retired(tmp_path: Path) -> None:
    """Closeness is to everyone published, and everyone changes: forty newcomers who are all but well move the whole."""
    hall = Hall(tmp_path)
    contract = agreed(t=0.35)
    people = crowd(60, 1)
    hall.publish(people, contract)
    ill = {
        name: (age, area, "gout" if i % 5 else "flu")
        for i, (name, (age, area, _)) in enumerate(crowd(60, 7, 900).items())
    }
    report = hall.publish(people | ill, contract).report
    rows = hall.rows(1)
    everyone = share_of(rows)
    for members in by_label(rows).values():
        shares = share_of(list(members.values()))
        assert sum(abs(everyone[v] - shares.get(v, 0)) for v in everyone) / 2 <= 0.35 + 1e-9
    before, after = ({row["person"]: row for row in hall.rows(number)} for number in (0, 1))
    assert 0 < sum(after.get(person) != row for person, row in before.items()) < 60
    assert report["beside"]["exposed"] == 0
    for rows in differences(hall.rows(0), hall.rows(1)):
        assert not small(rows)


def share_of(rows: list[dict[str, object]]) -> dict[object, float]:
    values = [row["illness"] for row in rows]
    return {value: values.count(value) / len(values) for value in set(values)}
