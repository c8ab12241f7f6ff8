"""Addresses of mainland China: a place, a road or an estate, and a number."""

from __future__ import annotations

import re

from contracts.carried import Kind
from privacy.scan.detector import Detector, Rule, Seen

_NUMBER = "[0-9一二三四五六七八九十百零〇甲乙丙]"
_PLACE = "(?:省|自治区|自治州|市|区|县|旗|镇|乡|街道)"
_ROAD = "(?:大道|大街|马路|胡同|路|街|道|巷|弄|里|村|屯|小区|花园|家园|公寓|新村|苑|园|庄|坊|广场|大厦|社区)"
_UNIT = "(?:号|弄|栋|幢|座|单元|室|楼|组|户|层|门)"
_ADDRESS = re.compile(
    rf"{_PLACE}[^,，。;；\n]{{0,24}}?{_ROAD}[^,，。;；\n]{{0,16}}?{_NUMBER}{{1,8}}\s?-?[0-9]{{0,8}}\s?{_UNIT}"
)
_STREET = re.compile(
    rf"[\u4e00-\u9fff]{{2,8}}?{_ROAD}\s?{_NUMBER}{{1,6}}\s?号.{{0,12}}?{_NUMBER}{{1,8}}\s?(?:室|栋|幢|单元|楼|座|户)"
)


def _address(text: str) -> Seen | None:
    return Seen(passed=True) if _ADDRESS.search(text) or _STREET.search(text) else None


# By share only: a shop writes its own address into its texts too, and there is no check digit. Half a percent of the distinct
# values, three at least; districts and roads alone (no number) are no household's.
ADDRESS = Detector(
    kind=Kind.ADDRESS,
    gate="[路街道巷弄里村屯区园寓苑庄坊场厦同].*[号弄栋幢座元室楼组户层门]",
    test=_address,
    everywhere=False,
    text=Rule(least=3, share=0.005, chance=0.05, purity=0.0),
)
