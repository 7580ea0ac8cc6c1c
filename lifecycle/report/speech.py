"""The words of one language: message catalogue, plurals, numbers and dates, all by babel.

The catalogues are gettext files (``locale/<language>/LC_MESSAGES/report.po``), compiled in memory, so that what a
person edits is what is read. Message ids are short names; English is a catalogue like any other.
"""

from __future__ import annotations

import io
import unicodedata
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from lifecycle.errors import UsageError

LANGUAGES = ("de", "en")

_LOCALES = {"de": "de_DE", "en": "en_GB"}
_ROOM = Path(__file__).parent


class Speech:
    """Speaks one language.

    Parameters
    ----------
    language : str
        ``de`` or ``en``; anything else is a ``UsageError``.
    person_word : str
        What the workspace calls a person: Patient, Klient, Leistungsnehmer.

    Examples
    --------
    >>> Speech("en").number(12480), Speech("de").number(12480)
    ('12,480', '12.480')
    """

    def __init__(self, language: str, person_word: str = "") -> None:
        if language not in LANGUAGES:
            raise UsageError("There is no report in such a language.", f"one of {', '.join(LANGUAGES)}")
        self.language = language
        self.locale = _LOCALES[language]
        self._messages = _messages(language)
        self._plain = {"people": self.word("people", person_word.lower(), default=self._text("people.person"))}

    def __call__(self, message: str, /, **values: Any) -> str:
        """The message with its gaps filled; whole numbers and dates are written the way of the language."""
        return self._text(message).format(**self._plain, **self._spoken(values))

    def count(self, message: str, number: int, /, **values: Any) -> str:
        """The message in the form that ``number`` asks for; ``{n}`` in it is the number."""
        text = self._messages.ngettext(message, message, number)
        if text == message:
            raise LookupError(f"no plural message {message!r} in {self.language}")
        return str(text).format(n=self.number(number), **self._plain, **self._spoken(values))

    def word(self, family: str, name: str, *, default: str | None = None) -> str:
        """The word for a name of a family (``role.controller``); without one the default, or the name itself."""
        for key in (f"{family}.{name}", f"{family}.{name.lower().replace(' ', '-')}"):
            if name and self.knows(key):
                return self._text(key)
        return clean(name) if default is None else default

    def knows(self, message: str) -> bool:
        """Whether the catalogue has this message."""
        return str(self._messages.gettext(message)) != message

    def number(self, number: int) -> str:
        """A whole number with the language's grouping."""
        from babel.numbers import format_decimal

        return str(format_decimal(number, locale=self.locale))

    def size(self, size_bytes: int) -> str:
        """A number of bytes, rounded to the largest unit that fits."""
        from babel.numbers import format_decimal

        power = 0
        while size_bytes >= 1000 ** (power + 1) and power < 4:
            power += 1
        unit = (
            ("Bytes", "kB", "MB", "GB", "TB")[power]
            if self.language == "de"
            else ("bytes", "kB", "MB", "GB", "TB")[power]
        )
        return f"{format_decimal(round(size_bytes / 1000**power, 1), locale=self.locale)}\u00a0{unit}"

    def day(self, day: date) -> str:
        """A date in words: 1. Oktober 2026, 1 October 2026."""
        from babel.dates import format_date

        return str(format_date(day, "d. MMMM y" if self.language == "de" else "d MMMM y", locale=self.locale))

    def short_day(self, day: date) -> str:
        """A date in figures: 01.10.2026, 1 Oct 2026."""
        from babel.dates import format_date

        return str(format_date(day, "dd.MM.y" if self.language == "de" else "d MMM y", locale=self.locale))

    def month(self, day: date) -> str:
        """A month for an axis: Okt., Oct."""
        from babel.dates import format_date

        return str(format_date(day, "LLL", locale=self.locale))

    def month_year(self, day: date) -> str:
        """A month with the last figures of its year, for a column: Okt. 26, Oct 26."""
        from babel.dates import format_date

        return str(format_date(day, "LLL yy", locale=self.locale))

    def month_name(self, day: date) -> str:
        """A month with its year: Oktober 2026, October 2026."""
        from babel.dates import format_date

        return str(format_date(day, "LLLL y", locale=self.locale))

    def decimal(self, number: float) -> str:
        """A number with a fraction where it has one: 2,5 and 2.5."""
        from babel.numbers import format_decimal

        return str(format_decimal(number, locale=self.locale))

    def moment(self, moment: datetime) -> str:
        """A point in time to the minute: in UTC, which is said, or on the clock of the zone that it comes with."""
        from babel.dates import format_datetime

        zone = moment.tzinfo if moment.tzinfo is not UTC else None
        pattern = "d. MMMM y, HH:mm 'Uhr{}'" if self.language == "de" else "d MMMM y, HH:mm{}"
        said = pattern.format("" if zone else (" UTC" if self.language == "de" else " 'UTC'"))
        return str(format_datetime(moment, said, tzinfo=zone, locale=self.locale))

    def listing(self, items: list[str]) -> str:
        """Several things in one sentence: a, b und c."""
        from babel.lists import format_list

        return str(format_list(items, locale=self.locale)) if items else ""

    def store(self, name: str) -> str:
        """A place as a reader knows it; findings name a source file by its number only."""
        kind, _, number = name.partition(" ")
        if kind == "file" and number.isdigit():
            return self("place.file", number=int(number))
        return self.word("place", name)

    def inside(self, word: str) -> str:
        """A word as it stands inside a sentence: German nouns keep their capital."""
        return word if self.language == "de" else word[:1].lower() + word[1:]

    def _text(self, message: str) -> str:
        text = str(self._messages.gettext(message))
        if text == message:
            raise LookupError(f"no message {message!r} in {self.language}")
        return text

    def _spoken(self, values: dict[str, Any]) -> dict[str, str]:
        return {name: self._say(value) for name, value in values.items()}

    def _say(self, value: Any) -> str:
        if isinstance(value, int):
            return self.number(value)
        if isinstance(value, datetime):
            return self.moment(value)
        if isinstance(value, date):
            return self.day(value)
        return clean(str(value))


def clean(text: str) -> str:
    """Replace control characters and invisible marks (direction overrides among them), which could disguise a name.

    Examples
    --------
    >>> clean("a\\u202eb\\x07")
    'a\ufffdb\ufffd'
    """
    return "".join("\ufffd" if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} else c for c in text)


@cache
def _messages(language: str) -> Any:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import Translations

    path = _ROOM / "locale" / language / "LC_MESSAGES" / "report.po"
    with path.open("rb") as file:
        catalogue = read_po(file, locale=_LOCALES[language], abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
