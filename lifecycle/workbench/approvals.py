"""Standing approvals in ``approvals/``, signatures by SSH keys, and the grounds of holds."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lifecycle.deletion.documents import StandingApproval
from lifecycle.errors import ConfigurationError, Refused, UsageError
from lifecycle.ledger import signing
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

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._path = workspace.approvals_path / signing.ALLOWED

    @classmethod
    def of(cls, workspace: Workspace) -> AllowedSigners | None:
        """Return them, or None where the workspace has no such file.

        Raises
        ------
        ConfigurationError
            It is not a plain file.
        """
        path = workspace.approvals_path / signing.ALLOWED
        if not os.path.lexists(path):
            return None
        if path.is_symlink() or not path.is_file():
            raise ConfigurationError(
                "approvals/allowed_signers is not a plain file.", "put the file itself there: ROLE KEYTYPE KEY, a line"
            )
        return cls(workspace)

    def doubt(self, role: str, data: bytes, signature: bytes | None) -> str:
        """Say why a signature by this role over these bytes is not to be trusted; empty when it is."""
        if signature is None:
            return "is not signed, and approvals/allowed_signers asks for it."
        if signing.signature_holds(data, signature, role, self._path):
            return ""
        return f"is not signed by a key that approvals/allowed_signers names for {role}."

    def doubt_standing(self, standing: StandingApproval) -> str:
        """The same of a standing approval, whose signature lies beside it."""
        data = standing.to_bytes()
        for path in sorted(self._workspace.approvals_path.glob("standing-*.json")):
            beside = path.with_name(path.name + ".sig")
            if path.read_bytes() == data and beside.is_file() and not beside.is_symlink():
                return self.doubt(standing.role, data, beside.read_bytes())
        return self.doubt(standing.role, data, None)

    def remember(self) -> None:
        """Keep them beside the evidence, where the verifier looks."""
        signing.remember_signers(self._workspace.evidence_path, self._path.read_bytes())


def write_standing(workspace: Workspace, approval: StandingApproval, key: Path | None) -> Path:
    """Write a standing approval, once, and sign it where a key is given.

    Raises
    ------
    Refused
        The workspace names who may sign, and this is none of their signatures.
    """
    data = approval.to_bytes()
    signed = None if key is None else signature(data, key)
    signers = AllowedSigners.of(workspace)
    doubt = signers.doubt(approval.role, data, signed) if signers else ""
    if doubt:
        raise Refused(f"This standing approval {doubt}", "lifecycle approve --standing ... --key SSHKEY")
    stamp = approval.approved_at.strftime("%Y%m%dT%H%M%S")
    path = workspace.approvals_path / f"standing-{stamp}-{approval.nonce[:8]}.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    if signed is not None:
        path.with_name(path.name + ".sig").write_bytes(signed)
    return path


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
