"""Unified social credit codes: nothing that only looks like one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from contracts.agreement.codes import check_code, code_of, party_id
from core.errors import ContractError

GOOD = "91110000600037341L"
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize("code", [GOOD, "91330100MA2AXXXX3G", "N2330106MB0X00000C", "Y1110000MB0X000008"])
def test_a_code_is_given_back_as_it_is(code: str) -> None:
    body = code[:17]
    code = body + uscc.calc_check_digit(body)
    assert check_code(code) == code
    assert code_of(party_id(code)) == code


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "18 characters"),
        (GOOD[:17], "18 characters, and this one 17"),
        (GOOD + "0", "18 characters, and this one 19"),
        (GOOD.lower(), "upper case"),
        (f" {GOOD[1:]}", "upper case"),
        (f"{GOOD}\n", "18 characters"),
        ("9111-0000-6000-3734-1L", "18 characters"),
        (GOOD[:17] + "M", "check digit"),
        ("91330000PLATFORMA0", "without I, O, S, V, Z"),
        ("9A110000600037341L", "check digit"),
        ("9111A000600037341L", "digits from the third place"),
        ("9111000060003734１L", "FULLWIDTH DIGIT ONE"),
        ("91110000б00037341L", "CYRILLIC SMALL LETTER BE"),
        ("91330100МA2AXXXX3G", "Character 9 of the code is CYRILLIC CAPITAL LETTER EM"),
        ("91330100ΜA2AXXXX3G", "GREEK CAPITAL LETTER MU"),
        ("9111000060003734\u200b1", "ZERO WIDTH SPACE"),
        ("91110000600037341\u202e", "RIGHT-TO-LEFT OVERRIDE"),
        ("\ud800" + GOOD[1:], "U+D800"),
        ("９" * 18, "Character 1 "),
    ],
)
def test_what_only_looks_like_a_code_is_refused(text: str, says: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_code(text)
    assert says in str(caught.value)


@pytest.mark.parametrize("value", [None, 911100006000373415, 9.1, True, [GOOD], {"@id": GOOD}, b"9" * 18])
def test_only_text_is_a_code(value: Any) -> None:
    with pytest.raises(ContractError):
        check_code(value)


@pytest.mark.parametrize(
    "value", [GOOD, f"urn:USCC:{GOOD}", f"URN:uscc:{GOOD}", f"urn:uscc: {GOOD}", "urn:uscc:", None, 3]
)
def test_a_party_is_named_in_one_way(value: Any) -> None:
    with pytest.raises(ContractError):
        code_of(value)


@given(st.text(ALPHABET, min_size=17, max_size=17), st.integers(0, 17), st.sampled_from(ALPHABET))
def test_one_changed_character_is_noticed(body: str, place: int, other: str) -> None:
    code = "91" + "".join(str(ALPHABET.index(c) % 10) for c in body[2:8]) + body[8:]
    code += uscc.calc_check_digit(code)
    assert check_code(code) == code
    broken = code[:place] + other + code[place + 1 :]
    if broken != code:
        with pytest.raises(ContractError):
            check_code(broken)


@given(st.text(max_size=20))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        code = check_code(text)
    except ContractError:
        return
    assert code == text
    assert code.isascii()
