"""An SMS is counted as the networks count it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.mail.sms import GSM7, GSM7_DOUBLE, sms_segments


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 0),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("ÄÖÜäöüß", "GSM-7", 7, 1),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("a" * 152 + "€" + "a" * 10, "GSM-7", 164, 2),
        ("–" * 70, "UCS-2", 70, 1),
        ("–" * 71, "UCS-2", 71, 2),
        ("🦊" * 35, "UCS-2", 70, 1),
        ("🦊" * 36, "UCS-2", 72, 2),
        ("ليلى", "UCS-2", 4, 1),
    ],
)
def test_known_lengths(text: str, encoding: str, units: int, segments: int):
    """160 and 153, 70 and 67; the euro counts two, an emoji too."""
    cost = sms_segments(text, "0.08")
    assert (cost.encoding, cost.units, cost.segments) == (encoding, units, segments)
    assert cost.price == Decimal("0.08") * segments


def test_a_double_character_is_never_split_between_two_segments():
    """152 and a euro do not fit 153: one septet is lost."""
    assert sms_segments("a" * 152 + "€" + "a" * 151).segments == 2
    assert sms_segments("a" * 152 + "€" + "a" * 152).segments == 3


def test_the_character_that_forces_the_expensive_encoding_is_named():
    """In order, each once."""
    assert sms_segments("Termin – 9 Uhr „bald“ –").forced_by == ("–", "„", "“")


@given(st.text(alphabet=sorted(GSM7 | GSM7_DOUBLE), max_size=500))
def test_the_alphabet_itself_never_forces_anything(text: str):
    """GSM-7 stays GSM-7, and no segment is empty or overfull."""
    cost = sms_segments(text)
    assert cost.encoding == "GSM-7"
    assert cost.forced_by == ()
    assert 0 <= cost.left < 160 or not text


@given(st.text(max_size=300), st.text(max_size=50))
def test_a_longer_text_never_costs_less(text: str, more: str):
    """Adding characters never saves a segment."""
    assert sms_segments(text + more).segments >= sms_segments(text).segments
