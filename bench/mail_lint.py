"""Lint 100 templates with 12 bookings, in a process that has not linted before.

Limit: 2 seconds, loading the files included. The processor's seconds are compared (one thread works, so on a quiet
machine they are the wall's); starting Python and importing stand beside them.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from bench.measure import Cost, Limits, Result, cost_of

LIMIT_SECONDS = 2.0
TEMPLATES, FIXTURES = 100, 12


def made_templates(folder: Path, count: int) -> None:
    """Write templates: the shipped HTML texts, again and again as overrides of made-up services."""
    from lifecycle.mail.templates import shipped_folder

    shipped = shipped_folder()
    shutil.copytree(shipped / "parts", folder / "parts")
    shutil.copy(shipped / "placeholders.yaml", folder)
    sources = sorted(shipped.glob("*.html"))
    for number in range(count):
        source = sources[number % len(sources)]
        text = source.read_text(encoding="utf-8").replace("---\n", f'---\nservice: "{5000 + number}"\n', 1)
        # every body differs, so that nothing is linted from memory
        text = text.replace("</h1>", f" ({number})</h1>", 1)
        (folder / f"{number:03d}-{source.name}").write_text(text, encoding="utf-8")


def lint_once(folder: Path, count: int) -> tuple[float, float, int]:
    """Return the processor seconds before the first template and of loading and linting; the number of findings."""
    from lifecycle.mail.fixtures import FIXTURES as ALL
    from lifecycle.mail.lint import checks, lint
    from lifecycle.mail.templates import load_templates

    checks()
    imported = time.process_time()
    templates = load_templates(folder)
    if len(templates) != count:
        raise SystemExit(f"{len(templates)} templates instead of {count}")
    findings = lint(templates, fixtures=ALL[:FIXTURES])
    return imported, time.process_time() - imported, len(findings)


def measure(folder: Path, scale: float, runs: int) -> Result:
    """Lint in fresh processes; the peer is what they cost before the first template is read."""
    count = max(int(TEMPLATES * scale), 2)
    made_templates(folder / "templates", count)
    importing, linting, findings = [], [], ""
    for _ in range(runs):
        cost, printed = cost_of([sys.executable, "-m", "bench.mail_lint", folder / "templates", str(count)])
        before, processor, findings = printed.split()
        importing.append(Cost(float(before), cost.peak_mb))
        linting.append(Cost(float(processor), cost.peak_mb))
    return Result(
        f"processor seconds of linting {count} templates x {FIXTURES} bookings, {findings} findings",
        "starting and importing",
        tuple(linting),
        tuple(importing),
        Limits(seconds=LIMIT_SECONDS),
    )


if __name__ == "__main__":
    print(*lint_once(Path(sys.argv[1]), int(sys.argv[2])))
