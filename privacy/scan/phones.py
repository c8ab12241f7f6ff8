"""Telephone numbers of mainland China: mobile and landline (MIIT's numbering plan, 2017, and the segments given since)."""

from __future__ import annotations

import re

from contracts.carried import Kind
from privacy.scan.detector import Detector, Rule, Seen
from privacy.scan.gate import BORDER, GAP
from privacy.scan.words import Span, spans

_SEGMENT = re.compile(r"1(?:3[0-9]|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])")
_COUNTRY = re.compile(r"(?:00)?86(?=1[0-9]{10}$)")
_SHAPED = re.compile(r"[1-9][0-9]{10}|86[0-9]{11}")  # any number as long, with the country's 86 or without
_GROUPED = {(11,), (3, 4, 4), (4, 3, 4), (4, 4, 3), (3, 8), (7, 4), (1,) * 11}

# The area codes that are in use, without the leading 0.
_AREA = (
    "10|2[0-57-9]|3(?:1[0-9]|35|49|5[0-9]|7[0-79]|9[0-8])|4(?:1[0-9]|2[1-9]|3[1-9]|40|5[1-9]|6[4789]|7[0-9]|8[23])"
    "|5(?:1[0-9]|2[37]|3[0-9]|4[36]|5[0-9]|6[1-6]|7[0-9]|80|9[1-9])|6(?:3[1-5]|6[0-38]|9[12])"
    "|7(?:01|1[0-9]|2[248]|3[0-9]|4[3-6]|5[0-9]|6[0-9]|7[0-9]|9[0-9])"
    "|8(?:1[2367]|18|2[5-7]|3[0-9]|5[1-9]|7[0-9]|8[3678]|9[0-9])"
    "|9(?:0[1-3689]|1[0-9]|3[0-9]|4[13]|5[1-5]|7[0-9]|9[0-9])"
)
_LANDLINE = re.compile(
    rf"(?<![0-9A-Za-z])(?:(?:\+|00)86[\s-]?(?:\(0?\))?)?\(?0?(?:{_AREA})(?P<gap>\)?[\s.·\-]{{0,2}})"
    r"[2-8](?:[0-9]{6,7}|[0-9]{2,3}[\s-][0-9]{4})(?![0-9A-Za-z])"
)
_ZERO_RUN = re.compile(r"(?<![0-9A-Za-z])0[0-9]{9,11}(?![0-9A-Za-z])")
_CALLED = re.compile(r"(?i)tel|phone|fax|call|电话|座机|固话|传真|致电")


def _mobile(text: str) -> Seen | None:
    shaped = None
    for span in spans(text, 11, 13, 15):
        if not span.code.isdigit():
            continue
        code = _COUNTRY.sub("", span.code)
        if len(code) == 11 and _SEGMENT.match(code) and _as_people_write(span, code):
            abroad = span.code.startswith("00") or (span.code != code and span.before.endswith("+"))
            clear = abroad or span.in_words or len(span.groups) > 1
            return Seen(passed=True, clear=clear, group=code[:3])
        if _SHAPED.fullmatch(span.code) and len(span.groups) == 1:
            shaped = Seen(passed=False)
    return shaped


def _as_people_write(span: Span, code: str) -> bool:
    groups = span.groups
    if span.code != code:  # +86 alone, in front of the first group, or each digit alone
        rest = len(span.code) - 11
        if groups[0] == rest:
            groups = groups[1:]
        elif set(groups) == {1}:
            groups = groups[rest:]
        else:
            groups = (groups[0] - rest, *groups[1:])
    return groups in _GROUPED


def _landline(text: str) -> Seen | None:
    for found in _LANDLINE.finditer(text):
        number = found.group()
        zero = number.lstrip("(+").startswith(("0", "86"))
        if zero and (found["gap"] or number.startswith(("+", "(", "0086"))):
            return Seen(passed=True, clear=bool(_CALLED.search(text)), group=number[:5])
        if zero:
            return Seen(passed=True, clear=False, group=number[:5])
    return Seen(passed=False) if _ZERO_RUN.search(text) else None


# No check digit, so one bare number says nothing. Of random numbers with eleven digits 6 in 100 lie in a segment, and of those that
# begin with 1 six in ten: hence the purity of two thirds. A counter that has come to 139 0000 0000 stays in one segment;
# a hundred people don't: hence the groups. Among words, with +86 or in groups of 3-4-4 one is clear.
MOBILE = Detector(
    kind=Kind.MOBILE,
    gate=rf"{BORDER}(?:00)?[1-9](?:{GAP}[0-9]){{10}}",
    test=_mobile,
    everywhere=True,
    text=Rule(least=3, share=0.0, chance=0.08, purity=0.65, groups=3),
    number=Rule(least=3, share=0.01, chance=0.08, purity=0.65, groups=3),
)

# An area code in use and a number that begins with 2 to 8: of random numbers with a leading 0 a quarter. Numbers padded with
# zeros are common: half must pass. Number columns lose the 0 that tells a landline, so they aren't asked.
LANDLINE = Detector(
    kind=Kind.LANDLINE,
    gate=r"(?:0|86)[\s)(-]{0,3}[1-9]",
    test=_landline,
    everywhere=False,
    text=Rule(least=3, share=0.005, chance=0.3, purity=0.5),
)
