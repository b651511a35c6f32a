"""Make `src/hilum/dicom/confidentiality.json` from an extract of PS3.15 Table E.1-1.

    python tables/convert_confidentiality.py ps3.15-table-e1-1.json [TARGET]

The extract has `rows` of the edition with all option columns, and `rows_only_in_2026c`, of which only the Basic Profile is known.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "src" / "hilum" / "dicom" / "confidentiality.json"
EDITION, EDITION_OF_NEW_ROWS = "2025a", "2026c"
OPTIONS = {  # column of the extract -> our name of the option
    "rtnSafePrivOpt": "retain-safe-private",
    "rtnUIDsOpt": "retain-uids",
    "rtnDevIdOpt": "retain-device-identity",
    "rtnInstIdOpt": "retain-institution-identity",
    "rtnPatCharsOpt": "retain-patient-characteristics",
    "rtnLongFullDatesOpt": "retain-full-dates",
    "rtnLongModifDatesOpt": "retain-modified-dates",
    "cleanDescOpt": "clean-descriptors",
    "cleanStructContOpt": "clean-structured-content",
    "cleanGraphOpt": "clean-graphics",
}
_TAG = re.compile(r"\(([0-9A-FX]{4}),([0-9A-FX]{4})\)", re.ASCII)


def make_row(row: dict[str, Any], edition: str) -> dict[str, Any]:
    """One row as the product reads it. `tag` is eight hexadecimal digits, `x` for any; "private" for the row of private attributes."""
    found = _TAG.fullmatch(row["tag"].strip().upper())
    tag = (found[1] + found[2]).lower().replace("X", "x") if found else "private"
    made: dict[str, Any] = {"tag": tag, "name": row.get("name", ""), "basic": row.get("basicProfile") or row["basicProfile_2026c"]}
    options = {name: row[column] for column, name in OPTIONS.items() if column in row}
    if options:
        made["options"] = options
    if edition != EDITION:
        made["edition"] = edition
    return made


def main() -> None:
    """Read the extract named on the command line, write the table where the product looks for it or where the second argument says."""
    extract = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows = [make_row(row, EDITION) for row in extract["rows"]]
    # Its three patterns are those of the earlier edition in another notation.
    rows += [make_row(row, EDITION_OF_NEW_ROWS) for row in extract["rows_only_in_2026c"] if "note" not in row]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in sorted(rows, key=lambda row: str(row["tag"])))
    editions = json.dumps({"edition": EDITION, "edition_of_new_rows": EDITION_OF_NEW_ROWS})
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else TARGET
    target.write_text(f'{editions[:-1]}, "rows": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
