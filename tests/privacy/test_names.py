"""Numbers for names and values: the published hash, whatever the type, and nothing without the key."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from privacy.subjects.names import mixed, mixed_codes, numbers

KEY = bytes(range(16))
# SipHash-2-4 of the octets 00, 01, 02, ... of so many, under the key 00 01 ... 0f: the vectors of its authors' own code.
VECTORS = {
    0: 0x726FDB47DD0E0E31,
    1: 0x74F839C593DC67FD,
    7: 0xAB0200F58B01D137,
    8: 0x93F5F5799A932462,
    15: 0xA129CA6149BE45E5,
}


@pytest.mark.parametrize("length", VECTORS)
def test_the_published_vectors(length: int) -> None:
    text = bytes(range(length)).decode("ascii")
    assert numbers(pa.array([text]), KEY).view(np.uint64).tolist() == [VECTORS[length]]


def test_a_value_has_one_number_in_every_shape() -> None:
    whole = [0, 7, -7, 10, 123456789012345678, -(2**63), 2**63 - 1, None]
    as_text = pa.array([None if each is None else str(each) for each in whole])
    wanted = numbers(as_text, KEY).tolist()
    assert wanted[-1] == 0
    assert len(set(wanted)) == len(wanted)
    assert numbers(pa.array(whole, pa.int64()), KEY).tolist() == wanted
    assert numbers(as_text.dictionary_encode(), KEY).tolist() == wanted
    assert numbers(pa.chunked_array([as_text.slice(0, 3), as_text.slice(3)]), KEY).tolist() == wanted
    assert numbers(pa.concat_arrays([as_text, as_text]).slice(5, 3), KEY).tolist() == wanted[5:8]
    assert numbers(as_text.slice(0, 0), KEY).tolist() == []


def test_another_key_gives_other_numbers() -> None:
    names = pa.array(["王伟", "Ann"])
    assert not set(numbers(names, KEY).tolist()) & set(numbers(names, bytes(16)).tolist())
    with pytest.raises(ValueError, match="16 bytes"):
        numbers(names, b"short")


def test_codes_are_mixed_as_the_numbers_behind_them() -> None:
    rng = np.random.default_rng(1)
    codes, missing = (
        rng.integers(0, 5, (1000, 3)).astype(np.uint16),
        rng.integers(-1, 4, (1000, 2)).astype(np.int32),
    )
    tables = [rng.integers(-(2**62), 2**62, size) for size in (5, 5, 5, 4, 4)]
    columns = [tables[j][codes[:, j]] for j in range(3)]
    columns += [np.append(tables[3 + j], 0)[missing[:, j]] for j in range(2)]
    assert np.array_equal(mixed_codes([codes, missing], tables), mixed(columns, 1000))
    swapped = mixed([columns[1], columns[0], *columns[2:]], 1000)
    assert not np.array_equal(mixed(columns, 1000), swapped)
