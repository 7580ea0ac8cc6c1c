"""Reports: the same sections as HTML, PDF and JSON, in German and English.

Only ``Facts`` come in: counts, names, roles and dates of runs. See ``sections/order.py`` for what a report says.
"""

from __future__ import annotations

from lifecycle.report.files import FORMATS, render, write
from lifecycle.report.speech import LANGUAGES

__all__ = ["FORMATS", "LANGUAGES", "render", "write"]
