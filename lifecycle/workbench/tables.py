"""Results as HTML for a notebook: nothing from outside, readable in light and dark, every value escaped.

A table can be searched and sorted where the notebook is trusted; where it is not, JupyterLab takes the handlers
away and the table stays. Colours are JupyterLab's own variables, so that its theme decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

from lifecycle.errors import UsageError
from lifecycle.report.speech import Speech, clean


class Tabular(Protocol):
    """What a result gives for its tables."""

    def summary(self) -> dict[str, Any]: ...
    def table_rows(self) -> tuple[dict[str, Any], ...]: ...


MOST_ROWS = 200
"""A notebook shows this many rows and says how many more there are; ``frame`` and ``to_json`` have them all."""

_SEARCH_FROM = 8
_ORDER = {"failed": 0, "unknown": 1, "passed": 2}
_WORDS_OF = {
    **{
        "check": "check",
        "field": "field",
        "dataset": "dataset",
        "channel": "channel",
    },
    **{"outcome": "outcome", "ground": "ground", "setBy": "role", "role": "role"},
    **{"runcheck": "runcheck", "name": "step"},
}
"""Columns whose values have a word in the report's catalogue, and the family they belong to."""

_FOREMOST = ("check", "outcome", "count", "field", "dataset", "store", "channel", "severity")
"""Columns in the order of a reader's questions; the others follow as they come."""

_KNOWN = frozenset(_FOREMOST) | {"first", "last"}  # where in a file it was: in ``frame``, not on the page

_MARKS = {"passed": ("✓", "#1d8a57"), "failed": ("▲", "#d0482f"), "unknown": ("◇", "#b07a10")}
_INK, _QUIET = "var(--jp-content-font-color1, currentColor)", "var(--jp-content-font-color2, currentColor)"
_RULE, _SHEET = "var(--jp-border-color2, #8886)", "var(--jp-layout-color2, #8881)"
_CELL = f"padding:.3em .6em .3em 0;border-bottom:1px solid {_RULE};vertical-align:top;color:{_INK}"

_JOINTS = re.compile("(?<=[a-zäöüß]{8})(?=nummer)|(?<=arzt)(?=konsultation)")
"""Where the longest words may be divided: few browsers know German, and the last column would be cut."""

_FILTER = (
    "const q=this.value.toLowerCase();"
    "for(const r of this.parentElement.querySelectorAll('tbody tr'))"
    "r.hidden=!r.textContent.replaceAll('\\xad','').toLowerCase().includes(q)"
)
_SORT = (
    "const h=this.parentElement,t=h.closest('table').tBodies[0],i=h.cellIndex,"
    "d=h.getAttribute('aria-sort')==='ascending'?-1:1;"
    "for(const o of h.parentElement.cells)o.removeAttribute('aria-sort');"
    "h.setAttribute('aria-sort',d>0?'ascending':'descending');"
    "[...t.rows].sort((a,b)=>{const x=a.cells[i].dataset.value,y=b.cells[i].dataset.value;"
    "return d*(isNaN(x)||isNaN(y)?x.localeCompare(y):x-y)}).forEach(r=>t.append(r))"
)


_spoken = ["en"]


def speak(language: str) -> None:
    """Let results that show themselves speak this language from now on: that of the notebook they stand in."""
    _spoken[0] = refuse_language(language)


def result_html(result: Tabular, language: str | None = None) -> str:
    """Return the numbers of a result, then its rows; without a language in the one that was last asked for.

    Raises
    ------
    UsageError
        The language is not one of the report's.
    """
    say = Speech(language or _spoken[0])
    numbers = table_html([{"": _label(key, say), " ": value} for key, value in _numbers(result)], say, head=False)
    rows: list[Mapping[str, Any]] = list(result.table_rows())
    checks = getattr(result, "checks", None)
    if isinstance(checks, Mapping):
        rows = [{"runcheck": name, "outcome": outcome} for name, outcome in checks.items()]
    good = [row for row in rows if row.get("outcome") == "passed"] if len(rows) >= _SEARCH_FROM else []
    told = [row for row in rows if row not in good]
    folded = ""
    if good:
        summary = escape(f"{say.word('outcome', 'passed')}: {say.number(len(good))}")
        folded = f"<details><summary>{summary}</summary>{table_html(good, say)}</details>"
    return f'<div class="lifecycle">{numbers}{table_html(told, say) if told else ""}{folded}</div>'


def table_html(rows: Sequence[Mapping[str, Any]], say: Speech, *, head: bool = True) -> str:
    """Return one table; the first rows are those that somebody must look at."""
    filled = [name for name in rows[0] if any(row.get(name) not in (None, "") for row in rows)] if rows else []
    columns = [name for name in _FOREMOST if name in filled] + [name for name in filled if name not in _KNOWN]
    ordered = sorted(rows, key=_first_things_first)
    body = "".join(
        f"<tr>{''.join(_cell(name, row.get(name), say) for name in columns)}</tr>" for row in ordered[:MOST_ROWS]
    )
    heads = "".join(_head(name, rows, say) for name in columns) if head else ""
    search = ""
    if len(rows) >= _SEARCH_FROM and head:
        word = _TEXTS[say.language]["search"]
        search = f'<input type="search" placeholder="{word}" aria-label="{word}" oninput="{escape(_FILTER)}">'
    more = ""
    if len(rows) > MOST_ROWS:
        more = f"<p>{escape(_TEXTS[say.language]['more'].format(n=say.number(len(rows) - MOST_ROWS)))}</p>"
    style = (
        "border-collapse:collapse;margin:.4em 0 1em;text-align:left;font-variant-numeric:tabular-nums;font-size:.86em"
    )
    table = f'<table style="{style}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
    return f"<div>{search}{table}{more}</div>"


def refuse_language(language: object) -> str:
    """Return the language, if there is one of that name.

    Raises
    ------
    UsageError
        There is not.
    """
    if not isinstance(language, str) or language not in _TEXTS:
        raise UsageError("Notebooks do not speak this language.", f"one of: {', '.join(_TEXTS)}")
    return language


def _numbers(result: Tabular) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in result.summary().items() if value not in ("", None)]


def _first_things_first(row: Mapping[str, Any]) -> tuple[int, int]:
    if "outcome" not in row:
        return (0, 0)
    count = row.get("count", 0)
    return (_ORDER.get(str(row["outcome"]), 3), -count if isinstance(count, int) else 0)


def _head(name: str, rows: Sequence[Mapping[str, Any]], say: Speech) -> str:
    figures = all(_figure(row.get(name)) for row in rows)
    style = f"{_CELL};background:{_SHEET};text-align:{'right' if figures else 'left'}"
    button = "all:unset;cursor:pointer;font-weight:600"
    label = escape(_label(name, say))
    return f'<th scope="col" style="{style}"><button style="{button}" onclick="{escape(_SORT)}">{label}</button></th>'


def _cell(name: str, value: Any, say: Speech) -> str:
    text = _said(name, value, say)
    raw = value if _figure(value) else text
    style = f"{_CELL};text-align:{'right' if _figure(value) else 'left'}"
    shown = escape(_JOINTS.sub("\u00ad", text))
    if name == "outcome":
        style += ";white-space:nowrap"
    if name == "outcome" and str(value) in _MARKS:
        mark, colour = _MARKS[str(value)]
        shown = f'<span style="color:{colour}" aria-hidden="true">{mark}</span> {shown}'
    return f'<td style="{style}" data-value="{escape(str(raw))}">{shown}</td>'


def _said(name: str, value: Any, say: Speech) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _TEXTS[say.language]["yes" if value else "no"]
    if isinstance(value, int):
        return say.number(value)
    text = str(value)
    if name in _WORDS_OF:
        return ": ".join(say.word(_WORDS_OF[name], part) for part in text.split(":"))
    if name in ("store", "place"):
        return say.store(text)
    if text in _MARKS:
        return say.word("outcome", text)
    return _VALUES[say.language].get(text) or clean(text)


def _figure(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _label(name: str, say: Speech) -> str:
    german = _GERMAN.get(name) if say.language == "de" else None
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in name)
    return german or words[:1].upper() + words[1:]


_TEXTS = {
    "de": {"search": "Suchen", "more": "… und {n} weitere Zeilen", "yes": "ja", "no": "nein"},
    "en": {"search": "Search", "more": "… and {n} more rows", "yes": "yes", "no": "no"},
}
_VALUES: dict[str, dict[str, str]] = {
    "en": {},
    "de": {
        **{"sealed": "besiegelt", "aborted": "abgebrochen", "open": "begonnen", "planned": "geplant"},
        **{"error": "Fehler", "warning": "Warnung", "note": "Hinweis"},
        **{"logical": "logisch", "none": "keine", "verified": "nachgeprüft", "file-rewrite": "Datei neu geschrieben"},
    },
}
_GERMAN = {
    **{"asOf": "Stichtag", "before": "Datensätze vorher", "due": "löschfällig", "deleted": "gelöscht"},
    **{"held": "mit Löschsperre", "failed": "nicht gelöscht", "retained": "bleiben", "noAnchor": "ohne Datum"},
    **{
        "runId": "Löschlauf",
        "lastRunAt": "Letzter Löschlauf (UTC)",
        "planSha256": "Prüfsumme des Plans",
        "signed": "unterschrieben",
        "role": "Rolle",
    },
    **{
        "outcome": "Ergebnis",
        "erasure": "Art der Löschung",
        "rows": "Datensätze",
        "check": "Prüfung",
        "runcheck": "Prüfung",
    },
    **{"dataset": "Datenbestand", "store": "Speicherort", "field": "Datenfeld", "severity": "Gewicht"},
    **{"count": "Anzahl", "channel": "Weg", "state": "Stand", "name": "Schritt"},
    **{"detail": "Einzelheit", "treeSize": "Einträge im Nachweis", "files": "Dateien", "read": "gelesen"},
    **{"stored": "gespeichert", "replaced": "davon ersetzt", "duplicates": "doppelt", "rejected": "nicht lesbar"},
    **{"expired": "bei Eingang löschfällig", "consumed": "danach entfernt", "reason": "Grund", "line": "Zeile"},
    **{"file": "Datei", "number": "Nummer", "ground": "Grund", "reference": "Aktenzeichen", "setBy": "gesetzt von"},
    **{"setOn": "gesetzt am", "reviewOn": "zu prüfen am", "liftedOn": "aufgehoben am", "approvedBy": "freigegeben von"},
    **{"template": "Vorlage", "token": "Stelle", "message": "Hinweis", "hint": "Was zu tun ist", "fact": "Was war"},
    **{"step": "Schritt", "refused": "abgewiesen", "undeclared": "nicht zulässige Felder", "path": "Ordner"},
}
