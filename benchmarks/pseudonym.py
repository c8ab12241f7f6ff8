"""What a pseudonym costs: two million distinct ids, as whole numbers and as texts.

    python -m benchmarks.pseudonym [--ids 2000000] [--repeat 5] [--json]

The floor is a bare loop over the messages as bytes, made beforehand: copy two SHA-256 states, feed them, keep the digest.
What is measured starts with an Arrow column and ends with one. The ratio is the median of the repeats, each beside a floor
of its own; processor time, in one process. Exits 1 above the limit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable

import pyarrow as pa

from privacy.transforms.pseudonym import pseudonymize

LIMIT = 1.15
_KEY = bytes(range(32))
_FIRST = 10**9


def columns(ids: int) -> dict[str, pa.Array]:
    """The same ids in two types."""
    whole = pa.array(range(_FIRST, _FIRST + ids), pa.int64())
    return {"integers": whole, "texts": whole.cast(pa.string())}


def floor(messages: list[bytes]) -> list[bytes]:
    """HMAC-SHA256 of each message by copied states."""
    inner, outer = (hashlib.sha256(bytes(b ^ pad for b in _KEY.ljust(64, b"\0"))) for pad in (0x36, 0x5C))
    out = []
    for v in messages:
        a = inner.copy()
        a.update(v)
        b = outer.copy()
        b.update(a.digest())
        out.append(b.digest())
    return out


def cpu_s(call: Callable[[], object]) -> float:
    """Seconds of the processor that a call takes."""
    start = time.process_time()
    call()
    return time.process_time() - start


def measure(ids: int, repeat: int) -> dict[str, dict[str, float]]:
    """Per type: microseconds of a pseudonym, of the floor, and how many times the floor it is."""
    found = {}
    for name, column in columns(ids).items():
        letter = {"integers": b"i:", "texts": b"s:"}[name]
        messages = [letter + str(value).encode() for value in column.to_pylist()]
        if floor(messages[-1:])[0][:16] != pseudonymize(column[-1:], _KEY)[0].as_py():
            raise SystemExit(f"{name}: the floor and the pseudonym differ")

        def bare(messages: list[bytes] = messages) -> object:
            return floor(messages)

        def whole(column: pa.Array = column) -> object:
            return pseudonymize(column, _KEY)

        pairs = [(cpu_s(whole), cpu_s(bare)) for _ in range(repeat)]
        found[name] = {
            "pseudonym_us": statistics.median(pair[0] for pair in pairs) / ids * 1e6,
            "floor_us": statistics.median(pair[1] for pair in pairs) / ids * 1e6,
            "ratio": statistics.median(pair[0] / pair[1] for pair in pairs),
        }
    return found


def main() -> None:
    """Measures and prints; exits 1 when a pseudonym costs more than the limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ids", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.ids, given.repeat)
    if given.json:
        print(json.dumps(found))
    else:
        for name, each in found.items():
            print(
                f"{name:8} {each['pseudonym_us']:.3f} us, {each['ratio']:.3f} x the floor of {each['floor_us']:.3f} us"
            )
    sys.exit(any(each["ratio"] > LIMIT for each in found.values()))


if __name__ == "__main__":
    main()
