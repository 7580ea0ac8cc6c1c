"""``report --inspection``: one ZIP that an authority can read and check without us, and nobody's data in it."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from lifecycle.errors import EvidenceError
from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

NOW = datetime(2026, 8, 1, 1, tzinfo=UTC)
PERSONAL = ("Erika", "Musterfrau", "example.org", "uid-of-visit")


@pytest.fixture
def wb(tmp_path: Path) -> Workbench:
    """Three rows were due; one is held, and the rule's reason begins like a formula."""
    wb = Workbench.init(tmp_path / "clinic", now=lambda: NOW)
    path = tmp_path / "export.ndjson"
    rows = [
        {
            "appointment_uid": f"uid-of-visit-{days:05d}",
            "first_name": "Erika",
            "last_name": f"Musterfrau{days:05d}",
            "email": f"erika{days:05d}@example.org",
            "starts_at": (NOW - timedelta(days=days)).isoformat(),
            "ends_at": (NOW - timedelta(days=days)).isoformat(),
        }
        for days in (110, 100, 95, 5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    wb.ingest(path, as_of=(NOW - timedelta(days=50)).date(), consume=True)
    settings = wb.path / "lifecycle.toml"
    settings.write_text(settings.read_text().replace('why = "Das', 'why = "=Das'))
    wb = Workbench.open(wb.path, now=lambda: NOW)
    wb.hold_add("uid-of-visit-00100", "legal-claims", reference="case 17", review_on="2027-01-01")
    wb.hold_lift(wb.hold_add("uid-of-visit-00095", "restriction").holds[0].number)
    plan = wb.plan("today")
    wb.approve(plan.run_id, "controller")
    wb.purge(plan.run_id)
    wb.purge(as_of="today")
    wb.plan("today")
    return wb


@pytest.fixture
def packed(wb: Workbench) -> dict[str, bytes]:
    (path,) = wb.report(inspection=True).files
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def table(packed: dict[str, bytes], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(packed[name].decode(), newline="")))


def test_everything_an_authority_asks_for_is_there(packed: dict[str, bytes], wb: Workbench) -> None:
    """Rules and their history, contracts, runs, exceptions, the whole evidence, the verifier, and both languages."""
    assert {"LIESMICH.txt", "README.txt", "rules.json", "rules-history.csv", "runs.csv", "verify.py"} <= set(packed)
    assert {name for name in packed if name.startswith("contracts/")}
    for path in (wb.path / "evidence").rglob("*"):
        if path.is_file() and path.name != ".lock":
            assert packed[path.relative_to(wb.path).as_posix()] == path.read_bytes()
    rules = json.loads(packed["rules.json"])
    assert rules["rules"]["appointments"]["periodDays"] == 90
    assert rules["policySha256"] == table(packed, "rules-history.csv")[0]["policy_sha256"]


def test_the_list_of_runs_has_every_run_and_its_numbers_add_up(packed: dict[str, bytes]) -> None:
    """The run that deleted, the night with nothing due, and the plan that nobody carried out."""
    deleted, nothing, planned = table(packed, "runs.csv")
    assert (deleted["outcome"], deleted["deleted"], deleted["held"], deleted["retained"]) == ("sealed", "2", "1", "2")
    assert (deleted["checks"], deleted["approved_by"], deleted["signed"]) == ("passed", "controller", "no")
    assert (nothing["outcome"], nothing["deleted"], nothing["trigger"]) == ("sealed", "0", "schedule")
    assert (planned["outcome"], planned["deleted"]) == ("planned", "0")


def test_exceptions_are_counts_by_ground(packed: dict[str, bytes]) -> None:
    """No uid and no reference: a ground, how many, when the next one is looked at again."""
    assert table(packed, "exceptions.csv") == [
        {"ground": "legal-claims", "in_force": "1", "lifted": "0", "rows_held": "1", "earliest_review": "2027-01-01"}
    ]


def test_no_cell_starts_a_formula(packed: dict[str, bytes]) -> None:
    """A spreadsheet shows the text and computes nothing."""
    reasons = {row["dataset"]: row["why"] for row in table(packed, "rules-history.csv")}
    assert reasons["events"].startswith("'=Das")
    for name in ("runs.csv", "exceptions.csv", "rules-history.csv"):
        assert [cell for row in table(packed, name) for cell in row.values() if re.match(r"[=+\-@\t\r]", cell)] == []


def test_no_personal_value_and_no_key_is_in_it(packed: dict[str, bytes], wb: Workbench) -> None:
    """Neither of the deleted nor of those who stay; keys, holds' references and the store are not packed."""
    everything = b"\n".join(data for name, data in packed.items() if not name.startswith("contracts/"))
    assert [value for value in (*PERSONAL, "case 17") if value.encode() in everything] == []
    for key in (wb.path / "keys").iterdir():
        assert key.read_bytes() not in everything
    assert [name for name in packed if name.startswith(("keys", "data"))] == []


def test_the_same_state_gives_the_same_bytes(wb: Workbench) -> None:
    """Packed twice, at another time of day: two copies can be compared by their digest."""
    (path,) = wb.report(inspection=True).files
    first = path.read_bytes()
    later = Workbench.open(wb.path, now=lambda: NOW + timedelta(hours=5))
    assert later.report(inspection=True).files == (path,)
    assert path.read_bytes() == first
    assert [each.name for each in path.parent.glob("inspection*")] == [path.name]


def test_the_packed_verifier_accepts_the_packed_evidence(wb: Workbench, tmp_path: Path) -> None:
    """With the very command that the README in it gives, in another folder, and with today's checkpoint."""
    (path,) = wb.report(inspection=True).files
    with ZipFile(path) as archive:
        archive.extractall(tmp_path / "authority")
    text = (tmp_path / "authority/README.txt").read_text()
    command = re.search(r"^  python (verify\.py .*)$", text, re.MULTILINE)
    size, root = (re.search(rf"^  {word} +(\S+)$", text, re.MULTILINE) for word in ("size", "root"))
    assert command
    assert size
    assert root
    call = [sys.executable, *command[1].split(), size[1], root[1]]
    done = subprocess.run(call, cwd=tmp_path / "authority", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    call[-1] = root[1].replace(root[1][0], "A" if root[1][0] != "A" else "B", 1)
    assert subprocess.run(call, cwd=tmp_path / "authority", capture_output=True, check=False).returncode == 7


def test_a_link_among_the_evidence_is_not_followed(wb: Workbench) -> None:
    """Or whatever it leads to would be handed out."""
    (wb.path / "evidence/extra").symlink_to(wb.path / "keys/log.seed")
    with pytest.raises(EvidenceError, match="not a plain file"):
        wb.report(inspection=True)
    assert list((wb.path / "reports").glob("inspection*")) == []
