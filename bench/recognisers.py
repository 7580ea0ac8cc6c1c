"""Time per value and recall beside Presidio's German recognisers for KVNR, IBAN, phone and e-mail.

    python bench/recognisers.py ours|presidio FILE

FILE is JSON: lists of field, value and the check that ought to find it ("" for none). Prints the processor seconds
of looking at all of them, without start and imports, and which kinds were found how often. Presidio is asked for
these four entities only, by its pattern recognisers alone: no model, no network. Ours looks with every value check.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ENTITIES = {
    "kvnr": "DE_HEALTH_INSURANCE",
    "iban": "IBAN_CODE",
    "phone-in-text": "PHONE_NUMBER",
    "email-in-text": "EMAIL_ADDRESS",
}
TYPICAL, EACH, OURS_MORE = 3_000, 200, 100
FASTER = 200

TYPICAL_VALUES = """
import json, sys
sys.path.insert(0, sys.argv[3])
from contract_data import appointments
frame = appointments(int(sys.argv[2]) // 3, leaks=0.001)
fields = ("last_name", "email", "mobile")
json.dump([[name, value or "", ""] for name in fields for value in frame[name]], open(sys.argv[1], "w"))
"""
LABELLED_VALUES = """
import json, sys
from lifecycle.contract.labelled import labelled_set
kinds = sys.argv[3].split(",")
rows = labelled_set(each=int(sys.argv[2]), clean=4 * int(sys.argv[2]))
chosen = [[row.field, row.value, row.kind] for row in rows if row.kind in ("", *kinds)]
json.dump(chosen, open(sys.argv[1], "w"))
"""


def ours(rows: list[list[str]]) -> tuple[float, Counter[str]]:
    """All value checks over each field's values, as `check` runs them: sieves, then a close look at the rest."""
    import polars as pl

    from lifecycle.contract.labelled import WHEN
    from lifecycle.contract.load import default_contracts
    from lifecycle.contract.values.registry import OWN_DATES
    from lifecycle.contract.values.scan import hits_in, suspects_in

    contract = default_contracts()["events"]
    kinds = {field: [kind for where, _, kind in rows if where == field] for field in {row[0] for row in rows}}
    blank = {column.name: pl.lit(None, dtype=column.dtype) for column in contract.columns}
    blank |= {name: pl.lit(WHEN).cast(contract.column(name).dtype) for name in OWN_DATES}
    frames = {}
    for field in kinds:
        values = pl.DataFrame({field: [value for where, value, _ in rows if where == field]})
        others = {name: value for name, value in blank.items() if name != field}
        frames[field] = values.with_columns(**others, _channel=pl.lit(""), _at=pl.lit(0))
    began = time.process_time()
    hits = [(s.field, hits_in(s)) for field, frame in frames.items() for s in suspects_in(contract, frame, [field])]
    seconds = time.process_time() - began
    found: Counter[str] = Counter()
    for field, hit in hits:
        for kind in set(kinds[field]) & set(hit.columns):
            found[kind] += sum(kinds[field][row] == kind for row in hit.filter(pl.col(kind))["_row"])
    return seconds, found


def presidio(rows: list[list[str]]) -> tuple[float, Counter[str]]:
    """Each value by the four recognisers."""
    import tldextract
    from presidio_analyzer.predefined_recognizers import (
        DeHealthInsuranceRecognizer,
        EmailRecognizer,
        IbanRecognizer,
        PhoneRecognizer,
    )

    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())  # else it asks the network for a list
    recognisers: dict[str, Any] = {
        "kvnr": DeHealthInsuranceRecognizer(),
        "iban": IbanRecognizer(supported_language="de"),
        "phone-in-text": PhoneRecognizer(supported_language="de", supported_regions=("DE",)),
        "email-in-text": EmailRecognizer(supported_language="de"),
    }
    found: Counter[str] = Counter()
    for recogniser in recognisers.values():
        recogniser.analyze("anna@example.org", recogniser.supported_entities, None)
    began = time.process_time()
    for _, value, kind in rows:
        said = {name: one.analyze(value, [ENTITIES[name]], None) for name, one in recognisers.items()}
        found[kind] += bool(said.get(kind))
    return time.process_time() - began, found


def measure(folder: Path, scale: float, runs: int) -> Any:
    """Seconds per million values on what columns really hold; recall and time on the labelled values beside it."""
    from bench.measure import INSTALL, Cost, Limits, NotInstalled, Result, cost_of, in_turn, python

    if find_spec("presidio_analyzer") is None:
        raise NotInstalled(f"presidio-analyzer is not installed.\n\nhint: {INSTALL}")
    here = Path(__file__)
    few, many, hard, harder = (folder / f"{name}.json" for name in ("few", "many", "hard", "harder"))
    count = max(int(TYPICAL * scale), 300)
    python(TYPICAL_VALUES, few, str(count), here.parent)
    python(TYPICAL_VALUES, many, str(count * OURS_MORE), here.parent)
    each = max(int(EACH * scale), 20)
    python(LABELLED_VALUES, hard, str(each), ",".join(ENTITIES))
    python(LABELLED_VALUES, harder, str(each * OURS_MORE), ",".join(ENTITIES))

    def asked(tool: str, path: Path) -> tuple[Cost, dict[str, Any]]:
        cost, printed = cost_of([sys.executable, here, tool, path])
        said = json.loads(printed.splitlines()[-1])
        return Cost(said["seconds"] / said["values"] * 1e6, cost.peak_mb), said

    peer, mine = in_turn(runs, lambda: asked("presidio", few)[0], lambda: asked("ours", many)[0])
    (slow, theirs), (_, own), (quick, _) = asked("presidio", hard), asked("ours", hard), asked("ours", harder)
    recall = {kind: (own["recall"][kind], theirs["recall"][kind]) for kind in ENTITIES}
    return Result(
        f"processor seconds per million values, every value check; {count * OURS_MORE:,} values, Presidio {count:,}",
        "Presidio's recognisers for KVNR, IBAN, phone, e-mail",
        tuple(mine),
        tuple(peer),
        Limits(ratio=1 / FASTER),
        (
            f"labelled values, half of them hits: {quick.seconds:.1f} beside {slow.seconds:.1f} s,"
            f" {slow.seconds / quick.seconds:.0f} times faster",
            *(f"{kind}: recall {one:.3f}, Presidio {other:.3f}" for kind, (one, other) in recall.items()),
        ),
        tuple(f"{kind}: recall below Presidio's" for kind, (one, other) in recall.items() if one < other),
    )


def main(tool: str, path: Path) -> None:
    """Look at the values of a file with one tool."""
    rows = json.loads(path.read_text())
    seconds, found = {"ours": ours, "presidio": presidio}[tool](rows)
    kinds = Counter(kind for _, _, kind in rows)
    recall = {kind: found[kind] / kinds[kind] for kind in ENTITIES if kinds[kind]}
    print(json.dumps({"seconds": seconds, "values": len(rows), "recall": recall}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
