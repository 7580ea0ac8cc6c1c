"""Template files and what they are made of: front matter, body, shared parts, one slot each."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lifecycle.errors import LifecycleError, TemplateError
from lifecycle.mail import front_matter
from lifecycle.mail.learnt import LEARNT_FILE
from lifecycle.mail.placeholders import Registry, load_registry

LARGEST_BYTES = 5_000_000
REGISTRY_FILE = "placeholders.yaml"
SUFFIXES = {".html": "html", ".htm": "html", ".txt": "text"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the composed text and the file line (from 1) where it begins."""

    source: str
    first_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """One text for one slot of eTermin.

    Attributes
    ----------
    name : str
        Path below the templates folder, with forward slashes.
    format : str
        ``html`` or ``text``; an SMS is ``text``.
    service, calendar : str
        Id of what the text overrides; both empty for the global text.
    body : str
        The composed text, parts included: exactly what is pasted into eTermin.
    own : str
        The file's own body without parts.
    """

    name: str
    path: Path
    kind: str
    channel: str
    language: str
    format: str
    service: str
    calendar: str
    subject: str
    sender: str
    pieces: tuple[Piece, ...]
    own: str
    subject_line: int
    declared: bool
    body: str = field(init=False)
    starts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        starts, total = [], 0
        for piece in self.pieces:
            starts.append(total)
            total += len(piece.text)
        object.__setattr__(self, "body", "".join(piece.text for piece in self.pieces))
        object.__setattr__(self, "starts", tuple(starts))

    @property
    def slot(self) -> tuple[str, ...]:
        """What makes two files the same text in eTermin."""
        return (self.kind, self.channel, self.language, self.service, self.calendar, self.format)

    @property
    def is_override(self) -> bool:
        """Whether the text replaces the global one for a service or calendar."""
        return bool(self.service or self.calendar)

    def where(self, offset: int) -> tuple[str, int]:
        """Return the file (template or part) and its line (from 1) of a character of ``body``."""
        index = max(0, bisect_right(self.starts, offset) - 1)
        piece = self.pieces[index]
        return piece.source, piece.first_line + piece.text.count("\n", 0, offset - self.starts[index])


@dataclass(frozen=True, slots=True)
class Templates:
    """All templates of a folder, or of the files named, with the placeholders they may use."""

    folder: Path
    items: tuple[Template, ...]
    registry: Registry

    def __iter__(self) -> Iterator[Template]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def get(self, name: str) -> Template:
        """Return the template called ``name``: a path, or a kind (its German HTML text first).

        Raises
        ------
        TemplateError
            If there is none.
        """
        for item in self.items:
            if item.name == name:
                return item
        of_kind = [item for item in self.items if item.kind == name]
        if of_kind:
            order = {("email", "html"): 0, ("email", "text"): 1, ("sms", "text"): 2}
            return min(of_kind, key=lambda t: (t.is_override, order[t.channel, t.format], t.language))
        known = ", ".join(sorted({item.kind for item in self.items}))
        raise TemplateError("There is no template of that name.", f"kinds here: {known}")

    def sibling(self, template: Template, format: str) -> Template | None:
        """Return the template of the same slot in the other format, if there is one."""
        wanted = (*template.slot[:-1], format)
        return next((item for item in self.items if item.slot == wanted), None)


def shipped_folder() -> Path:
    """Return the folder of the texts that ship with the package (wheel or checkout)."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_shipped" / "templates", package.parent / "templates"):
        if folder.is_dir():
            return folder
    raise TemplateError("The shipped templates are not where the package expects them.", "install the package again")


def load_templates(paths: Path | Iterable[Path]) -> Templates:
    """Read templates from a folder, or from single files.

    Parameters
    ----------
    paths : Path or iterable of Path
        Folders (every ``.html`` and ``.txt`` outside ``parts``) and files. ``placeholders.yaml`` of the first
        folder is the registry; without one the shipped registry is used.

    Raises
    ------
    TemplateError
        For anything that cannot be read: no such path, no UTF-8, unknown keys, two texts for one slot, parts
        that include themselves, more than 5 MB.
    """
    given = [paths] if isinstance(paths, Path) else list(paths)
    files: list[tuple[Path, Path]] = []
    for path in given:
        files.extend(_files_of(path))
    root = next((p for p in given if p.is_dir()), given[0].parent if given else Path())
    parts: PartsRead = {}
    items = tuple(_template(path, folder, parts) for path, folder in files)
    _refuse_twins(items)
    return Templates(root, items, load_registry(_registry_path(root), root / LEARNT_FILE))


def template_from_text(text: str, name: str = "text.html", folder: Path | None = None) -> Template:
    """Build a template from the text of a file, as if it lay in ``folder`` under ``name``."""
    base = folder or Path()
    return _compose(text, base / name, base, {})


def _registry_path(folder: Path) -> Path:
    for candidate in (folder / REGISTRY_FILE, folder.parent / REGISTRY_FILE):
        if candidate.is_file():
            return candidate
    return shipped_folder() / REGISTRY_FILE


def _files_of(path: Path) -> list[tuple[Path, Path]]:
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise TemplateError(f"{path.name} is neither .html nor .txt.", "a template ends in .html or .txt")
        return [(path, path.parent)]
    if not path.is_dir():
        raise TemplateError(f"There is no file or folder {path.name}.", "lifecycle preview lint templates")
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name not in {"parts", "build"} and not name.startswith(".")]
        wanted = (name for name in names if os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith("."))
        found += [file for file in map(Path(folder).joinpath, wanted) if file.is_file()]
    found.sort()
    if not found:
        raise TemplateError(f"The folder {path.name} holds no template.", "a template ends in .html or .txt")
    return [(file, path) for file in found]


def _template(path: Path, folder: Path, parts: PartsRead) -> Template:
    try:
        return _compose(read_text(path), path, folder, parts)
    except LifecycleError as error:
        raise TemplateError(f"{path.name}: {error.fact}", error.hint) from error


def read_text(path: Path) -> str:
    """Read a template file as UTF-8 (a byte order mark is dropped, line ends become ``\\n``)."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise TemplateError("The file is larger than 5 MB.", "a mail is clipped from 102 kB on")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateError(f"Byte {error.start + 1} is no UTF-8.", "save the file as UTF-8") from error
    except OSError as error:
        raise TemplateError("The file cannot be read.", "check that it exists and may be read") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _compose(text: str, path: Path, folder: Path, read: PartsRead) -> Template:
    content, own, first_line = front_matter.split(text)
    declared = content is not None
    head = front_matter.checked(content if content is not None else front_matter.guessed(path.name))
    for key in ("kind", "channel", "language"):
        if key not in head:
            raise TemplateError(f"The front matter lacks '{key}'.", f"add the line {key}: ...")
    if head.get("service") and head.get("calendar"):
        raise TemplateError("A text overrides a service or a calendar, not both.", "remove one of the two keys")
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
    body = Piece(name, first_line, own)
    parts = head.get("parts", ["body"])
    reader = _Parts(folder, path.parent, str(head["language"]), path.suffix.lower(), read)
    return Template(
        name=name,
        path=path,
        kind=str(head["kind"]),
        channel=str(head["channel"]),
        language=str(head["language"]),
        format="text" if head["channel"] == "sms" else SUFFIXES.get(path.suffix.lower(), "text"),
        service=str(head.get("service", "")),
        calendar=str(head.get("calendar", "")),
        subject=str(head.get("subject", "")),
        sender=str(head.get("sender", "")),
        pieces=tuple(reader.pieces(parts if isinstance(parts, list) else ["body"], body, ())),
        own=own,
        subject_line=next((n for n, line in enumerate(text.split("\n"), 1) if line.startswith("subject:")), 1),
        declared=declared,
    )


PartsRead = dict[tuple[Path, Path, str, str, str], tuple[Piece, ...]]
"""The parts that were read in one call: every template of a folder shares them."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """Finds and joins the shared parts of one template."""

    folder: Path
    beside: Path
    language: str
    suffix: str
    read: PartsRead

    def pieces(self, names: list[str], body: Piece, seen: tuple[str, ...]) -> Iterator[Piece]:
        if names.count("body") != 1:
            raise TemplateError("'parts' must name 'body' once.", "parts: [header, body, footer]")
        for name in names:
            if name == "body":
                yield body
                continue
            if name in seen:
                raise TemplateError(f"The part '{name}' includes itself.", "take it out of the list 'parts' of a part")
            yield from self._part(name, (*seen, name))

    def _part(self, name: str, seen: tuple[str, ...]) -> tuple[Piece, ...]:
        key = (self.folder, self.beside, self.language, self.suffix, name)
        if key not in self.read:
            self.read[key] = tuple(self._fresh(name, seen))
        return self.read[key]

    def _fresh(self, name: str, seen: tuple[str, ...]) -> Iterator[Piece]:
        path = self._path(name)
        content, own, first_line = front_matter.split(read_text(path))
        head = front_matter.checked(content or {}, ("parts",))
        inner = head.get("parts", ["body"])
        source = f"parts/{path.name}"
        yield from self.pieces(inner if isinstance(inner, list) else ["body"], Piece(source, first_line, own), seen)

    def _path(self, name: str) -> Path:
        if not name.replace("-", "").replace("_", "").isalnum():
            raise TemplateError("The name of a part is one word.", "parts: [header, body, footer]")
        for base in (self.folder, self.beside, self.folder.parent):
            for file in (f"{name}.{self.language}{self.suffix}", f"{name}{self.suffix}"):
                if (base / "parts" / file).is_file():
                    return base / "parts" / file
        raise TemplateError(f"The part '{name}' was not found.", f"put it at parts/{name}.{self.language}{self.suffix}")


def _refuse_twins(items: tuple[Template, ...]) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for item in items:
        if not item.declared:
            continue
        if item.slot in seen:
            raise TemplateError(
                f"{seen[item.slot]} and {item.name} are two texts for one slot.",
                "give one of them a service, or remove it",
            )
        seen[item.slot] = item.name
