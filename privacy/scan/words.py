"""Numbers as people write them: whole, or in groups with a space, a dash or a dot between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_WORD = re.compile(r"[0-9A-Za-z]+")
_GAP = re.compile(r"[\s.·_/()\-]{1,3}")
_LETTER = re.compile(r"[^\W\d_]")
_AROUND = 40  # characters on either side that say what a number is; a long text stays quick to read
# Written without a space before the number.
_LABEL = re.compile(
    r"(?i)\b(tel|phone|mobile|mob|cell|call|fax|wechat|weixin|wx|vx|id|idcard|card|passport)(?=[0-9])"
)


class Span(NamedTuple):
    """Words that stand one after another and read as one number. code: joined. groups: their lengths.

    before, after: the text next to them; words border on anything that is no ASCII letter or digit, so that a number never is a
    part of a longer one.
    """

    code: str
    groups: tuple[int, ...]
    before: str
    after: str

    @property
    def in_words(self) -> bool:
        """Whether it stands among words, as in a sentence, rather than alone in its column."""
        return bool(_LETTER.search(self.before) or _LETTER.search(self.after))

    @property
    def around(self) -> str:
        """The text next to it."""
        return f"{self.before} {self.after}"


def spans(text: str, *sizes: int) -> Iterator[Span]:
    """Every run of words of one of these lengths together, e.g. 138 0013 8000 for 11. text: plain."""
    text = _LABEL.sub(r"\1 ", text)
    words = list(_WORD.finditer(text))
    longest = max(sizes)
    for first, word in enumerate(words):
        code, groups = "", []
        for last in range(first, len(words)):
            if last > first and not _GAP.fullmatch(text, words[last - 1].end(), words[last].start()):
                break
            code += words[last].group()
            groups.append(len(words[last].group()))
            if len(code) > longest:
                break
            if len(code) in sizes and not _goes_on(text, words, first, last):
                end = words[last].end()
                before = text[max(0, word.start() - _AROUND) : word.start()]
                yield Span(code, tuple(groups), before, text[end : end + _AROUND])


def _goes_on(text: str, words: list[re.Match[str]], first: int, last: int) -> bool:
    """Whether signs that are written one by one go on before or behind: then they're a part of a longer number."""
    beyond = [(at, at + 1) for at in (first - 1, last) if at >= 0 and at + 1 < len(words)]
    return first != last and any(
        len(words[one].group()) == len(words[other].group()) == 1
        and bool(_GAP.fullmatch(text, words[one].end(), words[other].start()))
        for one, other in beyond
    )
