"""One language of the page: its words, its numbers, and names made harmless."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from privacy.report.words import WORDS

# What XML can't hold, and marks that turn the direction of a text: either could make a name look like another.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Tongue:
    """What the page says in one language, "zh" or "en"; all it gives is HTML."""

    language: str

    def say(self, key: str, **values: str) -> str:
        """The text of a key; values: HTML, put in as it is. Raises KeyError for a text that isn't there."""
        return escape(self.plain(key), quote=False).format(**values)

    def plain(self, key: str) -> str:
        """The text of a key as it stands, for pictures."""
        text: str = getattr(WORDS[key], self.language)
        return text

    @staticmethod
    def clean(name: str) -> str:
        """A name without signs that a page can't hold."""
        return _UNFIT.sub("�", name)

    @classmethod
    def name(cls, name: str) -> str:
        """A name from a contract, apart from the text around it."""
        return f"<bdi>{escape(cls.clean(name))}</bdi>"

    @staticmethod
    def share(value: float) -> str:
        """A share as per cent; one that isn't zero, or isn't all, never looks as if it were."""
        if 0 < value < 0.001:
            return "&lt;0.1%"
        if 0.999 < value < 1:
            return "&gt;99.9%"
        return f"{value:.1%}" if value < 1 else "100%"

    @staticmethod
    def count(value: int) -> str:
        """A count with its thousands apart."""
        return f"{value:,}"

    def paragraph(self, key: str, *, small: bool = False, **values: str) -> str:
        """A paragraph."""
        kind = ' class="small"' if small else ""
        return f"<p{kind}>{self.say(key, **values)}</p>"

    def section(self, key: str, *parts: str) -> str:
        """A section under its heading."""
        return f"<section><h2>{self.say(key)}</h2>{''.join(parts)}</section>"

    def tile(self, key: str, value: str, says: str, verdict: bool | None) -> str:
        """One number with what it says, and whether it's within the contract (None: nothing was agreed)."""
        state = "" if verdict is None else " good" if verdict else " bad"
        said = self.say("unasked" if verdict is None else "yes" if verdict else "no")
        sign = "" if verdict is None else "✓ " if verdict else "✗ "
        return (
            f'<div class="tile{state}"><span>{self.say(key)}</span><b>{value}</b>'
            f'<span class="said">{sign}{said}</span><span>{says}</span></div>'
        )

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> str:
        """A table. heads: keys. rows: HTML. texts: the first so many columns are text, the others numbers."""

        def cells(tag: str, values: Sequence[str]) -> str:
            kinds = ["" if place < texts else ' class="n"' for place in range(len(values))]
            return "".join(f"<{tag}{kind}>{value}</{tag}>" for kind, value in zip(kinds, values, strict=True))

        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
        head = cells("th", [self.say(key) for key in heads])
        return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'

    def pair(self, picture: str, caption: str, beside: str) -> str:
        """A picture with its caption, and what stands beside it."""
        return (
            f'<div class="pair"><figure>{picture}<figcaption>{self.say(caption)}</figcaption></figure>'
            f"<div>{beside}</div></div>"
        )

    def more(self, key: str, inside: str) -> str:
        """Something that opens at a click."""
        return f"<details><summary>{self.say(key)}</summary>{inside}</details>"
