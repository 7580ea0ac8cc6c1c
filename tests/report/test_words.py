"""The words of the reports: both languages complete, nothing unused, the glossary kept."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

import lifecycle.report as room
from lifecycle.errors import UsageError
from lifecycle.report import LANGUAGES
from lifecycle.report.glossary import TERMS
from lifecycle.report.speech import Speech, clean
from lifecycle.report.standing import LIMITS, TASKS

ROOM = Path(room.__file__).parent
FAMILIES = {
    "notice",
    "cancelled",
    *("start", "purpose", "runstate", "approval", "language", "step"),
    *("people", "outcome", "perspective", "role", "basis", "dataset", "limit", "kind", "state", "place", "check"),
    *("severity", "channel", "field", "change", "ground", "runcheck", "covered", "datatype", "remains", "task"),
}


@cache
def catalogue(language: str) -> Catalog:
    """The catalogue file as a translator sees it."""
    with (ROOM / "locale" / language / "LC_MESSAGES" / "report.po").open("rb") as file:
        return read_po(file, locale=language)


def messages(language: str) -> dict[str, tuple[str, ...]]:
    """Message id to its text or texts (plural forms)."""
    found = {}
    for message in catalogue(language):
        if message.id:
            key = message.id if isinstance(message.id, str) else message.id[0]
            found[key] = (message.string,) if isinstance(message.string, str) else tuple(message.string)
    return found


@cache
def asked_for() -> tuple[set[str], set[str]]:
    """Message ids that the code and the page ask for by name, and beginnings of those they put together."""
    exact, beginnings = set(), set()
    for path in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                exact.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                beginnings.add(str(node.values[0].value))
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[-1], ast.Constant):
                beginnings |= {f"{key}{node.values[-1].value}" for key in ("findings", "drift")}
    page = "".join(path.read_text("utf-8") for path in (ROOM / "looks").glob("*.j2"))
    exact |= set(re.findall(r"""say\(["']([\w.-]+)["']""", page))
    return exact, {start for start in beginnings if re.fullmatch(r"[a-z]+\.([a-z]+-?)?", start)}


def used(key: str) -> bool:
    """Whether anything could ask for this message."""
    exact, beginnings = asked_for()
    return key in exact or key.split(".")[0] in FAMILIES or any(key.startswith(start) for start in beginnings)


def test_both_languages_have_the_same_messages() -> None:
    """A message added in one language only would break the other's report."""
    assert set(messages("de")) == set(messages("en"))


def test_every_message_is_asked_for() -> None:
    """A text that nobody prints any more is struck off."""
    assert [key for key in messages("de") if not used(key)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_that_is_asked_for_is_there(language: str) -> None:
    """Names in the code that look like message ids of a known section are in the catalogue; a beginning is none."""
    known = {key.split(".")[0] for key in messages(language)}
    exact, _ = asked_for()
    ids = {
        key
        for key in exact
        if re.fullmatch(r"[a-zA-Z]+\.(?!(?:css|js)$)[a-zA-Z-]*[a-zA-Z]", key) and key.split(".")[0] in known
    }
    assert ids - set(messages(language)) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_tasks_and_limits_are_in_words(language: str) -> None:
    """Whoever fills Facts may use every name that the room promises."""
    names = {f"task.{name}" for name in TASKS} | {f"limit.{name}" for name in LIMITS}
    assert names - set(messages(language)) == set()


def test_no_text_is_empty_or_lacks_a_plural_form() -> None:
    """English and German have two forms each."""
    for language in LANGUAGES:
        for key, texts in messages(language).items():
            assert all(texts), (language, key)
            assert len(texts) in {1, 2}, (language, key)


def test_the_gaps_are_the_same_in_both_languages() -> None:
    """A gap that one language forgot would swallow a number."""

    def gaps(language: str) -> dict[str, list[set[str]]]:
        named = messages(language)
        return {
            k: [{g for _, g, _, _ in Formatter().parse(t) if g} - {"people"} for t in ts] for k, ts in named.items()
        }

    assert gaps("de") == gaps("en")


def gaps_of(text: str) -> set[str]:
    """The names in braces; the word for people may stand in one language only."""
    return {gap for _, gap, _, _ in Formatter().parse(text) if gap} - {"people"}


def breaches(language: str) -> list[tuple[str, str]]:
    """Message ids with a word that the glossary forbids."""
    forbidden = [w for t in TERMS for w in (t.never_german if language == "de" else t.never_english)]
    texts = [(key, text) for key, texts in messages(language).items() for text in texts]
    return [(key, word) for key, text in texts for word in forbidden if re.search(rf"\b{word}", text, re.IGNORECASE)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_uses_a_forbidden_word(language: str) -> None:
    """Never "Zertifikat", never "Befund": one word for one thing."""
    assert breaches(language) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_glossary_is_used(language: str) -> None:
    """A glossary of words that no report uses would be decoration."""
    everything = "\n".join(text for texts in messages(language).values() for text in texts).lower()
    words = [term.german if language == "de" else term.english for term in TERMS]
    missing = [word for word in words if word.lower() not in everything]
    assert missing == []


def test_german_addresses_the_reader_as_sie() -> None:
    """No du, no imperative that could be one."""
    for key, texts in messages("de").items():
        assert not re.search(r"\b(du|dein|deine|euch|dir)\b", " ".join(texts), re.IGNORECASE), key


@pytest.mark.parametrize("word", ["Patient", "Klient", "Leistungsnehmer"])
def test_people_are_called_what_the_workspace_calls_them(word: str) -> None:
    """Patient, Klient or Leistungsnehmer; an unknown word becomes persons."""
    plural = {"Patient": "Patienten", "Klient": "Klienten", "Leistungsnehmer": "Leistungsnehmer"}[word]
    assert f"über {plural}." in Speech("de", word)("page.privacy")
    assert "über Personen." in Speech("de", "Gast")("page.privacy")


def test_a_language_that_does_not_exist_is_refused() -> None:
    """With the languages that do; the word that was asked for is not repeated."""
    with pytest.raises(UsageError, match="language") as refused:
        Speech("fr")
    assert "de" in refused.value.hint


def test_a_missing_message_is_never_printed_as_its_name() -> None:
    """A name such as ``todo.what`` on a page would be a fault that nobody notices."""
    for ask in (lambda: Speech("en")("no.such"), lambda: Speech("en").count("no.such", 2)):
        with pytest.raises(LookupError):
            ask()


def test_numbers_dates_and_plurals_are_those_of_the_language() -> None:
    """Written by babel, not by hand."""
    german, english = Speech("de"), Speech("en")
    assert german.count("run.deleted", 1) == "1 löschfälliger Datensatz wurde gelöscht."
    assert english.count("run.deleted", 1204) == "1,204 records that were due were deleted."
    assert (german.size(6291456), english.size(999)) == ("6,3\u00a0MB", "999\u00a0bytes")


def test_invisible_characters_in_a_name_are_replaced() -> None:
    """A direction override could show a field's name backwards."""
    assert clean("na\u202eme\x1b[31m\u200b") == "na\ufffdme\ufffd[31m\ufffd"
