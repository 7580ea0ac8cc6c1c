"""The shape of the house, read from the code itself: who imports whom, who touches the disk, how long things are.

Every rule is a function from one module to its breaches, and is shown a small module that breaks it first.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from lifecycle.workbench import Workbench

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lifecycle"
ROOMS = frozenset(["contract", "deletion", "ledger", "mail", "report", "sources", "stores", "web"])
ONLY_WORKBENCH = frozenset({"cli", "web", "notebooks"})  # see workbench, model and errors, and nothing else of ours

PURE = ("model", "errors", "deletion", "deletion.*", "contract", "contract.*")  # arguments in, values out
NOT_PURE = ("contract.load", "contract.second_opinion")  # one reads the files, one keeps a foreign tool quiet

SLOW_LIBRARIES = {
    "pandera": {"contract"},
    "great_expectations": {"contract"},
    "pandas": {"contract"},
    "duckdb": {"stores", "sources"},
    "polars_hash": {"stores"},
    "psycopg": {"stores"},
    "jinja2": {"mail", "report", "web"},
    "weasyprint": {"report"},
    "pyphen": {"report"},
    "vl_convert": {"report"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "papermill": {"workbench"},
    "typer": {"cli"},
    "pyspark": {"stores"},
    "playwright": set(),
}
NOT_FOR_HELP = (
    *("great_expectations", "papermill", "pandera", "pandas", "polars", "duckdb", "jinja2", "weasyprint", "starlette"),
    *("psycopg", "vl_convert", "cryptography", "pyspark", "pyarrow", "numpy", "polars_hash"),
)

LONGEST_FUNCTION, USUAL_FUNCTION, LONGEST_FILE = 60, 30, 400
TABLES = frozenset({"lifecycle.contract.values.registry"})  # lists the files of its folder, which know it too
LONGER_FILES = {"lifecycle.model": 620}  # the one file of nouns; nothing else, and no longer than this

DISK_MODULES = {
    *("os", "shutil", "tempfile", "fcntl", "mmap", "sqlite3", "subprocess", "socket", "glob", "fileinput"),
}
DISK_METHODS = {
    *("open", "read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "rmdir", "unlink", "touch", "chmod"),
    *("iterdir", "rglob", "glob", "exists", "is_file", "is_dir", "stat", "lstat", "symlink_to", "hardlink_to"),
    *("resolve", "cwd", "home", "expanduser"),
}
FRAME_FILES = re.compile("(read|write|scan|sink)_(csv|parquet|ndjson|json|ipc|avro|excel|database|delta)")
CLOCKS = frozenset({("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("datetime", "today")})


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, the room (second part of the name) and its syntax tree."""

    name: str
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else ""

    def imports(self) -> Iterator[tuple[str, int]]:
        """Dotted targets with their line, those inside functions and for types only included."""
        for node in ast.walk(self.tree):
            yield from ((target, node.lineno) for target in targets(node, self.name))


def targets(node: ast.AST, importer: str) -> list[str]:
    """What one statement imports; ``from a import b`` may mean the module ``a.b``, so both are named."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = ".".join(importer.split(".")[: -node.level]) if node.level else ""
        origin = ".".join(part for part in (base, node.module) if part)
        return [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
        return [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return []


def called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def module_of(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    parts = path.relative_to(ROOT).with_suffix("").parts
    return Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), ast.parse(text), text.count("\n"))


def written(name: str, text: str) -> Module:
    """A module that exists in a test only."""
    return Module(name, ast.parse(text), text.count("\n") + 1)


MODULES = [module_of(path) for path in sorted(PACKAGE.rglob("*.py"))]
BENCHES = [module_of(path) for path in sorted((ROOT / "bench").glob("*.py"))]


def notebooks() -> list[Module]:
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = [cell["source"] for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        code = "\n".join("".join(lines) for lines in cells)
        plain = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in code.splitlines())
        found.append(written(f"lifecycle.notebooks.{path.stem}", plain))
    return found


def ours(target: str) -> str:
    """The second part of a name of ours: the room or module at the top; empty for anything else."""
    head, _, rest = target.partition(".")
    return rest.split(".")[0] if head == "lifecycle" else ""


def rooms_entered(module: Module) -> list[str]:
    """Imports from one room into another, and from the ground floor into rooms."""
    allowed_below = {"workbench", "cli"}  # cli and web have a stricter rule of their own
    if module.room in allowed_below or module.room not in ROOMS | {"settings", "model", "errors"}:
        return []
    return [f"{module.name}:{line} {t}" for t, line in module.imports() if ours(t) in ROOMS - {module.room}]


def looked_behind_the_workbench(module: Module) -> list[str]:
    """What a surface imports besides workbench, model and errors."""
    if module.room not in ONLY_WORKBENCH:
        return []
    hidden = (ROOMS | {"settings"}) - {module.room}
    return [f"{module.name}:{line} {t}" for t, line in module.imports() if ours(t) in hidden]


def surfaces_entered(module: Module) -> list[str]:
    """Nobody below imports a surface or the workbench: they would no longer stand alone."""
    if module.room in ONLY_WORKBENCH | {"workbench", "", "__main__"}:
        return []
    return [f"{module.name}:{line} {t}" for t, line in module.imports() if ours(t) in {"cli", "workbench"}]


def strays(module: Module) -> list[str]:
    """Slow or foreign libraries outside the rooms that they live in."""
    found = []
    for target, line in module.imports():
        homes = SLOW_LIBRARIES.get(target.split(".")[0])
        if homes is not None and module.room not in homes:
            found.append(f"{module.name}:{line} {target}")
    return found


def disk_touched(module: Module) -> list[str]:
    """Imports and calls in a pure module that reach for the disk or the clock."""
    found = [f"{module.name}:{line} {t}" for t, line in module.imports() if t.split(".")[0] in DISK_MODULES]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and reaches_out(node):
            found.append(f"{module.name}:{node.lineno} {called(node)}()")
    return found


def reaches_out(node: ast.Call) -> bool:
    name = called(node)
    if isinstance(node.func, ast.Name):
        return name == "open"
    if not isinstance(node.func, ast.Attribute):
        return False
    owner = node.func.value
    clock = isinstance(owner, (ast.Name, ast.Attribute)) and (getattr(owner, "id", getattr(owner, "attr", "")), name)
    return name in DISK_METHODS or bool(FRAME_FILES.match(name)) or clock in CLOCKS


def pure(module: Module) -> bool:
    name = module.name.removeprefix("lifecycle.")
    return any(fnmatch(name, p) for p in PURE) and not any(fnmatch(name, p) for p in NOT_PURE)


def functions(module: Module) -> Iterator[tuple[str, int]]:
    """Every function's name and its lines, from ``def`` to the end, docstring included."""
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
            yield f"{module.name}.{node.name}", node.end_lineno - node.lineno + 1


def every(rule: str, modules: list[Module]) -> list[str]:
    return [breach for module in modules for breach in globals()[rule](module)]


def test_every_room_exists_and_is_read() -> None:
    """A rule over no files would hold for ever."""
    assert {module.room for module in MODULES} >= ROOMS | {"model", "errors"}
    assert [module for module in MODULES if pure(module)]


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        ("rooms_entered", "lifecycle.deletion.plan", "from lifecycle.stores import embedded"),
        ("rooms_entered", "lifecycle.deletion.plan", "from lifecycle import stores"),
        ("rooms_entered", "lifecycle.deletion.plan", "from ..stores import embedded"),
        ("rooms_entered", "lifecycle.deletion.plan", "def f():\n    import lifecycle.ledger"),
        ("rooms_entered", "lifecycle.mail.lint", "import importlib\nimportlib.import_module('lifecycle.stores')"),
        ("rooms_entered", "lifecycle.model", "from lifecycle.deletion import plan"),
        ("rooms_entered", "lifecycle.settings", "from lifecycle.contract import load"),
        ("looked_behind_the_workbench", "lifecycle.cli", "from lifecycle.settings import Settings"),
        ("looked_behind_the_workbench", "lifecycle.web.app", "from lifecycle.stores import embedded"),
        ("looked_behind_the_workbench", "lifecycle.notebooks.x", "from lifecycle.report import html"),
        ("surfaces_entered", "lifecycle.report.html", "from lifecycle.workbench import Workbench"),
        ("strays", "lifecycle.deletion.plan", "import duckdb"),
        ("strays", "lifecycle.workbench", "from great_expectations import core"),
        ("strays", "lifecycle.report.html", "import playwright.sync_api"),
        ("disk_touched", "lifecycle.deletion.plan", "import os"),
        ("disk_touched", "lifecycle.deletion.plan", "open('x')"),
        ("disk_touched", "lifecycle.deletion.plan", "path.read_text()"),
        ("disk_touched", "lifecycle.deletion.plan", "pl.scan_parquet('x')"),
        ("disk_touched", "lifecycle.deletion.plan", "frame.write_csv(x)"),
        ("disk_touched", "lifecycle.deletion.plan", "datetime.now(UTC)"),
        ("disk_touched", "lifecycle.deletion.plan", "datetime.date.today()"),
    ],
)
def test_each_rule_sees_the_breach_that_it_is_about(rule: str, name: str, text: str) -> None:
    """Shown a module that breaks the rule, the rule says so; an empty one passes."""
    assert globals()[rule](written(name, text))
    assert not globals()[rule](
        written(name, "from lifecycle.model import Finding\nfrom lifecycle.errors import Refused")
    )


def test_rooms_never_import_rooms() -> None:
    """``workbench`` is the one place where they meet."""
    assert every("rooms_entered", MODULES) == []


def test_model_and_errors_import_nothing_of_ours() -> None:
    """The nouns are imported by everybody and import nobody."""
    for module in MODULES:
        if module.name in ("lifecycle.model", "lifecycle.errors"):
            assert [target for target, _ in module.imports() if target.startswith("lifecycle")] == [], module.name


def test_surfaces_see_only_workbench_model_and_errors() -> None:
    """The command line, the web pages and the notebooks are thin coats over one object."""
    assert every("looked_behind_the_workbench", MODULES + notebooks()) == []


def test_nothing_below_imports_the_workbench_or_the_command_line() -> None:
    """Rooms stand alone; who needs another one is given it as an argument."""
    assert every("surfaces_entered", MODULES) == []


def test_slow_libraries_stay_in_their_rooms() -> None:
    """One room for each foreign library, so that one room changes when it does."""
    assert every("strays", MODULES) == []


def test_pure_modules_touch_neither_disk_nor_clock() -> None:
    """What decides over deletion is a function of its arguments."""
    assert every("disk_touched", [module for module in MODULES if pure(module)]) == []


def test_the_verifier_stands_alone() -> None:
    """``python verify.py EVIDENCE VKEY`` runs where this package is not installed."""
    verify = next(module for module in MODULES if module.name == "lifecycle.ledger.verify")
    assert [target for target, _ in verify.imports() if target.startswith("lifecycle")] == []


def test_modules_import_each_other_in_one_direction() -> None:
    """No import loops, and no imports hidden in functions to dodge one."""
    assert circle(MODULES, leave_out=TABLES) == []
    assert circle([written("lifecycle.a", "import lifecycle.b"), written("lifecycle.b", "import lifecycle.a")])


def circle(modules: list[Module], leave_out: frozenset[str] = frozenset()) -> list[str]:
    """The modules that import each other in a circle, and those that need one of them."""
    names = {module.name for module in modules}
    needs = {module.name: {t for t, _ in module.imports() if t in names - {module.name}} for module in modules}
    packages = {n for n in names if any(other.startswith(n + ".") for other in names)}
    inside = {n: n + "." for n in packages} | {n: n.rpartition(".")[0] + "." for n in leave_out & names}
    for name, prefix in inside.items():
        needs[name] = {t for t in needs[name] if not t.startswith(prefix)}
    while leaves := {name for name, wanted in needs.items() if not wanted}:
        needs = {name: wanted - leaves for name, wanted in needs.items() if name not in leaves}
    return sorted(needs)


def test_functions_are_short() -> None:
    """None over 60 lines, 95 of a hundred at most 30: the tail tells a good code base from a bad one."""
    lengths = sorted((length, name) for module in MODULES + BENCHES for name, length in functions(module))
    assert [entry for entry in lengths if entry[0] > LONGEST_FUNCTION] == []
    assert lengths[int(len(lengths) * 0.95)][0] <= USUAL_FUNCTION


def test_files_are_short() -> None:
    """Under 400 lines each; an exception that is no longer needed is struck off."""
    long = {module.name: module.lines for module in MODULES + BENCHES if module.lines >= LONGEST_FILE}
    assert {name: lines for name, lines in long.items() if lines > LONGER_FILES.get(name, 0)} == {}
    assert set(LONGER_FILES) <= set(long)


def test_help_imports_nothing_slow() -> None:
    """``lifecycle --help`` answers within a quarter of a second because it loads none of these."""
    code = f"import sys, lifecycle.cli.program; print([m for m in {NOT_FOR_HELP!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_night_with_nothing_due_loads_nothing_that_makes_tombstones(tmp_path: Path) -> None:
    """It is loaded only where rows may be due, and then ahead of its need."""
    wb = Workbench.init(tmp_path / "clinic")
    row = {"appointment_uid": "a", "first_name": "Erika", "email": "erika@example.org"}
    (tmp_path / "rows.ndjson").write_text(json.dumps(row | {"starts_at": "2999-05-10T10:00:00Z"}))
    assert wb.ingest(tmp_path / "rows.ndjson", consume=True).stored == 1
    code = f"""
import sys
from lifecycle.workbench import Workbench
print(Workbench.open({str(wb.path)!r}).purge(as_of="today").outcome)
print(sorted({{"pyarrow", "polars_hash"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.split() == ["sealed", "[]"], done.stderr[-2_000:]


def test_reading_a_log_loads_no_library_that_it_does_not_need(tmp_path: Path) -> None:
    """Some load pandas behind one's back: Arrow does for a column of numbers that numpy is to see."""
    line = '{"command":"CREATED","appointmentUID":"a%d","startDateTimeUTC":"2026-05-10T10:00:00","receivedAt":""}\n'
    (tmp_path / "log.ndjson").write_text("".join(line % number for number in range(500)))  # few are read one by one
    code = f"""
import sys
from pathlib import Path
from lifecycle.workbench import Workbench
wb = Workbench.init(Path({str(tmp_path)!r}) / "clinic")
print(wb.ingest(Path({str(tmp_path)!r}) / "log.ndjson", as_of="2026-06-01").stored)
print(sorted({{"pandas", "pandera", "jinja2", "papermill", "scipy"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.split("\n")[:2] == ["500", "[]"], done.stderr[-2_000:]
