"""A labelled set of made-up values, to measure how well the value checks find what they should. Deterministic.

Half of it is easy, a third is hard: other spellings, other words than the lists hold, values that only look wrong.
Some of it the checks are known to miss; that is what makes the figures worth stating.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from lifecycle.contract.terms import Contract
from lifecycle.contract.values.identifiers import iban_holds, kvnr_holds, lanr_holds, tax_id_holds
from lifecycle.contract.values.registry import OWN_DATES, value_checks
from lifecycle.contract.values.scan import hits_in, suspects_in

WHEN = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)
"""The appointment of every labelled row."""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_FIRST = _listed(
    "Anna|Jürgen|Zoë|Łukasz|Ayşe|Mehmet|Thị|Søren|Iwona|Karl-Heinz|Ana-María|Björn|Ngoc|Dmitri|Marie-Luise"
)
_LAST = _listed("Müller|Krebs|Herz|Sommer|Nguyen|O'Neill|Wójcik|Yılmaz|Lüdenscheidt|Schmidt|Straßer|Berger|Koch|Winter")
_NAMES = _listed(
    "Dr. Oetker|van der Berg|von der Leyen|Müller-Lüdenscheidt|Anna Maria|de la Cruz|Al-Hassan|St. Clair|"
    "Иванова|Χριστίνα|Graf von Stauffenberg|Kind|Alt|Jung|Fieber|Angst|Mai|Arzt|Weg|Platz|Ring|"
    "Markt|Bergstraesser|Tan|P-17|Patient 4|K.|B12|Max M.|Freiherr von und zu Guttenberg|King Jr.|"
    "Mac Donald|Schwester|Male|Divers|Trauma|Pest"
)
_SEPARATORS = ("", "", "", " ", "-", ".", "/", "\u200b", "\u00a0", "\u2011")
_ILLNESS = _listed(
    "Diabetes|Depression|Brustkrebs|HIV|Migräne|Rückenschmerzen|Schwangerschaft|Burnout|Asthma|"
    "Bluthochdruck|Epilepsie|Verdacht auf Krebs|wegen Grippe|Angststörung|Alkoholsucht|Schilddrüse|"
    "pregnancy|anxiety disorder|back pain|dementia|Gelbsucht|Gürtelrose|Hühneraugen|Schuppenflechte|"
    "Hämorrhoiden|Warze|Hammerzeh|ringworm"
)
_STREETS = _listed(
    "Hauptstraße|Musterweg|Lange Gasse|Bahnhofstr.|Am Markt|Schillerplatz|Lindenallee|Unter den Eichen|Kirchring"
    "|Im Winkel"
)
_NOTES = _listed(
    "bitte zurückrufen|kommt mit Dolmetscher|nur vormittags|spricht kein Deutsch|privat versichert|"
    "Termin verschoben|please call back|needs interpreter|ruft nochmal an|Neupatientin|hat eine Frage?|"
    "sehr nett|Schlüssel beim Nachbarn"
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A value, where it stands, which check ought to find it (none for a clean one) and which others may."""

    field: str
    value: str
    kind: str = ""
    may: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """How one check did. Precision and recall are shares of 1; rows are counted, not values."""

    check: str
    positives: int
    found: int
    wrong: int

    @property
    def recall(self) -> float:
        """Share of what ought to be found that was."""
        return self.found / self.positives if self.positives else 1.0

    @property
    def precision(self) -> float:
        """Share of what was found that ought to be."""
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0


def labelled_set(*, each: int = 200, clean: int = 6_000, seed: int = 2026) -> tuple[Labelled, ...]:
    """``each`` values for every check and ``clean`` ones for none."""
    rng = random.Random(seed)
    rows = [row for kind, make in _MAKERS.items() for row in (_positive(rng, kind, make) for _ in range(each))]
    return (*rows, *(_clean(rng) for _ in range(clean)))


def scores(contract: Contract, labelled: tuple[Labelled, ...]) -> Mapping[str, Score]:
    """Run the value checks over the labelled set: check to score."""
    hit: dict[str, set[int]] = {check.name: set() for check in value_checks()}
    for field in sorted({row.field for row in labelled}):
        numbers = [i for i, row in enumerate(labelled) if row.field == field]
        for number, check in _found(contract, field, [labelled[i].value for i in numbers]):
            hit[check].add(numbers[number])
    return {check: _score(check, found, labelled) for check, found in hit.items()}


def _found(contract: Contract, field: str, values: list[str]) -> Iterator[tuple[int, str]]:
    blank = {column.name: pl.lit(None, dtype=column.dtype) for column in contract.columns}
    blank |= {name: pl.lit(WHEN).cast(contract.column(name).dtype) for name in OWN_DATES}
    del blank[field]
    frame = pl.DataFrame({field: values}).with_columns(**blank, _channel=pl.lit(""), _at=pl.lit(0))
    for suspects in suspects_in(contract, frame, [field]):
        hits = hits_in(suspects)
        for check in value_checks():
            if check.name in hits.columns:
                yield from ((int(number), check.name) for number in hits.filter(pl.col(check.name))["_row"])


def _score(check: str, found: set[int], labelled: tuple[Labelled, ...]) -> Score:
    positives = {i for i, row in enumerate(labelled) if row.kind == check}
    tolerated = {i for i, row in enumerate(labelled) if check in row.may}
    return Score(check, len(positives), len(found & positives), len(found - positives - tolerated))


def scores_table(measured: Mapping[str, Score]) -> str:
    """The scores as a Markdown table, for the documentation and the benchmark."""
    lines = ["| check | precision | recall | values |", "|---|---|---|---|"]
    lines += [f"| {s.check} | {s.precision:.3f} | {s.recall:.3f} | {s.positives} |" for s in measured.values()]
    return "\n".join(lines)


# --- making values ---------------------------------------------------------------------------------


def _positive(rng: random.Random, kind: str, make: Callable[[random.Random], tuple[str, str]]) -> Labelled:
    field, value = make(rng)
    return Labelled(field, value, kind, _MAY.get(kind, ("free-text",)))


_MAY = {
    "tan-or-link": ("url", "free-text"),
    "url": ("tan-or-link", "free-text"),
    "icd-10": ("medical-word", "free-text"),
}
"""A join link is a link, a code beside "Diagnose" is a medical word: whoever finds that is not wrong about it.

And whatever is wrong in a name may be a text too: the precision of ``free-text`` is against clean values.
"""


def _clean(rng: random.Random) -> Labelled:
    kind = rng.random()
    if kind < 0.5:
        value = rng.choice(_NAMES) if rng.random() < 0.4 else _name(rng)
        return Labelled(rng.choice(("first_name", "last_name")), value)
    if kind < 0.65:
        local = f"{rng.choice(_FIRST)}.{rng.choice(_LAST)}{rng.choice(('', '', '1980', '7', '15081980'))}"
        plain = "".join(c for c in local if c.isascii() and c != "'")
        return Labelled("email", f"{plain}@example.{rng.choice(('org', 'com', 'net'))}")
    if kind < 0.8:
        number = f"152 288{_digits(rng, 5)}" if rng.random() < 0.5 else f"171 39200{_digits(rng, 2)}"
        prefix = rng.choice(("+49 ", "0049-", "0", "+49 (0) "))
        return Labelled("mobile", prefix + (number if rng.random() < 0.5 else number.replace(" ", "")))
    field = rng.choice(("appointment_uid", "service_id", "calendar_ref"))
    ids = (_digits(rng, 9), _hex(rng, 32), _hex(rng, 12), f"ext-{_digits(rng, 6)}", f"{_digits(rng, 8)}-{_hex(rng, 4)}")
    known = ids if field == "appointment_uid" else (ids[0], *ids[3:])
    return Labelled(field, rng.choice(known))


def _digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(n))


def _hex(rng: random.Random, n: int) -> str:
    return "".join(rng.choice("0123456789abcdef") for _ in range(n))


def _name(rng: random.Random) -> str:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return rng.choice((first, last, f"{first} {rng.choice(_FIRST)}", f"{last}-{rng.choice(_LAST)}"))


def _beside(rng: random.Random, what: str) -> str:
    """The value alone, behind a name, or in brackets."""
    name = _name(rng)
    return rng.choice((what, f"{name} {what}", f"{what} {name}", f"{name} ({what})", f"{name}, {what}"))


def _in_name(rng: random.Random, what: str) -> tuple[str, str]:
    return rng.choice(("first_name", "last_name")), _beside(rng, what)


def _spelled(rng: random.Random, number: str, group: int) -> str:
    separator = rng.choice(_SEPARATORS)
    spelled = separator.join(number[i : i + group] for i in range(0, len(number), group))
    return "".join(chr(0xFF10 + int(c)) if c.isdigit() else c for c in spelled) if rng.random() < 0.1 else spelled


def _kvnr(rng: random.Random) -> tuple[str, str]:
    head = rng.choice(string.ascii_uppercase) + _digits(rng, 8)
    number = next(head + d for d in string.digits if kvnr_holds(head + d))
    if rng.random() < 0.25:
        field = rng.choice(("email", "appointment_uid", "mobile", "service_id"))
        return field, f"{number.lower()}@example.org" if field == "email" else number
    return _in_name(rng, _spelled(rng, number, rng.choice((1, 3, 10))))


def _iban(rng: random.Random) -> tuple[str, str]:
    account = _digits(rng, 18)
    number = next(f"DE{n:02d}{account}" for n in range(100) if iban_holds(f"DE{n:02d}{account}"))
    return _in_name(rng, _spelled(rng, number, 4))


def _tax_id(rng: random.Random) -> tuple[str, str]:
    while True:
        number = _digits(rng, 11)
        if tax_id_holds(number):
            return _in_name(rng, _spelled(rng, number, rng.choice((11, 3))))


def _doctor(rng: random.Random) -> tuple[str, str]:
    while True:
        number = _digits(rng, 9)
        if lanr_holds(number):
            word = rng.choice(("LANR ", "LANR: ", "Arztnr. ", "", "", "Betriebsstätte "))
            return _in_name(rng, word + number)


def _birth_date(rng: random.Random) -> tuple[str, str]:
    day = date(1930, 1, 1) + timedelta(days=rng.randrange(34_000))
    form = rng.choice(("%d.%m.%Y", "%d.%m.%y", "%Y-%m-%d", "%d/%m/%Y", "%d%m%Y", "%Y%m%d", "%d. %B %Y", "%d %m %Y"))
    return _in_name(rng, rng.choice(("", "", "geb. ", "*")) + day.strftime(form))


def _icd(rng: random.Random) -> tuple[str, str]:
    code = f"{rng.choice('ABCDEFGHIJKLMNZ')}{_digits(rng, 2)}"
    full = code + rng.choice((f".{_digits(rng, 1)}", f".{_digits(rng, 2)}", f".{_digits(rng, 1)} G", ".-"))
    return _in_name(rng, rng.choice((full, full, f"ICD {code}", f"Diagnose {full}", f"V.a. {code}", f"{full}")))


def _ops(rng: random.Random) -> tuple[str, str]:
    code = f"{rng.choice('135689')}-{_digits(rng, 3)}"
    return _in_name(rng, rng.choice((f"{code}.{_digits(rng, 2)}", f"OPS {code}", f"Eingriff {code}.{_digits(rng, 1)}")))


def _landline(rng: random.Random) -> tuple[str, str]:
    area, number = rng.choice((("30", "23125"), ("69", "90009"), ("40", "66969"), ("89", "99998")))
    prefix = rng.choice((f"0{area} ", f"+49 {area} ", f"0049{area}", f"0{area}/", f"+49 (0){area}-", f"(0{area}) "))
    return "mobile", f"{prefix}{number}{_digits(rng, 3)}"


def _foreign(rng: random.Random) -> tuple[str, str]:
    prefix = rng.choice(("+43 664 ", "0041 79 ", "+33 6 ", "+1 202 ", "0031-6-", "+48 50 "))
    return "mobile", prefix + _digits(rng, 7)


def _role(rng: random.Random) -> tuple[str, str]:
    role = rng.choice(
        ("info", "praxis", "kontakt", "office", "anmeldung", "empfang", "noreply", "praxis-mueller", "mail")
    )
    return "email", f"{role}@example.{rng.choice(('org', 'com'))}"


def _phone(rng: random.Random) -> tuple[str, str]:
    number = f"0152 288{_digits(rng, 5)}" if rng.random() < 0.6 else f"030 23125{_digits(rng, 3)}"
    number = rng.choice((number, number.replace(" ", ""), number.replace(" ", "/"), "+49 " + number[1:]))
    return _in_name(rng, rng.choice(("", "", "Tel. ", "Handy ")) + number)


def _mail(rng: random.Random) -> tuple[str, str]:
    address = f"{rng.choice(('anna', 'b.c', 'x_1'))}@example.org"
    return _in_name(rng, rng.choice((address, address, address.replace("@", " (at) "), address.replace("@", "＠"))))


def _link(rng: random.Random) -> tuple[str, str]:
    return _in_name(
        rng, rng.choice(("https://example.org/a", "www.example.com", "http://example.net?x=1", "example.org/t"))
    )


def _tan(rng: random.Random) -> tuple[str, str]:
    code = "".join(rng.choice(string.ascii_uppercase + string.digits) for _ in range(12))
    words = (code, code, f"TAN {code}", f"TAN: {code}", f"https://arztkonsultation.de/?tan={code}", code.lower())
    return _in_name(rng, rng.choice(words))


def _street(rng: random.Random) -> tuple[str, str]:
    street = f"{rng.choice(_STREETS)} {rng.randint(1, 199)}{rng.choice(('', '', 'a'))}"
    return _in_name(rng, rng.choice((street, street, f"{_digits(rng, 5)} Musterstadt", f"{street}, 12345 Berlin")))


def _medical(rng: random.Random) -> tuple[str, str]:
    word = rng.choice(_ILLNESS)
    if rng.random() < 0.15:
        return "service_id", f"{word} Sprechstunde"
    return _in_name(rng, word.upper() if rng.random() < 0.1 else word)


def _salutation(rng: random.Random) -> tuple[str, str]:
    title = rng.choice(
        ("Herr", "Frau", "Hr.", "Fr.", "Mrs.", "Prof.", "Prof. Dr.", "Dr. med.", "Frau Dr.", "Dipl.-Ing.")
    )
    return rng.choice(("first_name", "last_name")), f"{title} {rng.choice(_LAST)}"


def _age(rng: random.Random) -> tuple[str, str]:
    years = rng.randint(1, 99)
    words = (f"{years} Jahre", f"{years} J.", f"{years}-jährig", "(w)", "(m)", "männlich", f"{years} years", "weiblich")
    return rng.choice(("first_name", "last_name")), f"{_name(rng)} {rng.choice(words)}"


def _several(rng: random.Random) -> tuple[str, str]:
    one, two = rng.choice(_FIRST), rng.choice(_FIRST)
    both = (f"{one} und {two}", f"{one} & {two}", f"{one}/{two}", f"Familie {rng.choice(_LAST)}", f"{one} u. {two}")
    if rng.random() < 0.2:
        return "email", "a@example.org; b@example.org"
    return "first_name", rng.choice(both)


def _note(rng: random.Random) -> tuple[str, str]:
    return rng.choice(("first_name", "last_name")), f"{rng.choice(_LAST)} {rng.choice(_NOTES)}"


def _html(rng: random.Random) -> tuple[str, str]:
    tags = ("<b>x</b>", "<br>", "&uuml;", "&#252;", "<script>alert(1)</script>", "<img src=x onerror=y>", "{{ name }}")
    return _in_name(rng, rng.choice(tags))


_MAKERS: Mapping[str, Callable[[random.Random], tuple[str, str]]] = {
    "kvnr": _kvnr,
    "iban": _iban,
    "steuer-id": _tax_id,
    "lanr-bsnr": _doctor,
    "date-of-birth": _birth_date,
    "icd-10": _icd,
    "ops": _ops,
    "landline": _landline,
    "foreign-number": _foreign,
    "role-address": _role,
    "phone-in-text": _phone,
    "email-in-text": _mail,
    "url": _link,
    "tan-or-link": _tan,
    "street-or-postcode": _street,
    "medical-word": _medical,
    "salutation-or-title": _salutation,
    "age-or-sex": _age,
    "several-people": _several,
    "free-text": _note,
    "html-or-script": _html,
}
"""One maker for each check; a test says so."""
