"""Reports in a folder: whole or not at all, under names that say nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from lifecycle.errors import EvidenceError, StoreError, UsageError
from lifecycle.report import files, render, write
from lifecycle.report.sample import sample


def test_the_names_are_made_of_run_and_language(tmp_path: Path) -> None:
    """No workspace name, no person, no date but the run's."""
    written = write(sample(workspace="Frau Dr. Müller"), tmp_path / "reports", ("html", "json"), "de")
    assert [path.name for path in written] == ["2026-10-01-a.de.html", "2026-10-01-a.de.json"]
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == [path.name for path in written]
    assert written[0].read_bytes() == render(sample(workspace="Frau Dr. Müller"), "de", "html")


def test_before_any_run_the_report_is_the_workspaces(tmp_path: Path) -> None:
    """And a second one replaces it."""
    facts = sample(
        run_id=None, outcome="none", deleted=0, failed=1204, retained=12483,
        stores=tuple(_untouched(store) for store in sample().stores),
    )  # fmt: skip
    for _ in range(2):
        assert [path.name for path in write(facts, tmp_path, ("json",), "en")] == ["workspace.en.json"]


def _untouched(store: Any) -> Any:
    return store.__class__(store.store, store.dataset, store.before, store.due, store.held, 0, store.before)


@pytest.mark.parametrize(("format", "near"), [("htm", "html"), ("docx", "one of"), ("PDF", "one of")])
def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path, format: str, near: str) -> None:
    """With the nearest one."""
    with pytest.raises(UsageError) as refused:
        write(sample(), tmp_path, ("html", format), "de")
    assert near in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_language_is_refused(tmp_path: Path) -> None:
    """A language that does not exist is a usage error."""
    with pytest.raises(UsageError, match="language"):
        write(sample(), tmp_path, ("html",), "fr")


def test_facts_that_do_not_add_up_leave_the_old_report(tmp_path: Path) -> None:
    """Nothing is written, nothing is lost."""
    (path,) = write(sample(), tmp_path, ("json",), "de")
    before = path.read_bytes()
    with pytest.raises(EvidenceError):
        write(sample(before=1), tmp_path, ("json",), "de")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "read-only"), (errno.EACCES, "may not write")]
)
def test_a_folder_that_cannot_be_written_to_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    """A full or read-only disk: one sentence, the old report intact, no temporary file left."""
    (path,) = write(sample(), tmp_path, ("json",), "de")
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(StoreError, match=words) as refused:
        write(sample(workspace="Neu"), tmp_path, ("json",), "de")
    assert str(tmp_path) not in str(refused.value)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_where_the_folder_should_be_is_said_in_words(tmp_path: Path) -> None:
    """Not a traceback."""
    (tmp_path / "reports").write_text("in the way")
    with pytest.raises(StoreError, match="is in the way"):
        write(sample(), tmp_path / "reports", ("json",), "de")


def test_a_symlink_in_the_place_of_the_report_is_replaced_not_followed(tmp_path: Path) -> None:
    """Whoever put it there does not get another file overwritten."""
    target = tmp_path / "precious"
    target.write_text("untouched")
    (tmp_path / "2026-10-01-a.de.json").symlink_to(target)
    (path,) = write(sample(), tmp_path, ("json",), "de")
    assert not path.is_symlink()
    assert target.read_text() == "untouched"
