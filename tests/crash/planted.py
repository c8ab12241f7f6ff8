"""A shop whose raw values are unlike anything else, one kind in every kind of column, and the search for them afterwards.

A value that is published as it is (goods, plan) can't be told from a leak and isn't planted.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.settings import Settings
from tests.declared import declared
from tests.shop import CONTRACT, open_shop
from tests.signed import concluded, sign_all, trust

MORE_ORDERS = 60
# Every raw value holds this beginning and its kind; a member's number makes it one person's.
SEED = "zq7raw"
_PLANTED = re.compile(rb"(?i)zq7raw(member|phone|remark|aside|village)")
_UNPUBLISHED = re.compile(
    rb"(?i)zq7raw(member|phone|remark|aside)"
)  # a class of villages is named by its villages
_COMPRESSED = {b"\x1f\x8b\x08": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True)
class Place:
    """Where a run's things lie: all of it below one folder."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def signed(self) -> Path:
        """A contract's file that both signed, where this hall may not have seen it yet."""
        return self.root / "signed.json"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def temp(self) -> Path:
        return self.root / "temp"

    @property
    def shop(self) -> Path:
        return self.root / "shop"

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, contracts=self.shop)


def open_planted(root: Path, *, live: bool = False) -> Place:
    """A platform's shop below `root`, and the folders around it. live: other processes than forks of this one read its registry."""
    place = Place(root)
    for folder in (place.work, place.temp):
        folder.mkdir(parents=True)
    contract = open_shop(place.shop)
    contract.write_text(declared(_contract()), encoding="utf-8")
    members, orders = (place.shop / "data" / f"{name}.csv" for name in ("members", "orders"))
    _rewrite(members, ["phone"], lambda row, number: [_raw("phone", number)])
    _rewrite(orders, ["remark"], lambda row, number: [_raw("aside" if row[2] == "0" else "remark", number)])
    sign_all(place.settings, live=live)
    return place


def open_unsigned(root: Path) -> Place:
    """The same with a new hall, which has seen no contract: what both signed waits in `signed`."""
    place = open_planted(root)
    shutil.rmtree(place.home)
    trust(place.settings)
    [contract] = place.shop.glob("*.odcs.yaml")
    place.signed.write_bytes(concluded(contract))
    return place


def more_orders(place: Place, *, batch: int = 0) -> None:
    """New facts at the platform, each batch of an article of its own: the next run makes another release."""
    goods = f"silk {batch}" if batch else "silk"
    with (place.shop / "data" / "orders.csv").open("a", encoding="utf-8") as file:
        file.writelines(
            f"{_raw('member', number)},{goods},3,2026-05-05,{_raw('remark', 9000 + 100 * batch + number)}\n"
            for number in range(MORE_ORDERS + batch)
        )


def found(*folders: Path, but: Path | None = None) -> list[str]:
    """The files below the folders in which a planted value stands, also where it's compressed or in Parquet without a key.

    but: a folder that isn't looked into.
    """
    return [
        str(path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not (but and but in path.parents)
        and any(map(_looked_for(path.relative_to(folder)).search, _readings(path)))
    ]


def _looked_for(path: Path) -> re.Pattern[bytes]:
    return _UNPUBLISHED if {"catalog", "anonymized"} & set(path.parts) else _PLANTED


def _readings(path: Path) -> Iterator[bytes]:
    yield str(path).encode()
    data = path.read_bytes()
    yield data
    for magic, codec in _COMPRESSED.items():
        if data.startswith(magic):
            with pa.input_stream(pa.BufferReader(data), compression=codec) as opened:
                yield opened.read()
    if data.startswith(b"PAR1"):
        try:
            table = pq.read_table(pa.BufferReader(data))
        except (pa.ArrowException, OSError):
            return  # encrypted, or cut off; its bytes were looked at
        yield str(table.to_pydict()).encode()


def _raw(kind: str, number: int) -> str:
    return f"{SEED}{kind}{number:05d}"


def _contract() -> str:
    """The shop's contract, its towns now villages of two members each that are published as districts only."""
    villages = "".join(
        f"{district}: [{', '.join(_raw('village', 10 * n + i) for i in range(10))}], "
        for n, district in enumerate(("East", "North", "West", "South", "Shore", "Hills"))
    )
    text = CONTRACT.replace(
        'value: {kind: ordered, values: ["East", "North", "West"]}',
        f"value: {{kind: tree, tree: {{{villages}}}}}",
    )
    excluded = "required: true, customProperties: [{property: sluiceRole, value: excluded}]}\n"
    text = text.replace(
        "  - name: orders\n", f"      - {{name: phone, logicalType: string, {excluded}  - name: orders\n"
    )
    return text + f"      - {{name: remark, logicalType: string, {excluded}"


def _rewrite(path: Path, names: list[str], more: Callable[[list[str], int], list[str]]) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow([*head, *names])
        for number, row in enumerate(rows):
            row[0] = _raw("member", int(row[0].split("-")[1]))
            if len(row) > 2 and head[2] == "town":
                row[2] = _raw("village", number % 60)
            write.writerow([*row, *more(row, number)])
