"""What PDF/UA-1 asks of a tagged PDF and WeasyPrint leaves open, added before the file is written.

A header cell says whether it heads a column or a row; what stands in a page's margin is marked as an artifact, so that
a screen reader does not read it on every page.
"""

from __future__ import annotations

from typing import Any

COLUMN, ROW = "/Column", "/Row"


def finish(_document: Any, pdf: Any) -> None:
    """Mend the structure tree and the pages of a ``pydyf.PDF`` in place."""
    root = _at(pdf, pdf.catalog["StructTreeRoot"])
    reached = _reached(pdf, root)
    for element in reached.values():
        if element.get("S") == "/TH":
            element["A"]["Scope"] = COLUMN if _is_in_head(pdf, element) else ROW
    numbers = _at(pdf, root["ParentTree"])["Nums"]
    pages = [_at(pdf, reference) for reference in pdf.pages["Kids"][::3]]
    for number, kids in zip(numbers[::2], numbers[1::2], strict=True):
        if number < len(pages) and isinstance(kids, list):
            _set_artifacts(_at(pdf, pages[number]["Contents"]), kids, reached)


def _at(pdf: Any, reference: Any) -> Any:
    """The object that a reference names: ``12 0 R``."""
    return pdf.objects[_number(reference)]


def _reached(pdf: Any, root: Any) -> dict[int, Any]:
    """Every structure element that a reader of the tree comes to, by its number."""
    found: dict[int, Any] = {}
    waiting = list(root["K"])
    while waiting:
        reference = waiting.pop()
        if isinstance(reference, int):
            continue  # marked content, by its number on the page
        element = _at(pdf, reference)
        if element.number not in found and element.get("Type") == "/StructElem":
            found[element.number] = element
            waiting += element.get("K", [])
    return found


def _is_in_head(pdf: Any, cell: Any) -> bool:
    row = _at(pdf, cell["P"])
    return bool(_at(pdf, row["P"]).get("S") == "/THead")


def _set_artifacts(content: Any, kids: list[Any], reached: dict[int, Any]) -> None:
    """Mark what no element of the tree holds, and take it out of the page's map."""
    left = {mcid for mcid, reference in enumerate(kids) if _number(reference) not in reached}
    stream = content.stream
    for at, operand in enumerate(stream):
        if isinstance(operand, dict) and operand.get("MCID") in left:
            stream[at - 1] = "/Artifact"
            del operand["MCID"]
            operand["Type"] = "/Pagination"
    for mcid in left:
        kids[mcid] = "null"


def _number(reference: Any) -> int:
    text = reference.decode() if isinstance(reference, bytes) else str(reference)
    return int(text.split()[0])
