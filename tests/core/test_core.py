"""Errors, proof types, digests, settings and the clock."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core import errors
from core.clock import utc_now
from core.digest import canonical, document_digest, file_digest, sha256_hex
from core.errors import ContractError, ExitCode, InternalError, LedgerError, SluiceError, UsageError
from core.progress import silent
from core.proof import Sealed, Window, prover
from core.settings import Settings


def test_an_error_says_what_where_and_what_to_do() -> None:
    error = LedgerError("It broke.", where="row 3", remedy="Mend it.", index=3)
    assert str(error) == "It broke. (row 3) Mend it."
    assert str(LedgerError("It broke.")) == "It broke."
    assert error.facts == {"index": 3}


def test_an_error_crosses_processes_whole() -> None:
    error = pickle.loads(pickle.dumps(LedgerError("It broke.", where="row 3", remedy="Mend it.", index=3)))
    assert type(error) is LedgerError
    assert (error.what, error.where, error.remedy, error.facts) == (
        "It broke.",
        "row 3",
        "Mend it.",
        {"index": 3},
    )


def test_each_family_has_an_exit_code() -> None:
    families = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SluiceError)
    ]
    assert {kind.exit_code for kind in families} == {ExitCode.REFUSED, ExitCode.USAGE, ExitCode.FAULT}
    assert InternalError.exit_code is ExitCode.FAULT


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Proved(Sealed):
    value: int


_prove = prover(_Proved)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Inner(Sealed):
    value: int


def test_a_proof_is_built_by_its_prover_only() -> None:
    proof = _prove(value=1)
    assert proof.value == 1
    for forge in (
        lambda: _Proved(value=1),
        lambda: dataclasses.replace(proof, value=2),
        lambda: copy.copy(proof),
        lambda: pickle.loads(pickle.dumps(proof)),
        lambda: prover(_Proved),
        lambda: _Inner(value=1),
    ):
        with pytest.raises(InternalError):
            forge()
    with pytest.raises(dataclasses.FrozenInstanceError):
        proof.value = 2  # type: ignore[misc]


def test_a_prover_of_one_type_doesnt_open_another() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Outer(Sealed):
        value: int

        def __post_init__(self) -> None:
            _Inner(value=self.value)

    with pytest.raises(InternalError, match="_Inner can only be built"):
        prover(Outer)(value=1)


def test_a_window_has_zones_and_order() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    window = Window(start=start, end=start + timedelta(days=1))
    assert Window.from_json(window.as_json()) == window
    assert Window.from_json(Window().as_json()) == Window()
    for bad in ({"start": datetime(2026, 1, 1)}, {"start": start, "end": start}):
        with pytest.raises(UsageError):
            Window(**bad)


def test_digests(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    assert file_digest(file) == sha256_hex(b"abc") == hashlib.sha256(b"abc").hexdigest()
    # RFC 8785, section 3.2.3: keys sort by UTF-16, numbers take ECMAScript's form.
    assert canonical({"\u20ac": 1.0, "\r": 1e30, "1": "\u00f6"}) == '{"\\r":1e+30,"1":"ö","€":1}'.encode()
    assert document_digest({"b": 1, "a": 2}) == sha256_hex(b'{"a":2,"b":1}')
    for bad in (float("nan"), 2**60):
        with pytest.raises(ContractError):
            canonical({"a": bad})


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    settings = Settings.from_env({"SLUICE_HOME": str(tmp_path / "家"), "SLUICE_CONTRACTS": ""})
    assert settings.home == (tmp_path / "家").resolve()
    assert settings.contracts.name == "published"
    paths = (
        settings.database,
        settings.keys,
        settings.runs,
        settings.catalog,
        settings.quarantine,
        settings.airflow,
    )
    assert len(set(paths)) == len(paths)
    assert {path.parent for path in paths} == {settings.home}
    assert Settings.from_env({}).home == Path(".sluice").resolve()


def test_the_clock_has_a_zone() -> None:
    assert utc_now().tzinfo is UTC
    silent("step", 0.5)
