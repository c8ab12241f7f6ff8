"""The cross-border meter: an exact union of persons, and ways to make it count too few."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.declared import Compliance, Sensitivity
from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import PrivacyTerms, Transform
from contracts.regimes.finding import Headcount
from contracts.regimes.thresholds import DEFAULT, Override, Thresholds
from core.errors import IntegrityError, PrivacyError, StateError, UsageError
from core.keys import KeyStore
from core.proof import TableFile
from core.store import Entry, SqliteStore, Write
from core.yearkeys import year_keys
from privacy.abroad import Meter, destroy_ended
from privacy.heads import Head, heads_of, members_of, namespace_of
from tests.agreement import agreement

US = "91310000MA1FL4XK7Q"
OTHERS = "urn:uscc:91110000600037341L"
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
NEW_YEAR = datetime(2026, 12, 31, 16, tzinfo=UTC)  # midnight in China


def anything(_: Headcount) -> None:
    """Allows all."""


def person(unit: str, *, members: int = 1, open: bool = False, sensitive: bool = False) -> Head:
    return Head(unit=unit, members=members, open=open, sensitive=sensitive)


def persons(*units: object) -> list[Head]:
    return [person(str(unit)) for unit in units]


class Home:
    def __init__(self, folder: Path) -> None:
        self.store, self.keys = SqliteStore(folder / "state.sqlite"), KeyStore(folder / "keys")

    def meter(self, provider: str = US) -> Meter:
        return Meter(self.store, self.keys, provider=provider)

    def provide(
        self, heads: Iterable[Head], *, namespace: str = "n", at: datetime = JUNE, provider: str = US
    ) -> Headcount:
        return self.meter(provider).provide(heads, namespace=namespace, at=at, allow=anything)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_the_same_person_counts_once_whoever_gets_them_and_however_often(home: Home) -> None:
    assert home.meter().count(JUNE) == Headcount(persons=0, sensitive=0)
    assert home.provide(persons(1, 2, 3, 2)).persons == 3
    assert home.provide(persons(1, 2, 3)).persons == 3  # a run that was corrected
    assert home.provide(persons(3, 4)).persons == 4  # another contract, another recipient
    assert home.meter().count(JUNE + timedelta(days=200)).persons == 4


def test_splitting_over_contracts_recipients_and_namespaces_does_not_help(home: Home) -> None:
    everybody = [str(number) for number in range(60)]
    for start in range(0, 60, 10):
        last = home.provide(persons(*everybody[start : start + 10]))
    assert last.persons == 60
    # Spelt differently, the namespace is another one: its persons are added, never merged.
    for n, name in enumerate(("N", "n ", "ｎ", "declared\nn"), 2):
        assert home.provide(persons(*everybody), namespace=name).persons == n * 60


def test_namespace_and_id_are_no_one_message(home: Home) -> None:
    home.provide(persons("bc"), namespace="a")
    assert home.provide(persons("c"), namespace="ab").persons == 2


def test_each_provider_has_a_meter_of_its_own_and_one_spelling(home: Home) -> None:
    home.provide(persons(1, 2))
    assert home.provide(persons(1), provider=OTHERS).persons == 1
    assert home.provide(persons(1), provider=f"urn:uscc:{US}").persons == 2
    for wrong in (
        US.lower(),
        f"urn:uscc:urn:uscc:{US}",
        US[1:],
        US.replace("M", "O"),
        f"URN:USCC:{US}",
        f"{US} ",
        f"{US}\n",
        US.replace("1", "１"),
        "",
        "us",
    ):
        with pytest.raises(UsageError):
            home.meter(wrong)


def test_a_household_counts_by_its_members(home: Home) -> None:
    assert home.provide([person("a", members=3), person("b", members=1, open=True)]).persons == 3 + 10
    assert home.provide([person("b", members=2)]).persons == 3 + 2  # now somebody knows
    assert home.provide([person("b", members=1, open=True)]).persons == 3 + 2
    assert (
        home.provide([person("b", members=4), person("b", members=1)]).persons == 3 + 4
    )  # the most that anybody said
    assert home.provide([person("c", members=12, open=True)]).persons == 7 + 12
    assert home.provide([person("c", members=2)]).persons == 7 + 12  # twelve or more is never two


def test_sensitive_persons_are_counted_among_all(home: Home) -> None:
    assert home.provide([person("a", members=3, sensitive=True), person("b")]) == Headcount(
        persons=4, sensitive=3
    )
    assert home.provide([person("a"), person("b", sensitive=True)]) == Headcount(persons=4, sensitive=4)


_HEADS = st.lists(
    st.builds(
        Head,
        unit=st.sampled_from("abcdef"),
        members=st.integers(1, 12),
        open=st.booleans(),
        sensitive=st.booleans(),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["n", "m"]), _HEADS), max_size=5))
def test_it_is_the_exact_union(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[str, list[Head]]]
) -> None:
    home, all_of_them = Home(tmp_path_factory.mktemp("home")), {}
    last = Headcount(persons=0, sensitive=0)
    for namespace, heads in runs:
        got = home.provide(heads, namespace=namespace)
        last = got
        for head in heads:
            all_of_them.setdefault((namespace, head.unit), []).append(head)
    wanted = {
        who: (
            max(h.members for h in said)
            if any(not h.open for h in said)
            else max(10, *(h.members for h in said)),
            any(h.sensitive for h in said),
        )
        for who, said in all_of_them.items()
    }
    count = Headcount(
        persons=sum(n for n, _ in wanted.values()), sensitive=sum(n for n, bad in wanted.values() if bad)
    )
    assert last == count == home.meter().count(JUNE)


def test_many_persons_fall_into_all_shards(home: Home) -> None:
    home.provide(persons(*range(3000)))
    shards = [entry for entry in home.store.scan("abroad/") if not entry.key.endswith("/head")]
    assert len(shards) == 256
    for entry in shards:
        digests = [entry.value[i : i + 16] for i in range(0, len(entry.value), 19)]
        assert digests == sorted(set(digests))
        assert {digest[0] for digest in digests} == {int(entry.key[-2:], 16)}
    assert home.provide(persons(*range(2000, 5000))).persons == 5000


def test_a_refusal_counts_nobody(home: Home) -> None:
    def no(count: Headcount) -> None:
        assert count.persons == 2
        raise PrivacyError("no")

    for _ in range(2):
        with pytest.raises(PrivacyError):
            home.meter().provide(persons(1, 2), namespace="n", at=JUNE, allow=no)
    assert home.meter().count(JUNE).persons == 0
    assert home.provide(persons(3)).persons == 1


def test_two_at_once_do_not_both_fit_under_a_threshold(home: Home) -> None:
    most, asked, refused = 10, threading.Barrier(2, timeout=10), []

    def count(start: int) -> None:
        waited = []

        def allow(count: Headcount) -> None:
            if not waited:
                waited.append(True)
                asked.wait()  # both have counted, neither has written
            if count.persons > most:
                raise PrivacyError("too many")

        try:
            home.meter().provide(persons(*range(start, start + 6)), namespace="n", at=JUNE, allow=allow)
        except PrivacyError:
            refused.append(start)

    home.provide([])  # head and key are there
    threads = [threading.Thread(target=count, args=(start,)) for start in (0, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 1
    assert home.meter().count(JUNE).persons == 6


def test_one_that_comes_between_reading_and_writing_is_seen(tmp_path: Path) -> None:
    """Even where both write other shards: the head is everybody's."""
    home = Home(tmp_path)
    home.provide([])
    between: list[bool] = []

    class Interrupted(SqliteStore):
        def scan(self, prefix: str, *, start: str = "") -> Iterator[Entry]:
            found = list(super().scan(prefix, start=start))
            if not start and not between:
                between.append(True)
                home.provide(persons("first"))
            return iter(found)

    asked: list[int] = []
    meter = Meter(Interrupted(tmp_path / "state.sqlite"), home.keys, provider=US)
    meter.provide(persons("second"), namespace="n", at=JUNE, allow=lambda count: asked.append(count.persons))
    assert asked == [1, 2]  # the first answer was asked of a count that no longer stood
    assert home.meter().count(JUNE).persons == 2


def test_the_year_begins_at_midnight_in_china(home: Home) -> None:
    home.provide(persons(1, 2), at=NEW_YEAR - timedelta(microseconds=1))
    assert home.meter().count(NEW_YEAR - timedelta(microseconds=1)).persons == 2
    assert home.meter().count(NEW_YEAR).persons == 0
    assert home.provide(persons(1), at=NEW_YEAR).persons == 1
    with pytest.raises(UsageError):
        home.provide(persons(1), at=datetime(2026, 6, 1))


def test_no_one_joins_two_years(home: Home) -> None:
    home.provide(persons(1))
    home.provide(persons(1), at=NEW_YEAR)
    values = [entry.value for entry in home.store.scan("abroad/") if not entry.key.endswith("/head")]
    assert len({value[:16] for value in values}) == 2
    assert year_keys(home.keys) == ((US, 2026), (US, 2027))


def test_a_clock_set_back_does_not_find_an_emptier_year(home: Home) -> None:
    home.provide(persons(1, 2, 3), at=NEW_YEAR)
    assert home.meter().count(JUNE).persons == 3
    assert home.provide(persons(4), at=JUNE).persons == 4  # those of 2027, and the one who is new
    assert home.meter().count(NEW_YEAR).persons == 4


def test_a_clock_that_ran_ahead_stops_nobody(home: Home) -> None:
    home.provide(persons(1, 2), at=JUNE)
    home.provide(persons(3), at=NEW_YEAR)
    assert home.provide(persons(4), at=JUNE).persons == 3


@pytest.mark.parametrize("lost", ["key", "store"])
def test_a_lost_half_does_not_start_again_from_nothing(home: Home, tmp_path: Path, lost: str) -> None:
    home.provide(persons(1, 2))
    if lost == "key":
        next((tmp_path / "keys").glob("abroad-*")).unlink()
    else:
        home.store.commit([Write(entry.key, None, entry.version) for entry in home.store.scan("abroad/")])
    with pytest.raises(
        IntegrityError, match="The cross-border meter of 2026 and its key don't belong together"
    ):
        home.provide(persons(3))


def test_another_key_in_its_place_is_found(home: Home, tmp_path: Path) -> None:
    home.provide(persons(1, 2))
    next((tmp_path / "keys").glob("abroad-*")).unlink()
    head = next(entry for entry in home.store.scan("abroad/") if entry.key.endswith("/head"))
    from_elsewhere = Home(tmp_path / "other")
    from_elsewhere.provide(persons(1))
    theirs = next(entry for entry in from_elsewhere.store.scan("abroad/") if entry.key.endswith("/head"))
    mixed = Meter(home.store, from_elsewhere.keys, provider=US)
    for ask in (
        lambda: mixed.count(JUNE),
        lambda: mixed.provide(persons(1), namespace="n", at=JUNE, allow=anything),
    ):
        with pytest.raises(IntegrityError):
            ask()
    assert head.value != theirs.value


def test_a_crash_between_head_and_key_is_no_loss(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("privacy.abroad.make_year_key", crash)
        with pytest.raises(KeyboardInterrupt):
            home.provide(persons(1))
    assert year_keys(home.keys) == ()
    assert home.provide(persons(1, 2)).persons == 2


@pytest.mark.parametrize("value", [b"x", b"{}", b"[]", b"\xff"])
def test_a_damaged_head_or_shard_is_refused(home: Home, value: bytes) -> None:
    home.provide(persons(1))
    for entry in list(home.store.scan("abroad/")):
        home.store.commit([Write(entry.key, value, entry.version)])
        with pytest.raises(IntegrityError):
            home.provide(persons(2))
        broken = home.store.get(entry.key)
        assert broken is not None
        home.store.commit([Write(entry.key, entry.value, broken.version)])


def test_it_is_kept_three_whole_years_and_then_destroyed(home: Home) -> None:
    home.provide(persons(1, 2))
    home.provide(persons(1), at=NEW_YEAR)
    last = datetime(2029, 12, 31, 15, 59, 59, tzinfo=UTC)
    assert destroy_ended(home.store, home.keys, at=last) == ()
    assert home.meter().count(JUNE).persons == 2
    assert destroy_ended(home.store, home.keys, at=last + timedelta(seconds=1)) == ((US, 2026),)
    assert {entry.key.split("/")[2] for entry in home.store.scan("abroad/")} == {"2027"}
    assert year_keys(home.keys) == ((US, 2027),)
    assert destroy_ended(home.store, home.keys, at=last + timedelta(seconds=1)) == ()
    with pytest.raises(StateError, match="ended and its key is destroyed"):
        home.provide(persons(1))


def test_records_whose_key_went_before_a_crash_go_with_the_next_sweep(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.provide(persons(1))
    at = datetime(2031, 1, 1, tzinfo=UTC)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "commit", crash)
        with pytest.raises(KeyboardInterrupt):
            destroy_ended(home.store, home.keys, at=at)
    assert year_keys(home.keys) == ()
    destroy_ended(home.store, home.keys, at=at)
    assert list(home.store.scan("abroad/")) == []


def test_no_id_is_shown_or_lies_in_the_store(home: Home) -> None:
    assert "Zhang" not in repr(person("Zhang San"))
    home.provide(persons("Zhang San", "13800138000"))
    stored = b"".join(entry.key.encode() + entry.value for entry in home.store.scan(""))
    for secret in (b"Zhang", b"13800138000"):
        assert secret not in stored


# Units and members, as tables show them.


def column(name: str, role: Role, kind: LogicalType = LogicalType.STRING, **about: Any) -> Column:
    usual = {"transform": Transform.KEEP, "sensitivity": Sensitivity.PERSONAL}
    return Column(name=name, type=kind, role=role, **(usual | about))


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., tuple[Contract, dict[str, TableFile]]]:
    def build(
        *,
        sensitivity: Sensitivity | None = Sensitivity.PERSONAL,
        data: dict[str, Any] | None = None,
        **declared: Any,
    ) -> Any:
        unit = column("home", Role.IDENTIFIER, LogicalType.INTEGER, transform=Transform.DROP)
        about = {"physical_name": "x"}
        tables = (
            Table(name="homes", kind=TableKind.SUBJECTS, columns=(unit, column("size", Role.SENSITIVE, sensitivity=sensitivity)), **about),
            Table(name="sales", kind=TableKind.FACTS, columns=(unit,), **about),
            Table(name="goods", kind=TableKind.REFERENCE, columns=(column("home_brand", Role.ATTRIBUTE),), **about),
        )  # fmt: skip
        rows = {
            "homes": pa.table({"home": [1, 2, 3, 3], "size": ["1", "5+", "2", "4"]}),
            "sales": pa.table({"home": [1, 1, 9]}),
            "goods": pa.table({"home_brand": ["a"]}),
        } | (data or {})
        files = {}
        for name, table in rows.items():
            path = tmp_path / f"{name}.parquet"
            pq.write_table(table, path)
            files[name] = TableFile(name=name, path=path, rows=table.num_rows, size_bytes=0, sha256="")
        contract = agreement(
            *tables, privacy=PrivacyTerms(unit="home", k=5, l=2), compliance=Compliance(**declared)
        )
        return contract, files

    return build


def test_units_are_counted_by_the_column_of_members(home: Home, shop: Any) -> None:
    contract, files = shop(members_per_unit="size", subject_namespace="homes")
    heads = list(heads_of(contract, files, door="release"))
    assert sorted((h.unit, h.members, h.open, h.sensitive) for h in heads) == [
        ("1", 1, False, False), ("1", 1, True, False), ("2", 5, True, False), ("3", 2, False, False), ("3", 4, False, False),
        ("9", 1, True, False),
    ]  # fmt: skip
    # 1; five or more; the larger of two answers; one who isn't in the table of homes
    assert home.provide(heads).persons == 1 + 10 + 4 + 10


@pytest.mark.parametrize(("members", "wanted"), [(1, 4), (3, 12), (None, 40)])
def test_units_count_for_the_number_that_is_declared(
    home: Home, shop: Any, members: int | None, wanted: int
) -> None:
    contract, files = shop(members_per_unit=members)
    assert home.provide(heads_of(contract, files, door="release")).persons == wanted


@pytest.mark.parametrize(
    ("sensitivity", "door", "wanted"),
    [
        (Sensitivity.PERSONAL, "release", 0), (Sensitivity.NONE, "release", 0), (Sensitivity.MEDICAL, "release", 3),
        (None, "release", 3),  # nobody said that it isn't
    ],
)  # fmt: skip
def test_persons_of_a_table_with_a_sensitive_column_are_sensitive(
    home: Home, shop: Any, sensitivity: Sensitivity | None, door: str, wanted: int
) -> None:
    contract, files = shop(members_per_unit=1, sensitivity=sensitivity)
    assert home.provide(heads_of(contract, files, door=door)).sensitive == wanted
    kept_back = replace(
        contract,
        tables=tuple(
            replace(table, columns=tuple(replace(each, doors=("train",)) for each in table.columns))
            for table in contract.tables
        ),
    )
    other = replace(contract, id="other")
    assert all(not head.sensitive for head in heads_of(kept_back, files, door=door))
    assert (
        home.provide(heads_of(other, files, door=door), namespace=namespace_of(other)).sensitive == 2 * wanted
    )


def test_a_contract_that_declares_no_namespace_is_added_to_the_others(shop: Any) -> None:
    contract, _ = shop()
    names = {
        namespace_of(contract),
        namespace_of(replace(contract, id="other")),
        namespace_of(replace(contract, privacy=PrivacyTerms(unit="else", k=5, l=2))),
        namespace_of(shop(subject_namespace="a-contract")[0]),
        namespace_of(shop(subject_namespace="a-contract home")[0]),
    }
    assert len(names) == 5
    assert namespace_of(replace(contract, version="2.0.0", recipient="somebody else")) == namespace_of(
        contract
    )
    declared, _ = shop(subject_namespace="members")
    assert namespace_of(declared) == namespace_of(replace(declared, id="other"))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, (1, False)), (7, (7, False)), ("3", (3, False)), (" 3 ", (3, False)), ("5+", (5, True)), (10_000, (10_000, False)),
        (0, (1, True)), (-4, (1, True)), (10_001, (1, True)), (True, (1, True)), (None, (1, True)), (2.0, (1, True)),
        ("", (1, True)), ("two", (1, True)), ("2-3", (1, True)), ("٣", (1, True)), ("0", (1, True)), ("99999", (1, True)),
    ],
)  # fmt: skip
def test_what_is_no_plain_count_of_members_is_unknown(value: object, wanted: tuple[int, bool]) -> None:
    assert members_of(value) == wanted


def test_rows_that_say_no_unit_are_refused_without_their_values(shop: Any) -> None:
    contract, files = shop(
        data={"homes": pa.table({"home": pa.array([1, None]), "size": ["Zhang San", "x"]})}
    )
    with pytest.raises(PrivacyError) as caught:
        list(heads_of(contract, files, door="release"))
    assert (
        str(caught.value) == "`homes` has rows that don't say whose they are. Take out rows without `home`."
    )


def test_an_operator_may_set_how_many_an_unknown_household_counts_for(home: Home) -> None:
    home.provide([person("a", open=True)])
    six = Override(key="membersWhenUnknown", value=6, reason="r", who="w", when=JUNE.date())
    changed = Meter(home.store, home.keys, provider=US, thresholds=Thresholds({"membersWhenUnknown": six}))
    assert (changed.count(JUNE).persons, home.meter().count(JUNE).persons) == (
        6,
        DEFAULT.count("membersWhenUnknown"),
    )
