"""Every real file there is, de-identified by both profiles: what was harmed, and what the self-check says of it.

    PYTHONPATH=src:tests/support python bench/deid_real.py DATA

DATA is the folder of real images; pydicom's own files and those that it has fetched before are taken too. Needs dciodvfy (dicom3tools).
"""

import sys
import tempfile
from pathlib import Path

from unharmed import Tally, real_files

from hilum.deidentification.engine import Engine
from hilum.model.keys import ProjectKey
from hilum.runtime.deidentifying import find_profile
from hilum.runtime.registry import find_members
from hilum.runtime.settings import Settings


def main() -> None:
    """De-identify, compare, print."""
    files = [path for folder in real_files(Path(sys.argv[1])).values() for path in folder]
    for name in ("basic", "research"):
        with tempfile.TemporaryDirectory() as place:
            profile = find_profile(Settings(data=Path(place)), name)
            engine = Engine(profile, ProjectKey.of_secret(bytes(32)), find_members("hilum.actions"))
            tally = Tally()
            for path in files:
                tally.take(path, engine, Path(place, "made.dcm"))
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
