"""Signed notes, checkpoints and proofs have the bytes of the C2SP specifications."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.ledger import note
from lifecycle.ledger.merkle import EMPTY_ROOT

SIGNER = note.Signer("clinic.example.org/lifecycle", bytes(range(32)))
# A note and a key published with the Go package golang.org/x/mod/sumdb/note
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_published_note_of_go_is_accepted() -> None:
    """And its key has the id that we compute."""
    name, key_id, key = GO_VKEY.split("+", 2)
    verifier = note.Verifier(name, note.strict_base64(key)[1:])
    assert (verifier.key_id.hex(), verifier.vkey) == (key_id, GO_VKEY)
    assert verifier.accepts(GO_NOTE)
    assert not verifier.accepts(GO_NOTE.replace("answer", "Answer"))


def test_a_checkpoint_is_read_as_it_was_signed() -> None:
    """Origin, size, root and the text itself."""
    text = SIGNER.checkpoint(7, bytes(32))
    head = note.parse_checkpoint(text, SIGNER.verifier)
    assert (head.origin, head.size, head.root, head.text) == (SIGNER.name, 7, b64encode(bytes(32)).decode(), text)


def test_a_line_of_another_key_is_passed_over() -> None:
    """Witnesses may add their lines; an unknown one is no fault, and no signature either."""
    text = SIGNER.checkpoint(0, EMPTY_ROOT)
    assert SIGNER.verifier.accepts(text + "— witness.example.net AAAAAAAAAAA=\n")
    other = note.Signer(SIGNER.name, bytes(32)).verifier
    assert not other.accepts(text)


@given(st.data())
def test_no_flipped_bit_of_a_checkpoint_passes(data: st.DataObject) -> None:
    """Anywhere in the file."""
    raw = SIGNER.checkpoint(300, bytes(range(32))).encode()
    at, bit = data.draw(st.integers(0, len(raw) - 1)), 1 << data.draw(st.integers(0, 7))
    bent = (raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]).decode(errors="replace")
    with pytest.raises(ValueError, match=r".+"):
        note.parse_checkpoint(bent, SIGNER.verifier)


@pytest.mark.parametrize(
    "body",
    [
        "x\n1\n",
        "x\n01\nAA==\n",
        "x\n-1\nAA==\n",
        "x\n1\nAA==\n",
        "x\n1 \n" + "A" * 43 + "=\n",
        "x\n1\n" + "A" * 42 + "B=\n",
    ],
)
def test_a_signed_note_that_is_no_checkpoint_is_refused(body: str) -> None:
    """Sizes in another spelling, roots of another length, even under a good signature."""
    signer = note.Signer("x", bytes(32))
    with pytest.raises(ValueError, match=r".+"):
        note.parse_checkpoint(signer.sign(body), signer.verifier)


def test_a_checkpoint_of_another_log_is_refused() -> None:
    """The origin is compared."""
    text = SIGNER.sign("other.example.net\n0\n" + b64encode(EMPTY_ROOT).decode() + "\n")
    with pytest.raises(ValueError, match="another log"):
        note.parse_checkpoint(text, SIGNER.verifier)


def test_a_proof_is_read_as_it_was_spelled() -> None:
    """Index, hashes and checkpoint; a hash of 31 bytes is refused."""
    text = SIGNER.checkpoint(2, bytes(32))
    assert note.parse_proof(note.spell_proof(1, [bytes(32)], text)) == (1, [bytes(32)], text)
    assert note.parse_proof(note.spell_proof(0, [], text)) == (0, [], text)
    for bent in (note.spell_proof(1, [bytes(31)], text), note.spell_proof(1, [], text)[1:], "", "index 1\n\n"):
        with pytest.raises(ValueError, match=r".+"):
            note.parse_proof(bent)


def test_a_signer_shows_no_secret() -> None:
    """Not in its repr, and so in no traceback that prints it."""
    assert SIGNER.seed.hex() not in repr(SIGNER)
    assert str(SIGNER.seed) not in repr(SIGNER)
    assert "seed" not in repr(SIGNER)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "a\u00a0b", "\x00"])
def test_an_origin_that_cannot_name_a_key_is_refused(origin: str) -> None:
    """Blanks and plus signs would make the key ambiguous."""
    with pytest.raises(ValueError, match="origin"):
        note.need_origin(origin)
