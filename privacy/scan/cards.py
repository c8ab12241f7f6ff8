"""Bank cards: an issuer's prefix and Luhn's check digit (ISO/IEC 7812)."""

from __future__ import annotations

import re

from stdnum import luhn

from contracts.carried import Kind
from privacy.scan.detector import Detector, Rule, Seen
from privacy.scan.gate import BORDER, GAP
from privacy.scan.words import Span, spans

# UnionPay, Visa, Mastercard, American Express, JCB, Discover, and the older debit cards of Chinese banks.
_ISSUED = re.compile(
    r"62[0-9]{14,17}|4[0-9]{15}|(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)[0-9]{11,14}"
    r"|3[47][0-9]{13}|35(?:2[89]|[3-8][0-9])[0-9]{12}|6(?:011|5[0-9]{2}|03[0-9]|0[0-9]{2}|9[0-9]{2})[0-9]{12,15}|95588?[0-9]{14,15}"
)
_MAX_GROUPS = 5
_CARD = re.compile(r"(?i)card|account|acct|bank|卡|账号|帐号|账户|银行")


def _card(text: str) -> Seen | None:
    shaped = None
    for span in spans(text, 15, 16, 17, 18, 19):
        if _is_issued(span):
            if luhn.is_valid(span.code):
                return Seen(passed=True, clear=bool(_CARD.search(span.around)))
            shaped = Seen(passed=False)
    return shaped


def _is_issued(span: Span) -> bool:
    fours = all(size == 4 for size in span.groups[:-1]) and len(span.groups) <= _MAX_GROUPS
    alike = len(span.groups) == 1 or fours or set(span.groups) == {1} or span.groups == (4, 6, 5)
    return alike and span.code.isdigit() and bool(_ISSUED.fullmatch(span.code))


# Luhn's one digit lets 1 in 10 random numbers pass, and a tenth to a fifth of random numbers has an issuer's prefix: three
# or more must pass, and so many of those with a prefix that chance doesn't explain it. One is clear only where the text
# speaks of a card. Timestamps in micro- and nanoseconds begin with 1, which no issuer has.
CARD = Detector(
    kind=Kind.BANK_CARD,
    gate=rf"{BORDER}[2-69](?:{GAP}[0-9]){{14}}",
    test=_card,
    everywhere=True,
    text=Rule(least=3, share=0.0, chance=0.1, purity=0.2),
    number=Rule(least=3, share=0.01, chance=0.1, purity=0.2),
)
