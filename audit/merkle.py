"""The Merkle tree of RFC 6962, section 2.1: hashes, proofs, and a frontier that grows without the old leaves.

Pure. Hashes are 32 bytes. Leaves are given as leaf hashes, in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.errors import LedgerError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data): no leaf can pose as an inner node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Frontier:
    """The right edge of a tree of `size` leaves: all that append and root need, O(log size).

    hashes: roots of the perfect subtrees that the tree consists of, left to right, one for each 1 bit of `size`.
    Raises LedgerError when the two don't fit.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if (
            self.size < 0
            or self.size.bit_count() != len(self.hashes)
            or any(len(h) != HASH_BYTES for h in self.hashes)
        ):
            raise LedgerError("The tree's frontier doesn't fit its size.")

    def append(self, leaf: bytes) -> Frontier:
        """The frontier with one more leaf hash."""
        *hashes, last = *self.hashes, leaf
        size = self.size
        while size & 1:  # a perfect subtree as large as `last` stands to its left: the two become one
            last = node_hash(hashes.pop(), last)
            size >>= 1
        return Frontier(self.size + 1, (*hashes, last))

    def root(self) -> bytes:
        """The root hash of the tree."""
        if not self.hashes:
            return EMPTY_ROOT
        *hashes, root = self.hashes
        for left in reversed(hashes):
            root = node_hash(left, root)
        return root


def frontier_of(leaves: Iterable[bytes]) -> Frontier:
    """The frontier after appending `leaves` to an empty tree."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root hash of a tree. Source: RFC 6962, 2.1 (MTH)."""
    return frontier_of(leaves).root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The audit path of leaf `index`, from the leaf up. Source: RFC 6962, 2.1.1 (PATH). Raises LedgerError."""
    if not 0 <= index < len(leaves):
        raise LedgerError("There is no such leaf to prove.", index=index, size=len(leaves))
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return (*inclusion_proof(left, index), root_of(right))
    return (*inclusion_proof(right, index - split), root_of(left))


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Proof that the first `old_size` leaves are the beginning of `leaves`; empty for 0 and for all of them.

    Source: RFC 6962, 2.1.2 (PROOF, SUBPROOF). Raises LedgerError.
    """
    if not 0 <= old_size <= len(leaves):
        raise LedgerError(
            "The older tree can't be larger than this one.", old_size=old_size, size=len(leaves)
        )
    return _subproof(leaves, old_size, whole=True) if old_size else ()


def _subproof(leaves: Sequence[bytes], old_size: int, *, whole: bool) -> tuple[bytes, ...]:
    # whole: the old tree is this very subtree, whose root the verifier knows already.
    if old_size == len(leaves):
        return () if whole else (root_of(leaves),)
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if old_size <= split:
        return (*_subproof(left, old_size, whole=whole), root_of(right))
    return (*_subproof(right, old_size - split, whole=False), root_of(left))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Returns when `leaf` is leaf `index` of the tree with this size and root; raises LedgerError otherwise.

    Source: RFC 9162, 2.1.3.2 (the same tree as RFC 6962).
    """
    if not 0 <= index < size or not _are_hashes(proof):
        raise _not_proved("inclusion")
    node, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise _not_proved("inclusion")
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:  # on the right edge: climb past the levels that have no sibling
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        node >>= 1
        last >>= 1
    if last != 0 or result != root:
        raise _not_proved("inclusion")


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Returns when the older tree is the beginning of the newer one; raises LedgerError otherwise.

    An empty older tree is the beginning of every tree. Source: RFC 9162, 2.1.4.2.
    """
    if not 0 <= old_size <= size or not _are_hashes(proof):
        raise _not_proved("consistency")
    if old_size in (0, size):
        if proof or (old_size == 0 and old_root != EMPTY_ROOT) or (old_size == size and old_root != root):
            raise _not_proved("consistency")
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)  # a perfect tree is a node of the newer one: its root starts the path
    if not path:
        raise _not_proved("consistency")
    node, last = old_size - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise _not_proved("consistency")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        node >>= 1
        last >>= 1
    if last != 0 or old != old_root or new != root:
        raise _not_proved("consistency")


def _split(size: int) -> int:
    """The largest power of two under `size`."""
    return int(1 << ((size - 1).bit_length() - 1))


def _are_hashes(proof: Sequence[bytes]) -> bool:
    return all(len(node) == HASH_BYTES for node in proof)


def _not_proved(what: str) -> LedgerError:
    return LedgerError(
        f"The {what} proof doesn't hold.", remedy="Ask the log for a proof for these sizes; keep this one."
    )
