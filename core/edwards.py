"""Points of edwards25519, as far as it takes to tell a sound public key from one made to deceive.

Everything here is public; nothing runs in constant time, and no signature is checked here. Source: RFC 8032, section 5.1.
"""

from __future__ import annotations

from functools import lru_cache

FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493  # of the base point's group
_D = -121665 * pow(121666, -1, FIELD) % FIELD
_ROOT_OF_MINUS_ONE = pow(2, (FIELD - 1) // 4, FIELD)

# x, y, z, t with x/z and y/z the coordinates and t = xy/z.
Point = tuple[int, int, int, int]
_NEUTRAL: Point = (0, 1, 1, 0)
# The y of the eight points of small order: of the neutral one, of order 2, 4, and both of order 8.
_EIGHTH = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_SMALL = frozenset({0, 1, FIELD - 1, _EIGHTH, FIELD - _EIGHTH})


def is_plain(encoded: bytes) -> bool:
    """Whether 32 bytes encode, in the canonical way, something that isn't a point of small order: quick, and not enough.

    Under a key of small order a signature fits many messages, so that its owner can deny each.
    """
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return len(encoded) == 32 and y < FIELD and y not in _SMALL


@lru_cache(maxsize=4096)
def is_sound(encoded: bytes) -> bool:
    """Whether 32 bytes are the one encoding of a point, not the neutral one, in the group of prime order.

    With a part of small order in a key, verifiers that multiply by the cofactor and those that don't disagree about the
    same signature. It never comes about by chance. Takes a millisecond, once for each key.
    """
    point = _decode(encoded) if is_plain(encoded) else None
    return point is not None and _is_neutral(_times(ORDER, point))


def _decode(encoded: bytes) -> Point | None:
    """The point that a plain encoding says; None when there is none with this y."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    # x^2 = (y^2 - 1) / (d y^2 + 1)
    square = (y * y - 1) * pow(_D * y * y + 1, -1, FIELD) % FIELD
    x = pow(square, (FIELD + 3) // 8, FIELD)
    if (x * x - square) % FIELD:
        x = x * _ROOT_OF_MINUS_ONE % FIELD
    if (x * x - square) % FIELD:
        return None
    if x & 1 != sign:
        x = FIELD - x
    return x, y, 1, x * y % FIELD


def _add(first: Point, second: Point) -> Point:
    """The complete addition law, which also doubles."""
    x1, y1, z1, t1 = first
    x2, y2, z2, t2 = second
    a = (y1 - x1) * (y2 - x2) % FIELD
    b = (y1 + x1) * (y2 + x2) % FIELD
    c = 2 * t1 * t2 * _D % FIELD
    d = 2 * z1 * z2 % FIELD
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % FIELD, g * h % FIELD, f * g % FIELD, e * h % FIELD


def _times(factor: int, point: Point) -> Point:
    total = _NEUTRAL
    for bit in bin(factor)[2:]:
        total = _add(total, total)
        if bit == "1":
            total = _add(total, point)
    return total


def _is_neutral(point: Point) -> bool:
    x, y, z, _ = point
    return x % FIELD == 0 and (y - z) % FIELD == 0
