"""The log on disk after C2SP ``tlog-tiles``: hash tiles, entry bundles, partial tiles.

``tile/<L>/<N>[.p/<W>]`` holds 256 hashes of 32 bytes (or W of them), ``tile/entries/<N>[.p/<W>]`` the leaves
themselves as (big-endian uint16 length, bytes)*.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from lifecycle.errors import EvidenceError
from lifecycle.ledger import files
from lifecycle.ledger.merkle import HASH_BYTES, Tree, leaf_hash

TILE = 256
MAX_LEAF_BYTES = 65_535
ENTRIES = "entries"


def tile_name(level: int | str, number: int, width: int = TILE) -> str:
    """Name one tile relative to the log's folder.

    Examples
    --------
    >>> tile_name(0, 1234067, 8)
    'tile/0/x001/x234/067.p/8'
    >>> tile_name("entries", 0)
    'tile/entries/000'
    """
    path = f"{number % 1000:03d}"
    while number := number // 1000:
        path = f"x{number % 1000:03d}/{path}"
    return f"tile/{level}/{path}" + (f".p/{width}" if width < TILE else "")


def pack(leaves: Sequence[bytes]) -> bytes:
    """Spell an entry bundle."""
    return b"".join(struct.pack(">H", len(leaf)) + leaf for leaf in leaves)


def unpack(bundle: bytes) -> list[bytes]:
    """Read an entry bundle; ``ValueError`` where it ends in the middle of a leaf."""
    leaves, at = [], 0
    while at < len(bundle):
        if at + 2 > len(bundle):
            raise ValueError("the bundle ends early")
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle):
            raise ValueError("the bundle ends early")
        leaves.append(bundle[at + 2 : end])
        at = end
    return leaves


def load_tree(root: Path, size: int) -> Tree:
    """Build the tree of the first ``size`` leaves from the tiles of level 0."""
    tree = Tree()
    for number, width in _spans(0, size):
        data = files.read_file(root / tile_name(0, number, width))
        if len(data) != width * HASH_BYTES:
            raise EvidenceError(f"Tile {number} of the log has not {width} hashes.", "lifecycle verify")
        for at in range(0, len(data), HASH_BYTES):
            tree.add(data[at : at + HASH_BYTES])
    return tree


def load_leaves(root: Path, tree: Tree, number: int, size: int) -> list[bytes]:
    """Read bundle ``number`` of a log of ``size`` leaves and compare it with the tree."""
    width = min(TILE, size - number * TILE)
    try:
        leaves = unpack(files.read_file(root / tile_name(ENTRIES, number, width)))
    except ValueError as error:
        raise EvidenceError(f"Bundle {number} of the log ends in the middle of a leaf.", "lifecycle verify") from error
    hashes = tree.levels[0][number * TILE : number * TILE + width]
    if [leaf_hash(leaf) for leaf in leaves] != hashes:
        raise EvidenceError(f"Bundle {number} of the log does not fit its hashes.", "lifecycle verify")
    return leaves


def write_growth(root: Path, tree: Tree, old: int, leaves: Sequence[bytes]) -> None:
    """Write every tile that changes when ``leaves`` come after the first ``old``; entries first.

    ``tree`` already holds them. Nothing that a checkpoint of ``old`` leaves speaks of is touched: what is
    replaced can only be tiles ahead of that checkpoint, left behind by an interrupted append.
    """
    new, first = len(tree), old // TILE * TILE
    pending = (load_leaves(root, tree, old // TILE, old) if old % TILE else []) + list(leaves)
    for number in range(first // TILE, (new - 1) // TILE + 1):
        bundle = pending[number * TILE - first : number * TILE - first + TILE]
        _write(root / tile_name(ENTRIES, number, len(bundle)), pack(bundle))
    for level in range(_levels(new)):
        hashes = tree.levels[8 * level]
        for number, width in _spans(old >> 8 * level, new >> 8 * level):
            at = number * TILE
            _write(root / tile_name(level, number, width), b"".join(hashes[at : at + width]))


def remove_superseded(root: Path, old: int, new: int) -> None:
    """Remove the partial tiles that a durable checkpoint of ``new`` leaves no longer needs.

    The tile that was last at ``old`` is looked at too: an append that was interrupted here is made good.
    """
    for level in range(_levels(new)):
        then, now = old >> 8 * level, new >> 8 * level
        for name in (level, ENTRIES) if level == 0 else (level,):
            for number, width in _spans(max(0, then - 1), now):
                _remove_others(root / (tile_name(name, number) + ".p"), width)


def _spans(old: int, new: int) -> Iterator[tuple[int, int]]:
    """Tiles of one level that hold any of the hashes ``old`` to ``new`` - 1: number and width."""
    if new > old:
        for number in range(old // TILE, (new - 1) // TILE + 1):
            yield number, min(TILE, new - number * TILE)


def _levels(size: int) -> int:
    levels = 0
    while size >> 8 * levels:
        levels += 1
    return levels


def _write(path: Path, data: bytes) -> None:
    files.make_folder(path.parent)
    files.write_durably(path, [data])


def _remove_others(folder: Path, width: int) -> None:
    try:
        names = os.listdir(folder)
        for name in names:
            if name != str(width):
                (folder / name).unlink()
        if width == TILE:
            folder.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        raise EvidenceError(
            f"A superseded part of the log could not be removed ({error.strerror}).",
            "Look after the rights of the evidence folder, then run the same command again.",
        ) from error
