"""The file of a second holder's key: nobody else reads it, and nothing else passes for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import SluiceError, UsageError
from core.tokenkeys import file_name, make_token_key, read_token_key


def test_a_key_is_made_once_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / file_name("grocery-demand", "notary-office")
    made = make_token_key(path, contract_id="grocery-demand", holder="notary-office")
    assert path.name == "grocery-demand+notary-office.json"
    assert path.stat().st_mode & 0o777 == 0o600
    read = read_token_key(path)
    assert (read.holder, read.keys.contract_id) == ("notary-office", "grocery-demand")
    assert read.keys.fingerprint == made.keys.fingerprint
    key = json.loads(path.read_text())["key"]
    assert key not in repr(read)
    assert bytes.fromhex(key) not in repr(read).encode()
    before = path.read_bytes()
    with pytest.raises(UsageError, match="a key is never written over"):
        make_token_key(path, contract_id="grocery-demand", holder="notary-office")
    assert path.read_bytes() == before


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    make_token_key(path, contract_id="c", holder="h")
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(UsageError, match=r"Others may read this holder's key \(mode 6"):
            read_token_key(path)


GOOD = {"version": 1, "use": "sluice token key", "contract": "c", "holder": "h", "key": "ab" * 32}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"version": 1}',
        *(
            json.dumps({**GOOD, **wrong}).encode()
            for wrong in ({"version": 2}, {"use": "other"}, {"key": "ab" * 31}, {"key": "zz" * 32}, {"holder": 3}, {"more": 1})
        ),
        json.dumps(GOOD).encode() + b" " * 5000,
    ],
)  # fmt: skip
def test_another_file_is_no_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.json"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(SluiceError) as refused:
        read_token_key(path)
    assert "abab" not in str(refused.value)
    assert refused.value.remedy
