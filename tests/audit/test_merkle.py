"""The tree against the published example and against RFC 6962's own words, written down once more as `_mth`."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    frontier_of,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from core.errors import LedgerError

# The example tree that certificate-transparency's implementations share.
EXAMPLE = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
}
CONSISTENCY = {
    (1, 8): INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

LEAVES = [leaf_hash(bytes([n])) for n in range(34)]


def _mth(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1: MTH."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + _mth(leaves[:k]) + _mth(leaves[k:])).digest()


def test_the_published_example_tree() -> None:
    leaves = [leaf_hash(leaf) for leaf in EXAMPLE]
    assert [root_of(leaves[:n]).hex() for n in range(1, 9)] == ROOTS
    for (index, size), inclusion in INCLUSION.items():
        assert [node.hex() for node in inclusion_proof(leaves[:size], index)] == inclusion
    for (old, size), consistency in CONSISTENCY.items():
        assert [node.hex() for node in consistency_proof(leaves[:size], old)] == consistency


def test_the_seven_leaves_of_rfc_6962_section_2_1_3() -> None:
    a, b, c, d, e, f, j = leaves = LEAVES[:7]
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, l_ = node_hash(g, h), node_hash(i, j)
    assert root_of(leaves) == node_hash(k, l_)
    assert inclusion_proof(leaves, 0) == (b, h, l_)
    assert inclusion_proof(leaves, 3) == (c, g, l_)
    assert inclusion_proof(leaves, 4) == (f, j, k)
    assert inclusion_proof(leaves, 6) == (i, k)
    assert consistency_proof(leaves, 3) == (c, d, g, l_)
    assert consistency_proof(leaves, 4) == (l_,)
    assert consistency_proof(leaves, 6) == (i, j, k)


def test_the_empty_tree() -> None:
    assert root_of([]) == Frontier().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


def test_a_leaf_cant_pose_as_a_node() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_every_root_and_inclusion_proof(size: int) -> None:
    leaves = LEAVES[:size]
    root = root_of(leaves)
    assert root == _mth(leaves)
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        verify_inclusion(leaves[index], index, size, proof, root)
        wrong = [
            (LEAVES[33] if index != 33 else LEAVES[0], index, size, proof, root),
            (leaves[index], index, size, proof, LEAVES[0] if size > 1 else LEAVES[1]),
            (leaves[index], index, size, (*proof, LEAVES[0]), root),
            (leaves[index], index, size, (*proof[:-1], proof[-1][:31]) if proof else (b"",), root),
            (leaves[index], -1, size, proof, root),
            (leaves[index], size, size, proof, root),
            *((leaves[index], other, size, proof, root) for other in range(size) if other != index),
            *((leaves[index], index, size, proof[:n] + proof[n + 1 :], root) for n in range(len(proof))),
        ]
        for arguments in wrong:
            with pytest.raises(LedgerError, match="The inclusion proof doesn't hold"):
                verify_inclusion(*arguments)


@pytest.mark.parametrize("size", range(len(LEAVES)))
def test_every_consistency_proof(size: int) -> None:
    root = root_of(LEAVES[:size])
    for old in range(size + 1):
        old_root = root_of(LEAVES[:old])
        proof = consistency_proof(LEAVES[:size], old)
        verify_consistency(old, old_root, size, root, proof)
        fork = root_of([*LEAVES[: old - 1], b"\x00" * 32]) if old else LEAVES[0]
        wrong = [
            (old, fork, size, root, proof),
            (old, old_root, size, root, (*proof, LEAVES[0])),
            (old, old_root, size, root, (*proof[:-1], b"short") if proof else (b"short",)),
            (size + 1, old_root, size, root, proof),
            (-1, old_root, size, root, proof),
            *((old, old_root, size, root, proof[:n] + proof[n + 1 :]) for n in range(len(proof))),
        ]
        if 0 < old < size:  # a taller tree needs a longer proof
            wrong.append((old, old_root, 4 * size, root, proof))
        if old:  # every tree follows from the empty one
            wrong.append((old, old_root, size, fork, proof))
        for arguments in wrong:
            with pytest.raises(LedgerError, match="The consistency proof doesn't hold"):
                verify_consistency(*arguments)


def test_two_empty_trees_have_the_empty_root() -> None:
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, ())
    with pytest.raises(LedgerError):
        verify_consistency(0, LEAVES[0], 0, LEAVES[0], ())


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 300), st.data())
def test_a_frontier_grows_as_the_tree_does(size: int, more: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(n.to_bytes(2, "big")) for n in range(size + more)]
    frontier = frontier_of(leaves[:size])
    assert len(frontier.hashes) == size.bit_count()
    for leaf in leaves[size:]:
        # What the ledger stores beside a leaf: its proof is the frontier before it, from the right.
        grown = frontier.append(leaf)
        verify_inclusion(leaf, frontier.size, grown.size, frontier.hashes[::-1], grown.root())
        frontier = grown
    assert frontier == frontier_of(leaves)
    assert frontier.root() == _mth(leaves)
    if leaves:
        index = data.draw(st.integers(0, len(leaves) - 1))
        verify_inclusion(leaves[index], index, len(leaves), inclusion_proof(leaves, index), frontier.root())


@pytest.mark.parametrize(
    ("size", "hashes"), [(-1, ()), (0, (b"\x00" * 32,)), (1, ()), (3, (b"\x00" * 32,)), (1, (b"\x00" * 31,))]
)
def test_a_frontier_fits_its_size(size: int, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(LedgerError, match="frontier doesn't fit"):
        Frontier(size, hashes)


def test_proofs_of_what_isnt_there_are_refused() -> None:
    for index in (-1, 3):
        with pytest.raises(LedgerError, match="no such leaf"):
            inclusion_proof(LEAVES[:3], index)
    for old in (-1, 4):
        with pytest.raises(LedgerError, match="can't be larger"):
            consistency_proof(LEAVES[:3], old)
