"""What the ZIP for an authority says about itself, in both languages. Sentences that need not apply stand apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """The file in one language: its text with gaps, and what fills them where the evidence gives reason to.

    ``folder`` describes the log of a closed year, ``years`` how years follow each other, ``kept_years`` what that
    means for a checkpoint that was noted; ``old_key``, ``changed`` and ``stamped`` are for keys and stamps.
    """

    text: str
    folder: str
    years: str
    kept_years: str
    changed: str
    old_key: str
    stamped: str

    def filled(self, words: Mapping[str, str], closed: Sequence[int], calls: Sequence[str], having: set[str]) -> str:
        """Spell the file.

        Parameters
        ----------
        words : mapping
            ``workspace``, ``year``, ``size`` and ``root``.
        closed : sequence of int
            The closed years, the newest first.
        calls : sequence of str
            The calls of ``verify.py``, one a log.
        having : set of {"changed", "stamped"}
            What the evidence has of these.
        """
        said = [("years", bool(closed)), ("kept_years", bool(closed)), ("changed", "changed" in having)]
        said += [("old_key", bool(closed) and "changed" in having), ("stamped", "stamped" in having)]
        more = {name: getattr(self, name) if applies else "" for name, applies in said}
        folders = "".join(self.folder.format(folder=f"evidence-{year:04d}/", year=year) for year in closed)
        return self.text.format(folders=folders, calls="\n".join(f"  {call}" for call in calls), **more, **words)


GERMAN = Words(
    text="""Prüfunterlagen zur Löschung: {workspace}

Was hier liegt
  rules.json          die Löschregeln, Speicherorte, Datenarten und Fristen der Sicherungen, wie sie heute gelten
  rules-history.csv   die Fassungen der Löschregeln in ihrer Folge, jede mit dem ersten Löschlauf, der ihr folgte; die
                      Prüfsumme (policy_sha256) umfasst auch Speicherorte, Datenarten und Sicherungen
  contracts/          der Feldkatalog: welche Datenfelder zulässig sind
  runs.csv            alle Löschläufe, auch Nächte ohne löschfällige Daten, abgebrochene und nur geplante
  exceptions.csv      Löschsperren nach Grund: in Kraft, aufgehoben, gesperrte Datensätze
  approvals/          die Dauerfreigaben und ihre Unterschriften (ssh-keygen -Y verify -n deletion-approval)
  evidence/           die Nachweise selbst: je Löschlauf ein Ordner, dazu das signierte Protokoll
{folders}  verify.py           das Prüfprogramm, eine Datei, lesbar; es braucht nur Python und das Paket cryptography

Namen, Adressen, Nummern oder Termine von Personen stehen in keiner dieser Dateien. Die Löschmarken
(tombstones.txt) sind mit einem Schlüssel gebildete Prüfsummen; der Schlüssel liegt nicht bei und wird nach Ablauf
der Sicherungen vernichtet.

So prüfen Sie
{calls}

Das Programm nummeriert seine Schritte. Es endet mit "Nothing is wrong." und dem Rückgabewert 0, oder mit "BROKEN OR
UNFINISHED" und 7, wenn etwas fehlt oder nicht stimmt.
{years}
Haben Sie früher einen Kontrollpunkt notiert, so rufen Sie das Programm noch einmal auf, mit dessen Größe und Wurzel als
drittem und viertem Argument: dann zeigt sich auch, ob das Protokoll seither neu geschrieben wurde.
{kept_years}
Bitte notieren Sie den heutigen:

  Jahr    {year}
  Größe   {size}
  Wurzel  {root}

Den öffentlichen Schlüssel (evidence/log.vkey) sollten Sie auf einem anderen Weg erhalten haben als dieses Archiv.
{changed}{old_key}{stamped}
Was diese Unterlagen nicht zeigen
  ob es Speicherorte gibt, die niemand benannt hat; was Auftragsverarbeiter in eigenen Systemen tun; ob die Zahlen
  vor dem Lauf stimmten; und, ohne einen früher notierten Kontrollpunkt, ob alles neu geschrieben wurde.
""",
    folder="  {folder:<19} ebenso für das Jahr {year}, das abgeschlossen ist\n",
    years="""
Jedes Jahr hat ein eigenes Protokoll und darum einen eigenen Aufruf; evidence ist das laufende. Der erste Eintrag eines
Protokolls nennt Größe und Wurzel, mit denen das vorige endete (keys-log/log-opened.json, "previous"). Das sind die
beiden Werte in den Aufrufen oben; in der Datei checkpoint des vorigen müssen sie in der zweiten und dritten Zeile
stehen. Fehlt der Ordner eines früheren Jahres, so muss keys-log/log-dropped-<Jahr>.json eines späteren sagen, dass er
gelöscht wurde.
""",
    kept_years="""\
Er gehört zum Protokoll seines Jahres: Ist das abgeschlossen, so nehmen Sie den Aufruf für evidence-<Jahr> und
ersetzen die beiden Werte darin. Steht kein Jahr dabei, so gilt das Datum Ihrer Notiz; Anfang Januar kann es noch das
Vorjahr sein. Nimmt einer der Aufrufe ihn an, so ist er gut.
""",
    changed="""\
Der Schlüssel wurde gewechselt (keys-log/signing-key-*.json); jeden Wechsel hat der vorige Schlüssel unterschrieben,
und das Programm nimmt jeden Schlüssel an, den das Protokoll hatte.
""",
    old_key="Haben Sie den Schlüssel eines früheren Jahres, so geben Sie ihn im Aufruf für dieses Jahr an.\n",
    stamped="""
Zeitstempel eines Dritten (6-record.json.tlog-proof.tsr) liegen bei: Das Programm nennt zu jedem den Aufruf von openssl,
der ihn prüft; geben Sie ihn im Ordner des Protokolls ein, mit dem Zertifikat, das der Zeitstempeldienst veröffentlicht
(ca.pem; es liegt nicht bei).
""",
)

ENGLISH = Words(
    text="""Inspection file on deletion: {workspace}

What is here
  rules.json          the deletion rules, stores, data types and backup periods as they are today
  rules-history.csv   the versions of the deletion rules in their order, each with the first deletion run that followed
                      it; the digest (policy_sha256) covers stores, data types and backups, too
  contracts/          the data contracts: which fields are allowed
  runs.csv            all deletion runs, nights with nothing due, aborted and merely planned ones included
  exceptions.csv      holds by ground: in force, lifted, rows held
  approvals/          the standing approvals and their signatures (ssh-keygen -Y verify -n deletion-approval)
  evidence/           the evidence itself: one folder a run, and the signed log
{folders}  verify.py           the verifier, one readable file; it needs Python and the package cryptography only

No name, address, number or appointment of a person stands in any of these files. The tombstones (tombstones.txt)
are digests made with a key; the key is not here, and it is destroyed once the backups are over.

How to verify
{calls}

The program numbers its steps. It ends with "Nothing is wrong." and exit code 0, or with "BROKEN OR UNFINISHED" and 7
where something is missing or wrong.
{years}
If you noted a checkpoint before, call the program once more, with its size and root as third and fourth argument: that
shows whether the log was rewritten since.
{kept_years}
Please note today's:

  year  {year}
  size  {size}
  root  {root}

You should have received the public key (evidence/log.vkey) by another way than this archive.
{changed}{old_key}{stamped}
What this file does not show
  whether there are stores that nobody named; what processors do in systems of their own; whether the counts before
  a run were true; and, without a checkpoint noted earlier, whether everything was written anew.
""",
    folder="  {folder:<19} the same for the year {year}, which is closed\n",
    years="""
Every year has a log of its own and so a call of its own; evidence is the current one. The first entry of a log names
the size and root with which the one before ended (keys-log/log-opened.json, "previous"). These are the two values in
the calls above; the file checkpoint of the one before must have them in its second and third line. Where the folder of
an earlier year is missing, keys-log/log-dropped-<year>.json of a later one must say that it was deleted.
""",
    kept_years="""\
It belongs to the log of its year: if that is closed, take the call for evidence-<year> and replace the two values in
it. If no year stands beside it, the date of your note counts; early in January it may be the year before. If one of
the calls accepts it, it is good.
""",
    changed="""\
The key was changed (keys-log/signing-key-*.json); each change is signed by the key before it, and the program
accepts every key that the log had.
""",
    old_key="If you have the key of an earlier year, give it in the call for that year.\n",
    stamped="""
Time stamps of a third party (6-record.json.tlog-proof.tsr) are included: for each the program names the call of openssl
that checks it; enter it in the folder of the log, with the certificate that the time stamp authority publishes (ca.pem;
it is not included).
""",
)
