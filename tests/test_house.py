"""The house as a stranger finds it: the files people expect, guides that are true, nothing that does not belong."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import lifecycle

ROOT = Path(__file__).parents[1]
EXPECTED = (
    *("README.md", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", "DECISIONS.md", "Makefile", ".ci/run"),
    *(".gitignore", "pyproject.toml", "requirements.txt"),
)
TARGETS = (
    "setup",
    "demo",
    "test",
    "lint",
    "types",
    "bench",
    "crash",
    "soak",
    "tsa",
    "clients",
    "lock",
    "debian",
    "clean",
)
ONE_MEGABYTE = 1_000_000

# Written in pieces, so that this file does not contain what it looks for.
_FOLDERS = ("/ro" + "ot/", "/ho" + "me/[a-z]", "/Us" + "ers/[A-Za-z]", "/wo" + "rk/", "/pri" + "vate/var/")
MACHINE_PATHS = "|".join(_FOLDERS)
_HOSTS = ("pypi" + r"\.org", "python" + "hosted", r"registry\." + "npmjs", r"proxy\." + "golang", r"nexus\.")
REGISTRIES = "|".join((*_HOSTS, "index" + "-url ?="))
NOT_HERE = re.compile(rf"(?<![\w.~-])(?:{MACHINE_PATHS})|(?:{REGISTRIES})")

# design: Löschnachweis, never a certificate; Feststellung, never a (medical) finding.
FORBIDDEN_GERMAN = re.compile("[Zz]erti" + "fikat|Be" + "fund")  # a noun; "befunden" is an innocent verb


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def text_of(path: Path) -> str:
    """The text of a file; nothing for a binary one."""
    data = path.read_bytes()
    return "" if b"\0" in data[:8_000] else data.decode("utf-8", errors="replace")


def table_paths(guide: str) -> list[str]:
    """What the table "I want to add ..." names in backquotes and what looks like a path."""
    rows = [line for line in guide.splitlines() if line.startswith("| ")]
    return [name for row in rows for name in re.findall(r"`([^`\s]+)`", row) if "/" in name]


@pytest.mark.parametrize("name", EXPECTED)
def test_what_people_expect_is_there(name: str) -> None:
    """Each of these is looked for by somebody on the first day."""
    assert (ROOT / name).is_file()
    assert (ROOT / name).stat().st_size > 100


def test_the_licence_is_the_whole_apache_text() -> None:
    """Version 2.0, from its title to its appendix, as the package's metadata says."""
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "9. Accepting Warranty or Additional Liability" in text
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()


def test_every_file_the_guide_names_exists() -> None:
    """A guide that names things long gone is worse than none."""
    named = table_paths((ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_guide_speaks_of_everything_there_are_many_of() -> None:
    """Each kind of thing that design expects more of has a line."""
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    rows = [line.split("|")[1].strip() for line in guide.splitlines() if line.startswith("| ")]
    kinds = ("source format", "value check", "template check", "placeholder", "report section", "store", "language")
    assert [kind for kind in kinds if not any(row.startswith(f"a {kind}") for row in rows)] == []


def test_the_changelog_is_about_this_version() -> None:
    """The newest entry that has a number is the package's own version."""
    numbers = re.findall(r"^#+ \[?v?(\d+\.\d+[\w.]*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert numbers
    assert numbers[0] == lifecycle.__version__


def test_bare_make_lists_every_target() -> None:
    """Whoever types ``make`` sees what there is, each with a word of explanation."""
    done = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = dict(re.findall(r"^  make (\w+) +(.+)$", done.stdout, re.MULTILINE))
    assert set(listed) == {"help", *TARGETS}
    assert all(len(words) > 8 for words in listed.values())
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert rules == set(listed), "a target without ## is not listed"


def test_an_older_python_is_refused_in_words() -> None:
    """``make setup`` with something too old says so, and what to do."""
    words = ["make", "--no-print-directory", "-W", "requirements.txt", "PYTHON=false", "VENV=no-such-folder", "setup"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "is not Python 3.11 or newer" in done.stdout
    assert "hint: make PYTHON=" in done.stdout
    assert not (ROOT / "no-such-folder").exists()


def test_the_build_server_runs_what_people_run() -> None:
    """``.ci/run`` is executable and has no steps of its own."""
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    steps = [line for line in script.read_text().splitlines() if line.startswith("make ")]
    assert steps == ["make debian", "make test"]


def test_nothing_large_is_in_the_repository() -> None:
    """A clone is quick, and no data hide in it."""
    large = [path.relative_to(ROOT).as_posix() for path in tracked() if path.stat().st_size > ONE_MEGABYTE]
    assert large == []


@pytest.mark.parametrize(
    "line", ["see /ro" + "ot/x", "cd '/wo" + "rk/main'", "https://py" + "pi.org/simple", "--index" + "-url=x"]
)
def test_lines_that_do_not_belong_are_recognised(line: str) -> None:
    """The pattern finds what it is about, or the next test could not fail."""
    assert NOT_HERE.search(line)


@pytest.mark.parametrize("line", ["bench/wo" + "rk/x", "a network/root", "rm -rf ~/ro" + "ot/", "make bench"])
def test_lines_that_belong_are_left_alone(line: str) -> None:
    """A folder of our own may bear the same name."""
    assert not NOT_HERE.search(line)


def test_no_tracked_line_names_a_machine_or_a_registry() -> None:
    """What works here must work anywhere."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if NOT_HERE.search(line)
    ]
    assert found == []


def test_german_reports_use_the_words_of_the_glossary() -> None:
    """A deletion record certifies nothing, and a finding is not a medical one."""
    kinds = (".po", ".json", ".html", ".toml", ".jinja")
    texts = [path for path in (ROOT / "lifecycle" / "report").rglob("*") if path.suffix in kinds]
    assert texts
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in texts
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if FORBIDDEN_GERMAN.search(line) and not line.lstrip().startswith("#")
    ]
    assert found == []
    assert FORBIDDEN_GERMAN.search("ein Be" + "fund")
    assert not FORBIDDEN_GERMAN.search("Die Daten befinden sich hier, sie befanden sich dort.")
