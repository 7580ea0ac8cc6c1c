"""How things stand: never green while something is unknown, never nothing to do while something is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.model import CatalogueEntry, Facts, Finding, Outcome, Place, Severity, StoreCounts, Task
from lifecycle.report.document import write_document
from lifecycle.report.sample import sample, scenes
from lifecycle.report.standing import overall, tasks

BAD_NEWS = {
    "overdue": {"overdue": 1},
    "a place unknown": {"places": (*sample().places, Place("Outlook", "attested", "unknown"))},
    "a state nobody knows": {"places": (Place("Outlook", "attested", "maybe"),)},
    "no place at all": {"places": ()},
    "a confirmation overdue": {"places": (Place("SMS", "attested", "overdue"),)},
    "a data type unknown": {"catalogue": (CatalogueEntry("documents", "", (), "unknown"),)},
    "no catalogue": {"catalogue": ()},
    "no check": {"checks": {}},
    "a check failed": {"checks": {"stillDue": "failed"}},
    "a check unknown": {"checks": {"stillDue": "unknown"}},
    "no residue scan": {"residue": {}},
    "a blind residue scan": {"residue": {"controls": 0, "foundInOld": 0, "foundInNew": 0}},
    "remains": {"residue": {"controls": 1, "foundInOld": 1, "foundInNew": 1}},
    "a finding": {"findings": (Finding("kvnr", "events", "workspace", "", Severity.WARNING, 1, Outcome.FAILED),)},
    "not told": {"findings": (Finding("kvnr", "events", "workspace", "", Severity.NOTE, 0, Outcome.UNKNOWN),)},
    "second opinion differs": {"second_opinion": "failed"},
    "open": {"outcome": "open"},
    "aborted": {"outcome": "aborted"},
    "failed": {"failed": 4, "deleted": 1200, "retained": 11283},
}


def text(facts: Facts, language: str = "de") -> str:
    """Everything the report says, as plain text."""
    return str([(part.title, part.body.blocks) for part in write_document(facts, language).parts])


def test_a_sealed_run_with_everything_known_passes_with_nothing_to_do() -> None:
    """The only way to be green."""
    assert overall(sample()) == Outcome.PASSED
    assert tasks(sample()) == ()
    assert "Nichts zu tun." in text(fits(sample()))


def fits(facts: Facts) -> Facts:
    """The facts with stores whose counts sum up to them."""
    one = StoreCounts("workspace", "appointments", facts.before, facts.due, facts.held, facts.no_anchor, facts.retained)
    return replace(facts, stores=(one,))


@pytest.mark.parametrize("change", BAD_NEWS.values(), ids=BAD_NEWS)
def test_bad_news_is_never_green_and_always_somebodys_task(change: dict[str, object]) -> None:
    """Also where whoever filled the facts forgot to name a task."""
    facts = fits(sample(**change))
    assert overall(facts) != Outcome.PASSED
    assert tasks(facts)
    assert "Nichts zu tun" not in text(facts)


@given(st.lists(st.sampled_from(sorted(BAD_NEWS)), min_size=1, max_size=4))
def test_several_bad_news_do_not_cancel_out(names: list[str]) -> None:
    """Any mixture stays not green and leaves something to do."""
    facts = sample()
    for name in names:
        facts = replace(facts, **BAD_NEWS[name])
    assert overall(facts) != Outcome.PASSED
    assert tasks(facts)


def test_zero_deletions_where_some_were_due_never_read_as_complete() -> None:
    """All of them under a hold: lawful, but no deletion record, and not green."""
    facts = fits(sample(deleted=0, held=1207, retained=12483, holds={"legal-claims": 1207}, residue={}, checks={}))
    document = write_document(facts, "de")
    assert document.title == "Bericht zum Löschlauf"
    assert document.outcome == Outcome.UNKNOWN
    assert "hat nichts gelöscht, obwohl 1.207 Datensätze löschfällig waren" in text(facts)
    assert [task.what for task in tasks(facts)] == ["review-hold"]


def test_a_run_with_nothing_due_is_a_record_of_nothing() -> None:
    """It says so and passes."""
    facts = dict(scenes())["empty"]
    document = write_document(facts, "en")
    assert (document.title, document.outcome) == ("Deletion record", Outcome.PASSED)
    assert "nothing was due, so nothing was deleted" in text(facts, "en")


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        ("sealed", "1.204 löschfällige Datensätze wurden gelöscht"),
        ("open", "bis dahin ist keine Löschung nachgewiesen"),
        ("aborted", "wurde abgebrochen. Es wurde nichts gelöscht."),
        ("overdue", "Bisher hat hier kein Löschlauf stattgefunden"),
        ("unknown", "1 nicht feststellbar"),
    ],
)
def test_each_outcome_is_said_in_words(scene: str, words: str) -> None:
    """In the first section, before anything else."""
    document = write_document(dict(scenes())[scene], "de")
    assert words in str(document.parts[0].body.blocks)


def test_a_task_given_is_not_repeated_and_dates_come_first() -> None:
    """The facts' own task replaces the one that would follow from them."""
    mine = Task("confirm", "dpo", date(2026, 11, 1), {"place": "Outlook"})
    also = Task("task.checkpoint", "dpo", date(2026, 10, 8))
    facts = sample(places=(Place("Outlook", "attested", "unknown"),), tasks=(mine, also))
    assert tasks(facts) == (also, mine)


def test_a_task_without_words_is_shown_not_dropped() -> None:
    """A newer name in the facts must not break or empty the page."""
    assert "Aufgabe „sing-a-song“" in text(sample(tasks=(Task("sing-a-song", "dpo"),)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"approved_by": "", "approval_signed": False}, "liegt keine Freigabe vor"),
        ({"approval_signed": False}, "nicht unterschrieben"),
        ({"approval_standing": True}, "Dauerfreigabe mit Obergrenzen"),
        ({"approval_standing": False}, "Die Freigabe ist mit einem Schlüssel unterschrieben, der für diese Rolle"),
        ({"approval_standing": False}, "Mit einem Schlüssel der Systembetreuung wurde er nicht verglichen."),
        ({"approval_standing": True, "approval_checked": "unknown"}, "eine Unterschrift, die niemand geprüft hat"),
        ({"approval_standing": True, "approval_checked": "failed"}, "aber von keinem Schlüssel"),
    ],
)
def test_who_approved_is_said_as_it_is(change: dict[str, object], words: str) -> None:
    """Keine zweite Person, where there was none."""
    said = text(sample(**change))
    assert words in said
    alone = not (change.get("approval_standing") is not None)
    assert ("Keine zweite Person" in said) is alone
