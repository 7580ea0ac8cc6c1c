"""The one table of sections: first page first, in the order in which a reader needs them.

To add a section: write a decorated function in a file of this folder, name it here, give it a title
(``title.<key>``) in both catalogues, and its examples in the decorator.
"""

from __future__ import annotations

from lifecycle.model import Facts
from lifecycle.report.content import Section
from lifecycle.report.sections.changes import changes
from lifecycle.report.sections.charts import charts
from lifecycle.report.sections.data import drift, findings, second_opinion, stores
from lifecycle.report.sections.first import limits, numbers, roles, rule, summary, todo, two_dates, verify
from lifecycle.report.sections.run import catalogue, checks, holds, residuals, residue

SECTIONS: tuple[Section[Facts], ...] = (
    summary,
    todo,
    numbers,
    two_dates,
    rule,
    roles,
    limits,
    verify,
    charts,
    stores,
    findings,
    holds,
    checks,
    residue,
    second_opinion,
    drift,
    changes,
    catalogue,
    residuals,
)
