"""Every real file there is, de-identified by both profiles: what was harmed, and what the self-check says of it.

    PYTHONPATH=src:tests/support python bench/deid_real.py DATA

DATA is the folder of real images; pydicom's own files and those that it has fetched before are taken too. Needs dciodvfy (dicom3tools).
"""

import sys
import tempfile
from pathlib import Path

from deidentifying import shipped_engine
from unharmed import Tally, real_files


def main() -> None:
    """De-identify, compare, print."""
    files = [path for folder in real_files(Path(sys.argv[1])).values() for path in folder]
    for name in ("basic", "research"):
        with tempfile.TemporaryDirectory() as place:
            engine, tally = shipped_engine(name), Tally()
            for path in files:
                tally.take(path, engine, Path(place))
        _print(name, len(files), tally)


def _print(name: str, files: int, tally: Tally) -> None:
    print(f"{name}: {files} files: {dict(tally.answers)}")
    print(f"  changed pixels or geometry: {sum(tally.harm.values())}; new errors of dciodvfy: {sum(tally.new_errors.values())}")
    print(f"  UIDs compared: {len(tally.uids)}, inconsistent: {tally.torn_references}")
    print(f"  patients with dates that moved by several offsets: {tally.torn_dates}")
    for what in (tally.harm, tally.new_errors, tally.reasons):
        for sentence, times in what.most_common():
            print(f"  {times:5}  {sentence}")


if __name__ == "__main__":
    main()
