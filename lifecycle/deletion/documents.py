"""The files of a run, as bytes: plan, approval, intent, deleted, verified, record, aborted. Pure.

Files are digested and signed as the bytes they are (indented UTF-8 JSON); there is no canonical form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import polars as pl

from lifecycle.model import Digest, Erased, Outcome, Residual, Rule, StoreCounts, Verified, as_json, from_json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:lifecycle:deletion-run:v1"

PLAN = "1-plan.json"
APPROVAL = "2-approval.json"
SIGNATURE = "2-approval.json.sig"
TOMBSTONES = "tombstones.txt"
INTENT = "3-intent.json"
DELETED = "4-deleted.json"
VERIFIED = "5-verified.json"
RECORD = "6-record.json"
ABORTED = "6-aborted.json"
PROOF = ".tlog-proof"
RESTORE = "restore"
"""The trigger of a run about what a restore brought back."""
_TOMBSTONES_A_PIECE = 25_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What must go, in every store, at ``as_of`` (fixed here; nothing later asks the clock for it).

    ``count`` is the number of distinct tombstones, ``due_set`` an HMAC over them, so that nobody can exchange
    people between approval and deletion. ``holds`` counts the due rows that stay, by the ground of their hold.
    After a restore, ``rests_on`` names the sealed runs whose tombstones condemn rows beside the rule,
    ``missing_markers`` those that the restored store no longer knows of, and ``cannot_be_asked`` those of them whose
    key is gone: what came back of these the plan names only as far as the rule finds it due.
    """

    run_id: str
    as_of: date
    time_zone: str
    policy_sha256: str
    rules: tuple[Rule, ...]
    stores: tuple[StoreCounts, ...]
    count: int
    due_set: str
    tombstone_key_id: str
    tool_version: str
    planned_at: datetime
    trigger: str
    holds: Mapping[str, int]
    rests_on: tuple[str, ...] = ()
    missing_markers: tuple[str, ...] = ()
    cannot_be_asked: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command that carries this plan out, and goes on with it."""
        return f"lifecycle {'restore apply' if self.trigger == RESTORE else 'purge'} {self.run_id}"

    @property
    def before(self) -> int:
        return sum(each.before for each in self.stores)

    @property
    def due(self) -> int:
        """Rows due, held ones included."""
        return sum(each.due for each in self.stores)

    @property
    def held(self) -> int:
        return sum(each.held for each in self.stores)

    @property
    def no_anchor(self) -> int:
        return sum(each.no_anchor for each in self.stores)

    @property
    def retained(self) -> int:
        return sum(each.retained for each in self.stores)

    def to_bytes(self) -> bytes:
        # Every other plan keeps the bytes it has always had.
        after_restore = () if self.trigger == RESTORE else ("restsOn", "missingMarkers", "cannotBeAsked")
        return to_bytes({name: value for name, value in as_json(self).items() if name not in after_restore})

    @classmethod
    def from_bytes(cls, data: bytes) -> Plan:
        table = json.loads(data)
        return cls(
            run_id=table["runId"],
            as_of=date.fromisoformat(table["asOf"]),
            time_zone=table["timeZone"],
            policy_sha256=table["policySha256"],
            rules=tuple(from_json(Rule, rule) for rule in table["rules"]),
            stores=tuple(from_json(StoreCounts, store) for store in table["stores"]),
            count=table["count"],
            due_set=table["dueSet"],
            tombstone_key_id=table["tombstoneKeyId"],
            tool_version=table["toolVersion"],
            planned_at=datetime.fromisoformat(table["plannedAt"]),
            trigger=table["trigger"],
            holds=table["holds"],
            rests_on=tuple(table.get("restsOn", ())),
            missing_markers=tuple(table.get("missingMarkers", ())),
            cannot_be_asked=tuple(table.get("cannotBeAsked", ())),
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What a standing approval covers: rows that may go in one run, and percent of all rows that may be due."""

    max_rows: int
    max_percent: float

    def exceeded_by(self, plan: Plan) -> str:
        """Say in words which limit a plan exceeds; empty when it is covered."""
        going = plan.due - plan.held
        if going > self.max_rows:
            return f"{going} rows would go; the standing approval covers {self.max_rows}."
        percent = 100 * plan.due / plan.before if plan.before else 0.0
        if percent > self.max_percent:
            # As many digits as tell the two apart.
            shown = next(text for n in range(1, 20) if float(text := f"{percent:.{n}f}") > self.max_percent)
            return f"{shown} % of all rows are due; the standing approval covers {self.max_percent:.15g} %."
        return ""


@dataclass(frozen=True, slots=True)
class StandingApproval:
    """A limited standing order for the nightly job (Dauerfreigabe)."""

    role: str
    limits: Limits
    until: date
    nonce: str
    approved_at: datetime
    signed: bool = False

    def to_bytes(self) -> bytes:
        return to_bytes(as_json(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> StandingApproval:
        table = json.loads(data)
        return cls(
            role=table["role"],
            limits=from_json(Limits, table["limits"]),
            until=date.fromisoformat(table["until"]),
            nonce=table["nonce"],
            approved_at=datetime.fromisoformat(table["approvedAt"]),
            signed=table["signed"],
        )


@dataclass(frozen=True, slots=True)
class Approval:
    """The second person's word on one plan, or the standing approval that covers it. Names a role, never a person."""

    run_id: str
    plan_sha256: str
    role: str
    limits: Limits | None
    nonce: str
    approved_at: datetime
    standing: StandingApproval | None
    signed: bool

    def to_bytes(self) -> bytes:
        return to_bytes(as_json(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Approval:
        table = json.loads(data)
        standing = table["standing"]
        return cls(
            run_id=table["runId"],
            plan_sha256=table["planSha256"],
            role=table["role"],
            limits=from_json(Limits, table["limits"]) if table["limits"] else None,
            nonce=table["nonce"],
            approved_at=datetime.fromisoformat(table["approvedAt"]),
            standing=StandingApproval.from_bytes(json.dumps(standing).encode()) if standing else None,
            signed=table["signed"],
        )


def intent(run_id: str, count: int, subjects: Mapping[str, bytes | str], at: datetime) -> bytes:
    """Return the leaf that is in the log before anything is deleted."""
    return _statement(subjects, {"event": "intent", "runId": run_id, "count": count, "recordedAt": at})


def deleted(run_id: str, erased: Iterable[Erased], at: datetime) -> bytes:
    """Return what every store says it deleted and kept, from its marker rows."""
    stores = [
        {
            "store": each.store,
            "dataset": each.dataset,
            "deleted": each.deleted,
            "retained": each.retained,
            "retainedSet": each.retained_digest,
        }
        for one in erased
        for each in one.sets
    ]
    return to_bytes({"runId": run_id, "stores": stores, "deletedAt": at.isoformat()})


def counted(planned: Iterable[StoreCounts], deleted_file: bytes) -> tuple[StoreCounts, ...]:
    """Return the plan's counts as the stores were when they were rewritten: rows may have arrived since the plan."""
    rows = {(each["store"], each["dataset"]): each for each in json.loads(deleted_file)["stores"]}
    found = ((one, rows.get((one.store, one.dataset))) for one in planned)
    return tuple(
        replace(one, before=row["deleted"] + row["retained"], retained=row["retained"]) if row else one
        for one, row in found
    )


def verified(run_id: str, erased: Iterable[Erased], seen: Iterable[Verified], at: datetime) -> bytes:
    """Return what a new connection saw afterwards, and what the residue scan found."""
    seen, erased = tuple(seen), tuple(erased)
    residues = [one.residue for one in erased]
    return to_bytes(
        {
            "runId": run_id,
            "stillDue": sum(one.still_due for one in seen),
            "deletedBeforeDue": sum(one.deleted_before_due for one in erased),
            "tombstonedStillPresent": sum(one.tombstoned_still_present for one in seen),
            "retainedSetUnchanged": all(one.retained_set_unchanged for one in seen),
            "residue": {
                "places": sum(one.places for one in residues),
                "files": sum(one.files for one in residues),
                "bytes": sum(one.bytes for one in residues),
                "controls": sum(one.controls for one in residues),
                "foundInOld": sum(one.found_in_old for one in residues),
                "foundInNew": sum(one.found_in_new for one in residues),
                "outcome": _worst(one.outcome for one in residues),
            },
            "verifiedAt": at.isoformat(),
        }
    )


def checks_of(verified_file: bytes) -> dict[str, str]:
    """Turn ``5-verified.json`` into the record's checks, each with one of three outcomes."""
    table = json.loads(verified_file)
    return {
        "deletedBeforeDue": _passed(table["deletedBeforeDue"] == 0),
        "stillDue": _passed(table["stillDue"] == 0),
        "tombstonedStillPresent": _passed(table["tombstonedStillPresent"] == 0),
        "retainedSetUnchanged": _passed(table["retainedSetUnchanged"]),
        "residue": table["residue"]["outcome"],
    }


def record(
    run_id: str,
    subjects: Mapping[str, bytes | str],
    counts: Mapping[str, int],
    checks: Mapping[str, str],
    erasure: str,
    residuals: Iterable[Residual],
    at: datetime,
) -> bytes:
    """Return the deletion record (Löschnachweis): the leaf that seals a run."""
    left = [
        {"where": one.where, "untilAt": one.until.isoformat() if one.until else None, "count": one.count}
        for one in residuals
    ]
    predicate = {
        "event": "sealed",
        "runId": run_id,
        "counts": dict(counts),
        "checks": dict(checks),
        "erasure": erasure,
        "residuals": left,
        "recordedAt": at,
    }
    return _statement(subjects, predicate)


def aborted(
    run_id: str, subjects: Mapping[str, bytes | str], reason: str, appeared: int, vanished: int, at: datetime
) -> bytes:
    """Return the leaf of a run that ended without deleting anything."""
    predicate = {
        "event": "aborted",
        "runId": run_id,
        "reason": reason,
        "appeared": appeared,
        "vanished": vanished,
        "recordedAt": at,
    }
    return _statement(subjects, predicate)


def pieces(tombstones: pl.Series) -> Iterator[bytes]:
    """Give the bytes of ``tombstones.txt`` in pieces of whole lines, the next ones joined while one is used."""
    with ThreadPoolExecutor(1, "pieces") as ahead:
        yield from ahead.map(_lines, tombstones.to_frame().iter_slices(_TOMBSTONES_A_PIECE))


def _lines(tombstones: pl.DataFrame) -> bytes:
    # Without a Python text for each line.
    text: str = tombstones.to_series().str.join("\n").item()
    return text.encode("ascii") + b"\n"


def digest_of_lines(tombstones: pl.Series, digest: Digest) -> str:
    """Return, in hex, what the digest makes of the bytes of ``tombstones.txt``."""
    for piece in pieces(tombstones):
        digest.update(piece)
    return digest.hexdigest()


def from_lines(data: bytes) -> pl.Series:
    """Read the lines of ``tombstones.txt`` into a series, without a Python text for each line."""
    found = pl.Series("t", [data.decode("ascii")]).str.split("\n").explode()
    return found.filter(found != "")


def to_bytes(table: Any) -> bytes:
    """Return indented UTF-8 JSON with a final newline."""
    return (json.dumps(table, indent=2, ensure_ascii=False) + "\n").encode()


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def predicate_of(statement: bytes) -> dict[str, Any]:
    """Return the predicate of a statement's bytes."""
    found: dict[str, Any] = json.loads(statement)["predicate"]
    return found


def digest_of(statement: bytes, name: str) -> str:
    """Return the SHA-256 in hex that a statement's bytes give one of its subjects."""
    digests: dict[str, str] = {each["name"]: each["digest"]["sha256"] for each in json.loads(statement)["subject"]}
    return digests[name]


def _statement(subjects: Mapping[str, bytes | str], predicate: Mapping[str, Any]) -> bytes:
    # A file too long to hold in memory comes as its hex digest.
    digests = {name: data if isinstance(data, str) else sha256_hex(data) for name, data in subjects.items()}
    return to_bytes(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in digests.items()],
            "predicateType": PREDICATE_TYPE,
            "predicate": as_json(predicate),
        }
    )


def _passed(good: bool) -> str:
    return Outcome.PASSED if good else Outcome.FAILED


def _worst(outcomes: Iterable[Outcome]) -> str:
    found = set(outcomes)
    return next(one for one in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.PASSED) if one in found)
