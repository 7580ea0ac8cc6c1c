"""Other shapes of a contract and of findings: JSON Schema, a page for people, and reports for machines. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from xml.sax.saxutils import escape, quoteattr

from lifecycle.contract.terms import Column, Contract
from lifecycle.contract.values.registry import value_checks
from lifecycle.model import Finding, Outcome, Severity, as_json

Language = Literal["de", "en"]

_JSON_TYPES: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "timestamp": {"type": "string", "format": "date-time"},
}

_SENTENCES: Mapping[str, tuple[str, str]] = {
    "undeclared-field": (
        "A field is there that the contract does not name.",
        "Ein Feld ist da, das der Feldkatalog nicht nennt.",
    ),
    "missing-field": ("A field that the contract names is not there.", "Ein Feld, das der Feldkatalog nennt, fehlt."),
    "wrong-type": (
        "A field is of another type than the contract says.",
        "Ein Feld hat einen anderen Typ als im Feldkatalog.",
    ),
    "renamed-field": (
        "A personal field stands under another spelling.",
        "Ein personenbezogenes Feld steht unter anderer Schreibweise.",
    ),
    "repeated-field": (
        "The same personal field is there twice.",
        "Dasselbe personenbezogene Feld ist doppelt vorhanden.",
    ),
    "required-field": ("A required value is missing.", "Ein Pflichtwert fehlt."),
    "email-pattern": ("A value is no e-mail address.", "Ein Wert ist keine E-Mail-Adresse."),
    "mobile-pattern": ("A value is no phone number.", "Ein Wert ist keine Telefonnummer."),
    "allowed-word": ("A value is none of the allowed words.", "Ein Wert ist keines der zulässigen Wörter."),
    "unique-key": ("A record is there more than once.", "Ein Datensatz ist mehrfach vorhanden."),
    "second-opinion": (
        "A second, independent tool answers otherwise.",
        "Ein zweites, unabhängiges Werkzeug antwortet anders.",
    ),
}

_PAGE: Mapping[Language, Mapping[str, str]] = {
    "de": {
        "title": "Feldkatalog",
        "dataset": "Datenbestand",
        "version": "Version",
        "digest": "Prüfsumme (SHA-256)",
        "retention": "Regellöschfrist: {days} Kalendertage nach dem Ende des gebuchten Termins",
        "strict": "Alles, was hier nicht genannt ist, ist nicht zulässig.",
        "lax": "Nicht genannte Felder werden gemeldet, aber nicht als Abweichung gewertet.",
        "identity": "Daten zur Person",
        "appointment": "Daten zum Termin",
        "note": "Beide Klassen sind personenbezogen; in Behandlung zu sein, ist ein Gesundheitsdatum (Art. 9 DSGVO).",
        "head": "Feld | Bedeutung | Pflicht | Typ | Grundlage (Wortlaut der Hilfeseite)",
        "yes": "ja",
        "no": "nein",
        "use": "Für das Verzeichnis von Verarbeitungstätigkeiten (Art. 30 DSGVO).",
        "checks": "Was an den Werten geprüft wird",
    },
    "en": {
        "title": "Data contract",
        "dataset": "Dataset",
        "version": "Version",
        "digest": "Digest (SHA-256)",
        "retention": "Standard deletion period: {days} calendar days after the end of the booked appointment",
        "strict": "Everything that is not named here is not allowed.",
        "lax": "Fields that are not named are reported, but do not count as failed.",
        "identity": "Data about the person",
        "appointment": "Data about the appointment",
        "note": "Both classes are personal; being a patient is health data (Art. 9 GDPR).",
        "head": "Field | Meaning | Required | Type | Source (wording of the help page)",
        "yes": "yes",
        "no": "no",
        "use": "For the record of processing activities (Art. 30 GDPR).",
        "checks": "What is checked about the values",
    },
}


def sentence(check: str, language: Language = "en") -> str:
    """What a check means, for a data protection officer; the check's name where nothing is known of it.

    Examples
    --------
    >>> sentence("kvnr")
    'A health insurance number (KVNR) stands in a field that may not hold one.'
    """
    name = check.split(":")[0]
    known = {value.name: (value.sentence_en, value.sentence_de) for value in value_checks()}
    pair = known.get(name) or _SENTENCES.get(name)
    return check if pair is None else pair[0 if language == "en" else 1]


def json_schema(contract: Contract) -> dict[str, Any]:
    """The contract as a JSON Schema (draft 2020-12) of one record; undeclared keys are refused."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": contract.title,
        "description": contract.description,
        "type": "object",
        "properties": {column.name: _property(column) for column in contract.columns},
        "required": [column.name for column in contract.columns if column.required],
        "additionalProperties": not contract.strict,
    }


def _property(column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {**_JSON_TYPES[column.type], "description": column.description}
    if column.pattern:
        described["pattern"] = column.pattern
    if not column.required:
        described["type"] = [described["type"], "null"]
    return described


def contract_page(contract: Contract, language: Language = "de") -> str:
    """The contract as a Markdown page for the record of processing activities."""
    words = _PAGE[language]
    lines = [f"# {words['title']}: {contract.dataset}", "", words["use"], ""]
    lines += [contract.description_de if language == "de" else contract.description, ""]
    lines += [f"- {words['dataset']}: `{contract.dataset}`", f"- {words['version']}: {contract.version}"]
    lines += [f"- {words['digest']}: `{contract.digest}`"]
    lines += [f"- {words['retention'].format(days=contract.retention_days)}"]
    lines += [f"- {words['strict'] if contract.strict else words['lax']}", "", words["note"]]
    for data_class in ("identity", "appointment"):
        lines += ["", f"## {words[data_class]}", "", f"| {words['head']} |", "|---|---|---|---|---|"]
        lines += [_line(column, language) for column in contract.columns if column.data_class == data_class]
    lines += ["", f"## {words['checks']}", ""]
    lines += [f"- `{check.name}`: {sentence(check.name, language)}" for check in value_checks()]
    return "\n".join(lines) + "\n"


def _line(column: Column, language: Language) -> str:
    words = _PAGE[language]
    meaning = column.description_de if language == "de" else column.description
    cells = (f"`{column.name}`", meaning, words["yes" if column.required else "no"], column.type, f"„{column.source}“")
    return "| " + " | ".join(re.sub(r"[|\r\n]", " ", cell) for cell in cells) + " |"


def findings_json(findings: Sequence[Finding]) -> str:
    """Findings as JSON: names and counts."""
    return json.dumps({"findings": as_json(tuple(findings))}, ensure_ascii=False, indent=2) + "\n"


def findings_junit(findings: Sequence[Finding]) -> str:
    """Findings as JUnit XML, so that a build shows them: a failed note is passed, an unknown one is an error."""
    cases = [_case(finding) for finding in findings]
    failures = sum(_fails(finding) for finding in findings)
    errors = sum(finding.outcome is Outcome.UNKNOWN for finding in findings)
    head = f'<testsuite name="lifecycle check" tests="{len(cases)}" failures="{failures}" errors="{errors}">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>", ""])


def _case(finding: Finding) -> str:
    place = ".".join(part for part in (finding.dataset, finding.store, finding.channel) if part)
    name = " ".join(part for part in (finding.check, finding.field) if part)
    opening = f"  <testcase classname={quoteattr(_printable(place))} name={quoteattr(_printable(name))}"
    message = quoteattr(f"{finding.count} ({finding.severity})")
    if _fails(finding):
        return f"{opening}><failure message={message}>{escape(sentence(finding.check))}</failure></testcase>"
    if finding.outcome is Outcome.UNKNOWN:
        return f'{opening}><error message="unknown">{escape(sentence(finding.check))}</error></testcase>'
    return f"{opening}/>"


def findings_sarif(findings: Sequence[Finding], version: str) -> str:
    """Findings that failed or are unknown as SARIF 2.1.0; the store stands for the file, lines where they are known."""
    told = [finding for finding in findings if finding.outcome is not Outcome.PASSED]
    rules = [{"id": name, "shortDescription": {"text": sentence(name)}} for name in _distinct(f.check for f in told)]
    driver = {"name": "lifecycle", "version": version, "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(finding) for finding in told]}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2) + "\n"


def _result(finding: Finding) -> dict[str, Any]:
    unknown = finding.outcome is Outcome.UNKNOWN
    where: dict[str, Any] = {"artifactLocation": {"uri": f"{finding.store.replace(' ', '-')}/{finding.dataset}"}}
    if finding.first is not None and finding.first > 0:
        where["region"] = {"startLine": finding.first, "endLine": finding.last or finding.first}
    said = "could not be told" if unknown else f"{finding.count} rows"
    text = f"{finding.field or finding.dataset}: {said}. {sentence(finding.check)}"
    return {
        "ruleId": finding.check,
        "level": "warning" if unknown else str(finding.severity),
        "message": {"text": text},
        "locations": [{"physicalLocation": where}],
        "properties": {"channel": finding.channel, "count": finding.count, "outcome": str(finding.outcome)},
    }


def _fails(finding: Finding) -> bool:
    return finding.outcome is Outcome.FAILED and finding.severity is not Severity.NOTE


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _printable(text: str) -> str:
    """Without characters that XML forbids."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]", "", text)
