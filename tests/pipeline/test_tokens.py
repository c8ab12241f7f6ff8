"""Keys that second holders lend, and opening with them: whose, for what, and what the ledger is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import Transform, Treatment
from core.errors import IntegrityError, PrivacyError, SluiceError, UsageError
from core.settings import Settings
from core.tokenkeys import file_name, make_token_key
from pipeline.home import Home
from pipeline.tokens import LentKeys, open_tokens
from privacy.subjects.tokens import token_makers
from tests.agreement import agreement

HOLDER, SECRET = "notary-office", "Ms Zhang, 13800138000"
SHOPS = Table(
    name="shops",
    physical_name="shops",
    kind=TableKind.REFERENCE,
    columns=(
        Column(name="shop", type=LogicalType.STRING, role=Role.ATTRIBUTE, transform=Transform.KEEP),
        Column(
            name="owner",
            type=LogicalType.STRING,
            role=Role.IDENTIFIER,
            transform=Transform.TOKEN,
            treatment=Treatment(holder=HOLDER),
        ),
    ),
)
CONTRACT = agreement(SHOPS, digest="ab" * 32)


@pytest.fixture
def lent(tmp_path: Path) -> Path:
    """The folder of lent keys, with the right one in it."""
    folder = tmp_path / "lent"
    folder.mkdir()
    make_token_key(folder / file_name(CONTRACT.id, HOLDER), contract_id=CONTRACT.id, holder=HOLDER)
    return folder


@pytest.fixture
def home(tmp_path: Path, lent: Path) -> Iterator[Home]:
    """A hall to which keys are lent; none of them stays in it."""
    place = tmp_path / "home"
    yield Home.open(Settings(home=place, contracts=tmp_path, token_keys=lent))
    for key in lent.iterdir():
        secret = key.read_bytes().partition(b'"key": "')[2][:64]
        for file in (each for each in place.rglob("*") if each.is_file()):
            assert secret not in file.read_bytes()
            assert bytes.fromhex(secret.decode()) not in file.read_bytes()


def tokens_of(home: Home, *values: str | None, contract: Contract = CONTRACT) -> list[bytes]:
    """What a run would make of these owners; the run ends well."""
    second = LentKeys(contract, home)
    makers = token_makers(contract, SHOPS, home.keys.contract_keys(contract.id), second)
    made: list[bytes] = makers["owner"](pa.array(values)).to_pylist()
    second.keep()
    return made


def opened(home: Home, tokens: list[bytes], **other: object) -> list[str | int]:
    given: dict[str, object] = {
        "contract": CONTRACT,
        "column": "shops.owner",
        "key_file": lent_file(home),
        "purpose": "recall of lot 17",
    }
    given |= other
    return open_tokens(home, given.pop("contract"), given.pop("column"), tokens, **given)  # type: ignore[arg-type]


def lent_file(home: Home) -> Path:
    assert home.settings.token_keys is not None
    return home.settings.token_keys / file_name(CONTRACT.id, HOLDER)


def test_both_holders_open_tokens_and_the_ledger_has_it(home: Home) -> None:
    tokens = tokens_of(home, SECRET, "b", SECRET)
    assert opened(home, tokens) == [SECRET, "b", SECRET]
    [entry] = list(home.ledger.entries())
    event = home.ledger.event(entry.index)
    assert (event.kind, event.contract_id) == ("tokens.opened", CONTRACT.id)
    assert dict(event.facts) == {
        "tokens": 2,
        "table": "shops",
        "column": "owner",
        "holder": HOLDER,
        "purpose": "recall of lot 17",
    }
    assert opened(home, tokens[:1]) == [SECRET]
    assert home.ledger.size == 2  # each opening is one


def refused(home: Home, tokens: list[bytes], **other: object) -> SluiceError:
    """The refusal; neither value nor event comes of it."""
    before = home.ledger.size
    with pytest.raises(SluiceError) as caught:
        opened(home, tokens, **other)
    assert home.ledger.size == before
    assert SECRET not in str(caught.value)
    assert caught.value.remedy
    return caught.value


def test_who_lacks_one_of_the_keys_opens_nothing(home: Home, tmp_path: Path) -> None:
    tokens = tokens_of(home, SECRET)
    other = tmp_path / "other.json"
    make_token_key(other, contract_id=CONTRACT.id, holder=HOLDER)
    assert isinstance(refused(home, tokens, key_file=other), IntegrityError)
    away = Home.open(replace(home.settings, home=tmp_path / "another hall"))
    with pytest.raises(IntegrityError, match="holds no part of a key that made tokens"):
        opened(away, tokens)
    home.keys.destroy_contract_key(CONTRACT.id)
    assert isinstance(refused(home, tokens), IntegrityError)


def test_a_token_that_is_none_stops_the_whole_opening(home: Home) -> None:
    [token] = tokens_of(home, SECRET)
    assert isinstance(refused(home, [token, token[:-1] + b"\0"]), PrivacyError)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"column": "shops.shop"}, "has no column of tokens of this name"),
        ({"column": "owner"}, "has no column of tokens of this name"),
        ({"purpose": ""}, "The purpose isn't a line"),
        ({"purpose": "  "}, "The purpose isn't a line"),
        ({"purpose": "two\nlines"}, "The purpose isn't a line"),
        ({"purpose": "x" * 129}, "The purpose isn't a line"),
    ],
)
def test_wrong_use_opens_nothing(home: Home, other: dict[str, object], says: str) -> None:
    error = refused(home, tokens_of(home, SECRET), **other)
    assert isinstance(error, UsageError)
    assert says in error.what


def test_a_run_without_the_lent_key_is_refused(home: Home, lent: Path) -> None:
    for settings in (
        replace(home.settings, token_keys=None),
        replace(home.settings, token_keys=lent / "none"),
    ):
        with pytest.raises(
            PrivacyError, match=f"makes tokens with the key of {HOLDER}, and it wasn't lent"
        ) as error:
            LentKeys(CONTRACT, replace(home, settings=settings))(HOLDER)
        assert "SLUICE_TOKEN_KEYS" in str(error.value.remedy)


def test_a_key_for_another_contract_or_holder_is_refused(home: Home, lent: Path) -> None:
    path = lent_file(home)
    for about in (
        {"contract_id": "another", "holder": HOLDER},
        {"contract_id": CONTRACT.id, "holder": "another"},
    ):
        path.unlink()
        make_token_key(path, **about)
        with pytest.raises(UsageError, match=f"This key is {about['holder']}'s for contract {about['contract_id']}, not {HOLDER}'s"):  # fmt: skip
            LentKeys(CONTRACT, home)(HOLDER)


def test_another_key_would_make_other_tokens(home: Home, lent: Path, tmp_path: Path) -> None:
    path = lent_file(home)
    first = shutil.copy(path, tmp_path / "first.json")
    LentKeys(CONTRACT, home)(HOLDER)  # a run that came to nothing ties nobody to its key
    path.unlink()
    make_token_key(path, contract_id=CONTRACT.id, holder=HOLDER)
    second = LentKeys(CONTRACT, home)
    second(HOLDER)
    path.write_bytes(Path(first).read_bytes())
    tokens_of(home, SECRET)
    with pytest.raises(
        IntegrityError, match="that made the tokens"
    ):  # two runs at once: the quicker one's counts
        second.keep()
    path.unlink()
    make_token_key(path, contract_id=CONTRACT.id, holder=HOLDER)
    with pytest.raises(IntegrityError, match="they would become others"):
        LentKeys(CONTRACT, home)(HOLDER)
