"""The command line as scripts rely on it: its verbs, words, JSON keys, exit codes, and what goes to which stream."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

import lifecycle

pytestmark = pytest.mark.slow

DESIGNED = {
    *("init", "ingest", "check", "plan", "approve", "purge", "verify", "report", "preview", "hold"),
    *("subject", "explain", "restore", "doctor", "run", "serve", "demo", "key"),
}
JSON_KEYS = {
    "init": {"path"},
    "ingest": {"dataset", "files", "read", "stored", "duplicates", "rejected", "expired", "undeclared"},
    "check": {"outcome", "rows", "findings"},
    "plan": {"runId", "asOf", "due", "held", "noAnchor", "retained", "planSha256", "stores"},
    "approve": {"runId", "planSha256", "signed"},
    "purge": {"runId", "outcome", "deleted", "held", "failed", "retained", "erasure", "checks"},
    "verify": {"outcome", "treeSize", "checks"},
    "report": {"files"},
    "hold": {"holds"},
    "doctor": {"outcome", "findings"},
    "preview": {"outcome", "findings"},
}
ROW_KEYS = {
    ("check", "findings"): {"check", "dataset", "store", "field", "severity", "count", "outcome"},
    ("ingest", "undeclared"): {"field", "count"},
    ("plan", "stores"): {"store", "dataset", "due", "held", "noAnchor", "retained"},
    ("verify", "checks"): {"name", "outcome"},
    ("doctor", "findings"): {"check", "severity", "count", "outcome"},
    ("preview", "findings"): {"template", "check", "severity", "line", "token"},
}
UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def explained(text: str) -> tuple[str, str]:
    """A message's fact and hint: one sentence, an empty line, what to do next."""
    fact, _, hint = text.strip().partition("\n\nhint: ")
    assert fact, "there is no fact"
    assert hint, "there is no hint"
    assert "Traceback" not in text
    assert "\n" not in fact
    return fact, hint


@pytest.fixture(scope="module")
def spoken(command: Any, first_clinic: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What every verb says with ``--json``, on a clinic of its own."""
    folder, clinic = tmp_path_factory.mktemp("spoken"), first_clinic.clinic
    at = shutil.copytree(first_clinic.path, folder / "workspace")
    said = {"init": command("init", folder / "other", "--json")}
    said["ingest"] = command("ingest", *clinic.events, "--json", workspace=at)
    said["check"] = command("check", "--json", workspace=at)
    said["hold"] = command("hold", "add", clinic.hold_uid, "--ground", "legal-claims", "--json", workspace=at)
    said["plan"] = command("plan", "--json", workspace=at)
    run = said["plan"].json["runId"]
    said["approve"] = command("approve", run, "--role", "delegate", "--json", workspace=at)
    said["purge"] = command("purge", run, "--json", workspace=at)
    said["verify"] = command("verify", "--json", workspace=at)
    said["report"] = command("report", run, "--format", "json", "--no-second-opinion", "--json", workspace=at)
    said["doctor"] = command("doctor", "--json", workspace=at)
    said["preview"] = command("preview", "lint", "--json", workspace=at)
    assert {verb: one.code for verb, one in said.items() if one.code} == {"check": 1, "doctor": 1}
    return {verb: one.json for verb, one in said.items()}


def test_every_verb_gives_one_json_object_with_at_least_these_keys(spoken: dict[str, dict[str, Any]]) -> None:
    """Scripts read these names; more may come, none may go. Nothing else is on standard output."""
    assert {verb: JSON_KEYS[verb] - set(said) for verb, said in spoken.items()} == {verb: set() for verb in JSON_KEYS}
    rows = {(verb, key): spoken[verb][key] for verb, key in ROW_KEYS}
    assert all(rows[one] for one in rows if one != ("preview", "findings"))
    missing = {place: wanted - set(row) for place, wanted in ROW_KEYS.items() for row in rows[place]}
    assert {place: keys for place, keys in missing.items() if keys} == {}


def test_an_undeclared_field_is_named_without_its_wrapper(spoken: dict[str, dict[str, Any]]) -> None:
    """``notes``, not ``body.notes``."""
    names = {one["field"] for one in spoken["ingest"]["undeclared"]}
    assert "notes" in names
    assert not [name for name in names if "." in name]


def test_counts_of_the_json_add_up(spoken: dict[str, dict[str, Any]]) -> None:
    """read = stored + duplicates + rejected + expired; due = deleted + held + failed; before = deleted + retained."""
    taken, gone, plan = spoken["ingest"], spoken["purge"], spoken["plan"]
    assert taken["read"] == taken["stored"] + taken["duplicates"] + taken["rejected"] + taken["expired"]
    assert gone["due"] == gone["deleted"] + gone["held"] + gone["failed"]
    assert gone["before"] == gone["deleted"] + gone["retained"]
    for key in ("due", "held", "noAnchor", "retained"):
        assert plan[key] == sum(store[key] for store in plan["stores"])
    assert (plan["due"], plan["held"]) == (gone["due"], gone["held"])
    assert gone["held"] > 0


def test_without_json_a_person_reads_the_same_counts(command: Any, shared: Any) -> None:
    """As words and numbers, on standard output, with nothing on the other stream."""
    said = command("plan", workspace=shared.path)
    due = sum(shared.clinic.due.values())
    assert said.code == 0
    assert re.search(rf"\bdue +{due}\b", said.out)
    assert said.err == ""


# --- exit codes -----------------------------------------------------------------------------------


def unapproved(command: Any, at: Path) -> Any:
    return command("purge", command("plan", "--json", workspace=at).json["runId"], "--json", workspace=at)


def without_store(command: Any, at: Path) -> Any:
    (at / "data" / "lifecycle.duckdb").unlink()
    return command("plan", workspace=at)


def misconfigured(command: Any, at: Path) -> Any:
    settings = at / "lifecycle.toml"
    settings.write_text(settings.read_text().replace("perspective =", "perspektive ="))
    return command("plan", workspace=at)


def tampered(command: Any, at: Path) -> Any:
    command("purge", "--as-of", "2020-01-01", workspace=at)
    path = next((at / "evidence" / "runs").glob("*/6-record.json"))
    path.write_bytes(path.read_bytes().replace(b'"deleted": 0', b'"deleted": 1'))
    return command("verify", workspace=at)


ENDINGS: dict[str, tuple[int, Callable[[Any, Path], Any]]] = {
    "findings": (1, lambda command, at: command("check", workspace=at)),
    "no such verb": (2, lambda command, at: command("chekc", workspace=at)),
    "no such option": (2, lambda command, at: command("plan", "--asof", "today", workspace=at)),
    "an argument is missing": (2, lambda command, at: command("ingest", workspace=at)),
    "a word too many": (2, lambda command, at: command("doctor", "now", workspace=at)),
    "not a number": (2, lambda command, at: command("hold", "lift", "two", workspace=at)),
    "an option without its value": (2, lambda command, at: command("plan", "--as-of", workspace=at)),
    "not a date": (2, lambda command, at: command("plan", "--as-of", "2026-02-30", workspace=at)),
    "not a workspace": (2, lambda command, at: command("plan", workspace=at / "data")),
    "no such run": (2, lambda command, at: command("purge", "2020-01-01-a", workspace=at)),
    "neither run nor date": (2, lambda command, at: command("purge", workspace=at)),
    "a run name that climbs": (2, lambda command, at: command("purge", "../../x", workspace=at)),
    "a workspace already": (2, lambda command, at: command("init", at)),
    "no role": (2, lambda command, at: command("approve", "2020-01-01-a", workspace=at)),
    "half a standing approval": (2, lambda command, at: command("approve", "--standing", "--role", "controller")),
    "no such file": (3, lambda command, at: command("ingest", at / "no.csv", workspace=at)),
    "a file of the other dataset": (
        3,
        lambda command, at: command("check", at.parent / "x.csv", "--dataset", "events", workspace=at),
    ),
    "no store": (4, without_store),
    "wrong settings": (5, misconfigured),
    "not approved": (6, unapproved),
    "in the future": (6, lambda command, at: command("plan", "--as-of", "2999-01-01", workspace=at)),
    "a data protection officer approves": (
        6,
        lambda command, at: command("approve", "2020-01-01-a", "--role", "dpo", workspace=at),
    ),
    "evidence changed": (7, tampered),
}


OUTCOMES = {
    1: "failed", 2: "usage", 3: "source", 4: "store", 5: "configuration", 6: "refused", 7: "failed", 9: "incomplete",
}  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_failure_has_its_code_one_sentence_and_a_hint(ending: str, command: Any, taken_in: Any) -> None:
    """Scripts read the code and one JSON object, people the sentence; nobody reads a traceback."""
    (taken_in.path.parent / "x.csv").write_text("appointment_uid;first_name;starts_at\na;Anna;10.05.2026 10:00\n")
    code, call = ENDINGS[ending]
    said = call(lambda *words, **more: command(*words, "--json", **more), taken_in.path)
    assert said.code == code
    fact, hint = explained(said.err)
    assert said.json["error"] == {"fact": fact, "hint": hint, "exitCode": code}
    assert said.json["outcome"] == OUTCOMES[code]
    assert not UNPRINTABLE.search(said.err + said.out)


def verbs_with_json() -> set[str]:
    """Every verb that can print JSON, groups included: ``hold add``."""
    from lifecycle.cli.program import app

    def leaves(group: Any, words: str) -> Iterator[tuple[str, Any]]:
        for name, one in group.commands.items():
            yield from (
                leaves(one, f"{words} {name}") if hasattr(one, "commands") else [(f"{words} {name}".strip(), one)]
            )

    found = leaves(typer.main.get_command(app), "")
    return {name for name, one in found if any("--json" in option.opts for option in one.params)}


REQUIRED = {
    "ingest": ["x.csv"], "approve": ["2020-01-01-a", "--role", "controller"], "purge": ["--as-of", "today"],
    "run": ["50_purge"], "hold add": ["uid"], "hold lift": ["1"], "preview compare": ["x.eml"],
}  # fmt: skip


@pytest.mark.parametrize("verb", sorted(verbs_with_json()))
def test_every_verb_that_fails_prints_one_json_object(verb: str, command: Any, tmp_path: Path) -> None:
    """Called where there is no workspace; the two that make one are called where something else lies already."""
    (tmp_path / "taken").write_text("")
    words = [tmp_path / "taken"] if verb in ("init", "demo") else REQUIRED.get(verb, [])
    said = command(*verb.split(), *words, "--json", workspace=tmp_path / "nowhere")
    fact, hint = explained(said.err)
    assert (said.code, said.json) == (2, {"outcome": "usage", "error": {"fact": fact, "hint": hint, "exitCode": 2}})


def test_a_failure_without_json_leaves_standard_output_empty(command: Any, tmp_path: Path) -> None:
    """The sentence belongs to the other stream."""
    said = command("plan", workspace=tmp_path / "nowhere")
    assert (said.code, said.out) == (2, "")


def test_a_store_that_fails_halfway_ends_with_9_and_the_same_command_goes_on(
    command: Any, taken_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the intent is in the log, whatever goes wrong means: act now."""
    at = taken_in.path
    run = command("plan", "--json", workspace=at).json["runId"]
    command("approve", run, "--role", "controller", workspace=at)
    with monkeypatch.context() as broken:
        broken.setattr("lifecycle.stores.embedded.store.EmbeddedStore.verify", _fails)
        said = command("purge", run, "--json", workspace=at)
    assert said.code == 9
    assert said.json["outcome"] == OUTCOMES[9]
    _, hint = explained(said.err)
    assert "Zqsecret" not in said.err + said.out
    assert hint == f"lifecycle purge {run}"
    assert command("doctor", workspace=at).code == 1
    again = command("purge", run, "--json", workspace=at)
    assert (again.code, again.json["outcome"]) == (0, "sealed")
    assert command("verify", workspace=at).code == 0


def _fails(*_: object) -> None:
    raise ValueError("Zqsecret")


def test_what_nobody_foresaw_ends_with_70_and_quotes_nothing(
    command: Any, shared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place in the code is said, its message is not: it may repeat a value."""
    monkeypatch.setattr("lifecycle.stores.embedded.store.EmbeddedStore.counts", _fails)
    said = command("plan", "--json", workspace=shared.path)
    assert (said.code, said.json["outcome"], said.json["error"]["exitCode"]) == (70, "unexpected", 70)
    assert "ValueError" in explained(said.err)[0]
    assert "Zqsecret" not in said.err + said.out


def test_problems_leave_the_json_on_standard_output(command: Any, shared: Any) -> None:
    """A script gets the findings and the code, a log the sentence."""
    said = command("check", "--json", workspace=shared.path)
    assert said.code == 1
    assert said.json["outcome"] == "failed"
    explained(said.err)


# --- which workspace ------------------------------------------------------------------------------


def test_the_workspace_is_the_one_named_else_the_variable_else_the_nearest_upwards(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order."""
    first = command("init", tmp_path / "named")
    assert first.code == 0
    for name in ("variable", "here"):
        shutil.copytree(tmp_path / "named", tmp_path / name)
    monkeypatch.chdir(tmp_path / "here" / "reports")

    def used(**more: Any) -> str:
        said = command("approve", "--standing", "--role", "delegate", "--max-rows", "1", "--max-percent", "1",
                       "--until", "2999-01-01", "--json", **more)  # fmt: skip
        return Path(said.json["path"]).parent.parent.name

    assert used() == "here"
    monkeypatch.setenv("LIFECYCLE_WORKSPACE", str(tmp_path / "variable"))
    assert used() == "variable"
    assert used(workspace=tmp_path / "named") == "named"
    monkeypatch.delenv("LIFECYCLE_WORKSPACE")
    monkeypatch.chdir(tmp_path)
    assert command("plan").code == 2


# --- the program itself ---------------------------------------------------------------------------


def run(*words: str, cwd: Path | None = None, code: str = "") -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", code] if code else [sys.executable, "-m", "lifecycle.cli"]
    return subprocess.run([*call, *words], capture_output=True, text=True, check=False, cwd=cwd)


def test_help_lists_the_verbs_in_the_words_of_the_design(command: Any) -> None:
    """No other word for a step; a verb that is not built yet is not there; each says what it does."""
    said = command("--help")
    listed = re.findall(r"^  (\w+)  +(\S.*)$", said.out.partition("Commands:")[2], re.MULTILINE)
    assert said.code == 0
    assert {name for name, _ in listed} <= DESIGNED
    assert {name for name, _ in listed} >= {*JSON_KEYS, "demo"}
    for name, _ in listed:
        assert f"Usage: lifecycle {name}" in command(name, "--help").out


def test_the_installed_command_is_this_one() -> None:
    """As a person calls it, in a process of its own: help on standard output, quickly, and nothing on the other."""
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: lifecycle" in done.stdout


LIGHT = """
import sys
sys.argv = ["lifecycle", "--version"]
try:
    import lifecycle.cli
    lifecycle.cli.main()
finally:
    print(*sorted(name for name in sys.modules if name.startswith("lifecycle")), file=sys.stderr)
"""


def test_the_version_is_told_without_a_workspace_or_a_verb(tmp_path: Path) -> None:
    """Name and version in one line, before anything else is looked at, and without loading what works."""
    done = run(code=LIGHT, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"lifecycle {lifecycle.__version__}\n")
    assert not [name for name in done.stderr.split() if not re.fullmatch(r"lifecycle(\.cli(\.\w+)?|\.errors)?", name)]
    assert run("--workspace", "nowhere", "--version", "plan", cwd=tmp_path).stdout == done.stdout


THREADS = """
import os, sys
sys.argv = ["lifecycle", "--version"]
try:
    import lifecycle.cli
    lifecycle.cli.main()
finally:
    before = len(os.listdir("/proc/self/task"))
    import numpy
    print(len(os.listdir("/proc/self/task")) - before, file=sys.stderr)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc, as Linux has it")
def test_numpy_starts_no_threads_in_a_verb() -> None:
    """Its linear algebra, which nothing here uses, would keep one busy on every processor while it loads."""
    assert run(code=THREADS).stderr == "0\n"


def test_bare_words_print_help_and_end_with_2(command: Any) -> None:
    """``lifecycle`` and ``lifecycle hold`` say what there is."""
    for words in ([], ["hold"], ["preview"]):
        said = command(*words)
        assert (said.code, said.out) == (2, "")
        assert "Commands:" in said.err


def test_a_reader_that_goes_away_is_no_failure(shared: Any) -> None:
    """``lifecycle check --json | head -c 1`` ends quietly; what the check found still counts."""
    words = [sys.executable, "-m", "lifecycle.cli", "--workspace", str(shared.path), "hold", "list", "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
HEARD = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored by background jobs
STOPPED = "Stopped.\n\nhint: run the same command again to go on\n"


@SIGNALS
@pytest.mark.parametrize("ends", ["raise", "raise RuntimeError('Query interrupted')"], ids=["in Python", "in DuckDB"])
@pytest.mark.parametrize("asked", [[], ["--json"]])
def test_a_signal_says_that_the_same_command_goes_on(
    shared: Any, number: signal.Signals, ends: str, asked: list[str]
) -> None:
    """One sentence, the usual code, no traceback, also where DuckDB makes an error of its own of it; or one object."""
    code = (
        f"{HEARD}import sys, time, lifecycle.workbench as w, lifecycle.cli as c\n"
        "def doctor(self):\n"
        "    try: print('ready', file=sys.stderr, flush=True), time.sleep(60)\n"
        f"    except KeyboardInterrupt: {ends}\n"
        "w.Workbench.doctor = doctor\n"
        "c.main()"
    )
    words = [sys.executable, "-c", code, "--workspace", str(shared.path), "doctor", *asked]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert child.stderr.readline() == "ready\n"
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, STOPPED)
    fact, hint = STOPPED.strip().split("\n\nhint: ")
    told = {"outcome": "stopped", "error": {"fact": fact, "hint": hint, "exitCode": 130}}
    assert [json.loads(line) for line in out.splitlines()] == ([told] if asked else [])


@SIGNALS
@pytest.mark.parametrize("module", ["typer", "lifecycle.cli.verbs", "lifecycle.workbench", "polars"])
def test_a_signal_while_a_purge_is_still_loading_is_told(shared: Any, number: signal.Signals, module: str) -> None:
    """Nothing was begun, and it is said: from the first module of others on, until the purge listens itself."""
    code = (
        f"{HEARD}import os, sys, lifecycle.cli\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r} and Finder.first:\n"
        "            Finder.first = False\n"
        f"            os.kill(os.getpid(), {int(number)})\n"
        "Finder.first = True\n"
        "sys.meta_path.insert(0, Finder())\n"
        "lifecycle.cli.main()"
    )
    before = {path: path.stat().st_mtime_ns for path in shared.path.rglob("*")}
    words = [sys.executable, "-c", code, "--workspace", str(shared.path), "purge", "--as-of", "today", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, STOPPED)
    assert json.loads(done.stdout)["error"]["exitCode"] == 130
    assert {path: path.stat().st_mtime_ns for path in shared.path.rglob("*")} == before


def test_a_signal_that_is_to_be_ignored_is(shared: Any) -> None:
    """As nohup and the background jobs of a shell want it."""
    code = (
        "import os, signal, lifecycle.workbench as w, lifecycle.cli as c\n"
        "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)\n"
        "real = w.Workbench.doctor\n"
        "kill = lambda: [os.kill(os.getpid(), number) for number in (signal.SIGINT, signal.SIGTERM)]\n"
        "w.Workbench.doctor = lambda self: (kill(), real(self))[1]\n"
        "c.main()"
    )
    words = [sys.executable, "-c", code, "--workspace", str(shared.path), "doctor"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1)
    assert "Stopped" not in done.stderr


def test_terminal_output_is_free_of_control_characters(command: Any, shared: Any, tmp_path: Path) -> None:
    """Whatever the name of a file brings along."""
    path = tmp_path / "odd\x1b[31m\u202e\x07.ndjson"
    path.write_text('{"command": "CREATED", "appointmentUID": "a"}\n')
    for words in (["ingest", path], ["ingest", f"{path}.missing"], ["check", f"{path}.missing"], ["doctor"]):
        said = command(*words, workspace=shared.path)
        assert not UNPRINTABLE.search(said.out + said.err)


def test_a_pipe_sees_neither_colour_nor_progress(command: Any, shared: Any) -> None:
    """Standard error stays empty where nothing is wrong."""
    said = command("ingest", *shared.clinic.events, workspace=shared.path)
    assert (said.code, said.err) == (0, "")
    assert "\x1b" not in said.out


def test_dates_are_calendar_dates_or_today(command: Any, shared: Any) -> None:
    """``today`` is resolved at the edge, in the workspace's zone; without a date it is meant."""
    at = shared.path
    named = command("plan", "--as-of", "today", "--json", workspace=at).json["asOf"]
    assert named == command("plan", "--json", workspace=at).json["asOf"]
    yesterday = f"{shared.clinic.as_of - timedelta(days=3)}"
    assert command("plan", "--as-of", yesterday, "--json", workspace=at).json["asOf"] == yesterday
