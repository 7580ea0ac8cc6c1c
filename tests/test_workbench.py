"""The whole cycle on a clinic that does not exist, in Python as a notebook would: every count from two sides."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import subprocess
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lifecycle.errors import FindingsFailed, Incomplete, LifecycleError, Refused, SourceError, UsageError
from lifecycle.workbench import Workbench

pytestmark = pytest.mark.slow

VERIFY = Path(__file__).parents[1] / "lifecycle" / "ledger" / "verify.py"


def verifier(at: Path) -> int:
    """The independent verifier as a process of its own."""
    words = [sys.executable, str(VERIFY), str(at / "evidence"), str(at / "evidence" / "log.vkey")]
    return subprocess.run(words, capture_output=True, check=False).returncode


def approved(bench: Workbench, **more: Any) -> str:
    run = bench.plan(**more).run_id
    bench.approve(run, "controller")
    return run


@pytest.fixture(scope="module")
def cycle(shared: Any) -> dict[str, Any]:
    """Everything once, in order."""
    bench, clinic = Workbench.open(shared.path), shared.clinic
    found: dict[str, Any] = {"bench": bench, "clinic": clinic, "ingested": shared.ingested}
    found["checked"] = bench.check()
    found["held"] = bench.hold_add(clinic.hold_uid, "legal-claims", reference="case 1")
    found["planned"] = bench.plan()
    run = found["planned"].run_id
    found["approved"] = bench.approve(run, "controller")
    found["store before"] = (shared.path / "data" / "lifecycle.duckdb").read_bytes()
    found["purged"] = bench.purge(run)
    found["verified"] = bench.verify()
    found["reported"] = bench.report(run, formats=("html", "json"), second_opinion=False)
    found["examined"] = bench.doctor()
    found["holds"] = bench.hold_list()
    return found


def test_what_was_written_is_what_is_counted(cycle: dict[str, Any]) -> None:
    """File by file the generator counted by other code than the reader."""
    ingested, clinic = cycle["ingested"], cycle["clinic"]
    for name in ("read", "stored", "duplicates", "rejected", "expired"):
        assert getattr(ingested, name) == sum(getattr(one, name) for one in clinic.counts.values()), name
    expected: dict[str, int] = {}
    for counts in clinic.undeclared.values():
        for name, count in counts.items():
            expected[name] = expected.get(name, 0) + count
    assert {one.field: one.count for one in ingested.undeclared} == expected
    assert ingested.read == ingested.stored + ingested.duplicates + ingested.rejected + ingested.expired


def test_what_was_planted_is_found(cycle: dict[str, Any]) -> None:
    """Undeclared fields, expired rows, and every kind of value where it does not belong."""
    findings, clinic = cycle["checked"].findings, cycle["clinic"]
    failed = {one.check for one in findings if one.count}
    assert {"undeclared-field", "expired", "rejected"} <= failed
    checks = {"icd10": "icd-10", "email-in-name": "email-in-text"}
    assert {checks.get(leak, leak) for leak in clinic.value_leaks} <= failed
    counted: dict[str, int] = {}
    for one in findings:
        if one.check == "undeclared-field" and one.count:
            counted[one.field] = counted.get(one.field, 0) + one.count
    assert counted == {one.field: one.count for one in cycle["ingested"].undeclared}
    with pytest.raises(FindingsFailed):
        cycle["checked"].raise_if_failed()


def test_due_and_held_are_what_the_generator_made_due_and_held(cycle: dict[str, Any]) -> None:
    """Per dataset and in sum."""
    planned, clinic = cycle["planned"], cycle["clinic"]
    assert {one.dataset: one.due for one in planned.stores} == clinic.due
    assert {one.dataset: one.held for one in planned.stores} == clinic.held
    assert planned.before == cycle["ingested"].stored - cycle["ingested"].replaced
    for name in ("before", "due", "held", "no_anchor", "retained"):
        assert getattr(planned, name) == sum(getattr(one, name) for one in planned.stores), name


def test_the_numbers_add_up_after_the_purge(cycle: dict[str, Any]) -> None:
    """due = deleted + held + failed; before = deleted + retained; every check of the run passed."""
    purged, clinic = cycle["purged"], cycle["clinic"]
    assert (purged.outcome, purged.failed, purged.erasure) == ("sealed", 0, "rewritten")
    assert purged.deleted == sum(clinic.due.values()) - sum(clinic.held.values())
    assert purged.due == purged.deleted + purged.held + purged.failed
    assert purged.before == purged.deleted + purged.retained
    assert purged.checks
    assert set(purged.checks.values()) == {"passed"}
    purged.raise_if_failed()


def test_the_deleted_are_in_no_file_of_the_workspace(cycle: dict[str, Any]) -> None:
    """A byte search that saw them before; the held and the staying are still there."""
    root = cycle["bench"].path
    canaries = [value.encode() for value in cycle["clinic"].canaries]
    assert sum(1 for canary in canaries if canary not in cycle["store before"]) == 0
    contents = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    assert sum(1 for canary in canaries for content in contents if canary in content) == 0
    assert cycle["clinic"].hold_uid.encode() in b"".join(contents)


def test_evidence_and_stores_are_verified(cycle: dict[str, Any]) -> None:
    """By the verb, and by the verifier on its own."""
    verified = cycle["verified"]
    assert (verified.outcome, verified.tree_size) == ("passed", 2)
    assert {str(one.outcome) for one in verified.checks} <= {"passed", "unknown"}
    assert verifier(cycle["bench"].path) == 0


def test_the_report_says_what_the_record_says(cycle: dict[str, Any]) -> None:
    """The counts of the JSON report are those of the sealed leaf."""
    purged = cycle["purged"]
    page, data = sorted(cycle["reported"].files)
    record = json.loads((cycle["bench"].path / "evidence" / "runs" / purged.run_id / "6-record.json").read_text())
    said = json.loads(data.read_text())
    text = json.dumps(said)
    for name, count in record["predicate"]["counts"].items():
        assert f'"{name}": {count}' in text, name
        assert getattr(purged, name, count) == count
    assert purged.run_id in page.read_text()


def test_doctor_sees_what_is_to_be_done(cycle: dict[str, Any]) -> None:
    """Right after a purge nothing is due; rows without a date are still waiting for their fallback."""
    failed = {one.check for one in cycle["examined"].findings if one.count}
    assert "no-anchor" in failed
    assert failed.isdisjoint({"rows-due", "open-run", "keys-readable", "clock-behind", "leftover-files", "run-missing"})


# --- results --------------------------------------------------------------------------------------

RESULTS = ("ingested", "checked", "held", "planned", "approved", "purged", "verified", "reported", "examined", "holds")


class Reader(html.parser.HTMLParser):
    """Balanced tags, no script, nothing from outside."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.outside += [name for name, _ in attrs if name in ("src", "href")]
        self.outside += [tag] * (tag in ("script", "iframe", "object"))
        if tag not in ("input", "br", "img", "meta", "hr", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_is_frozen_and_shows_itself(name: str, cycle: dict[str, Any]) -> None:
    """As frame, as few numbers, as HTML; whatever is in a name is escaped, and no value is anywhere."""
    result = cycle[name]
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.outcome = "passed"
    assert isinstance(result.frame, pl.DataFrame)
    assert isinstance(result.summary(), dict)
    json.dumps(result.to_json())
    shown = result._repr_html_()
    reader = Reader(shown)
    assert (reader.open, reader.outside) == ([], [])
    clinic = cycle["clinic"]
    said = f"{result!r} {result} {shown} {result.summary()} {result.frame} {result.to_json()}"
    leaked = [n for n, value in enumerate((*clinic.canaries, *clinic.never_stored, clinic.hold_uid)) if value in said]
    assert leaked == []


def test_markup_in_a_name_is_escaped(bench: Workbench, tmp_path: Path) -> None:
    """A field may be called anything."""
    path = tmp_path / "log.ndjson"
    path.write_text(json.dumps({"command": "CREATED", "appointmentUID": "a", "<b>x": "1", "a<script>": "1"}) + "\n")
    shown = bench.ingest(path)._repr_html_()
    assert "<script" not in shown
    assert "<b>x" not in shown


def test_nothing_of_a_workbench_or_an_error_repeats_a_value(
    bench: Workbench, taken_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``repr``, ``str`` and whole tracebacks, also of foreign exceptions that quote what they stumbled over."""
    value = "Zqzaunkoenig"

    def stumble(*_: object, **__: object) -> None:
        pl.Series([value]).str.to_datetime("%Y", strict=True)

    monkeypatch.setattr("lifecycle.stores.embedded.store.EmbeddedStore.rows", stumble)
    monkeypatch.setattr("lifecycle.stores.embedded.store.EmbeddedStore.counts", stumble)
    monkeypatch.setattr("lifecycle.stores.embedded.store.EmbeddedStore.sources", stumble)
    calls: list[Callable[[], Any]] = [
        bench.check,
        bench.plan,
        bench.doctor,
        lambda: bench.report(second_opinion=False),
        lambda: bench.hold_add(value, value),
        lambda: bench.purge(value),
        lambda: bench.plan(value),
        lambda: bench.ingest(value).raise_if_failed(),
        lambda: bench.check(store=value),
        lambda: bench.approve(value, "controller"),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(LifecycleError) as caught:
            call()
        said = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value)
        leaked = (number, value in said)
        assert leaked == (number, False)
    assert repr(bench) == f"Workbench({bench._workspace.settings.name!r})"
    told = f"{bench!r}{bench}{vars(bench)!r}"
    assert taken_in.clinic.hold_uid not in told


# --- after the deletion ---------------------------------------------------------------------------


@pytest.fixture
def purged(bench: Workbench) -> Workbench:
    bench.purge(approved(bench))
    return bench


def test_the_old_files_bring_nobody_back(purged: Workbench, taken_in: Any) -> None:
    """Read again in any order, today or as of the day they were in order: nothing is stored."""
    clinic = taken_in.clinic
    before = purged.plan().before
    again = purged.ingest(*clinic.appointments, *clinic.events)
    assert (again.stored, again.replaced) == (0, 0)
    assert again.expired >= sum(clinic.due.values())
    as_then = purged.ingest(*clinic.events, *clinic.appointments, as_of=clinic.ingest_on)
    assert (as_then.stored, as_then.replaced) == (0, 0)
    after = purged.plan()
    assert (after.before, after.due) == (before, 0)


@pytest.mark.parametrize("name", ["6-record.json", "1-plan.json", "tombstones.txt", "3-intent.json", "5-verified.json"])
def test_one_changed_byte_of_evidence_is_refused(name: str, purged: Workbench) -> None:
    """By the verifier alone and by the verb, with exit 7."""
    path = next((purged.path / "evidence" / "runs").glob(f"*/{name}"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert verifier(purged.path) == 7
    result = purged.verify()
    assert (result.outcome, result.exit_code) == ("failed", 7)


def test_a_store_older_than_its_evidence_is_noticed(bench: Workbench) -> None:
    """Brought back from a backup: the run has no marker row there."""
    store = bench.path / "data" / "lifecycle.duckdb"
    old = store.read_bytes()
    bench.purge(approved(bench))
    store.write_bytes(old)
    result = bench.verify()
    assert result.exit_code == 7
    assert [one.name for one in result.checks if one.outcome == "failed"]


def test_a_night_with_nothing_due_leaves_its_leaf(purged: Workbench) -> None:
    """Gapless: sealed without approval, zeros, an intent and a record more, and verified."""
    size = purged.verify().tree_size
    night = purged.purge(as_of="today")
    assert (night.outcome, night.due, night.deleted, night.erasure) == ("sealed", 0, 0, "none")
    verified = purged.verify()
    assert verified.outcome == "passed"
    assert verified.tree_size >= size + 2


def test_a_standing_approval_covers_what_it_says(bench: Workbench, taken_in: Any) -> None:
    """Not without one, not over its limits; then the nightly job goes through, and its run says why."""
    due = sum(taken_in.clinic.due.values())
    with pytest.raises(Refused, match="nobody approved"):
        bench.purge(as_of="today")
    until = bench.today + timedelta(days=30)
    bench.approve_standing("controller", max_rows=due - 1, max_percent=100, until=until)
    with pytest.raises(Refused):
        bench.purge(as_of="today")
    bench.approve_standing("controller", max_rows=due, max_percent=1, until=until)
    with pytest.raises(Refused):
        bench.purge(as_of="today")
    bench.approve_standing("controller", max_rows=due, max_percent=100, until=until)
    result = bench.purge(as_of="today")
    assert (result.outcome, result.deleted) == ("sealed", due)
    assert bench.verify().outcome == "passed"


def test_a_standing_approval_needs_an_end_and_a_role(bench: Workbench) -> None:
    """Who supervises does not decide; yesterday is over."""
    limits: dict[str, Any] = {"max_rows": 1, "max_percent": 1}
    with pytest.raises(UsageError):
        bench.approve_standing("controller", until=bench.today - timedelta(days=1), **limits)
    with pytest.raises(Refused, match="38"):
        bench.approve_standing("dpo", until=bench.today, **limits)
    assert list((bench.path / "approvals").iterdir()) == []


def test_a_clock_that_jumped_stops_the_nightly_job_only(bench: Workbench, taken_in: Any) -> None:
    """Ten years later nearly everybody would be due: refused under a standing approval, nothing deleted."""
    bench.purge(as_of=bench.today - timedelta(days=60))
    far = datetime.now(UTC) + timedelta(days=3_650)
    later = Workbench.open(bench.path, now=lambda: far)
    later.approve_standing("controller", max_rows=10**6, max_percent=100, until=far.date() + timedelta(days=1))
    with pytest.raises(Refused, match="clock"):
        later.purge(as_of="today")
    assert bench.plan().before == taken_in.ingested.stored - taken_in.ingested.replaced


# --- exceptions -----------------------------------------------------------------------------------


def test_a_hold_keeps_its_rows_until_it_is_lifted(bench: Workbench, taken_in: Any) -> None:
    """Held rows are counted and stay; afterwards they go with the next run."""
    clinic = taken_in.clinic
    held = sum(clinic.held.values())
    added = bench.hold_add(clinic.hold_uid, "restriction", review_on=bench.today + timedelta(days=30)).holds[0]
    assert (added.rows, added.lifted_on) == (held, None)
    first = bench.purge(approved(bench))
    assert (first.held, first.deleted) == (held, sum(clinic.due.values()) - held)
    assert bench.plan().due == held
    lifted = bench.hold_lift(added.number).holds[0]
    assert lifted.lifted_on == bench.today
    second = bench.purge(approved(bench))
    assert (second.held, second.deleted) == (0, held)
    assert bench.verify().outcome == "passed"


def test_holds_are_refused_in_words(bench: Workbench) -> None:
    """An unknown ground, an empty uid, a number that is none."""
    for call in (
        lambda: bench.hold_add("x", "because"),
        lambda: bench.hold_add(" ", "other"),
        lambda: bench.hold_lift(99),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.hint


def test_a_plan_goes_stale_when_the_due_rows_change(bench: Workbench, taken_in: Any) -> None:
    """Approved people cannot be swapped: one hold more, and the approved plan deletes nobody."""
    run = approved(bench)
    bench.hold_add(taken_in.clinic.hold_uid, "other")
    with pytest.raises(Refused, match="no longer due"):
        bench.purge(run)
    assert bench.plan().before == taken_in.ingested.stored - taken_in.ingested.replaced


def test_rows_that_arrive_after_the_plan_are_counted_by_record_and_report(bench: Workbench, tmp_path: Path) -> None:
    """A nightly ingest between plan and purge: what the stores kept is what every paper says."""
    planned = bench.plan()
    bench.approve(planned.run_id, "controller")
    body = {"command": "CREATED", "appointmentUID": "arrived-later", "firstName": "Erika", "email": "erika@example.org",
            "startDateTime": f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%dT%H:%M:%S}"}  # fmt: skip
    (tmp_path / "later.ndjson").write_text(json.dumps(body) + "\n")
    assert bench.ingest(tmp_path / "later.ndjson").stored == 1
    purged = bench.purge(planned.run_id)
    assert (purged.before, purged.retained) == (planned.before + 1, planned.retained + 1)
    assert bench.plan().before == purged.retained
    assert bench.verify().outcome == "passed"
    (data,) = bench.report(purged.run_id, formats=("json",), language="en", second_opinion=False).files
    assert f'"before": {purged.before}' in data.read_text()


def test_a_file_named_by_a_relative_path_is_consumed(bench: Workbench, tmp_path: Path, monkeypatch: Any) -> None:
    """It is the same file, however it was spelled when it was read."""
    body = {"command": "CREATED", "appointmentUID": "by-another-path", "firstName": "Erika", "email": "e@example.org",
            "startDateTime": f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%dT%H:%M:%S}"}  # fmt: skip
    (tmp_path / "later.ndjson").write_text(json.dumps(body) + "\n")
    monkeypatch.chdir(tmp_path)
    taken = bench.ingest("later.ndjson", consume=True)
    assert (taken.consumed, taken.refused) == (1, ())
    assert not (tmp_path / "later.ndjson").exists()


# --- doctor ---------------------------------------------------------------------------------------


def ailments(bench: Workbench) -> dict[str, int]:
    return {one.check: one.count for one in bench.doctor().findings if one.outcome != "passed"}


def test_doctor_finds_a_file_that_nobody_registered(purged: Workbench) -> None:
    """An export that somebody left in the workspace."""
    before = ailments(purged).get("unregistered-files", 0)
    (purged.path / "copy of export.csv").write_text("a;b\n")
    (purged.path / "data" / "old.parquet").write_bytes(b"x")
    assert ailments(purged)["unregistered-files"] == before + 2


def test_doctor_finds_keys_that_others_can_read(purged: Workbench) -> None:
    """And says the command that mends it."""
    purged._workspace.keys_path.chmod(0o755)
    examined = purged.doctor()
    assert {one.check for one in examined.findings if one.count} & {"keys-readable", "evidence-and-keys"}
    assert "chmod" in " ".join(examined.details.values())


def test_doctor_finds_a_run_that_was_not_finished(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that goes on; which it does, to the end."""
    run = approved(bench)
    with monkeypatch.context() as broken:
        broken.setattr("lifecycle.stores.embedded.store.EmbeddedStore.verify", lambda *_: 1 / 0)
        with pytest.raises(Incomplete):
            bench.purge(run)
    examined = bench.doctor()
    assert "open-run" in {one.check for one in examined.findings if one.outcome != "passed"}
    assert f"lifecycle purge {run}" in examined.details["open-run"]
    assert bench.purge(run).outcome == "sealed"
    assert "open-run" not in ailments(bench)


def test_a_refused_file_is_raised_on_request_only(bench: Workbench, tmp_path: Path) -> None:
    """The counts of the others are there either way."""
    result = bench.ingest(tmp_path / "nothing.csv")
    assert (result.files, len(result.refused), result.exit_code) == (0, 1, 3)
    with pytest.raises(SourceError):
        result.raise_if_failed()


def test_consumed_files_are_gone_and_others_are_listed(tmp_path: Path, taken_in: Any) -> None:
    """``--consume`` removes a file once it is stored, and only then."""
    path, bad = tmp_path / "log.ndjson", tmp_path / "bad.json"
    path.write_bytes(taken_in.clinic.events[0].read_bytes())
    bad.write_text("[")
    result = Workbench.open(taken_in.path).ingest(path, bad, consume=True)
    assert (result.consumed, path.exists(), bad.exists()) == (1, False, True)


# --- the demo -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_demo_adds_up_and_says_where_the_report_is(command: Any, tmp_path: Path) -> None:
    """Every count of the cycle in one JSON object; the files are there in both languages, nothing else is left."""
    said = command("demo", tmp_path / "demo", "--json")
    assert (said.code, said.err) == (0, "")
    found = said.json
    assert found["read"] == found["stored"] + found["duplicates"] + found["rejected"] + found["expired"]
    assert found["due"] == found["deleted"] + found["held"] + found["failed"]
    assert found["before"] == found["deleted"] + found["retained"]
    assert found["before"] == found["due"] + found["notYetDue"]
    assert (found["failed"], found["verified"], found["treeSize"], found["erasure"]) == (0, "passed", 2, "rewritten")
    assert min(found["deleted"], found["held"], found["expired"], found["rejected"], found["findings"]) > 0
    assert {Path(name).suffix for name in found["files"]} == {".html", ".json"}
    assert all(Path(name).stat().st_size > 1_000 for name in found["files"])
    assert verifier(tmp_path / "demo") == 0
    assert command("demo", tmp_path / "demo").code == 2
