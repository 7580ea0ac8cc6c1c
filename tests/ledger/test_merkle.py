"""Roots and proofs after RFC 6962 and RFC 9162, against published vectors and against a second way to compute them."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.ledger.merkle import EMPTY_ROOT, Tree, consistency_holds, inclusion_holds, leaf_hash, node_hash

LEAVES = [
    bytes.fromhex(text)
    for text in (
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
"""The tree of Certificate Transparency's own tests: roots of its first one to eight leaves."""

# index, size, proof: published with the same tree
PATHS = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


def published() -> Tree:
    return Tree(leaf_hash(leaf) for leaf in LEAVES)


def naive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(b"\x01" + naive_root(hashes[:split]) + naive_root(hashes[split:])).digest()


def made(size: int) -> Tree:
    return Tree(leaf_hash(b"%d" % number) for number in range(size))


def test_the_published_roots_come_out() -> None:
    """Sizes 0 to 8."""
    tree = published()
    assert Tree().root() == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert [tree.root(size).hex() for size in range(1, 9)] == ROOTS


@pytest.mark.parametrize(("index", "size", "path"), PATHS)
def test_the_published_inclusion_proofs_come_out(index: int, size: int, path: list[str]) -> None:
    """Made and accepted."""
    tree = published()
    proof = [bytes.fromhex(each) for each in path]
    assert tree.inclusion_proof(index, size) == proof
    assert inclusion_holds(index, size, leaf_hash(LEAVES[index]), proof, tree.root(size))


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCY)
def test_the_published_consistency_proofs_come_out(old: int, new: int, path: list[str]) -> None:
    """Made and accepted."""
    tree = published()
    proof = [bytes.fromhex(each) for each in path]
    assert tree.consistency_proof(old, new) == proof
    assert consistency_holds(old, new, tree.root(old), tree.root(new), proof)


def test_every_root_equals_the_definition() -> None:
    """The tree that grows and the definition agree at every size to 300."""
    tree = made(300)
    for size in range(301):
        assert tree.root(size) == naive_root(tree.levels[0][:size])


def test_every_proof_of_small_trees_holds_and_no_changed_one_does() -> None:
    """All indexes and sizes to 20: accepted as made; refused for another leaf, root, place, length or order."""
    tree = made(21)
    for size in range(1, 21):
        for index in range(size):
            proof, value, root = tree.inclusion_proof(index, size), tree.levels[0][index], tree.root(size)
            assert inclusion_holds(index, size, value, proof, root)
            assert not inclusion_holds(index, size, leaf_hash(b"another"), proof, root)
            assert not inclusion_holds(index, size, value, proof, tree.root(size + 1))
            assert not inclusion_holds(index, size, value, [*proof, value], root)
            assert not inclusion_holds(size, size, value, proof, root)
            assert not inclusion_holds(-1, size, value, proof, root)
            for at in range(len(proof)):
                assert not inclusion_holds(index, size, value, proof[:at] + proof[at + 1 :], root)
                assert not inclusion_holds(index, size, value, [*proof[:at], proof[at][:31], *proof[at + 1 :]], root)
                assert not inclusion_holds(index, size, value, [*proof[:at], bytes(32), *proof[at + 1 :]], root)


def test_every_consistency_proof_of_small_trees_holds_and_no_changed_one_does() -> None:
    """All pairs of sizes to 20."""
    tree = made(21)
    for new in range(1, 21):
        for old in range(1, new + 1):
            proof, roots = tree.consistency_proof(old, new), (tree.root(old), tree.root(new))
            assert consistency_holds(old, new, *roots, proof)
            assert not consistency_holds(old, new, *roots, [*proof, bytes(32)])
            assert not consistency_holds(old, new, tree.root(old - 1), tree.root(new), proof)
            assert not consistency_holds(old, new, tree.root(old), tree.root(new + 1), proof)
            assert not consistency_holds(new + 1, new, *roots, proof)
            assert not consistency_holds(0, new, *roots, proof)
            for at in range(len(proof)):
                assert not consistency_holds(old, new, *roots, proof[:at] + proof[at + 1 :])
                assert not consistency_holds(old, new, *roots, [*proof[:at], proof[at] + b"\0", *proof[at + 1 :]])


@given(st.data())
def test_proofs_hold_in_trees_of_any_size(data: st.DataObject) -> None:
    """Sizes to 3,000, places at random."""
    size = data.draw(st.integers(1, 3000))
    old = data.draw(st.integers(1, size))
    index = data.draw(st.integers(0, old - 1))
    tree = made(size)
    assert inclusion_holds(index, old, tree.levels[0][index], tree.inclusion_proof(index, old), tree.root(old))
    assert consistency_holds(old, size, tree.root(old), tree.root(size), tree.consistency_proof(old, size))


def test_sizes_out_of_order_are_refused() -> None:
    """0 < m <= n, and an index inside."""
    tree = made(5)
    for index, size in ((5, 5), (-1, 5), (0, 0), (0, 6)):
        with pytest.raises(ValueError, match="out of order"):
            tree.inclusion_proof(index, size)
    for old, new in ((0, 5), (5, 4), (1, 6), (-1, 3)):
        with pytest.raises(ValueError, match="out of order"):
            tree.consistency_proof(old, new)
    with pytest.raises(ValueError, match="outside"):
        tree.root(6)


def test_a_hash_has_32_bytes() -> None:
    """Shorter and longer ones do not get into the tree."""
    for length in (0, 31, 33):
        with pytest.raises(ValueError, match="32 bytes"):
            Tree([bytes(length)])


def test_leaves_and_nodes_cannot_be_exchanged() -> None:
    """The domain separation of RFC 6962: a node's bytes as a leaf have another hash."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
