"""The second person's word: writing an approval down, and whether the one that is there still covers its plan.

Touches no disk itself. What a run needs before its intent is asked here; a run that has begun is asked nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Protocol

from lifecycle.deletion import documents as doc
from lifecycle.deletion.documents import Approval, Plan, StandingApproval
from lifecycle.errors import EvidenceError, Refused, UsageError
from lifecycle.model import Ledger

ROLES = ("controller", "delegate")


class Signers(Protocol):
    """Who may sign: each method says in words why an approval is not to be trusted; empty when it is."""

    def doubt(self, role: str, data: bytes, signature: bytes | None) -> str: ...
    def doubt_standing(self, standing: StandingApproval) -> str: ...


class Key(Protocol):
    """A person's key: it signs, and tells whether a signature over these bytes is one of its own."""

    def sign(self, data: bytes) -> bytes: ...
    def made(self, data: bytes, signature: bytes) -> bool: ...


class Approvals:
    """The approvals of the runs of one ledger.

    Parameters
    ----------
    ledger : Ledger
    now, today : callable
        The wall clock (aware, UTC), and its day in the workspace's zone.
    doubt_clock : callable
        Refuses, with the hint that it is given, while the clock cannot be trusted.
    signers : Signers, optional
        Where the workspace names who may sign; without it an approval needs no signature.
    """

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], datetime],
        today: Callable[[], date],
        doubt_clock: Callable[[str], None],
        signers: Signers | None,
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._today = today
        self._doubt_clock = doubt_clock
        self._signers = signers

    def approve(
        self, plan: Plan, role: str, nonce: str, standing: StandingApproval | None = None, key: Key | None = None
    ) -> Approval:
        """Write an approval into the run's folder, or find the very same one there; see ``DeletionRuns.approve``."""
        listing = self._ledger.listing(plan.run_id)
        if doc.INTENT in listing:
            raise Refused(f"Run {plan.run_id} has begun already.", f"lifecycle report {plan.run_id}")
        if doc.APPROVAL in listing:
            return self._again(plan, role, standing, key)
        approval = Approval(
            run_id=plan.run_id,
            plan_sha256=doc.sha256_hex(plan.to_bytes()),
            role=role,
            limits=standing.limits if standing else None,
            nonce=nonce,
            approved_at=self._now(),
            standing=standing,
            signed=key is not None,
        )
        signature = self._signature(approval, key)
        self._ledger.write_once(plan.run_id, doc.APPROVAL, approval.to_bytes())
        if signature is not None:
            self._ledger.write_once(plan.run_id, doc.SIGNATURE, signature)
        return approval

    def _signature(self, approval: Approval, key: Key | None) -> bytes | None:
        data = approval.to_bytes()
        signature = key.sign(data) if key else None
        # Written once, an approval that can never count would be in the way of one that can.
        doubt = self._signers.doubt(approval.role, data, signature) if self._signers and not approval.standing else ""
        if doubt:
            hint = f"lifecycle approve {approval.run_id} --role {approval.role} --key SSHKEY"
            raise Refused(f"This approval {doubt}", hint)
        return signature

    def _again(self, plan: Plan, role: str, standing: StandingApproval | None, key: Key | None) -> Approval:
        """Take the approval that is there for the one that is asked for, if it is that one and still counts."""
        approval, again = self._read(plan), _plan_again(plan)
        asked = (role, standing, key is not None, self._ledger.read(plan.run_id, doc.APPROVAL))
        if (approval.role, approval.standing, approval.signed, approval.to_bytes()) != asked:
            who = approval.role if approval.role in ROLES else "a role that may not approve"
            how = f"{'with' if approval.signed else 'without'} a signature, as {who}"
            how = "by a standing approval" if approval.standing else how
            raise Refused(f"Run {plan.run_id} is approved already, {how}; that stays.", again)
        if key and doc.SIGNATURE not in self._ledger.listing(plan.run_id):
            # A call ended between its two files: what was approved is signed as it stands.
            signature = self._signature(approval, key)
            self._ledger.write_once(plan.run_id, doc.SIGNATURE, signature or b"")
        elif key and not key.made(approval.to_bytes(), self._ledger.read(plan.run_id, doc.SIGNATURE)):
            raise Refused(f"Run {plan.run_id} is approved already, signed by another key; that stays.", again)
        self.refuse_unapproved(plan)
        return approval

    def approve_by_standing(self, plan: Plan, standing: StandingApproval | None, nonce: str) -> None:
        """Let a standing approval cover a plan, if it does; see ``DeletionRuns.approve_by_standing``."""
        hint = ask_a_person(plan)
        if standing is None:
            raise Refused(f"Run {plan.run_id}: {plan.due - plan.held} rows are due, and nobody approved.", hint)
        self._refuse_uncovered(plan, standing, hint)
        self.approve(plan, standing.role, nonce, standing)

    def covers(self, plan: Plan) -> bool:
        """Tell whether a plan's approval would let it begin today."""
        try:
            self.refuse_unapproved(plan)
        except Refused:
            return False
        return True

    def refuse_unapproved(self, plan: Plan) -> None:
        """Refuse a plan that nobody approved, or whose approval does not count today.

        Raises
        ------
        Refused
            None, not by a role that may, without the signature it speaks of, not by somebody who may sign; or its
            standing approval has ended, is exceeded, or meets a clock that cannot be trusted.
        EvidenceError
            It speaks of another plan.
        """
        listing, again = self._ledger.listing(plan.run_id), _plan_again(plan)
        if doc.APPROVAL not in listing:
            raise Refused(
                f"Run {plan.run_id} is not approved: {plan.due - plan.held} rows would go.",
                f"lifecycle approve {plan.run_id} --role controller",
            )
        approval, said = self._read(plan), f"The approval of run {plan.run_id}"
        if approval.role not in ROLES:
            raise Refused(f"{said} is by a role that may not approve.", again)
        if approval.signed and doc.SIGNATURE not in listing:
            hint = f"lifecycle approve {plan.run_id} --role {approval.role} --key SSHKEY"
            raise Refused(f"{said} says it is signed, but has no signature.", hint)
        if approval.standing is not None:
            if (approval.role, approval.limits) != (approval.standing.role, approval.standing.limits):
                raise Refused(f"{said} says something else than its standing approval.", again)
            self._refuse_uncovered(plan, approval.standing, again)
        elif self._signers is not None:
            signature = self._ledger.read(plan.run_id, doc.SIGNATURE) if approval.signed else None
            doubt = self._signers.doubt(approval.role, self._ledger.read(plan.run_id, doc.APPROVAL), signature)
            if doubt:
                raise Refused(f"{said} {doubt}", f"{again} --key SSHKEY")

    def _refuse_uncovered(self, plan: Plan, standing: StandingApproval, hint: str) -> None:
        if standing.until < self._today():
            raise Refused(f"The standing approval ended on {standing.until}.", hint)
        excess = standing.limits.exceeded_by(plan)
        if excess:
            raise Refused(f"Run {plan.run_id}: {excess}", hint)
        doubt = self._signers.doubt_standing(standing) if self._signers else ""
        if doubt:
            raise Refused(f"The standing approval {doubt}", f"{hint} --key SSHKEY")
        self._doubt_clock(hint)

    def _read(self, plan: Plan) -> Approval:
        approval = Approval.from_bytes(self._ledger.read(plan.run_id, doc.APPROVAL))
        if approval.plan_sha256 != doc.sha256_hex(plan.to_bytes()) or approval.run_id != plan.run_id:
            raise EvidenceError(f"The approval of run {plan.run_id} speaks of another plan.", "lifecycle verify")
        return approval


def ask_a_person(plan: Plan) -> str:
    """Say how a plan goes on that nobody else lets begin."""
    then = "lifecycle restore apply" if plan.trigger == doc.RESTORE else f"lifecycle purge {plan.run_id}"
    return f"a person looks at it, and {then} goes on after: lifecycle approve {plan.run_id} --role controller"


def _plan_again(plan: Plan) -> str:
    """Say how to get another plan in the place of one whose approval, written once, does not count."""
    anew = "lifecycle restore apply" if plan.trigger == doc.RESTORE else f"lifecycle plan --as-of {plan.as_of}"
    return f"{anew}, then: lifecycle approve RUN --role controller"


def refuse_role(role: str) -> None:
    """Refuse every role that may not approve.

    Raises
    ------
    Refused
        ``dpo``: who supervises must not decide (Art. 38(6) GDPR).
    UsageError
        Any other word.
    """
    if role == "dpo":
        raise Refused(
            "A data protection officer checks and verifies, but must not decide on deletions (Art. 38(6) GDPR).",
            f"somebody else approves, as {' or '.join(ROLES)}",
        )
    if role not in ROLES:
        raise UsageError("This role cannot approve.", f"--role {' or --role '.join(ROLES)}")
