"""De-identification side by side with Kitware's dicom-anonymizer: file to file, one process each, the same 512 KB CT.

    python bench/deid.py [--files 200] [--rounds 3]

Prints milliseconds a file and the ratio, and the peak memory of de-identifying one object of --large MiB.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hilum.deidentification.checking_again import SelfCheck
from hilum.deidentification.engine import Engine, Rewritten
from hilum.dicom.elements import Source
from hilum.model.keys import ProjectKey
from hilum.model.profiles import Profile
from hilum.runtime.deidentifying import check_files_again
from hilum.runtime.registry import find_members
from images import CT, make_images


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, default=1024, help="MiB of the large object")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        given = Path(place, "given")
        given.mkdir()
        files = [given / f"{number}.dcm" for number in range(arguments.files)]
        for file, image in zip(files, make_images(CT, len(files)), strict=True):
            file.write_bytes(image)
        engine = Engine(Profile(name="basic"), ProjectKey.of_secret(bytes(32)), find_members("hilum.actions"))
        ours_on(engine, files[0], Path(place, "first.dcm"))
        grown = large(engine, files[0], Path(place), arguments.large)
        ours = best(arguments.rounds, lambda out: [ours_on(engine, file, out / file.name) for file in files]) / len(files)
        checked = best(arguments.rounds, lambda out: [ours_checked(engine, file, out / file.name) for file in files]) / len(files)
        theirs = best(arguments.rounds, lambda out: [theirs_on(file, out / file.name) for file in files]) / len(files)
        print(f"hilum             {ours * 1e3:8.3f} ms a file, the engine alone")
        print(f"hilum             {checked * 1e3:8.3f} ms a file, self-check included")
        print(f"dicom-anonymizer  {theirs * 1e3:8.3f} ms a file")
        print(f"ratio             {theirs / ours:8.1f} (goal 8), self-check included {theirs / checked:.1f} (goal 4)")
        print(f"peak memory grew by {grown / 1024:.1f} MiB on an object of {arguments.large} MiB")


def best(rounds: int, work: Callable[[Path], object]) -> float:
    """The shortest of several processor times, in seconds: what a core needs, whoever else is on the machine. Each writes new files."""
    times = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as out:
            start = time.process_time()
            work(Path(out))
            times.append(time.process_time() - start)
    return min(times)


def ours_on(engine: Engine, given: Path, target: Path) -> Rewritten:
    """One file, by the engine."""
    with given.open("rb") as read, target.open("wb") as written:
        size = os.fstat(read.fileno()).st_size
        answer = engine.deidentify(Source(lambda offset, wanted: os.pread(read.fileno(), wanted, offset), size), written.write)
    assert isinstance(answer, Rewritten), answer
    return answer


def ours_checked(engine: Engine, given: Path, target: Path) -> None:
    """One file, as `hilum deid` does it: written, and read again."""
    answer = check_files_again(given, target, ours_on(engine, given, target), SelfCheck(engine.profile))
    assert isinstance(answer, Rewritten), answer


def theirs_on(given: Path, target: Path) -> None:
    """One file, by its own function."""
    from dicomanonymizer import anonymize_dicom_file

    anonymize_dicom_file(str(given), str(target))


def large(engine: Engine, small: Path, place: Path, mebibytes: int) -> int:
    """The growth of peak memory in KiB while a large object is de-identified: the small one, its Pixel Data made longer."""
    content = small.read_bytes()
    at = content.rindex(b"\xe0\x7f\x10\x00OW\0\0") + 8
    file = place / "large.dcm"
    with file.open("wb") as written:
        written.write(content[:at] + (mebibytes << 20).to_bytes(4, "little"))
        written.truncate(at + 4 + (mebibytes << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours_on(engine, file, place / "large-out.dcm")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


if __name__ == "__main__":
    main()
