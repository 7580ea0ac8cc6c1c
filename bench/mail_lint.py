"""``python -m bench.mail_lint``: lint 100 templates with 12 bookings, in a process that has not linted before.

Limit: 2 seconds, loading the files included. The processor's seconds are compared (one thread works, so on a quiet
machine they are the wall's); starting Python and importing are printed apart.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_SECONDS = 2.0
TEMPLATES, FIXTURES = 100, 12
RUNS = 3


def made_templates(folder: Path) -> None:
    """Write 100 templates: the shipped HTML texts, again and again as overrides of made-up services."""
    from lifecycle.mail.templates import shipped_folder

    shipped = shipped_folder()
    shutil.copytree(shipped / "parts", folder / "parts")
    shutil.copy(shipped / "placeholders.yaml", folder)
    sources = sorted(shipped.glob("*.html"))
    for number in range(TEMPLATES):
        source = sources[number % len(sources)]
        text = source.read_text(encoding="utf-8").replace("---\n", f'---\nservice: "{5000 + number}"\n', 1)
        # every body differs, so that nothing is linted from memory
        text = text.replace("</h1>", f" ({number})</h1>", 1)
        (folder / f"{number:03d}-{source.name}").write_text(text, encoding="utf-8")


def lint_once(folder: Path) -> tuple[float, float, float, int]:
    """Return the seconds of importing, of loading and linting (wall and processor), and the number of findings."""
    started = time.perf_counter()
    from lifecycle.mail.fixtures import FIXTURES as ALL
    from lifecycle.mail.lint import checks, lint
    from lifecycle.mail.templates import load_templates

    checks()
    imported, busy = time.perf_counter(), time.process_time()
    templates = load_templates(folder)
    if len(templates) != TEMPLATES:
        raise SystemExit(f"{len(templates)} templates instead of {TEMPLATES}")
    findings = lint(templates, fixtures=ALL[:FIXTURES])
    return imported - started, time.perf_counter() - imported, time.process_time() - busy, len(findings)


def main() -> int:
    """Lint in fresh processes and print each; 1 if the median is over the limit."""
    if len(sys.argv) == 2:
        print(*lint_once(Path(sys.argv[1])))
        return 0
    seconds = []
    with tempfile.TemporaryDirectory() as name:
        made_templates(Path(name))
        for _ in range(RUNS):
            words = [sys.executable, "-m", "bench.mail_lint", name]
            done = subprocess.run(words, capture_output=True, check=True, text=True)
            importing, linting, processor, findings = done.stdout.split()
            seconds.append(float(processor))
            print(f"{TEMPLATES} templates x {FIXTURES} bookings: {float(linting):.2f} s, {findings} findings", end="")
            print(f" ({float(processor):.2f} s of processor; importing: {float(importing):.2f} s)")
    median = sorted(seconds)[RUNS // 2]
    print(f"median {median:.2f} s of processor, limit {LIMIT_SECONDS} s")
    return 0 if median <= LIMIT_SECONDS else 1


if __name__ == "__main__":
    raise SystemExit(main())
