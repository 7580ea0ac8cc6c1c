"""Telling people about a run: an HTTP POST of counts, an e-mail of counts, nothing else.

Told after the run and after its exit code is known, in a thread that nobody waits for longer than ``timeout_seconds``
and a little: whoever does not answer delays nothing and fails nothing. What became of it lies in ``notice.json``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lifecycle.errors import LifecycleError
from lifecycle.ledger.holders import secret_text
from lifecycle.report.speech import Speech, clean
from lifecycle.settings import NotifyTable
from lifecycle.workbench.workspace import Workspace

if TYPE_CHECKING:
    from email.message import EmailMessage

SCHEMA = "lifecycle-notice/1"
FILE_NAME = "notice.json"
SOON_SECONDS = 14 * 86_400
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_COUNTS = ("deleted_records", "due_records", "overdue_records", "held_records", "stored_records", "open_runs")
_ROLES = {2: "operator", 4: "operator", 5: "operator", 6: "controller", 7: "dpo", 9: "operator", 70: "operator"}
"""Who acts first, by exit code; docs/scheduling.md says the same."""

_ESCALATED = frozenset({6, 7, 9})


@dataclass(frozen=True)
class Notice:
    """What may be told of a run: counts and times.

    ``numbers`` are the samples of the status file, without those that could not be read.
    """

    workspace: str
    at: datetime
    exit_code: int
    run_id: str
    numbers: Mapping[str, float]
    today: date

    @property
    def role(self) -> str:
        """Who acts first; nobody where all is well."""
        return _ROLES.get(self.exit_code, "operator") if self.exit_code else "operator" if self._backlog else ""

    @property
    def is_problem(self) -> bool:
        """Something failed, is overdue, or the standing approval ends within two weeks."""
        end = self.numbers.get("approval_expires_timestamp_seconds")
        ends_soon = end is not None and end - self.at.timestamp() < SOON_SECONDS
        return bool(self.exit_code or self._backlog or ends_soon)

    @property
    def is_escalated(self) -> bool:
        """A decision is needed that the nightly job must not take."""
        return self.exit_code in _ESCALATED or self._backlog

    @property
    def _backlog(self) -> bool:
        return bool(self.numbers.get("overdue_records") or self.numbers.get("open_runs"))

    def to_json(self) -> dict[str, Any]:
        """Return what the webhook gets."""
        return {
            "schema": SCHEMA,
            "workspace": self.workspace,
            "at": self.at.isoformat(),
            "exitCode": self.exit_code,
            "runId": self.run_id,
            "role": self.role,
            "counts": {name: int(self.numbers[name]) for name in _COUNTS if name in self.numbers},
        }


def tell(workspace: Workspace, notice: Notice) -> bool | None:
    """Tell everybody who wants to know; a failure is a warning on standard error and stays to be seen by ``doctor``.

    Returns
    -------
    bool or None
        Whether everybody was reached; None where nobody had to be.
    """
    table = workspace.settings.notify
    ways = _ways(table, notice, Speech(workspace.settings.language, workspace.settings.person_word))
    if not ways:
        return None
    results = {name: "no answer in time" for name in ways}
    threads = [threading.Thread(target=_go, args=(name, way, results), daemon=True) for name, way in ways.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(table.timeout_seconds + 1)
    told = dict(results)
    for name, problem in told.items():
        if problem:
            print(f"warning: the {name} could not be sent: {problem}.\n\nhint: [notify] in lifecycle.toml; "
                  "the run itself is not touched by this", file=sys.stderr)  # fmt: skip
    _remember(workspace, notice, told)
    return not any(told.values())


def failed_ways(workspace: Workspace) -> Mapping[str, str]:
    """Return what could not be told the last time, and why."""
    path = workspace.path / "reports" / FILE_NAME
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        told = json.loads(path.read_text(encoding="utf-8"))["told"]
        return {str(name): str(problem) for name, problem in told.items() if problem}
    return {}


def _remember(workspace: Workspace, notice: Notice, told: Mapping[str, str]) -> None:
    path = workspace.path / "reports" / FILE_NAME
    new = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    with suppress(OSError):
        new.write_text(json.dumps({"at": notice.at.isoformat(), "told": told}) + "\n", encoding="utf-8")
        new.replace(path)


def _ways(table: NotifyTable, notice: Notice, say: Speech) -> dict[str, Callable[[], None]]:
    ways: dict[str, Callable[[], None]] = {}
    if table.when == "always" or notice.is_problem:
        if table.webhook:
            ways["webhook"] = lambda: _post(table, notice)
        if table.smtp and table.mail_to:
            ways["e-mail"] = lambda: _send(table, _mail(table, notice, say, table.mail_to, "notice.intro"))
    if notice.is_escalated and table.smtp and table.escalate_to:
        ways["escalation"] = lambda: _send(table, _mail(table, notice, say, table.escalate_to, "notice.escalated"))
    return ways


def _go(name: str, way: Callable[[], None], results: dict[str, str]) -> None:
    try:
        way()
        results[name] = ""
    except LifecycleError as error:
        results[name] = error.fact.rstrip(".")
    except Exception as error:  # what a server answers is not repeated
        code = getattr(error, "code", None) or getattr(error, "smtp_code", None)
        results[name] = f"{type(error).__name__}{f' {code}' if isinstance(code, int) else ''}"


def _post(table: NotifyTable, notice: Notice) -> None:
    from http.client import HTTPException
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Stay(HTTPRedirectHandler):
        """A redirect could take the secret elsewhere."""

        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    headers = {"Content-Type": "application/json", "User-Agent": "lifecycle"}
    if table.webhook_secret:
        headers["Authorization"] = f"Bearer {secret_text(table.webhook_secret)}"
    request = Request(table.webhook, json.dumps(notice.to_json()).encode(), headers, method="POST")
    with build_opener(Stay).open(request, timeout=table.timeout_seconds) as answer:
        if not 200 <= answer.status < 300:
            raise HTTPException(answer.status)


def _send(table: NotifyTable, mail: EmailMessage) -> None:
    import smtplib
    import ssl

    where, seconds = urlsplit(table.smtp), table.timeout_seconds
    host = where.hostname or ""
    context = ssl.create_default_context()
    server = (
        smtplib.SMTP_SSL(host, where.port or 465, timeout=seconds, context=context)
        if where.scheme == "smtps"
        else smtplib.SMTP(host, where.port or 587, timeout=seconds)
    )
    with server:
        safe = where.scheme == "smtps" or host in _LOOPBACK
        server.ehlo()
        if where.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
            safe = True
        if table.smtp_user:
            if not safe:
                raise ConnectionError("the server offers no encryption")  # the password stays here
            server.login(table.smtp_user, secret_text(table.smtp_secret))
        server.send_message(mail)


def _mail(table: NotifyTable, notice: Notice, say: Speech, to: tuple[str, ...], intro: str) -> EmailMessage:
    from email.message import EmailMessage
    from email.utils import format_datetime, make_msgid

    mail = EmailMessage()
    mail["From"], mail["To"] = table.mail_from, ", ".join(to)
    state = say.word("notice", f"state-{notice.exit_code}", default=say("notice.state-70"))
    mail["Subject"] = say("notice.subject", workspace=clean(notice.workspace), state=state)
    mail["Date"] = format_datetime(notice.at)
    mail["Message-ID"] = make_msgid(domain="lifecycle.invalid")  # not the name of this machine
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_words(notice, say, intro), cte="quoted-printable")
    return mail


def _words(notice: Notice, say: Speech, intro: str) -> str:
    code = notice.exit_code
    lines = [
        say(intro, workspace=notice.workspace),
        "",
        say.word("notice", f"code-{code}", default=say("notice.code-70")),
    ]
    if notice.run_id:
        lines += ["", say("notice.run", run=notice.run_id)]
    counts = [name for name in _COUNTS if name in notice.numbers]
    lines += ["", *(f"{say(f'notice.{name}')}: {say.number(int(notice.numbers[name]))}" for name in counts)]
    if notice.role:
        lines += ["", say("notice.role", role=say.word("role", notice.role))]
    if notice.numbers.get("overdue_records") and not code:
        lines += ["", say("notice.overdue")]
    end = notice.numbers.get("approval_expires_timestamp_seconds")
    if end is not None and end - notice.at.timestamp() < SOON_SECONDS:
        lines += ["", say("notice.approval")]
    return "\n".join([*lines, "", say("notice.privacy"), ""])
