"""Carrying out one plan, step by step; or going on where an earlier call ended.

Order is everything here: the due rows are chosen with the stores open and alone, the intent is a leaf of the log
before anything is deleted, and each file is written once before the next step begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from lifecycle.deletion import documents as doc
from lifecycle.deletion import restore
from lifecycle.deletion.dates import cutoffs
from lifecycle.deletion.documents import Plan
from lifecycle.deletion.schedule import GRACE_DAYS
from lifecycle.errors import EvidenceError, Incomplete, Refused, StoreError
from lifecycle.model import Cutoffs, Digests, Erased, Erasing, Erasure, Ledger, PlanDrift, Residual, Store


@dataclass(frozen=True, slots=True)
class Remains:
    """What a run leaves behind: ingested files (listed, not searched), and backups for so many days."""

    residuals: Sequence[Residual]
    files: frozenset[Path]
    backup_days: int | None


class Execution:
    """One run on its way from an approved plan to a sealed record.

    Parameters
    ----------
    ledger, stores, digests, now
        As in :class:`lifecycle.deletion.run.DeletionRuns`.
    plan : Plan
        Its rules and zone are the ones that count, whatever the settings say by now.
    stopped : callable
        Asked at every safe point whether somebody wants the run to end there.
    """

    def __init__(
        self,
        ledger: Ledger,
        stores: Sequence[Store],
        digests: Digests,
        now: Callable[[], datetime],
        plan: Plan,
        remains: Remains,
        stopped: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._stores = stores
        self._digests = digests
        self._now = now
        self._plan = plan
        self._remains = remains
        self._run_id = plan.run_id
        self._stopped = stopped

    def go(self, refuse_unfit: Callable[[Plan], None]) -> str:
        """Go as far as the end: ``sealed`` or ``aborted``. ``refuse_unfit`` is asked before anything is begun."""
        for ended in (doc.ABORTED, doc.RECORD):
            if ended in self._listing():
                return self._end(ended)
        if doc.INTENT not in self._listing():
            refuse_unfit(self._plan)
        self._safe_point()
        try:
            erased = self._erase()
        except StoreError as error:
            if doc.INTENT not in self._listing():
                raise
            raise Incomplete(error.fact, f"{error.hint}; then: {self._plan.command}") from error
        if isinstance(erased, PlanDrift):
            return self._abort(erased)
        return self._seal(erased)

    # --- the deletion itself -----------------------------------------------------------------------

    def _erase(self) -> tuple[Erased, ...] | PlanDrift:
        key = self._ledger.tombstone_key(self._run_id)
        due = self._due()
        done = {store.name: store.erased(self._run_id) for store in self._stores}
        with ExitStack() as stack:
            chosen = {
                store.name: stack.enter_context(store.erasing(due, key))
                for store in self._stores
                if done[store.name] is None
            }
            written = self._begin(chosen, key, begun_in_store=len(chosen) < len(self._stores))
            if self._plan.count == 0:
                for erasing in chosen.values():
                    erasing.renew(self._run_id)
                return ()
            order = self._order(key, due, written)
            drift = self._drift(chosen, order)
            if drift is not None:
                self._refuse_restored_meanwhile()
                return drift
            for name, erasing in chosen.items():
                self._safe_point()
                done[name] = erasing.commit(order)
        erased = tuple(one for one in done.values() if one is not None)
        self._write_down(order, erased)
        return erased

    def _due(self) -> Mapping[str, Cutoffs]:
        plan = self._plan
        due = {rule.dataset: cutoffs(rule, plan.as_of, ZoneInfo(plan.time_zone)) for rule in plan.rules}
        return restore.with_tombstones(due, self._ledger, plan.rests_on)

    def _begin(self, chosen: Mapping[str, Erasing], key: bytes, *, begun_in_store: bool) -> pl.Series | None:
        """Have the intent in the log; gives the tombstones where this call has just written them down."""
        if self._intent_in_log():
            return None
        # Before anything is written: with a store that is done, an intent of today would be made up afterwards.
        if begun_in_store:
            raise EvidenceError(
                f"Run {self._run_id}: a store says it was carried out, but its intent is not in the log.",
                "the evidence is older than the store: bring back the newer evidence; nothing is mended silently",
            )
        written = None
        if doc.INTENT not in self._listing():
            written = _union(chosen)
            self._write_intent(written, key)
        self._safe_point()
        self._ledger.append(self._ledger.read(self._run_id, doc.INTENT))
        return written

    def _write_intent(self, tombstones: pl.Series, key: bytes) -> None:
        plan = self._plan
        planned = self._planned(tombstones, key)
        subjects: dict[str, bytes | str] = {doc.PLAN: plan.to_bytes()}
        if plan.count:
            subjects[doc.APPROVAL] = self._ledger.read(self._run_id, doc.APPROVAL)
            subjects[doc.TOMBSTONES] = self._ledger.write_pieces_once(self._run_id, doc.TOMBSTONES, planned)
        for _ in planned:  # a night without anything due writes none down, and is bound to that as well
            pass
        intent = doc.intent(self._run_id, plan.count, subjects, self._now())
        self._ledger.write_once(self._run_id, doc.INTENT, intent)

    def _planned(self, tombstones: pl.Series, key: bytes) -> Iterator[bytes]:
        """Give the bytes of the tombstones, and refuse at their end if they are not those of the plan."""
        plan, digest = self._plan, self._digests.due_set(key)
        for piece in doc.pieces(tombstones):
            digest.update(piece)
            yield piece
        if digest.hexdigest() == plan.due_set:
            return
        change = tombstones.len() - plan.count
        what = "the due rows changed"
        if change:
            what = f"{abs(change)} rows {'became due' if change > 0 else 'are no longer due'}"
        raise Refused(f"Run {self._run_id}: {what} after the plan was made.", f"lifecycle plan --as-of {plan.as_of}")

    def _order(self, key: bytes, due: Mapping[str, Cutoffs], written: pl.Series | None) -> Erasure:
        plan = self._plan
        if written is None:
            written = doc.from_lines(self._ledger.read(self._run_id, doc.TOMBSTONES))
        return Erasure(
            run_id=self._run_id,
            plan_sha256=doc.sha256_hex(plan.to_bytes()),
            as_of=plan.as_of,
            zone=plan.time_zone,
            rules={rule.dataset: rule for rule in plan.rules},
            cutoffs=due,
            key=key,
            tombstones=written,
            retained_digest=lambda dataset, rows, total: self._digests.retained_set(key, dataset, rows, total),
            residual_files=self._remains.files,
        )

    def _drift(self, chosen: Mapping[str, Erasing], order: Erasure) -> PlanDrift | None:
        """Compare what is due now with what was planned; a store that is done already cannot miss anything."""
        present, planned = _union(chosen), order.tombstones
        if present.equals(planned):
            return None
        appeared = present.filter(~present.is_in(planned.implode())).len()
        vanished = planned.filter(~planned.is_in(present.implode())).len() if len(chosen) == len(self._stores) else 0
        if not appeared and not vanished:
            return None
        if len(chosen) < len(self._stores):
            raise Incomplete(
                f"Run {self._run_id}: {appeared} rows became due in a store after another store was done.",
                f"look at the stores by hand; then: {self._plan.command}",
            )
        return PlanDrift(appeared, vanished)

    def _refuse_restored_meanwhile(self) -> None:
        # The run did delete, so it must never be called aborted.
        if doc.DELETED in self._listing():
            raise Incomplete(
                f"Run {self._run_id} was carried out, but a store that was restored since knows nothing of it.",
                f"bring back the newer store; then: {self._plan.command}",
            )

    def _write_down(self, order: Erasure, erased: tuple[Erased, ...]) -> None:
        self._safe_point()
        if doc.DELETED not in self._listing():
            self._ledger.write_once(self._run_id, doc.DELETED, doc.deleted(self._run_id, erased, self._now()))
        self._safe_point()
        if doc.VERIFIED not in self._listing():
            seen = [store.verify(order, one) for store, one in zip(self._stores, erased, strict=True)]
            verified = doc.verified(self._run_id, erased, seen, self._now())
            self._ledger.write_once(self._run_id, doc.VERIFIED, verified)
        self._safe_point()

    # --- the end -----------------------------------------------------------------------------------

    def _seal(self, erased: tuple[Erased, ...]) -> str:
        plan = self._plan
        sets = [each for one in erased for each in one.sets]
        deleted = sum(each.deleted for each in sets)
        # As the stores were when they were rewritten: rows may have arrived since the plan.
        retained = sum(each.retained for each in sets) if sets else plan.before
        subjects = self._subjects(
            doc.PLAN, doc.APPROVAL, doc.SIGNATURE, doc.TOMBSTONES, doc.INTENT, doc.DELETED, doc.VERIFIED
        )
        counts = {
            "before": deleted + retained,
            "due": plan.due,
            "deleted": deleted,
            "held": plan.held,
            "failed": plan.due - plan.held - deleted,
            "retained": retained,
        }
        checks = doc.checks_of(self._ledger.read(self._run_id, doc.VERIFIED)) if doc.VERIFIED in subjects else {}
        left = [*self._remains.residuals, *self._backups(bool(erased))]
        erasure = "rewritten" if erased else "none"
        record = doc.record(self._run_id, subjects, counts, checks, erasure, left, self._now())
        self._ledger.write_once(self._run_id, doc.RECORD, record)
        return self._end(doc.RECORD)

    def _backups(self, erased: bool) -> Iterator[Residual]:
        if erased and self._remains.backup_days is not None:
            over = self._today() + timedelta(days=self._remains.backup_days)
            yield Residual("backup", over)
            yield Residual("tombstone-key", over + timedelta(days=GRACE_DAYS))

    def _abort(self, drift: PlanDrift) -> str:
        subjects = self._subjects(doc.PLAN, doc.APPROVAL, doc.SIGNATURE, doc.TOMBSTONES, doc.INTENT)
        leaf = doc.aborted(self._run_id, subjects, "plan-drift", drift.appeared, drift.vanished, self._now())
        self._ledger.write_once(self._run_id, doc.ABORTED, leaf)
        return self._end(doc.ABORTED)

    def _end(self, name: str) -> str:
        self._ledger.append(self._ledger.read(self._run_id, name))
        self._ledger.write_proof(self._run_id, name)
        # Without backups nothing can come back, and without deletion there is nothing to recognise.
        useless = name == doc.ABORTED or doc.TOMBSTONES not in self._listing()
        if useless or self._remains.backup_days is None:
            self._ledger.destroy_tombstone_key(self._run_id)
        return "sealed" if name == doc.RECORD else "aborted"

    # --- small things ------------------------------------------------------------------------------

    def _safe_point(self) -> None:
        """End here if somebody asked for it: between two steps, never inside one."""
        if not self._stopped():
            return
        hint = f"remove the file STOP or allow more time, if it was that; then: {self._plan.command}"
        if doc.INTENT not in self._listing():
            raise Refused(f"Run {self._run_id} was stopped before anything was begun.", hint)
        # A written intent is an open run; only one in the log lets a store delete.
        yet = "" if self._intent_in_log() else ", before anything was deleted"
        fact = f"Run {self._run_id} was stopped at a safe point{yet}; it has begun and is not finished."
        raise Incomplete(fact, hint)

    def _intent_in_log(self) -> bool:
        return doc.INTENT in self._listing() and self._ledger.contains(self._ledger.read(self._run_id, doc.INTENT))

    def _listing(self) -> frozenset[str]:
        return self._ledger.listing(self._run_id)

    def _subjects(self, *names: str) -> dict[str, bytes | str]:
        present = self._listing()
        return {name: self._subject(name) for name in names if name in present}

    def _subject(self, name: str) -> bytes | str:
        if name != doc.TOMBSTONES:
            return self._ledger.read(self._run_id, name)
        # The one long file. Whoever changed it since the intent does not get the change signed.
        return doc.digest_of(self._ledger.read(self._run_id, doc.INTENT), name)

    def _today(self) -> date:
        return self._now().astimezone(ZoneInfo(self._plan.time_zone)).date()


def _union(chosen: Mapping[str, Erasing]) -> pl.Series:
    # The same row in two stores is one tombstone and two deletions.
    found = [erasing.tombstones for erasing in chosen.values()]
    if len(found) == 1:
        return found[0]
    return pl.concat(found).unique().sort() if found else pl.Series("t", [], dtype=pl.String)
