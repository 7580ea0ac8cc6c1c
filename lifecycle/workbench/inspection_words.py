"""What the ZIP for an authority says about itself, in both languages; ``{size}`` and ``{root}`` are filled in."""

GERMAN = """Prüfunterlagen zur Löschung: {workspace}

Was hier liegt
  rules.json          die Löschregeln, Speicherorte, Datenarten und Fristen der Sicherungen, wie sie heute gelten
  rules-history.csv   jede Fassung der Löschregeln mit dem ersten Löschlauf, der ihr folgte
  contracts/          der Feldkatalog: welche Datenfelder zulässig sind
  runs.csv            alle Löschläufe, auch Nächte ohne löschfällige Daten, abgebrochene und nur geplante
  exceptions.csv      Löschsperren nach Grund: in Kraft, aufgehoben, gesperrte Datensätze
  evidence/           die Nachweise selbst: je Löschlauf ein Ordner, dazu das signierte Protokoll
  verify.py           das Prüfprogramm, eine Datei, lesbar; es braucht nur Python und das Paket cryptography

Namen, Adressen, Nummern oder Termine von Personen stehen in keiner dieser Dateien. Die Löschmarken
(tombstones.txt) sind mit einem Schlüssel gebildete Prüfsummen; der Schlüssel liegt nicht bei und wird nach Ablauf
der Sicherungen vernichtet.

So prüfen Sie
  python verify.py evidence evidence/log.vkey

Das Programm nummeriert seine Schritte und endet mit 0, oder mit 7, wenn etwas fehlt oder nicht stimmt. Haben Sie
früher einen Kontrollpunkt notiert (Größe und Wurzel), so geben Sie beide als drittes und viertes Argument an: dann
zeigt sich auch, ob das Protokoll nachträglich neu geschrieben wurde. Bitte notieren Sie den heutigen:

  Größe   {size}
  Wurzel  {root}

Den öffentlichen Schlüssel (evidence/log.vkey) sollten Sie auf einem anderen Weg erhalten haben als dieses Archiv.

Was diese Unterlagen nicht zeigen
  ob es Speicherorte gibt, die niemand benannt hat; was Auftragsverarbeiter in eigenen Systemen tun; ob die Zahlen
  vor dem Lauf stimmten; und, ohne einen früher notierten Kontrollpunkt, ob alles neu geschrieben wurde.
"""

ENGLISH = """Inspection file on deletion: {workspace}

What is here
  rules.json          the deletion rules, stores, data types and backup periods as they are today
  rules-history.csv   every version of the deletion rules, with the first deletion run that followed it
  contracts/          the data contracts: which fields are allowed
  runs.csv            all deletion runs, nights with nothing due, aborted and merely planned ones included
  exceptions.csv      holds by ground: in force, lifted, rows held
  evidence/           the evidence itself: one folder a run, and the signed log
  verify.py           the verifier, one file that can be read; it needs Python and the package cryptography only

No name, address, number or appointment of a person stands in any of these files. The tombstones (tombstones.txt)
are digests made with a key; the key is not here, and it is destroyed once the backups are over.

How to verify
  python verify.py evidence evidence/log.vkey

It numbers its steps and ends with 0, or with 7 where something is missing or wrong. If you noted a checkpoint
before (size and root), give both as third and fourth argument: that shows whether the log was rewritten since.
Please note today's:

  size  {size}
  root  {root}

You should have received the public key (evidence/log.vkey) by another way than this archive.

What this file does not show
  whether there are stores that nobody named; what processors do in systems of their own; whether the counts before
  a run were true; and, without a checkpoint noted earlier, whether everything was written anew.
"""
