"""Four eyes: where the workspace names who may sign, an approval counts only with one of their signatures."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from lifecycle.errors import ConfigurationError, Refused, UsageError
from lifecycle.ledger.signing import merged_signers
from lifecycle.ledger.verify import verify
from lifecycle.workbench import Workbench, approvals, documents, facts
from lifecycle.workbench.results import EvidenceCheck

pytestmark = pytest.mark.slow

NOW = datetime(2026, 8, 1, 1, tzinfo=UTC)


@pytest.fixture
def wb(tmp_path: Path) -> Workbench:
    """One appointment that is due, and one that is not."""
    wb = Workbench.init(tmp_path / "clinic", now=lambda: NOW)
    path = tmp_path / "export.ndjson"
    rows = [
        {
            "appointment_uid": f"uid-of-visit-{days:05d}",
            "first_name": f"Erika{days:05d}",
            "email": f"erika{days:05d}@example.org",
            "starts_at": (NOW - timedelta(days=days)).isoformat(),
            "ends_at": (NOW - timedelta(days=days)).isoformat(),
        }
        for days in (100, 5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    wb.ingest(path, as_of=(NOW - timedelta(days=50)).date(), consume=True)
    return wb


def new_key(folder: Path, name: str) -> Path:
    call = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@laptop.example.org", "-f", str(folder / name)]
    subprocess.run(call, check=True)
    return folder / name


def allow(wb: Workbench, *lines: tuple[str, Path]) -> None:
    text = "".join(f"{who} {key.with_suffix('.pub').read_text()}" for who, key in lines)
    (wb.path / "approvals/allowed_signers").write_text(text)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return new_key(tmp_path, "second-person")


def outcome_of_signatures(wb: Workbench) -> str:
    return dict(verify(wb.path / "evidence", str(wb.path / "evidence/log.vkey")))["run signatures and stamps hold"]


def test_a_signed_approval_is_verified_and_the_verifier_agrees(wb: Workbench, key: Path) -> None:
    """Who was allowed lies beside the evidence afterwards, without the comment that names a person."""
    allow(wb, ("controller", key))
    run_id = wb.plan("today").run_id
    assert wb.approve(run_id, "controller", key=key).signed
    assert wb.purge(run_id).deleted == 1
    kept = (wb.path / "evidence/allowed_signers").read_text()
    assert kept.startswith("controller ssh-ed25519 ")
    assert "laptop" not in kept
    assert outcome_of_signatures(wb) == "passed"
    assert wb.verify().outcome == "passed"


def test_verify_says_what_is_signed_and_stamped_and_what_is_not(wb: Workbench) -> None:
    """Both are optional, so it passes; but passed must not read as if somebody had signed, or stamped."""
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller")
    wb.purge(run_id)
    said = {check.name: check.detail for check in wb.verify().checks}["run signatures and stamps hold"]
    assert said == "signed: 0 of 1 approvals; 0 rest on a standing one; stamped: 0 of 1 records"


def test_a_signed_approval_does_not_count_as_one_without(wb: Workbench, key: Path) -> None:
    """Of one signed run, only the stamp is missing."""
    allow(wb, ("controller", key))
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=key)
    wb.purge(run_id)
    said = {check.name: check.detail for check in wb.verify().checks}["run signatures and stamps hold"]
    assert said == "signed: 1 of 1 approvals; 0 rest on a standing one; stamped: 0 of 1 records"


def test_without_the_file_an_approval_needs_no_signature(wb: Workbench, key: Path) -> None:
    """Then the verifier prints that it has not checked, and with which command somebody can."""
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=key)
    assert wb.purge(run_id).deleted == 1
    assert not (wb.path / "evidence/allowed_signers").exists()
    assert outcome_of_signatures(wb) == "unknown"


def test_an_unsigned_approval_is_refused(wb: Workbench, key: Path) -> None:
    """Exit code 6, nothing was deleted, and a new plan can be signed."""
    run_id = wb.plan("today").run_id
    assert not wb.approve(run_id, "controller").signed
    allow(wb, ("controller", key))
    with pytest.raises(Refused, match="is not signed, and approvals/allowed_signers asks for it") as refused:
        wb.purge(run_id)
    assert "--key" in refused.value.hint
    assert wb._workspace.store.runs() == frozenset()
    second = wb.plan("today").run_id
    wb.approve(second, "controller", key=key)
    assert wb.purge(second).deleted == 1


@pytest.mark.parametrize("by", ["nobody", "stranger", "other role", "no file"])
@pytest.mark.parametrize("standing", [False, True], ids=["run", "standing"])
def test_an_approval_that_could_never_count_is_not_written(
    wb: Workbench, key: Path, tmp_path: Path, by: str, standing: bool
) -> None:
    """Files are written once: it would be in the way of the right signature, and of a night."""
    allow(wb, ("controller", key))
    run_id = wb.plan("today").run_id

    def approve(role: str, signer: Path | None) -> bool:
        if standing:
            limits = {"max_rows": 9, "max_percent": 90.0, "until": "2026-12-31"}
            return wb.approve_standing(role, key=signer, **limits).signed  # type: ignore[arg-type]
        return wb.approve(run_id, role, key=signer).signed

    signer = {"nobody": None, "stranger": new_key(tmp_path, "stranger"), "no file": tmp_path / "none"}.get(by, key)
    with pytest.raises((Refused, UsageError), match=r"allowed_signers|not a file"):
        approve("delegate" if by == "other role" else "controller", signer)
    assert [path.name for path in (wb.path / "evidence/runs" / run_id).iterdir()] == ["1-plan.json"]
    assert [path.name for path in (wb.path / "approvals").iterdir()] == ["allowed_signers"]
    assert approve("controller", key)


def test_a_signature_that_comes_too_late_is_said(wb: Workbench, key: Path) -> None:
    """An approval without one is not signed afterwards, and does not look as if it were."""
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller")
    with pytest.raises(Refused, match="approved already, without a signature"):
        wb.approve(run_id, "controller", key=key)


def test_an_approval_that_was_killed_before_its_signature_is_signed_by_the_same_call(
    wb: Workbench, key: Path, tmp_path: Path
) -> None:
    """By a key that may, only; and whoever plans anew instead leaves nothing behind that verify minds."""
    allow(wb, ("controller", key))
    killed, again = wb.plan("today").run_id, wb.plan("today").run_id
    for run_id in (killed, again):
        wb.approve(run_id, "controller", key=key)
        (wb.path / "evidence/runs" / run_id / "2-approval.json.sig").unlink()
    with pytest.raises(Refused, match="has no signature"):
        wb.purge(killed)
    with pytest.raises(Refused, match="is not signed by a key"):
        wb.approve(again, "controller", key=new_key(tmp_path, "stranger"))
    assert wb.approve(again, "controller", key=key).signed
    assert wb.purge(again).deleted == 1
    assert wb.verify().outcome == "passed"
    said = {check.name: check.detail for check in wb.verify().checks}["run signatures and stamps hold"]
    assert said == "signed: 1 of 1 approvals; 0 rest on a standing one; stamped: 0 of 1 records"


def test_the_same_key_again_finds_its_own_approval(wb: Workbench, key: Path, tmp_path: Path) -> None:
    """The other person who may is told that this is not their signature."""
    other = new_key(tmp_path, "other")
    allow(wb, ("controller", key), ("controller", other))
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=key)
    path = wb.path / "evidence/runs" / run_id / "2-approval.json.sig"
    before = path.read_bytes()
    assert wb.approve(run_id, "controller", key=key).signed
    with pytest.raises(Refused, match="approved already, signed by another key"):
        wb.approve(run_id, "controller", key=other)
    assert path.read_bytes() == before


def test_an_approval_that_can_never_count_is_not_called_a_success(wb: Workbench, key: Path, tmp_path: Path) -> None:
    """It came before the list of those who may; its plan never begins, so verify has nothing to say of it."""
    stranger = new_key(tmp_path, "stranger")
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=stranger)
    allow(wb, ("delegate", key))
    for role, by in (("delegate", key), ("controller", stranger)):
        with pytest.raises(Refused, match=r"approved already|is not signed by a key") as error:
            wb.approve(run_id, role, key=by)
        assert "lifecycle plan" in error.value.hint
    with pytest.raises(Refused):
        wb.purge(run_id)
    second = wb.plan("today").run_id
    wb.approve(second, "delegate", key=key)
    assert wb.purge(second).deleted == 1
    assert wb.verify().outcome == "passed"


def test_another_persons_key_is_refused(wb: Workbench, key: Path, tmp_path: Path) -> None:
    """A signature is there, but not by anybody who may."""
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=new_key(tmp_path, "stranger"))
    allow(wb, ("controller", key))
    with pytest.raises(Refused, match="is not signed by a key that approvals/allowed_signers names for controller"):
        wb.purge(run_id)


def test_a_key_of_another_role_is_refused(wb: Workbench, key: Path) -> None:
    """The delegate's key does not speak for the controller."""
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=key)
    allow(wb, ("delegate", key))
    with pytest.raises(Refused, match="names for controller"):
        wb.purge(run_id)
    second = wb.plan("today").run_id
    wb.approve(second, "delegate", key=key)
    assert wb.purge(second).deleted == 1


@pytest.mark.parametrize("change", ["approval", "signature"])
def test_a_signature_over_other_bytes_is_refused(wb: Workbench, key: Path, change: str) -> None:
    """Somebody edits the approval, or takes the signature of an earlier one."""
    allow(wb, ("controller", key))
    first, second = wb.plan("today").run_id, wb.plan("today").run_id
    for run_id in (first, second):
        wb.approve(run_id, "controller", key=key)
    runs = wb.path / "evidence/runs"
    if change == "approval":
        path = runs / second / "2-approval.json"
        path.write_bytes(path.read_bytes().replace(b'"signed": true', b'"signed":  true'))
    else:
        (runs / second / "2-approval.json.sig").write_bytes((runs / first / "2-approval.json.sig").read_bytes())
    with pytest.raises(Refused, match="is not signed by a key"):
        wb.purge(second)


def test_a_signature_for_another_purpose_is_refused(wb: Workbench, key: Path) -> None:
    """ssh-keygen binds a signature to a namespace: one for a mail or a commit approves nothing."""
    allow(wb, ("controller", key))
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=key)
    path = wb.path / "evidence/runs" / run_id / "2-approval.json"
    call = ["ssh-keygen", "-Y", "sign", "-n", "file", "-f", str(key)]
    signed = subprocess.run(call, input=path.read_bytes(), capture_output=True, check=True).stdout
    path.with_name(path.name + ".sig").write_bytes(signed)
    with pytest.raises(Refused, match="is not signed by a key"):
        wb.purge(run_id)


@pytest.mark.parametrize("case", ["signed", "unsigned", "stranger", "edited"])
def test_a_standing_approval_is_held_to_the_same(wb: Workbench, key: Path, tmp_path: Path, case: str) -> None:
    """Its signature lies beside it in approvals/, and is verified in every night that it covers."""
    by = {"unsigned": None, "stranger": new_key(tmp_path, "stranger")}.get(case, key)
    given = wb.approve_standing("controller", max_rows=9, max_percent=90, until="2026-12-31", key=by)
    allow(wb, ("controller", key))
    assert given.path is not None
    if case == "edited":
        given.path.write_bytes(given.path.read_bytes().replace(b'"maxRows": 9', b'"maxRows": 99'))
    if case == "signed":
        assert wb.purge(as_of="today").deleted == 1
        assert wb.verify().outcome == "passed"
        return
    with pytest.raises(Refused, match="The standing approval is not signed") as refused:
        wb.purge(as_of="today")
    assert refused.value.exit_code == 6
    assert wb._workspace.store.runs() == frozenset()


def test_a_standing_approval_that_speaks_of_a_signature_needs_it(wb: Workbench, key: Path) -> None:
    """Also where nobody is named who may sign: a flag in a file is no signature."""
    given = wb.approve_standing("controller", max_rows=9, max_percent=90, until="2026-12-31", key=key)
    assert given.path is not None
    signature = given.path.with_name(given.path.name + ".sig")
    signature.rename(wb.path / "elsewhere")
    with pytest.raises(Refused, match="says it is signed, but its signature is missing"):
        wb.purge(as_of="today")
    assert wb._workspace.store.runs() == frozenset()
    (wb.path / "elsewhere").rename(signature)
    assert wb.purge(as_of="today").deleted == 1


def test_the_signature_of_a_standing_approval_is_written_before_it(
    wb: Workbench, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the two leaves a signature of nothing, not an approval that says it is signed."""
    real, written = approvals._write, list[str]()

    def dies(path: Path, data: bytes) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(path.name)
        real(path, data)

    monkeypatch.setattr(approvals, "_write", dies)
    with pytest.raises(KeyboardInterrupt):
        wb.approve_standing("controller", max_rows=9, max_percent=90, until="2026-12-31", key=key)
    assert approvals.standing(wb._workspace) is None


SAID = {  # of the run: limits of the report, words in it, the cell in runs.csv, the word in the overview of the month
    "named": (True, "passed", "", "signed with a key that is named for this role", "yes", "signed"),
    "nobody named": (True, "unknown", "signature", "a signature that nobody has checked", "not checked", "unchecked"),
    "another named": (
        True,
        "failed",
        "signature",
        "by no key that is named for this role",
        "does not hold",
        "unchecked",
    ),
    "lost": (False, "unknown", "approval", "the approval is not signed", "no", "unsigned"),
}


@pytest.mark.parametrize("standing", [False, True], ids=["run", "standing"])
@pytest.mark.parametrize("case", SAID)
def test_nobody_is_told_of_a_signature_that_nobody_checked(
    wb: Workbench, key: Path, tmp_path: Path, case: str, standing: bool
) -> None:
    """Report, list of runs and overview ask for the signature itself, not for what the approval says of it."""
    if case == "named":
        allow(wb, ("controller", key))
    if standing:
        wb.approve_standing("controller", max_rows=9, max_percent=90, until="2026-12-31", key=key)
        run_id = wb.purge(as_of="today").run_id
    else:
        run_id = wb.plan("today").run_id
        wb.approve(run_id, "controller", key=key)
        wb.purge(run_id)
    if case == "another named":
        allow(wb, ("controller", new_key(tmp_path, "stranger")))
    if case == "lost":
        for path in wb.path.rglob("*.sig"):
            path.unlink()
    workspace = wb._workspace
    said = facts.gather(workspace, run_id, (), NOW.date())
    signed, checked, limit, words, cell, word = SAID[case]
    assert (said.approval_signed, said.approval_checked, said.approval_standing) == (signed, checked, standing)
    assert {"approval", "signature"} & set(said.limits) == ({limit} if limit else set())
    (page,) = wb.report(run_id, language="en", formats=("html",)).files
    assert words in page.read_text()
    assert ("nobody looked at this single deletion run beforehand" in page.read_text()) is standing
    (archive,) = wb.report(inspection=True).files
    with ZipFile(archive) as packed:
        (row,) = csv.DictReader(io.StringIO(packed.read("runs.csv").decode(), newline=""))
        assert row["signed"] == cell
        there = {path.relative_to(wb.path).as_posix() for path in (wb.path / "approvals").glob("standing-*")}
        assert {name for name in packed.namelist() if name.startswith("approvals/")} == there
        assert len(there) == (2 if case != "lost" else 1) * standing
    month = documents.gather_month(workspace, NOW.date().replace(day=1), ())
    assert [run.approval for run in month.runs] == [f"standing-{word}" if standing else word]


def test_the_concept_says_of_the_standing_approval_what_was_checked(wb: Workbench, key: Path) -> None:
    """The flag in it is its own word."""
    given = wb.approve_standing("controller", max_rows=9, max_percent=90, until="2026-12-31", key=key)
    assert given.path is not None

    def signature() -> str:
        order = documents._standing(wb._workspace)
        assert order
        return order.signature

    assert signature() == "unchecked"
    allow(wb, ("controller", key))
    assert signature() == "signed"
    given.path.with_name(given.path.name + ".sig").unlink()
    assert signature() == "unsigned"


def test_a_standing_approval_must_still_be_trusted_when_a_run_goes_on(wb: Workbench, key: Path) -> None:
    """The key is withdrawn between the night's approval and its beginning."""
    allow(wb, ("controller", key))
    wb.approve_standing("controller", max_rows=9, max_percent=90, until="2026-12-31", key=key)
    plan = wb.plan("today")
    runs, standing = wb._runs(), wb.path / "approvals"
    from lifecycle.deletion.documents import StandingApproval

    given = StandingApproval.from_bytes(next(standing.glob("standing-*.json")).read_bytes())
    runs.approve_by_standing(runs.read_plan(plan.run_id), given, "00" * 16)
    allow(wb)
    with pytest.raises(Refused, match="is not signed by a key"):
        wb.purge(plan.run_id)


def test_a_key_that_was_replaced_still_speaks_for_earlier_runs(wb: Workbench, key: Path, tmp_path: Path) -> None:
    """Beside the evidence lies everybody who was ever allowed, or yesterday's approval would be wrong today."""
    allow(wb, ("controller", key))
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=key)
    wb.purge(run_id)
    allow(wb, ("controller", new_key(tmp_path, "successor")))
    wb.purge(as_of="today")
    assert len((wb.path / "evidence/allowed_signers").read_text().splitlines()) == 2
    assert outcome_of_signatures(wb) == "passed"


def test_a_link_in_place_of_the_file_is_refused(wb: Workbench, key: Path) -> None:
    """Who may sign is said in the workspace itself."""
    (wb.path / "approvals/allowed_signers").symlink_to(key)
    with pytest.raises(ConfigurationError, match="not a plain file"):
        wb.purge(as_of="today")


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("controller ssh-ed25519 AAAA erika@laptop.example.org", "controller ssh-ed25519 AAAA\n"),
        ('"controller,delegate" ssh-ed25519 AAAA', "controller,delegate ssh-ed25519 AAAA\n"),
        ("* ssh-ed25519 AAAA x", "controller,delegate ssh-ed25519 AAAA\n"),
        ('delegate namespaces="deletion-approval" sk-ssh-ed25519@openssh.com AAAA= Erika Muster',
         'delegate namespaces="deletion-approval" sk-ssh-ed25519@openssh.com AAAA=\n'),
        ('controller valid-before="20270101" ssh-ed25519 AAAA', "controller ssh-ed25519 AAAA\n"),
        ('controller namespaces="a b",valid-after="2026" ssh-rsa AAAA', 'controller namespaces="a b" ssh-rsa AAAA\n'),
        ("controller cert-authority ecdsa-sha2-nistp256 AAAA", "controller cert-authority ecdsa-sha2-nistp256 AAAA\n"),
        ("erika@example.org ssh-ed25519 AAAA", ""),
        ("*,!controller ssh-ed25519 AAAA", ""),
        ("# controller ssh-ed25519 AAAA", ""),
        ("controller", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_what_is_kept_of_a_line_names_roles_and_keys_only(line: str, kept: str) -> None:
    """Comments and addresses name staff; the verifier needs neither."""
    assert merged_signers(b"", line.encode()).decode() == kept
    assert merged_signers(kept.encode(), line.encode()).decode() == kept


def test_a_failed_check_is_named_before_one_that_could_not_be_told(wb: Workbench, key: Path) -> None:
    """A signature that nobody could check comes first in the list, but it is not what broke the evidence."""
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=key)
    before = (wb.path / "data/lifecycle.duckdb").read_bytes()
    wb.purge(run_id)
    (wb.path / "data/lifecycle.duckdb").write_bytes(before)
    seen = wb.verify()
    assert [check.outcome for check in seen.checks if check.name == "run signatures and stamps hold"] == ["unknown"]
    problem = seen.problem()
    assert problem
    assert problem.fact.startswith("every recorded run has its marker in the store")


def test_many_facts_are_counted_for_a_person_and_listed_for_a_program(wb: Workbench) -> None:
    """Each once, in the order of the runs; two more would not be worth a line of their own."""
    runs = [wb.plan("today").run_id]
    wb.approve(runs[0], "controller")
    wb.purge(runs[0])
    runs += [wb.purge(as_of="today").run_id for _ in range(5)]

    def changed(number: int) -> EvidenceCheck:
        for run in runs[:number]:
            plan = wb.path / "evidence/runs" / run / "1-plan.json"
            plan.write_text(plan.read_text() + " ")
        (check,) = [one for one in wb.verify().checks if one.name == "files"]
        return check

    def said(*names: str) -> tuple[str, ...]:
        return tuple(f"runs/{name}/1-plan.json is missing or changed" for name in names)

    some, many = changed(4), changed(6)
    assert (some.facts, some.detail) == (said(*runs[:4]), "; ".join(said(*runs[:4])))
    assert (many.facts, many.detail) == (said(*runs), "; ".join([*said(*runs[:3]), "and 3 more"]))
    found = wb.verify()
    assert str(found.problem()).startswith(f"files: {many.detail}")
    assert "facts" not in found.frame.columns


def test_a_store_that_cannot_be_opened_makes_the_evidence_doubtful_and_no_more(wb: Workbench, key: Path) -> None:
    """What could not be compared is unknown, and named before the signature that nobody could check."""
    run_id = wb.plan("today").run_id
    wb.approve(run_id, "controller", key=key)
    wb.purge(run_id)
    (wb.path / "data/lifecycle.duckdb").unlink()
    seen = wb.verify()
    assert (seen.outcome, seen.checks[-1].outcome) == ("unknown", "unknown")
    problem = seen.problem()
    assert problem
    assert problem.fact == ("store and evidence belong together: The store lifecycle.duckdb is missing.")
