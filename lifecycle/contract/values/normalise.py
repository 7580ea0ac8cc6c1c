"""One spelling for many: look-alikes, full-width digits, invisible characters, kinds of space and dash. Pure."""

from __future__ import annotations

import polars as pl

_LATIN = {
    # Cyrillic
    "А": "A", "В": "B", "С": "C", "Е": "E", "Н": "H", "І": "I", "Ј": "J", "К": "K", "М": "M", "О": "O", "Р": "P",
    "Ѕ": "S", "Т": "T", "Х": "X", "У": "Y", "а": "a", "с": "c", "е": "e", "һ": "h", "і": "i", "ј": "j", "о": "o",
    "р": "p", "ѕ": "s", "х": "x", "у": "y", "ԁ": "d", "ԛ": "q", "ԝ": "w", "Ԛ": "Q", "Ԝ": "W", "Ԍ": "G", "ӏ": "l",
    # Greek
    "Α": "A", "Β": "B", "Ε": "E", "Ζ": "Z", "Η": "H", "Ι": "I", "Κ": "K", "Μ": "M", "Ν": "N", "Ο": "O", "Ρ": "P",
    "Τ": "T", "Υ": "Y", "Χ": "X", "Ϲ": "C", "ο": "o", "α": "a", "ν": "v", "ρ": "p", "ι": "i",
    # Latin letters and signs that pass for others
    "ɑ": "a", "ı": "i", "ℓ": "l", "ǃ": "!", "·": ".", "․": ".", "。": ".", "，": ",", "⁄": "/", "∕": "/", "‚": ",",
    "⓪": "0", "‘": "'", "’": "'", "´": "'", "`": "'", "ʼ": "'", "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-",
    "―": "-", "−": "-", "ー": "-", "˗": "-", "⁃": "-", "ᐨ": "-", "ㅤ": "", "﹫": "@", "•": ".", "ꓸ": ".",
    "Ү": "Y", "Ғ": "F", "Ԁ": "d", "ⅼ": "l",
    # Cherokee and Lisu
    **dict(zip("ᎪᏴᏟᎠᎬᏀᎻᎫᏦᏞᎷᏢᏒᏚᎢᏙᎳᏃ", "ABCDEGHJKLMPRSTVWZ", strict=True)),
    **dict(zip("ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ", "ABCDEFGHIJKLMNOPRSTUVWXYZ", strict=True)),
}  # fmt: skip

_FIRST_DIGITS = (
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
    0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
    0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0,
    0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60,
    0x16AC0, 0x16B50, 0x1E140, 0x1E2F0, 0x1E950,
)  # fmt: skip
"""Where every other script of Unicode keeps its zero; NFKC leaves these digits as they are. A test counts them."""

_DIGITS = {chr(zero + i): str(i) for zero in _FIRST_DIGITS for i in range(10)}

_REPLACED = {**_LATIN, **_DIGITS}

_INVISIBLE = r"[\p{Cf}\x{034F}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]"


def normalised(text: pl.Expr) -> pl.Expr:
    """The text as the checks read it; the spelling that a person meant to be read, in Latin letters and digits.

    Examples
    --------
    >>> frame = pl.DataFrame({"t": ["Ａ１２３\u200b 4", "А٣\u00a0\u2013 x"]})
    >>> frame.select(normalised(pl.col("t"))).to_series().to_list()
    ['A123 4', 'A3 - x']
    """
    folded = text.str.normalize("NFKC").str.replace_all(_INVISIBLE, "")
    folded = folded.str.replace_many(list(_REPLACED), list(_REPLACED.values()))
    return folded.str.replace_all(r"\s+", " ").str.strip_chars(" ")
