"""Being told of a run: a real HTTP server and a real SMTP server on this machine get counts, and nothing else."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from lifecycle.errors import ConfigurationError, Refused
from lifecycle.workbench import Workbench, notifying

NOW = datetime(2026, 8, 1, 2, 17, tzinfo=UTC)
CANARY = "Zeisigcanary"


@pytest.fixture
def wb(tmp_path: Path) -> Workbench:
    """Three appointments, of which two are due; their names are canaries."""
    wb = Workbench.init(tmp_path / "praxis", name="Praxis am See", now=lambda: NOW)
    path = tmp_path / "export.csv"
    lines = ["appointment_uid,first_name,email,starts_at,ends_at"]
    for number, days in enumerate((100, 95, 5)):
        end = NOW - timedelta(days=days)
        name = f"{CANARY}{number}"
        lines.append(f"uid-{name},{name},{name}@example.org,{end - timedelta(minutes=30):%FT%T}Z,{end:%FT%T}Z")
    path.write_text("\n".join(lines) + "\n")
    wb.ingest(path, as_of=(NOW - timedelta(days=50)).date(), consume=True)
    return wb


def with_notify(wb: Workbench, *lines: str) -> Workbench:
    """The same workspace with these keys of ``[notify]``."""
    path = wb.path / "lifecycle.toml"
    keys = {line.split(" = ")[0] for line in lines}
    head, _, tail = path.read_text().partition("[notify]\n")
    table, _, rest = tail.partition("\n# --- deletion rules")
    kept = [line for line in table.splitlines() if line.split(" = ")[0] not in keys]
    path.write_text("\n".join([head + "[notify]", *kept, *lines]) + "\n\n# --- deletion rules" + rest)
    return Workbench.open(wb.path, now=lambda: NOW)


@contextmanager
def web(status: int = 204, *, location: str = "") -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A server that answers every POST with ``status``; what it got, head and body."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Box:
    """An SMTP server's handler: every mail with its envelope, and every password that came."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.passwords: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        self.passwords.append(data.password)
        return AuthResult(success=True)


@contextmanager
def post(**more: Any) -> Iterator[tuple[str, Box]]:
    """A mail server on this machine."""
    box = Box()
    controller = Controller(
        box, hostname="127.0.0.1", port=free_port(), authenticator=box.login, auth_require_tls=False, **more
    )
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{controller.port}", box
    finally:
        controller.stop()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def refused(wb: Workbench) -> None:
    with pytest.raises(Refused):
        wb.purge(as_of="today")


@pytest.mark.slow
def test_a_refused_run_is_told_to_who_runs_it_and_to_who_decides(
    wb: Workbench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON of counts, a mail each to operator and controller, the secret in the head only, and not one value."""
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    with web() as (url, got), post() as (smtp, box):
        refused(
            with_notify(
                wb, f'webhook = "{url}"', 'webhook_secret = "env:HOOK_SECRET"', f'smtp = "{smtp}"',
                'mail_from = "job@example.org"', 'mail_to = ["it@example.org"]', 'escalate_to = ["chef@example.org"]',
            )
        )  # fmt: skip
    ((head, body),) = got
    assert head["authorization"] == "Bearer s3cret"
    said = json.loads(body)
    assert {name: said[name] for name in ("schema", "workspace", "exitCode", "role", "runId")} == {
        "schema": "lifecycle-notice/1", "workspace": "Praxis am See", "exitCode": 6, "role": "controller",
        "runId": "2026-08-01-a",
    }  # fmt: skip
    assert said["counts"] == {
        "due_records": 2, "overdue_records": 2, "held_records": 0, "stored_records": 3, "open_runs": 0
    }  # fmt: skip
    assert sorted(to for to, _ in box.mails) == [["chef@example.org"], ["it@example.org"]]
    texts = {to[0]: mail.get_content() for to, mail in box.mails}
    assert "eine Entscheidung nötig" in texts["chef@example.org"]
    assert "lifecycle approve RUN --role controller" in texts["it@example.org"]
    assert {mail["Subject"] for _, mail in box.mails} == {"Praxis am See: Löschlauf abgelehnt"}
    everything = body.decode() + "".join(mail.as_string() for _, mail in box.mails)
    assert CANARY not in everything
    assert "s3cret" not in everything
    assert socket.gethostname() not in everything
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_a_good_night_is_told_only_to_who_wants_to_hear_of_every_one(wb: Workbench) -> None:
    """``when = "problems"`` is silence where nothing is wrong; ``always`` tells; nobody is escalated to."""
    wb.approve_standing("controller", max_rows=9, max_percent=100, until="2026-12-31")
    with post() as (smtp, box):
        quiet = with_notify(
            wb, f'smtp = "{smtp}"', 'mail_from = "job@example.org"', 'mail_to = ["it@example.org"]',
            'escalate_to = ["chef@example.org"]',
        )  # fmt: skip
        assert quiet.purge(as_of="today").deleted == 2
        assert box.mails == []
        with_notify(quiet, 'when = "always"').purge(as_of="today")
    ((to, mail),) = box.mails
    assert to == ["it@example.org"]
    assert "gelöscht im letzten abgeschlossenen Löschlauf: 0" in mail.get_content()
    assert "Zuständig" not in mail.get_content()


@pytest.mark.slow
@pytest.mark.parametrize("status", [500, 302])
def test_what_cannot_be_told_is_a_warning_and_changes_nothing(
    wb: Workbench, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    """The run succeeds; the warning has a hint; doctor and status file go on saying so. No redirect is followed."""
    wb.approve_standing("controller", max_rows=9, max_percent=100, until="2026-12-31")
    with web() as (elsewhere, stolen), web(status, location=elsewhere) as (url, got):
        told = with_notify(wb, 'when = "always"', f'webhook = "{url}"')
        assert told.purge(as_of="today").exit_code == 0
    assert len(got) == 1
    assert stolen == []
    said = capsys.readouterr().err
    assert said.startswith(f"warning: the webhook could not be sent: HTTPError {status}.")
    assert "hint: [notify]" in said
    assert 'lifecycle_notice_failed{workspace="Praxis am See"} 1\n' in (wb.path / "reports/lifecycle.prom").read_text()
    examined = told.doctor()
    assert [one.outcome for one in examined.findings if one.check == "notice-failed"] == ["failed"]
    assert f"webhook: HTTPError {status}" in examined.details["notice-failed"]


@pytest.mark.slow
def test_who_does_not_answer_delays_nothing_for_long(wb: Workbench) -> None:
    """A server that takes the connection and says nothing: the run ends, and says that nobody answered."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        where = f"127.0.0.1:{deaf.getsockname()[1]}"
        refused(
            with_notify(
                wb, f'webhook = "http://{where}/"', f'smtp = "smtps://{where}"', 'mail_from = "a@example.org"',
                'mail_to = ["b@example.org"]', "timeout_seconds = 1",
            )
        )  # fmt: skip
    assert set(notifying.failed_ways(wb._workspace)) == {"webhook", "e-mail"}


@pytest.mark.slow
def test_a_password_never_travels_unencrypted(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """To another machine without STARTTLS the mail is not sent; to this one the password is what the program gave."""
    with post() as (smtp, box):
        told = with_notify(
            wb, f'smtp = "{smtp}"', 'smtp_user = "job"', "smtp_secret = 'command:printf hush'",
            'mail_from = "job@example.org"', 'mail_to = ["it@example.org"]',
        )  # fmt: skip
        refused(told)
        assert box.passwords == [b"hush"]
        assert len(box.mails) == 1
        monkeypatch.setattr(notifying, "_LOOPBACK", frozenset())
        refused(told)
    assert box.passwords == [b"hush"]
    assert len(box.mails) == 1
    assert notifying.failed_ways(wb._workspace) == {"e-mail": "ConnectionError"}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['smtp = "smtp://mail.example.org"'], "mail_from"),
        (['webhook = "http://example.org/"', 'webhook_secret = "env:X"'], "https://"),
        (['webhook = "https://user:word@example.org/"'], "webhook"),
        (['mail_from = "a@example.org\\nBcc: b@example.org"'], "mail_from"),
        (['smtp_user = "job"'], "smtp_secret"),
        (['webhok = ""'], "did you mean 'webhook'"),
    ],
)
def test_a_table_that_cannot_be_followed_is_refused(wb: Workbench, lines: list[str], words: str) -> None:
    """By ``lifecycle.toml``, not on the night on which it matters."""
    with pytest.raises(ConfigurationError, match=words):
        with_notify(wb, *lines)


@pytest.mark.slow
def test_a_guarded_kernel_tells_nobody(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run around it does, once, also where the kernel died; the status file is written all the same."""
    monkeypatch.setenv("LIFECYCLE_GUARDED", "1")
    with web() as (url, got):
        refused(with_notify(wb, f'webhook = "{url}"'))
    assert got == []
    assert "last_exit_code" in (wb.path / "reports" / "lifecycle.prom").read_text()
