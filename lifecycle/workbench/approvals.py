"""Standing approvals in ``approvals/``, signatures by SSH keys, and the grounds of holds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lifecycle.deletion.documents import StandingApproval
from lifecycle.errors import ConfigurationError, UsageError
from lifecycle.workbench.workspace import Workspace

GROUNDS = ("restriction", "legal-duty", "legal-claims", "other")
"""Art. 18 GDPR, Art. 17(3)(b), Art. 17(3)(e), and what a reference explains."""

NAMESPACE = "deletion-approval"


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


def write_standing(workspace: Workspace, approval: StandingApproval, key: Path | None) -> Path:
    """Write a standing approval, once, and sign it where a key is given."""
    stamp = approval.approved_at.strftime("%Y%m%dT%H%M%S")
    path = workspace.approvals_path / f"standing-{stamp}-{approval.nonce[:8]}.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(approval.to_bytes())
        stream.flush()
        os.fsync(stream.fileno())
    if key is not None:
        path.with_name(path.name + ".sig").write_bytes(signature(approval.to_bytes(), key))
    return path


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
