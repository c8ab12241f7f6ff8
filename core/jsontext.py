"""JSON that others wrote, read strictly: one text has one meaning, and no text costs more than its size allows.

Two programs that take a doubled key, a NaN or a lone surrogate differently would see two documents under one signature.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from core.errors import ContractError

MAX_DEPTH = 64
_MAX_DIGITS = 400


def parse_json(data: bytes, *, max_bytes: int, where: str = "", max_depth: int = MAX_DEPTH) -> Any:
    """The JSON value that `data` says.

    Raises ContractError for more than `max_bytes`, what isn't UTF-8 or JSON (a byte order mark, NaN, Infinity, a lone
    surrogate), a key that stands twice in one object, numbers of more than 400 digits, and more than `max_depth` levels.
    """
    if len(data) > max_bytes:
        raise ContractError(
            f"The document has {len(data)} bytes, more than {max_bytes}.",
            where=where,
            remedy="Send the document alone.",
        )
    try:
        # Depth first: what the parser builds for a deep text is freed by recursion too.
        text = data.decode()
        if _depth(text) > max_depth:
            raise _LaxError(f"it nests deeper than {max_depth} levels")
        value = json.loads(
            text,
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_int=_number(int),
            parse_float=_number(float),
        )
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except _LaxError as refused:
        raise ContractError(
            f"The document isn't strict JSON: {refused}.",
            where=where,
            remedy="Write it once more, by a JSON library.",
        ) from None
    except (ValueError, RecursionError):  # a UnicodeError is a ValueError
        raise ContractError(
            "The document isn't JSON in UTF-8.", where=where, remedy="Write it once more, by a JSON library."
        ) from None
    return value


class _LaxError(ValueError):
    """What strict reading refuses; its text holds nothing of the document but a key's name."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _LaxError(f"the key {twice[:40]!a} stands twice in one object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise _LaxError(f"{name} is no number of JSON")


def _number(kind: type[int] | type[float]) -> Any:
    def read(digits: str) -> int | float:
        if len(digits) > _MAX_DIGITS:
            raise _LaxError(f"a number has more than {_MAX_DIGITS} digits")
        value = kind(digits)
        if value in (float("inf"), float("-inf")):
            raise _LaxError("a number is too large for any reader")
        return value

    return read


def _depth(text: str) -> int:
    """How deep the brackets outside of strings nest, at most; wrong texts give any number."""
    deepest = depth = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest
