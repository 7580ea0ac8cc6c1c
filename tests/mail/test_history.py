"""What was copied, what changed since, and what eTermin itself holds."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lifecycle.errors import TemplateError
from lifecycle.mail.history import changed_since_commit, compare_dump, copied, mark_copied
from lifecycle.mail.lint import mail
from lifecycle.mail.templates import Piece, load_templates, template_from_text

AT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)


def test_a_copied_text_is_current_until_it_changes(tmp_path: Path):
    """Only digests are kept, and still the changed lines are known."""
    state = tmp_path / "state" / "copied.json"
    item = template_from_text(mail("one\ntwo GEHEIM\nthree"), "a.txt")
    assert copied(item, state).copied_at is None
    mark_copied(item, state, AT)
    assert copied(item, state).current
    changed = replace(item, pieces=(Piece("a.txt", 7, "one\nTWO\nthree\nfour\n"),))
    known = copied(changed, state)
    assert known.copied_at == AT
    assert known.added == (3, 5)
    assert known.removed == 1
    assert "GEHEIM" not in state.read_text()


def test_a_copy_without_a_time_zone_is_refused(tmp_path: Path):
    """Times are aware."""
    with pytest.raises(ValueError, match="zone"):
        mark_copied(template_from_text(mail("x"), "a.txt"), tmp_path / "s.json", datetime(2026, 1, 1))


def test_a_broken_memory_counts_as_none(tmp_path: Path):
    """A cut-off file is not a failure of the preview."""
    state = tmp_path / "copied.json"
    state.write_text('{"a')
    assert copied(template_from_text(mail("x"), "a.txt"), state).copied_at is None


def test_changes_since_the_last_commit_are_shown(tmp_path: Path):
    """None without a repository, empty without a change."""
    path = tmp_path / "a.txt"
    path.write_text(mail("one\ntwo"))
    item = load_templates(tmp_path).items[0]
    assert changed_since_commit(item) is None
    words = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*words, "init", "-q"], check=True)
    subprocess.run([*words, "add", "."], check=True)
    subprocess.run([*words, "commit", "-q", "-m", "x"], check=True)
    assert changed_since_commit(item) == ""
    path.write_text(mail("one\nTWO"))
    diff = changed_since_commit(item) or ""
    assert "-two" in diff
    assert "+TWO" in diff


def test_the_dump_of_etermin_is_laid_beside_our_overrides(tmp_path: Path):
    """Equal, different, and a text that nobody keeps here."""
    (tmp_path / "one.txt").write_text(mail("Hallo\nLOCATION", service='"1"'))
    (tmp_path / "two.txt").write_text(mail("Neu LOCATION", service='"2"'))
    dump = [
        {"id": 1, "emailTxt": "Hallo\r\nLOCATION\n"},
        {"id": 2, "emailTxt": "Alt LOCATION"},
        {"id": 3, "emailtxtde": "Nur dort"},
        {"id": 4, "emailTxt": ""},
    ]
    found = compare_dump(load_templates(tmp_path), json.dumps(dump).encode())
    assert [(item.service, item.state) for item in found] == [("1", "equal"), ("2", "different"), ("3", "no template")]
    assert "-Alt LOCATION" in found[1].diff


@pytest.mark.parametrize("dump", [b"", b"[1]", b'"x"', b"\xff"])
def test_anything_else_than_a_dump_is_refused(tmp_path: Path, dump: bytes):
    """With a hint what to save."""
    (tmp_path / "one.txt").write_text(mail("x"))
    with pytest.raises(TemplateError):
        compare_dump(load_templates(tmp_path), dump)
