"""Signed notes and checkpoints: the bytes of C2SP ``signed-note``, ``tlog-checkpoint`` and ``tlog-proof``. Pure.

``keyID = SHA256(name || 0A || 01 || public key)[:4]``; ``vkey = name+hex(keyID)+base64(01 || public key)``.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from lifecycle.model import Checkpoint

ED25519 = b"\x01"
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_ORIGIN = re.compile(r"[^\s+\x00-\x1f\x7f-\x9f]{1,200}")


def need_origin(origin: str) -> str:
    """Give ``origin`` back if it can name a key: no blank, no plus sign, no control character."""
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("an origin has no blanks, no plus sign and no control characters")
    return origin


def strict_base64(text: str) -> bytes:
    """Decode base64 that is spelled in the one canonical way, so that no flipped bit goes unseen."""
    data = b64decode(text.encode("ascii"), validate=True)
    if b64encode(data).decode() != text:
        raise ValueError("base64 is not in its canonical form")
    return data


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public side of a log's key; ``public`` has 32 bytes."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key in the spelling of signed-note, without a line end."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(ED25519 + self.public).decode()}"

    @property
    def pem(self) -> str:
        """The same key as SubjectPublicKeyInfo, for openssl."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(self.public)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def need_signed(self, text: str, signature: bytes) -> None:
        """Check a bare signature; ``ValueError`` where it is not this key's."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            raise ValueError("the signature does not fit the key") from None

    def accepts(self, note: str) -> bool:
        """Tell whether a line of the note is a good signature by this key; lines of other keys are passed over."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        text, gap, signatures = note.rpartition("\n\n")
        if not gap or not signatures.endswith("\n"):
            return False
        for line in signatures[:-1].split("\n"):
            dash, name, blob = [*line.split(" "), "", ""][:3]
            if dash != "—" or name != self.name:
                continue
            try:
                raw = strict_base64(blob)
                if raw[:4] == self.key_id:
                    Ed25519PublicKey.from_public_bytes(self.public).verify(raw[4:], text.encode() + b"\n")
                    return True
            except (ValueError, InvalidSignature):
                return False
        return False


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """The secret side: an Ed25519 seed of 32 bytes. Its repr shows nothing."""

    name: str
    seed: bytes

    @property
    def verifier(self) -> Verifier:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return Verifier(self.name, public)

    def sign_bytes(self, text: str) -> bytes:
        """Sign ``text`` and give the bare signature."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())

    def sign(self, text: str) -> str:
        """Sign ``text`` (which ends with a line end) and give the whole note."""
        return f"{text}\n— {self.name} {b64encode(self.verifier.key_id + self.sign_bytes(text)).decode()}\n"

    def checkpoint(self, size: int, root: bytes) -> str:
        """Spell and sign the head of a log of ``size`` leaves."""
        return self.sign(f"{self.name}\n{size}\n{b64encode(root).decode()}\n")


def parse_vkey(vkey: str) -> Verifier:
    """Read a key in the spelling of signed-note; ``ValueError`` for any other spelling than the one it has."""
    name, _, rest = vkey.partition("+")
    raw = strict_base64(rest.partition("+")[2])
    if len(raw) != 33 or Verifier(name, raw[1:]).vkey != vkey:
        raise ValueError("it is not a key")
    return Verifier(name, raw[1:])


def key_change(old_vkey: str, new_vkey: str) -> str:
    """Spell what the old key signs when another takes its place; a checkpoint never looks like it."""
    return f"deletion-signing-key/v1\n{old_vkey}\n{new_vkey}\n"


def parse_checkpoint(text: str, verifier: Verifier) -> Checkpoint:
    """Read a checkpoint and check its signature.

    Raises
    ------
    ValueError
        Not a checkpoint, another origin, or a signature that does not fit; the message says which.
    """
    body, gap, _ = text.rpartition("\n\n")
    lines = body.split("\n")
    if not gap or len(lines) != 3 or not _SIZE.fullmatch(lines[1]):
        raise ValueError("it is not a checkpoint")
    if lines[0] != verifier.name:
        raise ValueError("it is of another log (origin)")
    if len(strict_base64(lines[2])) != 32:
        raise ValueError("its root has not 32 bytes")
    if not verifier.accepts(text):
        raise ValueError("its signature does not fit the key")
    return Checkpoint(lines[0], int(lines[1]), lines[2], text)


def spell_proof(index: int, hashes: Sequence[bytes], checkpoint: str) -> str:
    """Spell a ``tlog-proof``: header, index, hashes from the leaf upwards, empty line, the checkpoint verbatim."""
    lines = [PROOF_HEADER, f"index {index}", *(b64encode(each).decode() for each in hashes)]
    return "\n".join(lines) + "\n\n" + checkpoint


def parse_proof(text: str) -> tuple[int, list[bytes], str]:
    """Read a ``tlog-proof``: index, hashes (32 bytes each) and the text of its checkpoint."""
    head, gap, checkpoint = text.partition("\n\n")
    header, index, *hashes = [*head.split("\n"), ""] if "\n" not in head else head.split("\n")
    number = index.removeprefix("index ")
    if not gap or header != PROOF_HEADER or not index.startswith("index ") or not _SIZE.fullmatch(number):
        raise ValueError("it is not a proof")
    decoded = [strict_base64(each) for each in hashes]
    if any(len(each) != 32 for each in decoded):
        raise ValueError("a hash in it has not 32 bytes")
    return int(number), decoded, checkpoint
