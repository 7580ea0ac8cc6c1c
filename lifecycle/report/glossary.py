"""The words of the house: one English and one German word for each thing, and the words never used for it.

Tests hold every text of the reports to it. A word in ``never_*`` is a word beginning, without regard to case.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """One thing with its word in either language."""

    english: str
    german: str
    never_english: tuple[str, ...] = ()
    never_german: tuple[str, ...] = ()


TERMS: tuple[Term, ...] = (
    Term("allowed field", "zulässige Datenfelder", ("whitelist",), ("Whitelist", "Positivliste", "erlaubte Felder")),
    Term("data contract", "Feldkatalog", ("schema",), ("Datenvertrag", "Data Contract", "Schema")),
    Term("deletion rule", "Löschregel", ("retention policy",), ("Löschrichtlinie", "Löschvorschrift", "Policy")),
    Term("starting point", "Startzeitpunkt", ("start date",), ("Fristbeginn", "Startdatum")),
    Term("standard deletion period", "Regellöschfrist", ("retention period",), ("Aufbewahrungsfrist", "Speicherdauer")),
    Term("due", "löschfällig", (), ("zu löschend", "löschreif")),
    Term("overdue", "überfällig", ("past due",), ("verspätet", "verfristet")),
    Term("not yet due", "noch nicht fällig", ("undue",)),
    Term("deletion run", "Löschlauf", ("purge", "erasure run"), ("Löschvorgang", "Löschjob", "Purge", "Bereinigung")),
    Term(
        "deletion record",
        "Löschnachweis",
        ("certificate",),
        ("Zertifikat", "Löschprotokoll", "Löschbescheinigung", "Löschbestätigung"),
    ),
    Term("finding", "Feststellung", ("issue", "violation"), ("Befund", "Verstoß", "Finding", "Auffälligkeit")),
    Term("passed", "bestanden", ("success",), ("erfolgreich", "fehlerfrei")),
    Term("failed", "Abweichung", (), ("nicht bestanden", "durchgefallen")),
    Term("unknown", "nicht feststellbar", ("inconclusive",), ("unbekannt", "unklar", "ungewiss")),
    Term("approval", "Freigabe", ("authorisation", "authorization"), ("Genehmigung", "Bewilligung")),
    Term("standing approval", "Dauerfreigabe", ("blanket",), ("Generalfreigabe", "Blankofreigabe")),
    Term("hold", "Löschsperre", ("legal hold",), ("Legal Hold", "Aufbewahrungssperre", "Sperrvermerk", "Löschstopp")),
    Term("restriction", "Einschränkung der Verarbeitung", ("blocking",), ("Sperrung", "Datensperre")),
    Term("tombstone", "Löschmarke", ("grave",), ("Tombstone", "Grabstein", "Löschvermerk")),
    Term("residue scan", "Restdatenprüfung", ("leftover scan",), ("Restdatensuche", "Residuenscan")),
    Term("store", "Speicherort", ("repository",), ("Ablageort", "Datenspeicher", "Store")),
    Term("drift", "Abgleich", (), ("Drift", "Abdrift")),
    Term("data protection officer", "Datenschutzbeauftragte/r (DSB)", ("privacy officer",), ("Datenschützer",)),
    Term(
        "record of processing",
        "Verzeichnis von Verarbeitungstätigkeiten (VVT)",
        ("register of processing",),
        ("Verfahrensverzeichnis", "Verarbeitungsverzeichnis"),
    ),
    Term("deletion concept", "Löschkonzept", ("erasure concept", "deletion policy"), ("Löschkonzeption",)),
    Term("deletion class", "Löschklasse", ("erasure class",), ("Löschkategorie",)),
    Term("implementation rule", "Umsetzungsvorgabe", ("implementation guideline",), ("Umsetzungsrichtlinie",)),
)
"""The terms that appear in reports."""
