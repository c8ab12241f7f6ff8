"""The values that a constraint can hold: what each kind takes, from a document or from a request.

A reader gives the value, or None for anything else. Each takes one spelling only: what two programs could read as two
different limits is no limit.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from contracts.agreement.codes import SCHEME, code_of
from core.errors import ContractError

XSD = "http://www.w3.org/2001/XMLSchema#"
MAX_NAME_BYTES = 200

_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#-]{0,127}")
_TERRITORY = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_PERIOD = re.compile(r"P([1-9][0-9]{0,3})([DWMY])")
_DAYS = re.compile(r"P([0-9]{1,5})([DW])")


@dataclass(frozen=True, order=True)
class Period:
    """A length of calendar time: months and days are kept apart, no month has a fixed number of days."""

    months: int
    days: int

    def __str__(self) -> str:
        return f"P{self.months}M" if self.months else f"P{self.days}D"


Value = Decimal | str | datetime | Period
# A day, a week, a month, a quarter and a year: what `privacy.budget.periods` counts in.
_CALENDAR = (Period(0, 1), Period(0, 7), Period(1, 0), Period(3, 0), Period(12, 0))


class Grade(StrEnum):
    """The grades of firm that a recipient may be asked for."""

    SME = "SME"
    LITTLE_GIANT = "LittleGiant"
    SINGLE_CHAMPION = "SingleChampion"
    AI_ONE_PERSON_COMPANY = "AIOnePersonCompany"
    PLATFORM = "Platform"
    AUDITOR = "Auditor"


class Protects(StrEnum):
    """What an epsilon protects of a privacy unit: one month of it, or its whole record."""

    MONTH = "month-of-unit"
    RECORD = "whole-record"


def number(value: object) -> Decimal | None:
    """A number that isn't negative, from a JSON number or decimal text. No NaN, no infinity, no spaces, no other digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, float):
        # repr, not the binary value: 0.1 means what was written.
        return Decimal(repr(value)) if math.isfinite(value) and value >= 0 else None
    if isinstance(value, int):
        return Decimal(value) if 0 <= value < 2**53 else None
    if isinstance(value, Decimal):
        return value if value.is_finite() and value >= 0 else None
    return None


def count(value: object) -> Decimal | None:
    """A whole number that isn't negative."""
    found = number(value)
    # By exponent first: a whole number of a billion digits must not be written out to see that it is one.
    if found is None or found.adjusted() > 18 or found != found.to_integral_value():
        return None
    return found


def token(value: object) -> str | None:
    """A word of ASCII letters, digits and `._:/#-`: a purpose or an algorithm, which must look the same to everybody."""
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def name(value: object) -> str | None:
    """A name in any script, as a column or a dataset may have: in NFC, printable, no spaces around it."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_BYTES:
        return None
    if value != value.strip() or not value.isprintable() or unicodedata.normalize("NFC", value) != value:
        return None
    return value if len(value.encode(errors="replace")) <= MAX_NAME_BYTES else None


def territory(value: object) -> str | None:
    """An ISO 3166 code, compared as it stands: CN-HK is in the list or it isn't, CN doesn't bring it along."""
    return value if isinstance(value, str) and _TERRITORY.fullmatch(value) else None


def grade(value: object) -> str | None:
    """One of the grades of firm."""
    return str(value) if isinstance(value, str) and value in Grade._value2member_map_ else None


def protects(value: object) -> str | None:
    """What an epsilon protects."""
    return str(value) if isinstance(value, str) and value in Protects._value2member_map_ else None


def party(value: object) -> str | None:
    """The code of a party, from its id in a document."""
    try:
        return code_of(value)
    except ContractError:
        return None


def asked(value: object) -> str | None:
    """What a request says where an agreement lists words: it's among them letter by letter, or it isn't."""
    return value if isinstance(value, str) and value else None


def asked_party(value: object) -> str | None:
    """The same where an agreement lists parties: a bare code, or its id."""
    return asked(value.removeprefix(SCHEME)) if isinstance(value, str) else None


def time(value: object) -> datetime | None:
    """A moment with its zone, in UTC. A time without zone is eight hours wide between two readers in two countries."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):  # the 30th of February; the first hour of year 1 in another zone
        return None


def period(value: object) -> Period | None:
    """An ISO 8601 duration of days, weeks, months or years."""
    found = _PERIOD.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    length = int(found[1])
    match found[2]:
        case "D":
            return Period(0, length)
        case "W":
            return Period(0, 7 * length)
        case "M":
            return Period(length, 0)
        case _:
            return Period(12 * length, 0)


def calendar_period(value: object) -> Period | None:
    """A period of the calendar, over which a budget renews itself: everybody computes it alike from a moment alone."""
    found = period(value)
    return found if found in _CALENDAR else None


def days(value: object) -> Decimal | None:
    """An ISO 8601 duration of days or weeks as a number of days: a deadline must fall on one day for everybody."""
    found = _DAYS.fullmatch(value) if isinstance(value, str) else None
    return Decimal(int(found[1]) * (7 if found[2] == "W" else 1)) if found else None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of value: how it's read, which datatypes a document may write beside it, and what it takes, in words.

    iri: whether `{"@id": ...}` may hold it. asked: the reader for requests, where it is another.
    """

    takes: str
    read: Callable[[object], Value | None]
    datatypes: frozenset[str]
    iri: bool = False
    asked: Callable[[object], Value | None] | None = None

    def of_request(self, value: object) -> Value | None:
        """The value that a request says."""
        return (self.asked or self.read)(value)


def _types(*names: str) -> frozenset[str]:
    return frozenset(XSD + each for each in names)


_WHOLE = _types(
    "integer", "nonNegativeInteger", "positiveInteger", "int", "long", "short", "unsignedInt", "unsignedLong"
)
_TEXT = _types("string", "token", "anyURI")

COUNT = Kind(takes="a whole number", read=count, datatypes=_WHOLE | _types("decimal"))
AMOUNT = Kind(takes="a number from 0", read=number, datatypes=_WHOLE | _types("decimal", "double", "float"))
TOKEN = Kind(
    takes="words of ASCII letters, digits and ._:/#-", read=token, datatypes=_TEXT, iri=True, asked=asked
)
NAME = Kind(takes="names in NFC of at most 200 bytes", read=name, datatypes=_TEXT, iri=True, asked=asked)
TERRITORY = Kind(takes="ISO 3166 codes such as CN or CN-HK", read=territory, datatypes=_TEXT, asked=asked)
GRADE = Kind(takes=f"grades: {', '.join(Grade)}", read=grade, datatypes=_TEXT, asked=asked)
PROTECTS = Kind(takes=" or ".join(Protects), read=protects, datatypes=_TEXT, asked=asked)
PARTY = Kind(takes=f"parties as {SCHEME}<code>", read=party, datatypes=_TEXT, iri=True, asked=asked_party)
TIME = Kind(
    takes="a time with its zone, such as 2027-11-21T23:59:59Z",
    read=time,
    datatypes=_types("dateTime", "dateTimeStamp"),
)
_DURATION = _types("duration", "yearMonthDuration", "dayTimeDuration")
PERIOD = Kind(takes="a period such as P1M, P7D or P1Y", read=period, datatypes=_DURATION)
CALENDAR_PERIOD = Kind(
    takes="a period of the calendar: P1D, P1W, P1M, P3M or P1Y", read=calendar_period, datatypes=_DURATION
)
DAYS = Kind(takes="days such as P90D", read=days, datatypes=_types("duration", "dayTimeDuration"))
