"""The people of the made-up clinic: common and awkward names, reserved domains, telephone numbers from films."""

from __future__ import annotations

import random
from dataclasses import dataclass

# ruff: noqa: SIM905 - a list of names reads better without forty pairs of quotes
FIRST_NAMES = (
    "Anna|Jürgen|Søren|Ayşe|Björn|Chloé|Dörte|Emre|Friederike|Günther|Hannelore|İbrahim|Jörg|Käthe|Linh|Małgorzata|"
    "Nikolaus|Özlem|Patrick|Quentin|Renate|Sören|Thi-Mai|Uwe|Valentina|Wolfgang|Xenia|Yusuf|Zoë|Anne-Marie"
).split("|")
LAST_NAMES = (
    "Müller-Lüdenscheidt|O'Neill|van der Berg|Krebs|Nguyen|Schmidt|Schneider|Groß|Weiß|Yılmaz|Freiherr von Thüringen|"
    "Kowalczyk|D'Angelo|Sommer|Kurz|Herzog|Öztürk|Åkesson|Ng|Meyer-Wölden|Straße|Fuß|Gicht|Lindner|Baumgärtner|"
    "de la Cruz|Wójcik|Petrović|Hövelmann|Maier"
).split("|")
MOBILES = (
    "0152 28817386",
    *(f"+49171392{n:04d}" for n in range(100)),
    *(f"0176 0406 {n:04d}" for n in range(9000, 9100)),
)
LANDLINES = tuple(f"+49 30 23125{n:03d}" for n in range(1000))
DOMAINS = ("example.org", "example.com", "example.net")
CALENDARS = ("Sprechzimmer 1", "Sprechzimmer 2", "Sprechzimmer 3")


@dataclass(frozen=True, slots=True)
class Person:
    first: str
    last: str
    email: str
    mobile: str


def new_person(rng: random.Random, number: int) -> Person:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    mobile = rng.choice(MOBILES) if rng.random() < 0.6 else ""
    if number % 15 == 0:  # a pseudonym, as the vendor's page allows, and no last name
        return Person(f"Pseudonym {number}", "", f"pseudonym{number}@example.net", mobile)
    return Person(first, last, f"{_ascii(first)}.{_ascii(last)}{number}@{DOMAINS[number % 3]}", mobile)


def _ascii(name: str) -> str:
    spelled = name.lower()
    for letter, plain in zip("äöüßøåşıóćłéë", ("ae", "oe", "ue", "ss", *"oasioclee"), strict=True):
        spelled = spelled.replace(letter, plain)
    return "".join(c for c in spelled if c.isascii() and (c.isalnum() or c == "-"))
