"""Whatever moment the power goes, the evidence is whole and the same command goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lifecycle.errors import EvidenceError
from lifecycle.ledger import verify
from lifecycle.ledger.evidence import EvidenceLedger

pytestmark = pytest.mark.slow

ORIGIN = "clinic.example.org/lifecycle"
CALLS = ("open", "write", "fsync", "rename", "mkdir", "unlink", "rmdir")
MAY_BE_UNFINISHED = {"nothing foreign", "files", "run has one proved outcome"}


class PowerOff(BaseException):
    """Nothing that catches errors catches this."""


class Disk:
    """Counts the calls that change a disk, cuts the power before one of them, and knows what was made durable.

    ``fsync`` of a file makes its bytes durable, ``fsync`` of a folder its names; everything else may be gone.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.patch = root, monkeypatch
        self.calls, self.stop_at = 0, -1
        self.lying: Callable[[int], bool] = lambda handle: False
        self.bytes: dict[int, bytes] = {}
        self.names: dict[int, dict[str, tuple[int, bool]]] = {}
        for folder, _, files in os.walk(root):
            self._keep_names(Path(folder))
            self.bytes |= {os.stat(Path(folder, name)).st_ino: Path(folder, name).read_bytes() for name in files}

    def _keep_names(self, folder: Path) -> None:
        with os.scandir(folder) as entries:
            self.names[os.stat(folder).st_ino] = {e.name: (e.inode(), e.is_dir()) for e in entries}

    @contextmanager
    def power(self, stop_at: int = -1) -> Iterator[None]:
        self.calls, self.stop_at = 0, stop_at
        with self.patch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, self._watched(name, getattr(os, name)))
            with suppress(PowerOff):
                yield

    def _watched(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args, **kwargs):
            changes = name != "open" or args[1] & os.O_CREAT
            if changes:
                if self.calls == self.stop_at:
                    raise PowerOff
                self.calls += 1
            if name == "fsync" and self.lying(args[0]):
                return None
            result = real(*args, **kwargs)
            if name == "fsync":
                self._made_durable(Path(f"/proc/self/fd/{args[0]}").resolve())
            if name == "open" and args[1] & os.O_TRUNC:
                self.bytes.pop(os.fstat(result).st_ino, None)
            return result

        return call

    def _made_durable(self, path: Path) -> None:
        if path.is_dir():
            self._keep_names(path)
        else:
            self.bytes[path.stat().st_ino] = path.read_bytes()

    def lose_what_is_not_durable(self, root: Path | None = None, inode: int = 0) -> None:
        """Rebuild the folder as the worst disk would give it back."""
        root = root or self.root
        inode = inode or root.stat().st_ino
        kept = root.with_name(root.name + ".kept")
        self._rebuild(kept, inode)
        shutil.rmtree(root)
        kept.rename(root)

    def _rebuild(self, path: Path, inode: int) -> None:
        path.mkdir(mode=0o700 if path.name == "keys" else 0o755)
        for name, (child, is_folder) in self.names.get(inode, {}).items():
            if is_folder:
                self._rebuild(path / name, child)
            else:
                (path / name).write_bytes(self.bytes.get(child, b""))
                (path / name).chmod(0o600)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Evidence and keys in a folder of their own, so that both can be lost and copied."""
    home = tmp_path / "home"
    home.mkdir()
    EvidenceLedger.create(home / "evidence", home / "keys", ORIGIN)
    return home


def opened(home: Path) -> EvidenceLedger:
    return EvidenceLedger.open(home / "evidence", home / "keys", ORIGIN)


def a_run(begin, home: Path) -> None:
    """The whole run, or what is left of it: the same call every time."""
    ledger = opened(home)
    with ledger.locked():
        begin(1, 2, run="2026-10-01-a", again=ledger).whole()


def outcomes(home: Path) -> dict[str, str]:
    return dict(verify.verify(home / "evidence", (home / "evidence/log.vkey").read_text()))


def survives(home: Path, begin, monkeypatch, stops: range | None, worst: bool, lying=None) -> int:
    """Cut the power at each stop, look, go on, look again; gives the number of stops."""
    whole, first = home.with_name("whole"), True
    shutil.copytree(home, whole)
    probe = Disk(home, monkeypatch)
    with probe.power():
        a_run(begin, home)
    total = probe.calls
    for stop in stops or range(total + 1):
        if stop > total:
            break
        shutil.rmtree(home)
        shutil.copytree(whole, home)
        disk = Disk(home, monkeypatch)
        disk.lying = lying or disk.lying
        with disk.power(stop):
            a_run(begin, home)
        if worst:
            disk.lose_what_is_not_durable()
        wrong = {name for name, outcome in outcomes(home).items() if outcome != "passed"}
        assert wrong <= MAY_BE_UNFINISHED, f"stop {stop}"
        a_run(begin, home)
        assert set(outcomes(home).values()) == {"passed"}, f"stop {stop}"
        first = False
    assert not first
    return total


def test_a_killed_run_goes_on(home: Path, begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is gone, the disk has everything: every seventh call."""
    assert survives(home, begin, monkeypatch, range(0, 1000, 7), worst=False) > 50


def test_a_run_survives_a_power_cut(home: Path, begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk has only what was made durable: every seventh call."""
    assert survives(home, begin, monkeypatch, range(3, 1000, 7), worst=True) > 50


@pytest.mark.slow
@pytest.mark.parametrize("worst", [False, True])
def test_a_run_survives_at_every_single_call(home: Path, begin, monkeypatch: pytest.MonkeyPatch, worst: bool) -> None:
    """Killed, or without power, before every call that changes the disk."""
    assert survives(home, begin, monkeypatch, None, worst) > 50


def is_folder(handle: int) -> bool:
    return Path(f"/proc/self/fd/{handle}").resolve().is_dir()


@pytest.mark.parametrize("lying", [is_folder, lambda handle: not is_folder(handle)], ids=["folders", "files"])
def test_without_fsync_a_power_cut_is_seen(home: Path, begin, monkeypatch: pytest.MonkeyPatch, lying) -> None:
    """The mutants: no fsync of folders, or none of files. The test above would notice."""
    with pytest.raises((AssertionError, EvidenceError)):
        survives(home, begin, monkeypatch, range(3, 1000, 7), worst=True, lying=lying)


def test_a_power_cut_while_creating_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is left of a first call, the second makes the ledger."""
    home = tmp_path / "new"
    for stop in range(60):
        home.mkdir()
        disk = Disk(home, monkeypatch)
        with disk.power(stop):
            EvidenceLedger.create(home / "evidence", home / "keys", ORIGIN)
        disk.lose_what_is_not_durable()
        if not (home / "evidence/checkpoint").exists():
            EvidenceLedger.create(home / "evidence", home / "keys", ORIGIN)
        assert set(outcomes(home).values()) == {"passed"}
        shutil.rmtree(home)
    assert disk.calls < 60


def test_the_order_of_calls_is_the_durable_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary file, write, fsync, folder opened, rename, fsync of the folder; tiles before the checkpoint."""
    said: list[str] = []
    real = {name: getattr(os, name) for name in ("open", "write", "fsync", "rename")}

    def note_call(name: str):
        def call(*args, **kwargs):
            where = Path(f"/proc/self/fd/{args[0]}").resolve() if isinstance(args[0], int) else Path(args[0])
            writing = name != "open" or args[1] & os.O_CREAT or args[1] & os.O_DIRECTORY
            if writing and ".lock" not in where.name:
                said.append(f"{name} {where.relative_to(home / 'evidence').as_posix()}")
            return real[name](*args, **kwargs)

        return call

    ledger = opened(home)
    ledger.append(b"first")
    with monkeypatch.context() as patch:
        for name in real:
            patch.setattr(os, name, note_call(name))
        ledger.append(b"second")
    expected = []
    for folder, name in (("tile/entries/000.p", "2"), ("tile/0/000.p", "2"), (".", "checkpoint")):
        file = f"{folder}/.tmp-{name}".removeprefix("./")
        expected += [f"open {file}", f"write {file}", f"fsync {file}"]
        expected += [f"open {folder}", f"rename {file}", f"fsync {folder}"]
    assert said == expected


@pytest.mark.parametrize("name", ["open", "write", "fsync", "rename", "mkdir"])
def test_a_failing_call_stops_and_is_never_tried_again(home: Path, begin, monkeypatch, name: str) -> None:
    """Each call fails once with an input/output error: one sentence, no second try, and the next run goes on."""
    whole = home.with_name("whole")
    shutil.copytree(home, whole)
    for number in range(0, 200, 11):
        shutil.rmtree(home)
        shutil.copytree(whole, home)
        count, real = -1, getattr(os, name)

        def failing(*args, number=number, real=real, **kwargs):
            nonlocal count
            count += name != "open" or bool(args[1] & os.O_CREAT)
            if count >= number:
                raise OSError(5, "Input/output error")
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing)
            finished = False
            with suppress(EvidenceError):
                a_run(begin, home)
                finished = True
            assert finished or count == number, "tried again"
        a_run(begin, home)
        assert set(outcomes(home).values()) == {"passed"}


def test_after_a_failed_write_the_same_object_writes_nothing_more(home: Path, monkeypatch) -> None:
    """A caller that goes on regardless is stopped."""
    ledger = opened(home)

    def failing(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(EvidenceError, match="No space left"):
            ledger.append(b"leaf")
    with pytest.raises(EvidenceError, match="nothing more is written"):
        ledger.append(b"leaf")
    assert opened(home).append(b"leaf") == 0
