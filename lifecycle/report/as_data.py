"""A report as JSON: the same sections in the same order, words and values side by side."""

from __future__ import annotations

import json
from typing import Any

from lifecycle.model import as_json
from lifecycle.report.content import Blank, Block, Chart, Code, Items, Mark, Matrix, Part, Table, Text
from lifecycle.report.document import Document

SCHEMA = "lifecycle-report/1"


def to_json(document: Document) -> bytes:
    """One object; keys in camelCase, dates in ISO 8601, texts in the report's language."""
    facts = document.facts
    page = {
        "schema": SCHEMA,
        "language": document.say.language,
        "title": document.title,
        "outcome": document.outcome,
        "workspace": facts.workspace,
        **document.identity,
        "asOf": as_json(facts.as_of),
        "writtenAt": as_json(facts.written_at),
        "toolVersion": facts.tool_version,
        "sections": [_section(part) for part in document.parts],
    }
    return (json.dumps(page, ensure_ascii=False, indent=2) + "\n").encode()


def _section(part: Part) -> dict[str, Any]:
    return {
        "key": part.key,
        "title": part.title,
        "outcome": part.body.outcome,
        "text": [line for block in part.body.blocks for line in _lines(block)],
        "tables": [_table(block) for block in part.body.blocks if isinstance(block, Table)],
        "data": dict(part.data),
    }


def _lines(block: Block) -> list[str]:
    if isinstance(block, Text):
        return [block.text]
    if isinstance(block, Items):
        return list(block.items)
    return list(block.lines) if isinstance(block, Code) else [block.title] if isinstance(block, (Chart, Matrix)) else []


def _table(table: Table) -> dict[str, Any]:
    rows = [[cell.word if isinstance(cell, (Mark, Blank)) else cell for cell in row] for row in table.rows]
    return {"caption": table.caption, "head": list(table.head), "rows": rows}
