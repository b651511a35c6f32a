"""De-identification of files and folders without a server."""

import fcntl
import json
import mmap
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.deidentification.checking_again import SelfCheck
from hilum.deidentification.engine import Answer, Dropped, Engine, Held, Rewritten
from hilum.deidentification.reports import StudyReport, report
from hilum.dicom.elements import Source
from hilum.model.errors import ConflictError, InvalidError
from hilum.model.keys import ProjectKey
from hilum.model.profiles import Profile
from hilum.runtime.darkening import ChildDarkener
from hilum.runtime.registry import find_members

REPORT = "deidentification-report.json"
_ASIDE = ".unchecked-"


def make_engine(profile: Profile, key: ProjectKey, scratch: Path) -> Engine:
    """An engine whose compressed frames are made dark by child processes.

    Args:
        scratch: a folder for what a child needs on disk for a while.
    """
    return Engine(profile, key, find_members("hilum.actions"), darken=ChildDarkener(scratch))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a folder.

    Args:
        held: file (as a number of ours, since names may hold names) and reason.
    """

    written: int
    dropped: int
    held: tuple[tuple[str, str], ...]
    report: Path


def deidentify_files(given: Path, out: Path, profile: Profile, key: ProjectKey, tell: Callable[[int, int], object]) -> Outcome:
    """Write de-identified copies of a file, or of every file below a folder, as `<series>/<instance>.dcm` with their new UIDs.

    A series of which one instance is held is not written at all: half a series would pass for a whole one.

    Raises:
        ConflictError: the target holds something, or lies within what is read.
    """
    if profile.changes_nothing:
        raise InvalidError(f"The profile {profile.name} changes nothing.", "Copy the files, or name another profile.")
    files = [given] if given.is_file() else sorted(path for path in given.rglob("*") if path.is_file() and not path.is_symlink())
    _check_target(given, out)
    studies: dict[str, StudyReport] = {}
    with _Run(out, profile) as run:
        engine = make_engine(profile, key, run.aside)
        for number, path in enumerate(files, start=1):
            answer = run.take(number, path, engine)
            name = answer.new_uids["study"][1] if isinstance(answer, Rewritten) and "study" in answer.new_uids else ""
            studies.setdefault(name, StudyReport()).add(answer)
            tell(number, len(files))
        for study, why in run.check_siblings():
            studies[study].held[why] += 1
        run.finish()
    target = out / REPORT
    target.write_text(json.dumps(report(profile, key.id, studies) | {"held": dict(run.held)}, indent=2) + "\n", encoding="utf-8")
    return Outcome(run.written, run.dropped, tuple(run.held), target)


def _check_target(given: Path, out: Path) -> None:
    if out.resolve().is_relative_to(given.resolve()):
        raise ConflictError(f"{out} lies within what is read.", "Name another folder.")
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob(f"{_ASIDE}*"):
        _remove_leftovers(left)
    if any(out.iterdir()):
        raise ConflictError(f"{out} holds something.", "Name an empty folder: what was written before could not be told from what is new.")


def _remove_leftovers(aside: Path) -> None:
    """What a killed run left: nobody has read all of these copies again.

    Raises:
        ConflictError: the run is alive.
    """
    folder = _lock(aside)
    try:
        shutil.rmtree(aside)
    finally:
        os.close(folder)


def _lock(aside: Path) -> int:
    """Take the folder of a run; the kernel gives it back when its process ends, however it ends."""
    folder = os.open(aside, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        raise ConflictError(f"Another run writes to {aside.parent}.", "Wait for it, or name another folder.") from None
    return folder


class _Run:
    """The files of one run: written aside, and put in their place, a series at once, when it is known that it is whole."""

    def __init__(self, out: Path, profile: Profile) -> None:
        self._out, self.aside = out, out / f"{_ASIDE}{uuid.uuid4()}"
        self.aside.mkdir()
        self._lock = _lock(self.aside)
        self._check = SelfCheck(profile)
        self._series: dict[str, list[tuple[Path, str]]] = {}
        self._placed: dict[int, tuple[str, str]] = {}  # study and series of a copy
        self._unwhole: set[str] = set()
        self.held: list[tuple[str, str]] = []
        self.dropped = self.written = 0

    def __enter__(self) -> "_Run":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.aside)
        os.close(self._lock)

    def take(self, number: int, path: Path, engine: Engine) -> Answer:
        """De-identify one file."""
        made = self.aside / f"{number}.dcm"
        with path.open("rb") as read, made.open("wb") as written:
            size = os.fstat(read.fileno()).st_size
            answer = engine.deidentify(Source(lambda offset, wanted: os.pread(read.fileno(), wanted, offset), size), written.write)
            series = self._series_of(answer, engine, read.fileno(), size)
        if isinstance(answer, Rewritten):
            answer = check_files_again(path, made, answer, self._check, number)
        elif path.stat().st_size:
            with _mapped(path) as original:
                self._check.pass_over(original)
        match answer:
            case Rewritten():
                self._series.setdefault(series, []).append((made, answer.new_uids["instance"][1]))
                self._placed[number] = answer.new_uids.get("study", ("", ""))[1], series
            case Held(why):
                self._hold(made, series, why)
            case Dropped():
                self.dropped += 1
                made.unlink()
        return answer

    def _hold(self, made: Path, series: str, why: str) -> None:
        self._unwhole.add(series)
        self.held.append((f"file {made.stem}", why))
        made.unlink()

    def check_siblings(self) -> Iterator[tuple[str, str]]:
        """Read those copies again whose siblings said more of the patient later: the new study of each that is held, and why."""
        for number in self._check.overtaken:
            made, (study, series) = self.aside / f"{number}.dcm", self._placed[number]
            with _mapped(made) as copy:
                held = self._check.check_later(number, copy)
            if held:
                self._hold(made, series, held.why)
                yield study, held.why

    @staticmethod
    def _series_of(answer: Answer, engine: Engine, file: int, size: int) -> str:
        """The new UID of the series; of what is held too, so that the rest of its series is found."""
        if isinstance(answer, Rewritten):
            return answer.new_uids.get("series", ("", ""))[1]
        return engine.new_series_uid(Source(lambda offset, wanted: os.pread(file, wanted, offset), size)) if size else ""

    def finish(self) -> None:
        """Put whole series in their place."""
        for series, files in self._series.items():
            if series in self._unwhole:
                self.held += [(f"file {made.stem}", "Another instance of its series is held.") for made, _ in files if made.exists()]
                continue
            folder = self.aside / (series or "no-series")
            folder.mkdir()
            for made, instance in files:
                self._place(made, folder, instance)
            folder.rename(self._out / folder.name)

    def _place(self, made: Path, folder: Path, instance: str) -> None:
        target = folder / f"{instance}.dcm"
        if target.exists():
            self.held.append((f"file {made.stem}", "Another file has the same SOP Instance UID."))
            return
        made.rename(target)
        self.written += 1


def check_files_again(original: Path, copy: Path, answer: Rewritten, check: SelfCheck, number: int = 0) -> Rewritten | Held:
    """The self-check of a file and its copy; neither is read into memory."""
    with _mapped(original) as before, _mapped(copy) as after:
        return check.check(number, before, after, answer)


@contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    """A file as memory that is read from disk where it is looked at: its pixels are not."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
        yield view


def as_facts(outcome: Outcome) -> dict[str, Any]:
    """The outcome for programs."""
    held: Sequence[dict[str, str]] = [{"file": file, "why": why} for file, why in outcome.held]
    return {"written": outcome.written, "dropped": outcome.dropped, "held": held, "report": str(outcome.report)}
