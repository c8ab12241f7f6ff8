"""A value that nobody was to see: looked for in every byte of a hall after a release, as written and decompressed.

The shop's members get one more, in every way unlike the others, whom the limits leave out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.release import Release
from contracts.model import Column, LogicalType, Role, Table, TableKind
from contracts.protection import HierarchySpec, PrivacyTerms, Search, Transform
from core.keys import ContractKeys
from core.settings import Settings
from pipeline import route
from pipeline.agreements import doors
from pipeline.home import Home
from privacy.subjects.table import make_safe
from tests.agreement import agreement
from tests.shop import open_shop
from tests.staged import table_file

NAME, BORN, PLAN, GOODS, NOTE = (
    "member-left-out-raw",
    1901,
    "plan-left-out",
    "goods-left-out",
    "note-of-the-source",
)
_ZSTD = b"\x28\xb5\x2f\xfd"
_LIST = """\
  - name: goods
    physicalName: goods
    logicalType: object
    customProperties: [{property: sluiceKind, value: reference}]
    properties:
      - {name: goods, logicalType: string, required: true, customProperties: [{property: sluiceRole, value: attribute}]}
      - {name: shelf, logicalType: integer, customProperties: [{property: sluiceRole, value: attribute}]}
"""


@dataclass(frozen=True)
class Run:
    """What a run left behind. folder: all of the hall. tables: the published files, by table."""

    folder: Path
    home: Home
    release: Release
    tables: Mapping[str, Path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("leaks")
    shop = open_shop(folder / "shop")
    text = shop.read_text(encoding="utf-8")
    text = text.replace("maxSuppressed: 0.0", "maxSuppressed: 0.5, search: fullDomain")
    text = text[: text.index("  - name: orders")] + _LIST
    shop.write_text(text, encoding="utf-8")
    with (folder / "shop" / "data" / "members.csv").open("a", encoding="utf-8") as file:
        file.write(f"{NAME},{BORN},North,{PLAN}\n")
    (folder / "shop" / "data" / "goods.csv").write_text(
        "goods,shelf\ntea,1\nrice,2\nsoap,\n", encoding="utf-8"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doors, "require", lambda *_: None)
        patch.setattr(doors, "require_measured", lambda *_: None)
        home = Home.open(Settings(home=folder / "home", contracts=shop.parent))
        release = route.run("small-shop", home=home).release
        yield Run(folder / "home", home, release, {t.name: Path(t.uri) / t.file for t in release.tables})


def decompressed(raw: bytes) -> bytes:
    """Whatever in some bytes is a frame of zstd: the pages of a Parquet file, dictionaries among them."""
    found = []
    for place in re.finditer(re.escape(_ZSTD), raw):
        stream = pa.CompressedInputStream(pa.BufferReader(raw[place.start() :]), "zstd")
        try:
            while part := stream.read(1):
                found.append(part)
        except OSError:
            continue  # where the frame ends, or none began
    return b"".join(found)


def test_a_page_is_looked_into(tmp_path: Path) -> None:
    """So that the next test can find anything."""
    pq.write_table(
        pa.table({"plan": [PLAN * 20] * 9}),
        tmp_path / "x.parquet",
        compression="zstd",
        write_statistics=False,
    )
    raw = (tmp_path / "x.parquet").read_bytes()
    assert PLAN.encode() * 20 not in raw
    assert PLAN.encode() * 20 in decompressed(raw)


def test_nothing_of_a_person_left_out_is_anywhere(run: Run) -> None:
    published = pq.read_table(run.tables["members"], partitioning=None)
    assert 0 < published.num_rows < 121
    hidden = [text.encode() for text in (NAME, PLAN)]
    alone = re.compile(rf"(?<![\w.-]){BORN}(?![\w.-])".encode())
    seen = 0
    for path in filter(Path.is_file, run.folder.rglob("*")):
        raw = path.read_bytes()
        held = raw + decompressed(raw)
        assert not [text for text in hidden if text in held], path
        if path.suffix in {".json", ".html", ".parquet"}:  # in others a number may be anything
            assert not alone.search(held if path.suffix == ".parquet" else raw), path
        seen += 1
    assert seen > 10
    for path in run.tables.values():
        values = {
            str(v) for column in pq.read_table(path, partitioning=None).columns for v in column.to_pylist()
        }
        assert not {value for value in values if str(BORN) in value}


def test_the_log_and_the_footers_tell_what_rows_show_and_no_more(run: Run) -> None:
    for name, path in run.tables.items():
        rows = pq.read_table(path, partitioning=None)
        values = {column: rows[column].to_pylist() for column in rows.column_names}
        adds = [
            json.loads(line)["add"]
            for log in sorted((path.parent / "_delta_log").glob("*.json"))
            for line in log.read_text(encoding="utf-8").splitlines()
            if "add" in json.loads(line)
        ]
        assert [add["path"] for add in adds] == [path.name], name
        assert (adds[0]["size"], adds[0]["partitionValues"]) == (path.stat().st_size, {})
        assert not adds[0].get("tags")
        told = json.loads(adds[0]["stats"])
        assert told["numRecords"] == rows.num_rows
        for bound in ("minValues", "maxValues"):
            assert all(each in values[column] for column, each in told[bound].items()), name
        with pq.ParquetFile(path) as file:
            about = file.metadata
            assert set(about.metadata or {}) <= {b"ARROW:schema"}, name
            assert not file.schema_arrow.metadata
            assert not any(set(field.metadata or {}) - {b"PARQUET:field_id"} for field in file.schema_arrow)
            for group in range(about.num_row_groups):
                shown = file.read_row_group(group)
                for place, column in enumerate(shown.column_names):
                    statistics = about.row_group(group).column(place).statistics
                    if statistics is not None and statistics.has_min_max:
                        assert {statistics.min, statistics.max} <= set(shown[column].to_pylist()), (
                            name,
                            column,
                        )


def test_nothing_that_is_made_hangs_on_a_value_that_is_left_out(tmp_path: Path) -> None:
    """Two sources that differ in one left-out person alone give the same file to the byte, of the same size, with the same risk."""
    towns = HierarchySpec(kind="tree", leaves=("a", "b", "c", "d", "e"), nodes=(("ab", 0, 1), ("cde", 2, 4)))
    plan = _people(_column("town", Role.QUASI_IDENTIFIER, Transform.GENERALIZE, towns))
    terms = PrivacyTerms(unit="person", k=3, l=2, max_suppressed=0.1, search=Search.FULL_DOMAIN)
    agreed = agreement(plan, privacy=terms)
    rows = [(f"p{i}", "abc"[i % 3], ("flu", "gout")[i // 3 % 2]) for i in range(30)]
    made = []
    for number, other in enumerate([("left out 1", "d", "rare 1"), ("left out 2", "e", "rare 2")]):
        source, target = tmp_path / f"in-{number}.parquet", tmp_path / f"{number}.parquet"
        columns = list(zip(*rows[:11], other, *rows[11:], strict=True))
        pq.write_table(
            pa.table(dict(zip(("person", "town", "ill"), map(list, columns), strict=True))), source
        )
        safe = make_safe(
            table_file("people", source, rows=len(rows) + 1),
            agreed,
            plan,
            terms,
            ContractKeys("a-contract", bytes(32)),
            target=target,
            segment_min_units=None,
            source_digest="1" * 64,
        )
        assert (safe.risk.units, safe.risk.suppressed_units) == (30, 0)
        made.append((target.read_bytes(), safe.risk))
    assert made[0] == made[1]


@pytest.mark.parametrize("search", [Search.FULL_DOMAIN, Search.AUTO])
def test_no_measure_hangs_on_a_value_that_is_left_out(tmp_path: Path, search: Search) -> None:
    """The attack: scales that end with the oldest person, losses over them, and the exact number of those left out."""
    age = _column("age", Role.QUASI_IDENTIFIER, Transform.GENERALIZE, HierarchySpec(kind="natural"))
    plan = _people(replace(age, type=LogicalType.INTEGER))
    terms = PrivacyTerms(unit="person", k=4, l=2, max_suppressed=0.1, search=search)
    agreed = agreement(plan, privacy=terms)
    rows = [(f"p{i}", 20 + i % 6 + 10 * (i % 4), ("flu", "gout", "flu")[i // 4 % 3]) for i in range(96)]
    made = []
    for number, others in enumerate([[95], [104], [104, 93], [61_000]]):
        source = tmp_path / f"in-{number}.parquet"
        whole = [*rows, *((f"other {age}", age, "flu") for age in others)]
        columns = zip(("person", "age", "ill"), map(list, zip(*whole, strict=True)), strict=True)
        pq.write_table(pa.table(dict(columns)), source)
        safe = make_safe(
            table_file("people", source, rows=len(whole)),
            agreed,
            plan,
            terms,
            ContractKeys("a-contract", bytes(32)),
            target=tmp_path / f"{number}.parquet",
            segment_min_units=None,
            source_digest="1" * 64,
        )
        assert (safe.risk.units, safe.risk.suppressed_units) == (96, 0), search
        made.append({**asdict(safe.risk), **asdict(safe.measures)})
    for name, told in made[0].items():
        assert [each[name] for each in made] == [told] * len(made), name


def _people(quasi: Column) -> Table:
    """Persons with one quasi-identifier and an illness."""
    return Table(
        name="people",
        physical_name="people",
        kind=TableKind.SUBJECTS,
        columns=(
            _column("person", Role.IDENTIFIER, Transform.PSEUDONYM),
            quasi,
            _column("ill", Role.SENSITIVE, Transform.KEEP),
        ),
    )


def _column(name: str, role: Role, transform: Transform, hierarchy: HierarchySpec | None = None) -> Column:
    return Column(name=name, type=LogicalType.STRING, role=role, transform=transform, hierarchy=hierarchy)
