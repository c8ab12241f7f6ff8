"""Unified social credit codes, the names of parties in an agreement.

Source: GB 32100-2015; the check digit by python-stdnum.
"""

from __future__ import annotations

import re
import unicodedata

from stdnum.cn import uscc

from contracts.problems import shown
from core.errors import ContractError

SCHEME = "urn:uscc:"
LENGTH = 18
# No I, O, S, V, Z: the standard leaves them out because they are read as digits. Places 3 to 8 are a region's digits.
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_FORM = re.compile(rf"[{_ALPHABET}]{{2}}[0-9]{{6}}[{_ALPHABET}]{{10}}")
_REMEDY = "Copy the 18 characters from the business licence, as 0-9 and A-Z."


def bare_name(text: str) -> str:
    """A name as its letters and digits alone: neither a dot, a space nor a capital makes another party of it."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def check_code(text: object) -> str:
    """The code, as given, if it is one: 18 ASCII characters in upper case whose check digit fits.

    Nothing is mended first. A letter of another script that looks the same, a full-width digit, a space or lower case
    would name the same firm to a reader and another to a comparison. Raises ContractError.
    """
    if not isinstance(text, str):
        raise ContractError("A unified social credit code must be text.", remedy=_REMEDY)
    for place, letter in enumerate(text[: LENGTH + 1], start=1):
        if not letter.isascii():
            name = unicodedata.name(letter, f"U+{ord(letter):04X}")
            raise ContractError(
                f"Character {place} of the code is {name}, which only looks like a character of a code.",
                remedy=_REMEDY,
                place=place,
            )
    if len(text) != LENGTH:
        raise ContractError(
            f"A unified social credit code has {LENGTH} characters, and this one {len(text)}.", remedy=_REMEDY
        )
    if not _FORM.fullmatch(text):
        raise ContractError(
            f"`{shown(text)}` can't be a unified social credit code: it takes 0-9 and A-Z without I, O, S, V, Z, in "
            "upper case, and digits from the third place to the eighth.",
            remedy=_REMEDY,
        )
    if text[-1] != uscc.calc_check_digit(text):
        raise ContractError(
            f"The check digit of the code `{text}` doesn't fit its other characters.", remedy=_REMEDY
        )
    return text


def party_id(code: str) -> str:
    """The id of a party in documents, `urn:uscc:<code>`. Raises ContractError for what is no code."""
    return SCHEME + check_code(code)


def code_of(party: object) -> str:
    """The code in a party's id. Raises ContractError for what isn't `urn:uscc:` and a code."""
    if not isinstance(party, str) or not party.startswith(SCHEME):
        raise ContractError(
            "A party isn't named by its unified social credit code.",
            remedy=f"Write {SCHEME} and the 18 characters of the code.",
        )
    return check_code(party.removeprefix(SCHEME))
