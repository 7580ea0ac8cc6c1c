"""Make the compact data file from caniemail's own: ``make clients``.

``python -m lifecycle.mail.refresh_clients PACKAGE_FOLDER`` reads the unpacked npm package ``caniemail``. Only the
newest tested version of each client is kept.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent / "data"


def compact(source: dict[str, Any], version: str) -> dict[str, Any]:
    """Return what the linter needs: per feature its title, category and newest verdict per client.

    Verdicts are ``y`` supported, ``a`` partly, ``n`` not, ``u`` unknown.
    """
    features = [
        {
            "slug": feature["slug"],
            "title": feature["title"],
            "category": feature["category"],
            "support": {
                f"{family}/{platform}": str(list(versions.values())[-1])[:1]
                for family, platforms in feature["stats"].items()
                for platform, versions in platforms.items()
                if versions
            },
        }
        for feature in source["data"]
    ]
    return {"package": "caniemail", "version": version, "tested": source["last_update_date"][:10], "features": features}


def main(package: Path, data: Path = DATA) -> None:
    """Read the unpacked package and write the data file with its licence; older data than ours is refused."""
    source = json.loads((package / "data" / "caniemail.json").read_text(encoding="utf-8"))
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    found = compact(source, version)
    tested = json.loads((data / "caniemail.json").read_bytes())["tested"]
    if found["tested"] < tested:
        raise SystemExit(f"The package was tested until {found['tested']}, ours until {tested}: nothing was changed.")
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    (data / "caniemail.json").write_text(text.replace('{"slug"', '\n{"slug"') + "\n", encoding="utf-8")
    (data / "caniemail.LICENSE.txt").write_bytes((package / "LICENSE").read_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
