"""Standing approvals in ``approvals/``, signatures by SSH keys, and the grounds of holds."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lifecycle.deletion import documents as doc
from lifecycle.deletion.documents import Approval, StandingApproval
from lifecycle.errors import ConfigurationError, Refused, UsageError
from lifecycle.ledger import signing
from lifecycle.model import Ledger, Outcome
from lifecycle.workbench.workspace import Workspace

GROUNDS = ("restriction", "legal-duty", "legal-claims", "other")
"""Art. 18 GDPR, Art. 17(3)(b), Art. 17(3)(e), and what a reference explains."""

NAMESPACE = signing.NAMESPACE


def standing(workspace: Workspace) -> StandingApproval | None:
    """Return the standing approval given last, or None.

    Raises
    ------
    ConfigurationError
        A file in ``approvals/`` is not one of ours.
    """
    files = sorted(workspace.approvals_path.glob("standing-*.json"))
    if not files:
        return None
    try:
        given = [StandingApproval.from_bytes(path.read_bytes()) for path in files if not path.is_symlink()]
    except (OSError, ValueError, KeyError, TypeError):
        hint = "give a new one: lifecycle approve --standing"
        raise ConfigurationError("A standing approval in approvals/ cannot be read.", hint) from None
    return max(given, key=lambda one: one.approved_at, default=None)


class AllowedSigners:
    """Those whom ``approvals/allowed_signers`` names: an approval without one of their signatures counts for nothing.

    Where there is no such file, nobody is named: a signature is not asked for, but one that is spoken of must be there.

    Parameters
    ----------
    workspace : Workspace

    Raises
    ------
    ConfigurationError
        It is not a plain file.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._path = workspace.approvals_path / signing.ALLOWED
        self._named = os.path.lexists(self._path)
        if self._named and not _plain(self._path):
            raise ConfigurationError(
                "approvals/allowed_signers is not a plain file.", "put the file itself there: ROLE KEYTYPE KEY, a line"
            )

    def doubt(self, role: str, data: bytes, signature: bytes | None) -> str:
        """Say why a signature by this role over these bytes is not to be trusted; empty when it is."""
        if not self._named:
            return ""
        if signature is None:
            return "is not signed, and approvals/allowed_signers asks for it."
        if signing.signature_holds(data, signature, role, self._path):
            return ""
        return f"is not signed by a key that approvals/allowed_signers names for {role}."

    def doubt_standing(self, standing: StandingApproval) -> str:
        """The same of a standing approval, whose signature lies beside it."""
        signature = _signature_beside(self._workspace, standing)
        if signature is None and standing.signed:
            return "says it is signed, but its signature is missing."
        return self.doubt(standing.role, standing.to_bytes(), signature)

    def remember(self) -> None:
        """Keep them beside the evidence, where the verifier looks."""
        if self._named:
            signing.remember_signers(self._workspace.evidence_path, self._path.read_bytes())


def checked(workspace: Workspace, ledger: Ledger, approval: Approval) -> Outcome | None:
    """Verify the signature that a run's approval rests on; None: there is none, whatever the approval says of itself.

    It is unknown where nobody is named who may sign, now or in an earlier run, and where ssh-keygen is not installed.
    """
    if approval.standing is not None:
        return checked_standing(workspace, approval.standing)
    run_id = approval.run_id
    if doc.SIGNATURE not in ledger.listing(run_id):
        return None
    data, signature = (ledger.read(run_id, name) for name in (doc.APPROVAL, doc.SIGNATURE))
    return _checked(workspace, approval.role, data, signature)


def checked_standing(workspace: Workspace, standing: StandingApproval) -> Outcome | None:
    """The same of a standing approval, whose signature lies beside it."""
    signature = _signature_beside(workspace, standing)
    return None if signature is None else _checked(workspace, standing.role, standing.to_bytes(), signature)


def _checked(workspace: Workspace, role: str, data: bytes, signature: bytes) -> Outcome:
    named = [folder / signing.ALLOWED for folder in (workspace.evidence_path, workspace.approvals_path)]
    named = [path for path in named if _plain(path)]
    try:
        holds = [_holds(data, signature, role, path, path.read_bytes()) for path in named]
    except Refused:
        return Outcome.UNKNOWN
    return Outcome.UNKNOWN if not holds else Outcome.PASSED if any(holds) else Outcome.FAILED


@lru_cache(maxsize=1024)  # many nights rest on one standing approval
def _holds(data: bytes, signature: bytes, role: str, allowed: Path, _content: bytes) -> bool:
    return signing.signature_holds(data, signature, role, allowed)


def _signature_beside(workspace: Workspace, standing: StandingApproval) -> bytes | None:
    data = standing.to_bytes()
    for path in sorted(workspace.approvals_path.glob("standing-*.json")):
        beside = path.with_name(path.name + ".sig")
        if _plain(path) and _plain(beside) and path.read_bytes() == data:
            return beside.read_bytes()
    return None


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def write_standing(workspace: Workspace, approval: StandingApproval, key: Path | None) -> Path:
    """Write a standing approval, once, and sign it where a key is given.

    Raises
    ------
    Refused
        The workspace names who may sign, and this is none of their signatures.
    """
    data = approval.to_bytes()
    signed = None if key is None else signature(data, key)
    doubt = AllowedSigners(workspace).doubt(approval.role, data, signed)
    if doubt:
        raise Refused(f"This standing approval {doubt}", "lifecycle approve --standing ... --key SSHKEY")
    stamp = approval.approved_at.strftime("%Y%m%dT%H%M%S")
    path = workspace.approvals_path / f"standing-{stamp}-{approval.nonce[:8]}.json"
    if signed is not None:
        # Before what it signs: the other way round, a kill would leave an approval that says it is signed.
        _write(path.with_name(path.name + ".sig"), signed)
    _write(path, data)
    return path


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


@dataclass(frozen=True, slots=True)
class SshKey:
    """An SSH key of somebody who approves, by its path."""

    path: Path

    def sign(self, data: bytes) -> bytes:
        """Sign these bytes."""
        return signature(data, self.path)

    def made(self, data: bytes, signature: bytes) -> bool:
        """Tell whether this key made the signature over these bytes."""
        return signing.signer(data, signature) == signing.signer(data, self.sign(data)) != ""


def signature(data: bytes, key: Path) -> bytes:
    """Sign with an SSH key; ``ssh-keygen -Y verify -n deletion-approval`` checks it."""
    if not key.is_file():
        raise UsageError("The SSH key is not a file.", "--key ~/.ssh/id_ed25519")
    try:
        done = subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(key)], input=data, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise UsageError("ssh-keygen is not installed.", "install openssh-client, or approve without --key") from None
    if done.returncode:
        hint = f"ssh-keygen -Y sign -n {NAMESPACE} -f KEY FILE"
        raise UsageError("ssh-keygen could not sign with this key.", hint)
    return done.stdout
