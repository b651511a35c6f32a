"""python -m hilum.runtime.drawing FOLDER: pictures of series, in a process of its own.

Pixel data is a sender's, and decoders have crashed and hung on less: whatever happens here, the worker goes on. FOLDER holds
`jobs.json`; job n's picture is left as `n.png` and its answer as `n.json`, in their order, so that the worker can tell which job ended
this process.
"""

import faulthandler
import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

JOBS = "jobs.json"
SECONDS = 15.0  # of one picture
INFLATED_BYTES = 256 << 20  # what a deflated data set may grow by


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to draw; all paths lie in the job's folder.

    Args:
        images: of which the first that can be shown is.
        overlay: a segmentation or structure set instead, to be drawn over `images`, or alone where there is none.
        candidates: the images that it may lie on: SOP Instance UID, ImagePositionPatient, ImageOrientationPatient, PixelSpacing.
    """

    images: tuple[str, ...] = ()
    overlay: str = ""
    candidates: tuple[tuple[str, Any, Any, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A job's answer.

    Args:
        has_picture: its picture is there.
        needs: the SOP Instance UID of the image that the overlay wants to lie on; nothing was drawn yet.
        why: a sentence: why there is no picture, or why the overlay stands alone.
    """

    has_picture: bool = False
    needs: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Jobs:
    """What the child is given."""

    jobs: tuple[Job, ...] = field(default=())

    def write(self, folder: Path) -> None:
        (folder / JOBS).write_text(json.dumps([asdict(job) for job in self.jobs]), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Jobs":
        return cls(tuple(Job(**job) for job in json.loads((folder / JOBS).read_text(encoding="utf-8"))))


def read_answer(folder: Path, number: int) -> Drawn | None:
    """Of job `number`; None where it was not answered."""
    path = folder / f"{number}.json"
    return Drawn(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def main(folder: Path) -> int:
    """Do all jobs."""
    with suppress(OSError):
        os.nice(15)  # images come in first
    for number, job in enumerate(Jobs.read(folder).jobs):
        # A decoder that turns for ever holds the interpreter: only this watchdog's own thread ends it.
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        answer = draw(job, folder, folder / f"{number}.png")
        faulthandler.cancel_dump_traceback_later()
        unfinished = folder / f"{number}.unfinished"
        unfinished.write_text(json.dumps(asdict(answer)), encoding="utf-8")
        unfinished.rename(folder / f"{number}.json")
    return 0


def draw(job: Job, folder: Path, png: Path) -> Drawn:
    """One job."""
    from hilum.dicom.pixels import PixelError

    try:
        return _draw_overlay(job, folder, png) if job.overlay else _draw_image(job, folder, png)
    except PixelError as error:
        return Drawn(why=error.sentence)
    except MemoryError:
        return Drawn(why="The image needs more memory than a picture is given.")


def _draw_image(job: Job, folder: Path, png: Path) -> Drawn:
    from hilum.dicom.pixels import PixelError, thumbnail

    why = ""
    for name in job.images:
        try:
            png.write_bytes(thumbnail(folder / name, max_bytes=(folder / name).stat().st_size + INFLATED_BYTES))
        except PixelError as error:
            why = why or error.sentence
        else:
            return Drawn(has_picture=True)
    return Drawn(why=why)


def _draw_overlay(job: Job, folder: Path, png: Path) -> Drawn:
    from hilum.dicom.grids import make_grid
    from hilum.dicom.overlays import Candidate, read_overlay
    from hilum.dicom.pixels import PixelError

    overlay = read_overlay(folder / job.overlay)
    why = ""
    if job.images:
        try:
            png.write_bytes(overlay.draw_on(folder / job.images[0]))
        except PixelError as error:
            why = error.sentence
        else:
            return Drawn(has_picture=True)
    elif needs := overlay.needs([Candidate(uid, make_grid(*place)) for uid, *place in job.candidates]):
        return Drawn(needs=needs)
    png.write_bytes(overlay.draw_alone())
    return Drawn(has_picture=True, why=why)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
