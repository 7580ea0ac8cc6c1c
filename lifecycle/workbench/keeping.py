"""``key rotate``: another key signs from now on; the log goes on, and whoever holds the first public key sees why."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.workbench.guard import guard_verbs
from lifecycle.workbench.results import Result
from lifecycle.workbench.workspace import Workspace


@dataclass(frozen=True)
class Rotated(Result):
    """``key rotate``: who signed so far, who signs now, and the first checkpoint of the new key.

    Attributes
    ----------
    replaced, vkey : str
        The old and the new public key, as ``verify.py`` takes them; either verifies the whole log.
    tree_size, root : int and str
        The checkpoint after the change, to be kept elsewhere.
    next_step : str or None
        What is left to do by hand.
    """

    replaced: str
    vkey: str
    tree_size: int
    root: str
    next_step: str | None


@guard_verbs
class KeyVerbs:
    """The verb ``key`` of the workbench."""

    _workspace: Workspace

    def key_rotate(self) -> Rotated:
        """Let another key sign the log from now on; a call that was cut off is finished by the next one.

        Raises
        ------
        Refused
            Somebody else is at work with the evidence.
        ConfigurationError
            The seed is no file, and the coming one is not named, or signs already.
        EvidenceError
            The evidence is older than the store, or the seed is lost.
        """
        workspace = self._workspace
        ledger = workspace.ledger()
        with ledger.locked():
            workspace.need_current_evidence()  # a leaf in old evidence would fork the log
            ledger.rotate_signing_key()
            replaced, vkey = (verifier.vkey for verifier in ledger.log.verifiers()[-2:])
            head = ledger.checkpoint()
        by_hand = None if workspace.keys().in_file else "lifecycle.toml: [ledger]: make next_seed the seed"
        return Rotated(replaced, vkey, head.size, head.root, by_hand)
