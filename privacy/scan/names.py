"""Names of persons: a surname from the list and one or two characters more, or the same in pinyin."""

from __future__ import annotations

import re

from contracts.carried import Kind
from privacy.scan.detector import Detector, Rule, Seen
from privacy.scan.surnames import COMPOUND, IN_PINYIN, SINGLE

_TITLE = "(?:先生|女士|小姐|太太|老师|医生|同学|师傅)"
_HAN = re.compile(
    rf"(?:{'|'.join(COMPOUND)})(?:[\u4e00-\u9fff]{{1,2}}|{_TITLE})|[{SINGLE}](?:[\u4e00-\u9fff]{{1,2}}|{_TITLE})"
)
# A word that ends so is a thing, a shop or a place: 黄瓜, 白酒, 金门县. Hardly a given name does.
_THING = re.compile(
    r"[市县区省镇乡村路街店厂司部门类品肉奶酒菜瓜油米面粉糖茶水汤饼豆虾蛋鸡鸭纸机器车具械袋盒箱衣裤鞋帽色号年月日]$"
)
_LABEL = re.compile(r"^(?:姓名|名字|联系人|收货人|收件人|客户)\s?[::]\s?")

_SYLLABLE = (
    "(?:(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?"
    "(?:iang|iong|uang|ang|eng|ing|ong|iao|ian|uai|uan|ai|ei|ao|ou|an|en|in|un|ia|ie|iu|ua|uo|ui|ue|ve|a|o|e|i|u|v))"
)
_PINYIN_GIVEN = re.compile(rf"{_SYLLABLE}(?:[\s'\-]?{_SYLLABLE})?", re.IGNORECASE)
_TWO_WORDS = re.compile(r"([A-Z][A-Za-z]+)(,?)\s([A-Z][A-Za-z]+(?:[\s'\-][A-Z]?[a-z]+)?)")


def _name(text: str) -> Seen | None:
    bare = _LABEL.sub("", text.strip())
    if _HAN.fullmatch(bare):
        return Seen(passed=not _THING.search(bare))
    words = _TWO_WORDS.fullmatch(bare)
    if words:
        first, comma, second = words.groups()
        passed = _in_pinyin(first, second) or (not comma and _in_pinyin(second, first))
        return Seen(passed=passed)
    return None


def _in_pinyin(surname: str, given: str) -> bool:
    return surname.lower() in IN_PINYIN and bool(_PINYIN_GIVEN.fullmatch(given))


# By share only. Three in ten Han words of two or three characters begin with a character that is a surname as well (counted
# over CLDR's Chinese names of places, languages and currencies); of persons' names nearly all do. So six in ten of the
# distinct values must be a name and nothing else, five at least. Names within sentences aren't looked for: no list tells them
# from words. Nor are names of other languages.
NAME = Detector(
    kind=Kind.NAME,
    gate=r"^\s*[\p{Han}A-Z][^0-9]*$",
    test=_name,
    everywhere=False,
    text=Rule(least=5, share=0.6, chance=0.3, purity=0.6),
)
