"""JSON that others wrote, as plain values: within bounds, and in one meaning only.

Two readers must never see two documents in the same bytes, so a key stands once, numbers are those that RFC 8785 can carry,
and text is text that UTF-8 can carry.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.agreement.model import clause_path
from contracts.problems import Where, shown
from core.errors import ContractError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 24
MAX_VALUES = 50_000
_SAFE_INTEGER = 2**53 - 1
_SHORT = "An agreement is a few pages; write what is meant out plainly."


def load_json(path: Path) -> dict[str, Any]:
    """The object in a file. Raises ContractError: no such file, larger than a megabyte, not JSON, not one meaning."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _too_large(str(path))
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)  # it may have grown, or be a device without a size
    except OSError as error:
        raise ContractError(
            f"The document can't be read ({error.strerror or type(error).__name__}).",
            where=str(path),
            remedy="Check what it is and its mode.",
        ) from error
    return parse_json(raw, where=str(path))


def parse_json(raw: bytes, *, where: str = "") -> dict[str, Any]:
    """The object in these bytes. Raises ContractError, with the place where one can be told."""
    if len(raw) > MAX_BYTES:
        raise _too_large(where)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ContractError(
            f"The document isn't UTF-8 at byte {error.start}.",
            where=where,
            remedy="Save it with the encoding UTF-8.",
        ) from error
    try:
        document = json.loads(
            text,
            object_pairs_hook=_once_each,
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_no_number,
        )
    except _MeaningError as error:
        raise ContractError(error.what, where=where, remedy=error.remedy) from None
    except json.JSONDecodeError as error:
        raise ContractError(
            f"The document isn't JSON: {error.msg}.",
            where=f"{where}:{error.lineno}" if where else f"line {error.lineno}",
            remedy="Mend it there, or write it anew.",
        ) from None
    except RecursionError:
        raise _too_deep(where) from None
    check_json(document, where=where)
    if not isinstance(document, dict):
        raise ContractError("The document isn't a JSON object.", where=where, remedy="Start it with `{`.")
    return document


def check_json(document: object, *, where: str = "") -> None:
    """Says whether a value is JSON within bounds, whatever built it. Raises ContractError with the place."""
    # A walk without recursion: a value built to nest without end, or to hold itself, stops at MAX_DEPTH.
    waiting: list[tuple[object, Where]] = [(document, ())]
    seen = 0
    while waiting:
        value, place = waiting.pop()
        seen += 1
        if seen > MAX_VALUES:
            raise ContractError(
                f"The document holds more than {MAX_VALUES} values.", where=where, remedy=_SHORT
            )
        if len(place) > MAX_DEPTH:
            raise _too_deep(where)
        if isinstance(value, dict):
            for key, item in value.items():
                _text(key, place, where)
                waiting.append((item, (*place, key)))
        elif isinstance(value, list):
            if seen + len(value) > MAX_VALUES:
                raise ContractError(
                    f"The document holds more than {MAX_VALUES} values.", where=where, remedy=_SHORT
                )
            waiting.extend((item, (*place, i)) for i, item in enumerate(value))
        elif isinstance(value, str):
            _text(value, place, where)
        elif isinstance(value, bool) or value is None:
            pass
        elif isinstance(value, int):
            if abs(value) > _SAFE_INTEGER:
                raise _refused("An integer is beyond 2^53", place, where, "Write it as text.")
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise _refused("A number isn't finite", place, where, "Write a finite number.")
        else:
            raise _refused("A value isn't JSON", place, where, "Use text, numbers, lists and objects.")


class _MeaningError(Exception):
    """JSON as such, but nothing that two readers must understand alike."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _MeaningError(f"The key `{shown(key)}` stands twice in one object.", "Keep one of them.")
        found[key] = value
    return found


def _integer(digits: str) -> int:
    # Python refuses to convert thousands of digits; nobody needs more than sixteen.
    if len(digits) > 17 or abs(int(digits)) > _SAFE_INTEGER:
        raise _MeaningError(
            "An integer is beyond 2^53, where JSON readers differ.", "Write it as text, or smaller."
        )
    return int(digits)


def _fraction(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _MeaningError("A number is too large for JSON readers to agree on it.", "Write it smaller.")
    return value


def _no_number(word: str) -> float:
    raise _MeaningError(f"`{word}` is no number in JSON.", "Write a finite number.")


def _text(value: object, place: Where, where: str) -> None:
    if not isinstance(value, str):
        raise _refused("A key isn't text", place, where, "Write keys as text.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refused("A text holds half a surrogate pair", place, where, "Write the character.") from None


def _refused(what: str, place: Where, where: str, remedy: str) -> ContractError:
    clause = clause_path(place)
    return ContractError(f"{what}: {clause}.", where=where, remedy=remedy, clause=clause)


def _too_large(where: str) -> ContractError:
    return ContractError(f"The document is larger than {MAX_BYTES} bytes.", where=where, remedy=_SHORT)


def _too_deep(where: str) -> ContractError:
    return ContractError(
        f"The document nests deeper than {MAX_DEPTH} levels.", where=where, remedy="Flatten it."
    )


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping as the dict that canonical forms are made of."""
    return document if isinstance(document, dict) else dict(document)
