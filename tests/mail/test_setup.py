"""The set-up is checked as the help page prescribes it, and each finding says where it is mended."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from lifecycle.errors import ConfigurationError, TemplateError
from lifecycle.mail.dumps import records_of, with_calendar_dump, with_dumps, with_service_dump
from lifecycle.mail.setup import MENU_PATHS, VIDEO, Processor, Setup, check_setup
from lifecycle.model import Outcome, Severity

TODAY = date(2026, 11, 1)
GOOD = Setup(
    calendars={"1": "100001", "2": "100002"},
    default_location=VIDEO,
    services={"10": "", "11": "Praxis"},
    in_person=frozenset({"11"}),
    notify_patient=True,
    notify_provider=True,
    arztkonsultation_notifies=False,
    reminders=2,
    reminder_consent=True,
    etermin_retention_days=90,
    consent_evidence_confirmed_on=date(2026, 3, 1),
    processors=(
        Processor("etermin", date(2026, 1, 1)),
        Processor("arztkonsultation", date(2020, 1, 1), date(2026, 2, 1)),
    ),
)
BAD = {
    "setup-calendar-unmapped": replace(GOOD, calendars={"1": "100001", "2": " "}),
    "setup-calendar-shared": replace(GOOD, calendars={"1": "100001", "2": "100001"}),
    "setup-location": replace(GOOD, default_location="Praxis"),
    "setup-confirmation-off": replace(GOOD, notify_patient=False, arztkonsultation_notifies=True),
    "setup-provider-notice-off": replace(GOOD, notify_provider=False),
    "setup-both-notify": replace(GOOD, arztkonsultation_notifies=True),
    "setup-none-notifies": replace(GOOD, notify_patient=False),
    "setup-arztkonsultation-notifies": replace(GOOD, notify_patient=False, arztkonsultation_notifies=True),
    "setup-reminders-off": replace(GOOD, reminders=0),
    "setup-reminder-consent": replace(GOOD, reminder_consent=False),
    "setup-retention-missing": replace(GOOD, etermin_retention_days=0),
    "setup-retention-too-long": replace(GOOD, etermin_retention_days=91),
    "setup-consent-evidence": replace(GOOD, consent_evidence_confirmed_on=date(2025, 10, 31)),
    "setup-processor-contract": replace(GOOD, processors=(Processor("etermin", date(2026, 1, 1)),)),
    "setup-dump-unreadable": replace(GOOD, unread=("service_dump",)),
}


def test_a_good_set_up_has_no_finding():
    """Everything the help page asks for."""
    assert check_setup(GOOD, TODAY, 90) == ()


@pytest.mark.parametrize("name", BAD)
def test_each_mistake_is_found(name: str):
    """One change to the good set-up, one finding of that name."""
    assert name in {finding.check for finding in check_setup(BAD[name], TODAY, 90)}


def test_every_check_has_a_mistake_and_a_menu_path():
    """The constant and the examples are complete."""
    assert set(BAD) == set(MENU_PATHS)
    assert "Referenz zu Drittsystem" in MENU_PATHS["setup-calendar-unmapped"]
    assert "Account >> Datenschutz" in MENU_PATHS["setup-retention-missing"]


def test_what_nobody_said_is_unknown_and_never_passed():
    """An empty description gives findings that say so."""
    findings = check_setup(Setup(), TODAY, 90)
    assert findings
    assert {finding.outcome for finding in findings} == {Outcome.UNKNOWN}


def test_two_systems_that_both_write_are_an_error():
    """The seed contradicts itself here, so the tool must not."""
    found = {f.check: f.severity for f in check_setup(BAD["setup-both-notify"], TODAY, 90)}
    assert found == {"setup-both-notify": Severity.ERROR}


def test_the_location_of_a_service_goes_before_the_default():
    """Global default, per-service override."""
    assert GOOD.location_of("10") == VIDEO
    assert GOOD.location_of("11") == "Praxis"
    assert GOOD.is_mixed


def test_a_finding_never_shows_a_name_of_a_service_or_calendar():
    """A service's name can reveal an illness: other ids than numbers are counted."""
    setup = replace(
        GOOD, default_location="Praxis", services={"Depressionssprechstunde": ""}, calendars={"Dr. Muster": ""}
    )
    shown = " ".join(f.field for f in check_setup(setup, TODAY, 90))
    assert "Depress" not in shown
    assert "Muster" not in shown


def test_the_locations_come_from_a_rest_dump_too():
    """Only the documented value 3 is read; the description fills in what the dump does not say in words."""
    dump = [
        {"id": 10, "appointmentLocation": 3, "appointmentLocationText": "Praxis"},
        {"ID": 11, "appointmentLocation": 1, "appointmentLocationText": "?"},
        {"id": 12, "appointmentLocation": 1},
    ]
    setup = with_service_dump(GOOD, dump)
    assert setup.services == {"10": "Praxis", "11": "Praxis"}
    found = {(f.check, f.field): (f.outcome, f.count) for f in check_setup(setup, TODAY, 90)}
    assert found == {
        ("setup-location", "service 10"): (Outcome.FAILED, 1),
        ("setup-location", "service_dump"): (Outcome.UNKNOWN, 1),
    }


def test_a_video_service_that_suppresses_its_mail_is_told_by_nobody():
    """NOEMAIL in the text of the service, while arztkonsultation's own mails are off; in person it is no matter."""
    dump = [{"id": 10, "emailTxtDe": "NOEMAIL"}, {"id": 11, "emailTxt": "NOEMAIL"}]
    assert {f.check for f in check_setup(with_service_dump(GOOD, dump), TODAY, 90)} == {"setup-none-notifies"}
    other = replace(GOOD, arztkonsultation_notifies=True)
    assert "setup-none-notifies" not in {f.check for f in check_setup(with_service_dump(other, dump), TODAY, 90)}


def test_a_calendar_that_nobody_described_is_unknown():
    """The dump says which calendars there are; whom they belong to is in no documented field."""
    found = check_setup(with_calendar_dump(GOOD, [{"id": 1}, {"calendarId": "3"}, {"id": None}]), TODAY, 90)
    assert [(f.check, f.outcome, f.count) for f in found] == [("setup-calendar-unmapped", Outcome.UNKNOWN, 1)]


def test_dumps_are_read_in_place_and_an_unreadable_one_is_unknown(tmp_path: Path):
    """From the workspace's folder; nothing else is lost by it."""
    (tmp_path / "service.json").write_text('[{"id": 10, "appointmentLocation": 3, "appointmentLocationText": "x"}]')
    (tmp_path / "calendar.json").write_text("<html>")
    named = replace(GOOD, service_dump="service.json", calendar_dump="calendar.json")
    setup = with_dumps(named, tmp_path)
    assert setup.location_of("10") == "x"
    assert setup.unread == ("calendar_dump",)
    assert with_dumps(replace(named, service_dump="gone.json"), tmp_path).unread == ("service_dump", "calendar_dump")


@pytest.mark.parametrize("dump", [b"", b"<x/>", b"7", b"[1]", b'{"a": "b", "c": [1]}', b"[" * 100_000])
def test_what_is_no_dump_is_refused_without_its_content(dump: bytes):
    """A hint names the request whose answer is wanted."""
    with pytest.raises(TemplateError) as error:
        records_of(dump, "service")
    assert "GET /api/service" in error.value.hint


@pytest.mark.parametrize(
    "table",
    [
        {"calender": {}},
        {"reminders": "two"},
        {"notify_patient": 1},
        {"calendars": "x"},
        {"processors": {"etermin": {"signd_on": 1}}},
        {"processors": "etermin"},
        {"in_person": "4712"},
        {"unread": ["service_dump"]},
        {"service_dump": 7},
    ],
)
def test_a_wrong_description_is_refused(table: dict[str, object]):
    """Unknown keys and wrong kinds, in words."""
    with pytest.raises(ConfigurationError):
        Setup.from_mapping(table)


def test_a_description_is_read_from_the_tables_of_lifecycle_toml():
    """As tomllib gives it."""
    table = {
        "calendars": {"1": "100001"},
        "default_location": VIDEO,
        "in_person": ["11"],
        "etermin_retention_days": 60,
        "processors": {"etermin": {"signed_on": date(2026, 1, 1)}},
    }
    setup = Setup.from_mapping(table)
    assert setup.processors == (Processor("etermin", date(2026, 1, 1)),)
    assert setup.in_person == frozenset({"11"})
