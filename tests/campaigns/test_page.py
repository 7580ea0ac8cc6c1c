"""``docs/campaigns.md`` speaks of campaigns that exist, and of all of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from campaigns.__main__ import CAMPAIGNS, main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/campaigns.md").read_text()


def test_every_campaign_on_the_page_exists_and_the_other_way_round() -> None:
    """The first column of the table of counts."""
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert named == {*CAMPAIGNS, "soak"}


def test_every_file_on_the_page_exists() -> None:
    """A page that names things long gone is worse than none."""
    named = re.findall(r"`((?:tests|campaigns|lifecycle)/[\w./]*)`", PAGE)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_page_says_when_and_on_what_machine() -> None:
    """Counts without a date and a kind of machine say nothing."""
    assert re.search(r"\d{1,2} [A-Z][a-z]+ 20\d\d", PAGE)
    assert re.search(r"\d cores", PAGE)
    assert "ext4" in PAGE


@pytest.mark.slow
def test_make_crash_runs_them_all_and_make_soak_the_state_machine() -> None:
    """What the page tells people to type."""
    make = shutil.which("make")
    assert make
    said = {
        target: subprocess.run([make, "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for target in ("crash", "soak")
    }
    assert re.search(r"python -m campaigns *$", said["crash"], re.MULTILINE)
    assert re.search(r"SOAK=\d+ .*tests/deletion/test_state_machine\.py", said["soak"])


def test_an_unknown_campaign_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names that there are."""
    with pytest.raises(SystemExit):
        main(["no-such-campaign"])
    assert "kill, power, faults, ingest, bits" in capsys.readouterr().err
