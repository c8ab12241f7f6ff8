"""Persons who took their consent back: left out however their ids are spelt, and nothing moves without a whole list."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import exclusion
from connectors.base import receive
from contracts.declared import Compliance, Exclusions
from contracts.model import Column, Contract, LogicalType, Role, Source, Table, TableKind
from contracts.protection import PrivacyTerms, Transform
from core.errors import ContractError, SourceError
from core.proof import Window
from tests.agreement import agreement
from tests.connectors.test_base import Memory

TEXT = pa.table({"who": ["007", "A-1", "7x", None, "99", "007"], "n": range(6)})
NUMBERS = pa.table({"who": pa.array([7, 8, None, 9, 2**53 + 1], pa.int64()), "n": range(5)})


class Shop:
    """A contract about persons with a list of exclusions, and what comes of its source."""

    def __init__(self, folder: Path, kind: str, data: pa.Table) -> None:
        self.folder, self.kind, self.data = folder, kind, data
        self.listed: Exclusions | None = Exclusions(path="out.csv", column="who")

    def contract(self, **about: Any) -> Contract:
        unit = Column(
            name="who",
            type=LogicalType(self.kind),
            role=Role.IDENTIFIER,
            transform=Transform.DROP,
            physical_name="Who",
        )
        n = Column(name="n", type=LogicalType.INTEGER, role=Role.ATTRIBUTE, transform=Transform.KEEP)
        tables = tuple(
            Table(
                name=kind.value,
                physical_name=kind.value,
                kind=kind,
                columns=(unit, n) if kind is not TableKind.REFERENCE else (n,),
            )
            for kind in TableKind
        )
        usual = {"privacy": PrivacyTerms(unit="who", k=2, l=1), "compliance": Compliance(exclusions=self.listed),
                 "source": Source(connector="files", base=self.folder)}  # fmt: skip
        return agreement(*tables, **(usual | about))

    def got(self, contract: Contract | None = None) -> dict[str, list[int]]:
        """The numbers of the rows that came, by table."""
        source = Memory(size=2, **{kind.value: self.data.rename_columns(["Who", "n"]) for kind in TableKind})
        received = receive(source, contract or self.contract(), Window(), out=self.folder / "out")
        return {name: pq.read_table(file.path)["n"].to_pylist() for name, file in received.tables.items()}

    def left(self, ids: str | bytes | pa.Array, *, column: str = "who") -> list[int]:
        """The rows of the facts that come when these ids are on the list: a CSV's text, or a Parquet column."""
        if isinstance(ids, (str, bytes)):
            (self.folder / "out.csv").write_bytes(ids if isinstance(ids, bytes) else ids.encode())
        else:
            self.listed = replace(self.listed or Exclusions(path="", column=column), path="out.parquet")
            pq.write_table(pa.table({column: ids}), self.folder / "out.parquet")
        got = self.got()
        assert got["subjects"] == got["facts"]
        assert got["reference"] == list(range(self.data.num_rows))
        return got["facts"]

    def refused(self, ids: str | bytes | pa.Array, **about: Any) -> str:
        with pytest.raises(SourceError) as caught:
            self.left(ids, **about)
        assert (
            caught.value.__cause__ is caught.value.__context__ is None
        )  # no library's text, which may quote an id
        assert not (self.folder / "out").exists()
        return str(caught.value)


@pytest.fixture
def texts(tmp_path: Path) -> Shop:
    return Shop(tmp_path, "string", TEXT)


@pytest.fixture
def numbers(tmp_path: Path) -> Shop:
    return Shop(tmp_path, "integer", NUMBERS)


def test_without_a_list_everybody_comes(texts: Shop) -> None:
    texts.listed = None
    assert texts.got()["facts"] == [0, 1, 2, 3, 4, 5]
    assert texts.got(texts.contract(compliance=None))["facts"] == [0, 1, 2, 3, 4, 5]


def test_who_is_listed_is_left_out_of_every_table_about_persons(texts: Shop) -> None:
    assert texts.left("who\n007\n99\n") == [1, 2, 3]
    assert texts.left("who\nnobody we know\n") == [0, 1, 2, 3, 4, 5]
    assert texts.left("who\n007\nA-1\n7x\n99\n") == [3]  # a row of nobody stays, for validation to find


@pytest.mark.parametrize(
    "spelt",
    [
        "007",
        "7",
        "0007",
        " 007 ",
        "\t007",
        "007.0",
        "+7",
        "７",
        "００７",
        "\u200b007",
        "\ufeff007",
        "\u00a0007",
        "7.00",
    ],
)
def test_a_text_id_is_found_however_it_is_spelt(texts: Shop, spelt: str) -> None:
    if "\t" in spelt:
        assert "control character" in texts.refused(f"who\n{spelt}\n")
    else:
        assert texts.left(f"who\n{spelt}\n") == [1, 2, 3, 4]
        assert texts.left(pa.array([spelt])) == [1, 2, 3, 4]


@pytest.mark.parametrize("spelt", ["a-1", "A-1", " a-1", "Ａ-1"])
def test_neither_case_nor_width_keeps_a_person_in(texts: Shop, spelt: str) -> None:
    assert texts.left(f"who\n{spelt}\n") == [0, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([7, 99]), pa.array([7, 99], pa.uint8()), pa.array(["007", "99"], pa.large_string()),
        pa.array(["007", "99"]).dictionary_encode(), pa.array([b"007", b"99"]),
    ],
)  # fmt: skip
def test_a_list_of_another_type_finds_text_ids(texts: Shop, ids: pa.Array) -> None:
    assert texts.left(ids) == [1, 2, 3]


@pytest.mark.parametrize(
    "ids",
    [
        "who\n7\n9\n", "who\n007\n 9 \n", 'who\n"7"\n"9"\n', "who\r\n7\r\n9\r\n", "who\r7\r9", "\ufeffwho\n7\n9\n", "who\n7\n\n\n9\n\n",
        "at,who\n2026-01-01,7\nlately,9\n", pa.array([7, 9]), pa.array([7, 9], pa.uint64()), pa.array([7.0, 9.0]),
        pa.array(["7", "9"]), pa.array(["007", "9"]).dictionary_encode(), pa.array([7, 9, 7, 9, 7]),
    ],
)  # fmt: skip
def test_a_list_of_another_type_finds_whole_numbers(numbers: Shop, ids: str | pa.Array) -> None:
    assert numbers.left(ids) == [1, 2, 4]


def test_whole_numbers_are_exact(numbers: Shop) -> None:
    assert numbers.left(f"who\n{2**53}\n") == [0, 1, 2, 3, 4]
    assert numbers.left(f"who\n{2**53 + 1}\n") == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        ("", "The list can't be read to its end: ArrowInvalid."),
        ("who\n", "The list holds nobody."),
        ("who\n\n\n", "The list holds nobody."),
        ("name\n7\n", "The list has no column `who`."),
        ("7\n9\n", "The list has no column `who`."),
        ("Who\n7\n", "The list has no column `who`."),
        ("at;who\n1;7\n", "The list has no column `who`."),
        ("who,who\n7,9\n", "The list has more than one column `who`."),
        ("at,who\n1,7\n1\n", "The list can't be read to its end: ArrowInvalid."),
        ("at,who\n1,7\n1,\n1,9\n", "The list, row 2: there is no id."),
        ("at,who\n1,7\n1,  \n", "The list, row 2: there is no id."),
        ("who\n7\nZhang San\n", "Column `who`, row 2: what stands there is no exact integer."),
        ("who\n7.5\n", "Column `who`, row 1: what stands there is no exact integer."),
        ("who\n99999999999999999999\n", "Column `who`, row 1"),
        ("who\n1.2346E+11\n", "The list, row 1: the id is a number that a spreadsheet shortened."),
        ('who,note\n7,"oops\n8,x\n9,y\n', "A quoted field of the list doesn't end on its line."),
        ('who,note\n7,"oops\n8,"x\n9,y\n', "A quoted field of the list doesn't end on its line."),
        ('who\n7\n"9', "A quoted field of the list doesn't end on its line."),
        ("who\n7\n9\n".encode("utf-16"), "The list can't be read to its end: UnicodeDecodeError."),
        (pa.array([7, None]), "The list, row 2: there is no id."),
        (pa.array([None, None], pa.null()), "The list, row 1: there is no id."),
        (pa.array([], pa.int64()), "The list holds nobody."),
        (pa.array([7.5]), "Column `who`, row 1: what stands there is no exact integer."),
        (pa.array([True]), "Column `who` came as bool; the contract says integer."),
        (pa.array([[7]]), "Column `who` of the list holds list<element: int64>, no ids."),
        (pa.array(["x" * 300]), "An id of the list has over 256 bytes."),
    ],
)  # fmt: skip
def test_a_list_that_is_not_whole_stops_the_run(
    numbers: Shop, ids: str | bytes | pa.Array, wanted: str
) -> None:
    told = numbers.refused(ids)
    assert wanted in told
    assert "Zhang" not in told
    assert "exclusions out." in told  # which list


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        ('who\n"7""x"\n', "The list, row 1: the id holds a quote or a control character."),
        ("who\nA\n\u200b \n", "The list, row 2: there is no id."),
        ("who\n1.2346E+11\n", "row 1: the id is a number that a spreadsheet shortened."),
        (pa.array(["a\nb"]), "The list, row 1: the id holds a quote or a control character."),
        (pa.array([7.0]), "Column `who` came as double; the contract says string."),
        (b"who\n\xff\xfe\n", "The list can't be read to its end: ArrowInvalid."),
    ],
)  # fmt: skip
def test_a_list_of_texts_that_is_not_whole_stops_the_run(
    texts: Shop, ids: str | bytes | pa.Array, wanted: str
) -> None:
    assert wanted in texts.refused(ids)


def test_a_list_without_anybody_is_taken_where_the_contract_says_so(numbers: Shop) -> None:
    numbers.listed = Exclusions(path="out.csv", column="who", may_be_empty=True)
    assert numbers.left("who\n") == [0, 1, 2, 3, 4]
    assert "can't be read" in numbers.refused("")  # not even a header: that is no empty list
    assert numbers.left(pa.array([], pa.string())) == [0, 1, 2, 3, 4]


def test_the_column_may_have_another_name(numbers: Shop) -> None:
    numbers.listed = Exclusions(path="out.csv", column="会员 号")
    assert numbers.left("who,会员 号\n9,7\n") == [1, 2, 3, 4]


def test_a_missing_list_stops_the_run_before_anything_comes(numbers: Shop, tmp_path: Path) -> None:
    class Untouched:
        def open(self, *_: object) -> pa.RecordBatchReader:
            raise AssertionError("the source was opened")

    (tmp_path / "out.csv").mkdir()
    for make, wanted in (
        (lambda: None, "isn't a plain file"), (lambda: (tmp_path / "out.csv").rmdir(), "isn't there (No such file"),
        (lambda: os.mkfifo(tmp_path / "out.csv"), "isn't a plain file"),
    ):  # fmt: skip
        make()
        with pytest.raises(SourceError) as caught:
            receive(Untouched(), numbers.contract(), Window(), out=tmp_path / "out")
        assert wanted in str(caught.value)
        assert not (tmp_path / "out").exists()


def test_a_parquet_list_without_the_column_is_refused(numbers: Shop) -> None:
    assert "The list has no column `who`." in numbers.refused(pa.array([7]), column="Zhang San")


def test_a_parquet_list_that_is_none_or_cut_off_is_refused(numbers: Shop, tmp_path: Path) -> None:
    numbers.left(pa.array([7, 9]))
    file = tmp_path / "out.parquet"
    whole = file.read_bytes()
    for content in (b"", b"who\n7\n", whole[:-20], whole[:4] + b"\0" * (len(whole) - 8) + whole[-4:]):
        file.write_bytes(content)
        with pytest.raises(SourceError, match="The list can't be read to its end"):
            numbers.got()


def test_a_list_that_changes_while_it_is_read_is_refused(
    numbers: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = exclusion._read

    def slowly(*args: Any, **about: Any) -> Any:
        with (numbers.folder / "out.csv").open("a") as file:
            file.write("8\n")
        return read(*args, **about)

    monkeypatch.setattr(exclusion, "_read", slowly)
    assert "written to while it was read" in numbers.refused("who\n7\n")


def test_a_list_over_the_bound_is_refused(numbers: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exclusion, "MAX_IDS", 3)
    assert numbers.left("who\n7\n9\n1\n") == [1, 2, 4]
    assert "The list holds more than 3 ids." in numbers.refused("who\n7\n9\n1\n1\n")
    assert numbers.left(pa.array([7, 9, 1])) == [1, 2, 4]
    assert "The list holds more than 3 ids." in numbers.refused(pa.array([7, 9, 1, 1]))


def test_a_row_group_that_unpacks_to_much_is_refused(numbers: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exclusion, "_MAX_CHUNK_BYTES", 1000)
    assert "A row group of the list is too large." in numbers.refused(pa.array(range(10_000)))


_BOMB = """
import resource, sys
from pathlib import Path
from connectors.exclusion import excluded
from core.errors import SourceError
from tests.connectors.test_exclusion import Shop, TEXT
from contracts.declared import Exclusions
shop = Shop(Path(sys.argv[1]), "string", TEXT)
shop.listed = Exclusions(path=sys.argv[2], column="who")
contract = shop.contract()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    excluded(contract)
    print("read", end=" ")
except SourceError as error:
    print("refused", end=" ")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("bomb", ["a line without an end", "one long text for all rows"])
def test_memory_is_bounded_whatever_the_file_holds(tmp_path: Path, bomb: str) -> None:
    if bomb == "a line without an end":
        name = "out.csv"
        with (tmp_path / name).open("wb") as file:
            for _ in range(300):
                file.write(b"x" * (1 << 20))
    else:
        name = "out.parquet"
        long = pa.DictionaryArray.from_arrays(
            pa.array([0] * 100_000, pa.int32()), pa.array(["x" * (1 << 20)])
        )
        pq.write_table(pa.table({"who": long}), tmp_path / name)
    told = subprocess.run(
        [sys.executable, "-c", _BOMB, str(tmp_path), name],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()
    assert told[0] == "refused"
    assert int(told[1]) < 150  # MB


def test_a_contract_that_names_a_list_and_no_unit_is_refused(numbers: Shop) -> None:
    numbers.left("who\n7\n")
    with pytest.raises(ContractError, match="no column that tells whose a row is"):
        numbers.got(numbers.contract(privacy=None))
    facts = numbers.contract().table("facts")
    lacking = replace(facts, name="lacking", columns=facts.columns[1:])
    with pytest.raises(ContractError, match="`lacking` is about persons and lacks `who`"):
        numbers.got(
            numbers.contract(
                tables=(numbers.contract().table("subjects"), replace(lacking, physical_name="facts"))
            )
        )


def test_the_digest_says_that_others_came(numbers: Shop, tmp_path: Path) -> None:
    digests = set()
    for listed in ("7", "8", "7"):
        (tmp_path / "out.csv").write_text(f"who\n{listed}\n")
        source = Memory(**{kind.value: NUMBERS.rename_columns(["Who", "n"]) for kind in TableKind})
        digests.add(receive(source, numbers.contract(), Window(), out=tmp_path / "out").digest)
    assert len(digests) == 2


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("0a.７ \u200b", min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_nobody_who_is_listed_as_they_are_spelt_comes(
    tmp_path: Path, ids: list[str], data: st.DataObject
) -> None:
    listed = data.draw(st.lists(st.sampled_from(ids), min_size=1))
    shop = Shop(tmp_path, "string", pa.table({"who": ids, "n": range(len(ids))}))
    try:
        came = shop.left(pa.array(listed))
    except SourceError:
        assert any(not each.strip(" \u200b") for each in listed)  # an id of signs that nobody sees
        return
    assert not {ids[n] for n in came} & set(listed)


def test_ids_of_a_real_number_of_persons_are_found(tmp_path: Path) -> None:
    everybody = pa.array([f"member-{number}" for number in range(200_000)])
    shop = Shop(tmp_path, "string", pa.table({"who": everybody, "n": range(200_000)}))
    pq.write_table(pa.table({"who": everybody.slice(0, 199_999)}), tmp_path / "out.parquet")
    shop.listed = Exclusions(path="out.parquet", column="who")
    found = exclusion.excluded(shop.contract())
    assert found is not None
    left = found.without(shop.data, shop.contract().table("facts"))
    assert left["n"].to_pylist() == [199_999]
