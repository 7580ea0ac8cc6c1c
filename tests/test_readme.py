"""What the README shows is run: its tour as it stands there, and its Python."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lifecycle.sources.made_up import write_clinic

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FINDINGS = 1


def blocks(language: str, heading: str) -> list[str]:
    """Return the code blocks of one language below a heading."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def run(command: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_tour_works_as_it_stands_there(tmp_path: Path) -> None:
    """Every line of the tour is a command; check may find something, the others end with 0."""
    clinic = write_clinic(tmp_path / "files", as_of=datetime.now(UTC).date())
    for name in ("webpush.ndjson", "export.csv"):
        (tmp_path / name).write_bytes((clinic.folder / name).read_bytes())
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "RUN": ""}
    folder = tmp_path
    for line in blocks("sh", "A first tour")[0].splitlines():
        command = line.split("  #")[0].strip()
        if command.startswith("cd "):
            folder = folder / command.removeprefix("cd ")
            continue
        if command.startswith("lifecycle ingest"):
            command += f" --as-of {clinic.ingest_on}"  # what the clinic calls due today was not due a month ago
        if command.startswith("lifecycle plan"):
            command += " --json"
        done = run(command, folder, env)
        assert done.returncode in ((0, FINDINGS) if "check" in command else (0,)), (command, done.stderr)
        if command.startswith("lifecycle plan"):
            env["RUN"] = json.loads(done.stdout)["runId"]
    assert len(list((tmp_path / "clinic" / "reports").glob("*.html"))) == 1


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    """The short program works on a new workspace."""
    from lifecycle.workbench import Workbench

    Workbench.init(tmp_path / "clinic")
    (program,) = blocks("python", "A first tour")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_exit_codes_of_the_readme_are_those_of_the_errors() -> None:
    """The list names every code that an error of ours has."""
    from lifecycle import errors

    codes = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.LifecycleError)
    }
    listed = {
        int(code) for code in re.findall(r"(?:: |; )(\d+) [a-z]", README.split("Exit codes:")[1].split("\n\n")[0])
    }
    assert codes <= listed
