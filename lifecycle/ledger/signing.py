"""Signatures by SSH keys: verified by ``ssh-keygen``, and who was allowed to sign, as the verifier reads it."""

from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from lifecycle.errors import Refused
from lifecycle.ledger import files

NAMESPACE = "deletion-approval"
ALLOWED = "allowed_signers"
ROLES = ("controller", "delegate")

_LINE = re.compile(
    r'(?P<who>"[^"]*"|\S+)\s+(?P<options>(?:\S*"[^"]*"\S*\s+|[\w,-]+\s+)*?)'
    r"(?P<key>(?:sk-)?(?:ssh|ecdsa)-[\w@.-]+ +[A-Za-z0-9+/=]+)(?:\s.*)?"
)
_VALIDITY = re.compile(r'valid-(?:after|before)="?[^",\s]*"?,?', re.IGNORECASE)


def signature_holds(data: bytes, signature: bytes, role: str, allowed: Path) -> bool:
    """Ask ``ssh-keygen -Y verify`` whether a key that ``allowed`` names for the role signed these bytes.

    Raises
    ------
    Refused
        ssh-keygen is not installed, so nothing can be told.
    """
    return _asked("verify", data, signature, "-I", role, "-f", str(allowed)).returncode == 0


def signer(data: bytes, signature: bytes) -> str:
    """Ask ``ssh-keygen -Y check-novalidate`` for the fingerprint of the key that signed these bytes; empty: none did.

    Raises
    ------
    Refused
        ssh-keygen is not installed, so nothing can be told.
    """
    done = _asked("check-novalidate", data, signature)
    return done.stdout.split()[-1].decode() if done.returncode == 0 else ""


def _asked(what: str, data: bytes, signature: bytes, *more: str) -> subprocess.CompletedProcess[bytes]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "signature")
        path.write_bytes(signature)
        call = ["ssh-keygen", "-Y", what, "-n", NAMESPACE, "-s", str(path), *more]
        try:
            return subprocess.run(call, input=data, capture_output=True, check=False)
        except FileNotFoundError:
            raise Refused("ssh-keygen is not installed: no signature can be verified.", "openssh-client") from None


def merged_signers(old: bytes, new: bytes) -> bytes:
    """Return the lines of both files, sorted: roles, options and keys, without comments, which may name people.

    Keys that were allowed before stay, because they signed earlier runs, and so does no date of validity: a key that
    ends today does not make yesterday's approval wrong. Whoever is no role is left out.

    Examples
    --------
    >>> merged_signers(b"", b"controller,erika@example.org ssh-ed25519 AAAA erika@laptop")
    b'controller ssh-ed25519 AAAA\\n'
    """
    lines = {_without_people(line) for line in (old + b"\n" + new).decode(errors="replace").splitlines()}
    return "".join(f"{line}\n" for line in sorted(lines - {""})).encode()


def remember_signers(evidence: Path, allowed: bytes) -> None:
    """Keep who may sign beside the evidence, where the verifier looks for it; call it under the evidence's lock."""
    path = evidence / ALLOWED
    old = files.read_file(path) if files.present(path) else b""
    new = merged_signers(old, allowed)
    if new and new != old:
        files.write_durably(path, [new])


def _without_people(line: str) -> str:
    found = _LINE.fullmatch(line.strip())
    if found is None or line.lstrip().startswith("#"):
        return ""
    patterns = found["who"].strip('"').split(",")
    roles = [role for role in ROLES if any(fnmatchcase(role, pattern) for pattern in patterns)]
    if any(pattern.startswith("!") for pattern in patterns) or not roles:
        return ""
    options = _VALIDITY.sub("", found["options"]).strip().strip(",")
    return " ".join(part for part in (",".join(roles), options, re.sub(" +", " ", found["key"])) if part)
