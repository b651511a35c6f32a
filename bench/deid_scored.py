"""The ten actions of the MIDI-B scorer over real images with planted identities: how many are right, and which are wrong.

    PYTHONPATH=src:tests/support python bench/deid_scored.py DATA [PROFILE]

DATA is the folder of real images. The answer key is `tests/support/midi_b.py`.
"""

import sys
import tempfile
from pathlib import Path

from deidentifying import shipped_engine
from midi_b import score, score_burned_in, scored_files, spell


def main() -> None:
    """Plant, de-identify, score, print."""
    files = scored_files(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as place:
        scored = score(files, shipped_engine(sys.argv[2] if len(sys.argv) > 2 else "research"), Path(place))
        score_burned_in(files, Path(place), scored)
    print(f"{len(files)} objects")
    print(*spell(scored), sep="\n")
    for (action, where, what), times in scored.wrong_cases.most_common():
        print(f"{times:5}  {action}: {where}: {what}")


if __name__ == "__main__":
    main()
