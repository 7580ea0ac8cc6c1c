"""The Merkle tree of the log: roots and proofs. Pure.

Hashes after RFC 6962 section 2.1 (leaf ``SHA256(00 || d)``, node ``SHA256(01 || l || r)``), proofs and their
verification after RFC 9162 sections 2.1.3 and 2.1.4. A hash is 32 bytes; an index counts from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash one leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbours into their parent."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """All complete subtrees of a growing log, level by level: ``levels[k][i]`` covers leaves i*2^k to (i+1)*2^k - 1.

    Parameters
    ----------
    leaf_hashes : iterable of bytes
        Hashes of the leaves so far, 32 bytes each.

    Raises
    ------
    ValueError
        A hash that has not 32 bytes, or a size or index out of order.

    Examples
    --------
    >>> Tree().root() == EMPTY_ROOT
    True
    """

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        self.levels: list[list[bytes]] = [[]]
        for each in leaf_hashes:
            self.add(each)

    def __len__(self) -> int:
        return len(self.levels[0])

    def add(self, hash_of_leaf: bytes) -> None:
        """Append one leaf by its hash."""
        _need_hashes([hash_of_leaf])
        level, value = 0, hash_of_leaf
        self.levels[0].append(value)
        while len(self.levels[level]) % 2 == 0:
            value = node_hash(self.levels[level][-2], value)
            level += 1
            if level == len(self.levels):
                self.levels.append([])
            self.levels[level].append(value)

    def root(self, size: int | None = None) -> bytes:
        """Give the root of the first ``size`` leaves (all of them by default)."""
        size = len(self) if size is None else size
        if not 0 <= size <= len(self):
            raise ValueError("the size lies outside the tree")
        return self._subtree(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Prove leaf ``index`` in the tree of ``size`` leaves (RFC 9162, 2.1.3.1); hashes from the leaf upwards."""
        if not 0 <= index < size <= len(self):
            raise ValueError("index and size are out of order")
        proof, low, high = [], 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                proof.append(self._subtree(middle, high))
                high = middle
            else:
                proof.append(self._subtree(low, middle))
                low = middle
        return proof[::-1]

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """Prove that the first ``old`` leaves are a prefix of the first ``new`` (RFC 9162, 2.1.4.1)."""
        if not 0 < old <= new <= len(self):
            raise ValueError("the sizes are out of order")
        proof, low, high = [], 0, new
        while old != high:
            middle = low + _split(high - low)
            if old <= middle:
                proof.append(self._subtree(middle, high))
                high = middle
            else:
                proof.append(self._subtree(low, middle))
                low = middle
        if low:  # the old tree is not itself a node of the new one's left edge
            proof.append(self._subtree(low, high))
        return proof[::-1]

    def _subtree(self, low: int, high: int) -> bytes:
        size = high - low
        if size & (size - 1) == 0 and low % size == 0:
            level = size.bit_length() - 1
            return self.levels[level][low >> level]
        middle = low + _split(size)
        return node_hash(self._subtree(low, middle), self._subtree(middle, high))


def inclusion_holds(index: int, size: int, hash_of_leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Check an inclusion proof after RFC 9162, 2.1.3.2; wrong lengths and sizes are simply not accepted."""
    if not 0 <= index < size or not _all_hashes([hash_of_leaf, root, *proof]):
        return False
    node, last, value = index, size - 1, hash_of_leaf
    for sibling in proof:
        if last == 0:
            return False
        if node % 2 or node == last:
            value = node_hash(sibling, value)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and value == root


def consistency_holds(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Check a consistency proof after RFC 9162, 2.1.4.2, for ``0 < old <= new``."""
    if not 0 < old <= new or not _all_hashes([old_root, new_root, *proof]):
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node % 2 or node == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _split(size: int) -> int:
    """Largest power of two smaller than ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _all_hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


def _need_hashes(values: Iterable[bytes]) -> None:
    if not _all_hashes(values):
        raise ValueError("a hash has 32 bytes")
