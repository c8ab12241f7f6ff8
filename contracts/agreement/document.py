"""An agreement as plain values, from a file or from whoever built it: within bounds, and in one meaning only.

Two readers must never see two documents in the same bytes (`core.jsontext`), so numbers are those that RFC 8785 can carry, and
text is text that UTF-8 can carry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.agreement.model import clause_path
from contracts.problems import Where
from core.errors import ContractError
from core.jsontext import parse_json

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 24
MAX_VALUES = 50_000
_SAFE_INTEGER = 2**53 - 1
_SHORT = "An agreement is a few pages; write what is meant out plainly."


def load_json(path: Path) -> dict[str, Any]:
    """The object in a file. Raises ContractError: no such file, larger than a megabyte, not strict JSON, not within bounds."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)  # it may grow while it's read, or be a device without a size
    except OSError as error:
        raise ContractError(
            f"The document can't be read ({error.strerror or type(error).__name__}).",
            where=str(path),
            remedy="Check what it is and its mode.",
        ) from error
    where = str(path)
    document = parse_json(raw, max_bytes=MAX_BYTES, where=where, max_depth=MAX_DEPTH)
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


def _too_deep(where: str) -> ContractError:
    return ContractError(
        f"The document nests deeper than {MAX_DEPTH} levels.", where=where, remedy="Flatten it."
    )


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping as the dict that canonical forms are made of."""
    return document if isinstance(document, dict) else dict(document)
