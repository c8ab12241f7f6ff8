"""Numbers with check digits that the state gives: the resident's (GB 11643) and the organisation's (GB 32100)."""

from __future__ import annotations

import re
from functools import lru_cache

from stdnum import numdb
from stdnum.cn import ric, uscc
from stdnum.exceptions import InvalidComponent

from contracts.carried import Kind
from privacy.scan.detector import Detector, Rule, Seen
from privacy.scan.gate import BORDER, GAP, ORGANISATION_LIKE
from privacy.scan.words import spans

_PROVINCES = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
_BORN = re.compile(rf"{_PROVINCES}[0-9]{{4}}(?:19|20)[0-9]{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_RESIDENT = re.compile(rf"{_BORN.pattern}[0-9]{{3}}[0-9Xx]")

# Who registers, and what: GB 32100-2015, table 1, and its amendments.
_REGISTERED = "1[1239]|2[19]|3[1-59]|4[19]|5[1239]|6[129]|7[129]|8[19]|9[123]|A[19]|N[1239]|Y1"
_ORGANISATION = re.compile(rf"(?:{_REGISTERED}){_PROVINCES}[0-9]{{4}}[0-9A-HJ-NPQRTUWXY]{{10}}")
_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def _resident(text: str) -> Seen | None:
    shaped = None
    for span in spans(text, 18):
        if _RESIDENT.fullmatch(span.code):
            if _is_resident(span.code.upper()):
                return Seen(passed=True, clear=True)
            shaped = Seen(passed=False)
    return shaped


def _is_resident(code: str) -> bool:
    """stdnum's tests but one: it wants the county to be one of the year of birth, and the old got theirs in the eighties."""
    try:
        ric.get_birth_date(code)
    except InvalidComponent:
        return False
    return ric.calc_check_digit(code) == code[-1] and _county(code[:6])


def _rounded_resident(text: str) -> Seen | None:
    """A resident's number out of a float, which keeps 53 bits: its last digits are lost, and the check digit with them."""
    if not (len(text) == 18 and text.isascii() and text.isdigit()):
        return None
    return Seen(passed=bool(_BORN.match(text)) and _county(text[:6]))


@lru_cache(maxsize=8192)
def _county(code: str) -> bool:
    """Whether there is, or was, a county of this code."""
    return any("county" in found for _, found in numdb.get("cn/loc").info(code))


def _organisation(text: str) -> Seen | None:
    shaped = None
    for span in spans(text, 18):
        code = span.code.upper()
        if _ORGANISATION.fullmatch(code):
            if _two_checks(code):
                return Seen(passed=True, clear=span.in_words or not code.isdigit())
            shaped = Seen(passed=False)
    return shaped


def _two_checks(code: str) -> bool:
    """Whether the code's own check digit holds, and that of the organisation's code within (GB 11714: places 9 to 17)."""
    if (
        uscc.calc_check_digit(code[:17]) != code[17]
    ):  # stdnum's `is_valid` wants digits in front: no A, N or Y
        return False
    body, check = code[8:16], code[16]
    total = sum(weight * int(sign, 36) for weight, sign in zip(_WEIGHTS, body, strict=True))
    return check == "0123456789X0"[11 - total % 11]


# A resident's number has a county that exists or existed, a day of birth and a check digit: of random numbers with a
# province and a day in place 1 in 500 passes, of 18 random digits 1 in 2 million, so one in a text column says enough.
# Serial numbers that hold a county and a day pass 1 in 11 times: hence the purity of a quarter.
RESIDENT = Detector(
    kind=Kind.RESIDENT_ID,
    gate=rf"{BORDER}[1-8]{GAP}(?:[0-9]{GAP}){{5}}(?:1{GAP}9|2{GAP}0){GAP}(?:[0-9]{GAP}){{2}}[01]{GAP}[0-9]{GAP}[0-3](?:{GAP}[0-9]){{4}}{GAP}[0-9Xx]",
    test=_resident,
    everywhere=True,
    text=Rule(least=1, share=0.0, chance=1 / 400, purity=0.25),
    number=Rule(least=3, share=0.01, chance=1 / 400, purity=0.25),
)

# Only a column of floats is asked: of 18 random digits 1 in 70,000 has a county and a day.
ROUNDED_RESIDENT = Detector(
    kind=Kind.RESIDENT_ID,
    gate=None,
    test=_rounded_resident,
    everywhere=False,
    text=None,
    number=Rule(least=3, share=0.01, chance=1 / 1000, purity=0.25),
)

# Two check digits, of 31 and of 11 signs: of random digits with a registrar and a province in place 1 in 300 passes.
# One with a letter in it, or among words, says enough; a column of digits only needs three.
ORGANISATION = Detector(
    kind=Kind.USCC,
    gate=ORGANISATION_LIKE,
    test=_organisation,
    everywhere=True,
    text=Rule(least=3, share=0.0, chance=1 / 200, purity=0.25),
    number=Rule(least=3, share=0.01, chance=1 / 200, purity=0.25),
)
