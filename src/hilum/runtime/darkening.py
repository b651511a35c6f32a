"""Compressed frames made dark in a child process with limits: what ends the child holds one object, and harms no worker.

    python -m hilum.runtime.darkening FOLDER

is the child. FOLDER holds `given.dcm`, an image without the rest of its header, and `asked.json`; it leaves `value`, the new value of
Pixel Data, and last `answer.json`.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path

from hilum.deidentification.pixels import Darkened, WriteImage
from hilum.dicom.blanking import Blanking, Region, Written, blank_compressed
from hilum.dicom.elements import Source
from hilum.dicom.pixels import PixelError
from hilum.processors import Limits
from hilum.runtime.children import GuardedChildren

GIVEN, ASKED, VALUE, ANSWER = "given.dcm", "asked.json", "value", "answer.json"
MEMORY_BYTES = 4 << 30
SECONDS, BYTES_A_SECOND = 60.0, 1 << 20  # at the least for one object, and how much of a large one a second
GROWTH = 100  # how many times larger than what was lossy its lossless form may be
LEAST_OUTPUT = 256 << 20
CRASHED = "Its decoder crashed, or used up its time or memory."

UntilStopped = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""While its context is open, the function that it was given is called where the work is to stop."""


class ChildDarkener:
    """Implements `hilum.deidentification.pixels.Darken`.

    Args:
        scratch: each use makes a folder of its own there.
        until_stopped: as `Tools.until_stopped`.
    """

    def __init__(self, scratch: Path, until_stopped: UntilStopped = lambda _cancel: nullcontext()) -> None:
        self._until_stopped = until_stopped
        self._scratch = scratch.absolute()  # the child has a working folder of its own

    @contextmanager
    def __call__(self, write_image: WriteImage, blanking: Blanking) -> Iterator[Darkened]:
        """The new value, as long as the context lasts."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as name:
            folder = Path(name)
            with Path(folder, GIVEN).open("wb") as file:
                write_image(file.write)
            Path(folder, ASKED).write_text(json.dumps(_as_json(blanking)), encoding="ascii")
            self._run_child(folder)
            written = _read_answer(folder)
            with Path(folder, VALUE).open("rb") as value:
                size = os.fstat(value.fileno()).st_size
                yield Darkened(written, Source(lambda offset, wanted: os.pread(value.fileno(), wanted, offset), size))

    def _run_child(self, folder: Path) -> None:
        size = Path(folder, GIVEN).stat().st_size
        limits = Limits(SECONDS + size / BYTES_A_SECOND, MEMORY_BYTES, LEAST_OUTPUT + GROWTH * size)
        # -P keeps the working folder, where a sender's file lies, off the module path.
        command = [sys.executable, "-P", "-m", "hilum.runtime.darkening", str(folder)]
        child = GuardedChildren().start(command, cwd=folder, output=folder, limits=limits)
        with self._until_stopped(child.kill):
            child.wait()


def _read_answer(folder: Path) -> Written:
    path = folder / ANSWER
    if not path.is_file():
        raise PixelError(CRASHED)
    said = json.loads(path.read_text(encoding="utf-8"))
    if "why" in said:
        raise PixelError(said["why"])
    return Written(**said)


def _as_json(blanking: Blanking) -> dict[str, object]:
    return {
        "regions": [asdict(region) for region in blanking.regions],
        "frames": None if blanking.frames is None else sorted(blanking.frames),
    }


# --- the child ------------------------------------------------------------------------------------------------------------------


def main(folder: Path) -> None:
    """Do what is asked."""
    asked = json.loads(Path(folder, ASKED).read_text(encoding="ascii"))
    frames = None if asked["frames"] is None else frozenset(asked["frames"])
    blanking = Blanking(tuple(Region(**region) for region in asked["regions"]), frames)
    with Path(folder, VALUE).open("wb") as value:
        answer = _blank(folder / GIVEN, blanking, value.write)
    unfinished = folder / f"{ANSWER}.unfinished"
    unfinished.write_text(json.dumps(answer), encoding="utf-8")
    unfinished.rename(folder / ANSWER)


def _blank(given: Path, blanking: Blanking, write: Callable[[bytes], object]) -> dict[str, object]:
    try:
        return asdict(blank_compressed(given, blanking, write))
    except PixelError as error:
        return {"why": error.sentence}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
