"""``check`` and ``doctor`` look at the set-up as lifecycle.toml and eTermin's own dumps describe it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lifecycle.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

SETUP = """[setup]
default_location = "Arztkonsultation"
notify_patient = true
arztkonsultation_notifies = true
calendars = { "1" = "100001" }
service_dump = "dumps/service.json"
calendar_dump = "dumps/calendar.json"
"""
TEXT = "Sprechstunde Quellcanary"


@pytest.fixture
def described(tmp_path: Path, command: Callable[..., Any]) -> Path:
    """A new workspace with dumps: two services, one of them in a room, and two calendars."""
    path = tmp_path / "workspace"
    assert command("init", path).code == 0
    toml = path / "lifecycle.toml"
    toml.write_text(toml.read_text("utf-8").replace("[setup]\n", SETUP, 1), "utf-8")
    (path / "dumps").mkdir()
    services = [
        {"id": 10, "appointmentLocation": 3, "appointmentLocationText": TEXT, "emailTxtDe": TEXT, "service": TEXT},
        {"id": 11, "appointmentLocation": 0},
    ]
    (path / "dumps" / "service.json").write_text(json.dumps(services), "utf-8")
    (path / "dumps" / "calendar.json").write_text(json.dumps([{"id": 1}, {"id": 2, "name": TEXT}]), "utf-8")
    return path


def test_check_and_doctor_say_the_same_of_the_set_up_and_name_the_menu(
    described: Path, command: Callable[..., Any]
) -> None:
    """What the dumps say goes before the description; nothing of their texts is kept or shown."""
    checked, examined = (command("--workspace", described, verb, "--json") for verb in ("check", "doctor"))
    for said in (checked, examined):
        found = {
            (one["check"], one["field"]): (one["outcome"], one["count"])
            for one in said.json["findings"]
            if one["check"].startswith("setup-")
        }
        assert found["setup-both-notify", "arztkonsultation_notifies"] == (Outcome.FAILED, 1)
        assert found["setup-location", "service 10"] == (Outcome.FAILED, 1)
        assert found["setup-location", "service_dump"] == (Outcome.UNKNOWN, 1)
        assert found["setup-calendar-unmapped", "calendar_dump"] == (Outcome.UNKNOWN, 1)
        assert "Referenz zu Drittsystem" in said.json["details"]["setup-calendar-unmapped"]
        assert "Ortsangabe bei online gebuchten Terminen" in said.json["details"]["setup-location"]
        assert said.code == 1
        assert TEXT not in said.out + said.err
    assert "unregistered-files" not in examined.json["details"]
    assert "AdminUI >> Firmen" in command("--workspace", described, "check").out
    written = [path for path in described.rglob("*") if path.is_file() and path.parent.name != "dumps"]
    assert not [path for path in written if TEXT.encode() in path.read_bytes()]


def test_a_dump_that_is_gone_is_unknown_and_the_rest_is_still_checked(
    described: Path, command: Callable[..., Any]
) -> None:
    """A nightly check must not end because of a file."""
    (described / "dumps" / "service.json").unlink()
    said = command("--workspace", described, "check", "--json")
    found = {one["check"]: one["outcome"] for one in said.json["findings"]}
    assert found["setup-dump-unreadable"] == Outcome.UNKNOWN
    assert found["setup-both-notify"] == Outcome.FAILED
    assert "GET /api/service" in said.json["details"]["setup-dump-unreadable"]
