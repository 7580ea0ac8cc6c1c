"""``%load_ext lifecycle``: the verbs in a notebook, word for word those of the command line."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from lifecycle.cli import magic
from lifecycle.errors import LifecycleError, Refused, UsageError
from lifecycle.sources.made_up import Clinic
from lifecycle.workbench import Workbench, progress
from lifecycle.workbench.results import Planned


class Shell:
    """What the extension asks of IPython."""

    def __init__(self) -> None:
        self.magics: dict[str, Any] = {}
        self.Completer = SimpleNamespace(custom_matchers=[])
        self.told: list[list[str]] = []

    def register_magic_function(self, function: Any, kind: str, name: str) -> None:
        self.magics[name] = (function, kind)

    def set_custom_exc(self, kinds: tuple[type, ...], handler: Any) -> None:
        self.kinds, self.handler = kinds, handler

    def _showtraceback(self, kind: type, error: BaseException, lines: list[str]) -> None:
        self.told.append(lines)


def completed(line: str) -> list[str]:
    """What the loaded extension offers at the end of a line."""
    import lifecycle

    shell = Shell()
    lifecycle.load_ipython_extension(shell)
    (matcher,) = shell.Completer.custom_matchers
    found = matcher(SimpleNamespace(text_until_cursor=line))
    assert not found["completions"] or found["suppress"]
    return [one.text for one in found["completions"]]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%lifecycle ver", ["verify"]),
        ("  r = %lifecycle hold ", ["add", "lift", "list"]),
        ("%lifecycle check --sec", ["--second-opinion"]),
        ("%lifecycle report --l", ["--language"]),
        ("%lifecycle nothing ", []),
        ("%lifecycleverify", []),
        ("lifecycle ver", []),
        ("print(1) %lifecycle ver", []),
    ],
)
def test_what_can_come_next_is_offered_and_nothing_else(line: str, expected: list[str]) -> None:
    """Verbs, the words below them and options, read off the command line itself; Python keeps its own lines."""
    assert completed(line) == expected


def test_verbs_are_offered_before_the_first_one_was_run() -> None:
    """In a process of its own, as in a fresh kernel: here another test may have loaded the verbs."""
    asked = "from lifecycle.cli import magic; print(*magic.candidates(' ver'))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "verify\n"


@pytest.mark.slow
def test_a_verb_gives_its_result_and_an_error_is_a_sentence(
    clinic: tuple[Workbench, Clinic], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The result is the cell's value, nothing is printed beside it; fact and hint stand without a traceback."""
    monkeypatch.setenv("LIFECYCLE_WORKSPACE", str(clinic[0].path))
    planned = magic.run_line("plan --as-of today")
    assert isinstance(planned, Planned)
    assert planned.due == clinic[0].plan().due
    assert capsys.readouterr().out == ""
    with pytest.raises(Refused):
        magic.run_line("plan --as-of 2999-01-01")
    for line in ("plann", "plan --as-off today", "serve", "preview serve"):
        with pytest.raises(UsageError):
            magic.run_line(line)
    assert magic.run_line("") is None
    assert "verify" in capsys.readouterr().out
    shell = Shell()
    magic.load(shell)
    assert shell.kinds == (LifecycleError,)
    shell.handler(shell, Refused, Refused("A fact.", "a hint"), None, tb_offset=1)
    assert shell.told == [["Refused: A fact.\n\nhint: a hint"]]


@pytest.mark.slow
def test_a_result_speaks_the_language_of_its_notebook(clinic: tuple[Workbench, Clinic]) -> None:
    """The last one that was asked for; results in a German notebook need no argument to be German."""
    planned = clinic[0].plan()
    clinic[0].prose("de")
    assert "löschfällig" in planned._repr_html_()
    clinic[0].prose("en")
    assert "löschfällig" not in planned._repr_html_()


class Seen:
    """A surface that remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, int, int | None]] = []
        self.cleared = 0

    def show(self, label: str, rows: int, total: int | None) -> None:
        self.shown.append((label, rows, total))

    def clear(self) -> None:
        self.cleared += 1


def test_long_work_shows_a_bar_and_short_work_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts rows, goes when the work is done, and an inner one does not disturb the outer."""
    import time

    monkeypatch.setattr(progress, "APPEARS_AFTER_SECONDS", 0.02)
    monkeypatch.setattr(progress, "_RENEWED_EVERY_SECONDS", 0.01)
    seen = Seen()
    monkeypatch.setattr(progress, "_surface", lambda: seen)
    with progress.bar("check"):
        progress.expect(10)
        with progress.bar("inner"):
            progress.advance(4)
        for _ in range(500):
            if seen.shown:
                break
            time.sleep(0.01)
    assert seen.shown[-1] == ("check", 4, 10)
    assert seen.cleared == 1
    monkeypatch.setattr(progress, "APPEARS_AFTER_SECONDS", 60)
    with progress.bar("check"):
        progress.advance(1)
    assert (seen.cleared, len({label for label, _, _ in seen.shown})) == (1, 1)


def test_no_bar_in_a_pipe_and_none_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is no terminal: nothing is drawn; what goes by outside a bar is not counted."""
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: False))
    assert progress._surface() is None
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: True))
    assert progress._surface() is not None
    progress.advance(3)
    progress.expect(3)
