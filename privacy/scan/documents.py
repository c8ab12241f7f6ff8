"""Plates of cars (GA 36-2018) and passports and travel permits of the People's Republic."""

from __future__ import annotations

import re

from contracts.carried import Kind
from privacy.scan.detector import Detector, Rule, Seen

_PROVINCE = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE = re.compile(
    rf"(?<![0-9A-Za-z])[{_PROVINCE}]\s?(?P<city>[A-HJ-NP-Z])(?P<dot>[\s·.\-]?)"
    r"(?P<number>[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳领]|[A-HJ-NP-Z0-9]{6})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_MAX_LETTERS = 3
_CAR = re.compile(r"(?i)plate|licen[cs]e|车牌|牌照|号牌|车号|车辆")

_CODE = re.compile(r"(?<![0-9A-Za-z])([A-Za-z])\s?(?:([0-9]{8})|([A-Za-z][0-9]{7}))(?![0-9A-Za-z])")
# E: ordinary, with a letter second since 2012; G: before; D, S, P: diplomatic, service, public affairs (also DE, SE, PE);
# H, M: residents of Hong Kong and Macao on the mainland.
_ISSUED = re.compile(r"E[0-9A-HJ-NP-Z][0-9]{7}|[GHM][0-9]{8}|[DSP][0-9E][0-9]{7}")
_TRAVEL = re.compile(r"(?i)passport|护照|通行证|港澳")


def _plate(text: str) -> Seen | None:
    for found in _PLATE.finditer(text):
        number = found["number"]
        letters = sum(sign.isascii() and sign.isalpha() for sign in number)
        if letters <= _MAX_LETTERS and any(sign.isdigit() for sign in number):
            clear = found["dot"] in ("·", ".") or bool(_CAR.search(text))
            return Seen(passed=True, clear=clear)
    return None


def _passport(text: str) -> Seen | None:
    shaped = None
    for found in _CODE.finditer(text):
        code = re.sub(r"\s", "", found.group()).upper()
        if _ISSUED.fullmatch(code):
            return Seen(passed=True, clear=bool(_TRAVEL.search(text)), group=code[:3])
        shaped = Seen(passed=False)
    return shaped


# A province's character, a city's letter and five or six more is a form that nothing else has by chance; three distinct
# ones, or one with its dot or among words about cars. Looked for in a sample, so that it takes half a percent to be sure.
PLATE = Detector(
    kind=Kind.PLATE,
    gate=rf"[{_PROVINCE}]\s?[A-HJ-NP-Za-hj-np-z][\s·.\-]?[A-HJ-NP-Za-hj-np-z0-9]{{4}}",
    test=_plate,
    everywhere=False,
    text=Rule(least=3, share=0.005, chance=0.01, purity=0.5),
)

# A letter and eight digits is any product code: of random ones a quarter has a letter that passports have. So nine in ten
# must pass, at a tenth of the column, and a counter (E0001..., one block of numbers) doesn't. One counts among words.
PASSPORT = Detector(
    kind=Kind.PASSPORT,
    gate=r"[A-Za-z]\s?[0-9A-Za-z][0-9]{7}",
    test=_passport,
    everywhere=False,
    text=Rule(least=3, share=0.1, chance=0.3, purity=0.9, groups=3),
)
