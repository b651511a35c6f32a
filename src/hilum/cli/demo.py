"""hilum demo: the main job from nothing, told step by step."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hilum.cli.connecting import DEFAULT_SERVER
from hilum.cli.telling import printable, say, styled
from hilum.model.errors import HilumError
from hilum.model.words import count

if TYPE_CHECKING:
    from hilum_sdk import Hilum
    from hilum_sdk.models import Upload

REPORT_TYPE = "brain_ms"
MISSING_SLICE = 17
SECONDS = 120.0
PAUSE = 0.15  # seconds between two looks at the timeline

Out = Annotated[Path | None, typer.Option("--out", file_okay=False, help="Where everything goes (default: a new temporary folder).")]
Keep = Annotated[bool, typer.Option("--keep", help="Leave the server running until Ctrl-C, to look at its pages.")]


@dataclass
class Guest:
    """One of the two studies on its way.

    Args:
        label: how its lines begin.
        told: ids of the moves that were told already.
    """

    label: str
    folder: Path
    upload_id: str = ""
    told: set[int] = field(default_factory=set)
    upload: "Upload | None" = None


def run(out: Out = None, keep: Keep = False) -> None:
    """Make two phantom studies, one without a slice, and bring them through a private server."""
    from hilum.runtime.private_server import PrivateServer
    from hilum_sdk import Hilum

    began_at = time.monotonic()
    place = out or Path(tempfile.mkdtemp(prefix="hilum-demo-"))
    say(styled("Hilum: two studies, from a folder to a result.", "bold"))
    guests = _make_guests(place)
    say("Starting a private server ...")
    with PrivateServer(place / "data") as server, Hilum(server.url, token=server.token) as hilum:
        say(f"It listens on {server.url}. Both studies are uploaded and asked for as {REPORT_TYPE}.")
        say()
        for guest in guests:
            sent = hilum.uploads.upload_folder(guest.folder, "admin", REPORT_TYPE, progress=False)
            guest.upload_id = sent.id
        _follow(hilum, guests)
        say()
        _conclude(hilum, guests, place)
        say()
        say(styled(f"Both are as they should be, after {time.monotonic() - began_at:.0f} s.", "bold"))
        if keep:
            _tell_pages(guests, server.url, place)
            _stay()
    if not keep:
        say(f"To look at their pages: ./run hilum serve --data {place / 'data'}")
        _tell_pages(guests, DEFAULT_SERVER, place)


def _make_guests(place: Path) -> list[Guest]:
    from hilum.phantoms import make_phantom_study

    whole, short = Guest("whole", place / "whole"), Guest("short", place / "short")
    made = make_phantom_study(whole.folder, patient_id="PHANTOM-1")
    make_phantom_study(short.folder, patient_id="PHANTOM-2", seed=1, without_slice=MISSING_SLICE)
    lesions = made.volumes_ml.get("lesions")
    known = f", with lesions of {lesions:.3f} ml" if lesions else ""
    say(f"  {styled('whole', 'bold')}  a head phantom, T1 and FLAIR, {len(made.files)} images{known}")
    say(f"  {styled('short', 'bold')}  the same of another patient, but slice {MISSING_SLICE} of FLAIR is missing")
    say(styled(f"  They lie in {place}.", "dim"))
    say()
    return [whole, short]


# --- on the way --------------------------------------------------------------------------------------------------------------


def _follow(hilum: "Hilum", guests: Sequence[Guest]) -> None:
    """Tell every step as it happens, until both uploads have come to rest.

    Raises:
        HilumError: they have not within two minutes.
    """
    deadline = time.monotonic() + SECONDS
    while any(guest.upload is None for guest in guests):
        if time.monotonic() > deadline:
            raise HilumError(f"The studies were not through after {SECONDS:.0f} s.", "Try again when the machine is less busy.")
        for guest in guests:
            if guest.upload is None:
                _look_at(hilum, guest)
        time.sleep(PAUSE)


def _look_at(hilum: "Hilum", guest: Guest) -> None:
    upload = hilum.uploads.get(guest.upload_id)
    for study in upload.studies:  # the timeline after the upload: what it shows at rest is all there is
        for move in hilum.studies.timeline(study.id):
            _tell(guest, move.model_dump())
    if upload.outcome is not None:
        guest.upload = upload


def _tell(guest: Guest, move: dict[str, Any]) -> None:
    if move["id"] in guest.told:
        return
    guest.told.add(move["id"])
    if line := _line(move):
        at = styled(str(move["at"])[11:19], "dim")
        say(f"  {at}  {styled(guest.label, 'bold')}  {line}")


def _line(move: dict[str, Any]) -> str:
    """One step in words; nothing for what only says that a worker took it, or that it came to the next stage."""
    why, kind = printable(str(move["why"])), move["kind"]
    match move["verb"]:
        case "create" if kind == "study":
            return f"{'importing':<14} {why}"
        case "advance":
            return f"{move['from_stage']:<14} {why}"
        case "hold":
            return f"{move['from_stage']:<14} {styled('held', 'held')}: {why}"
        case "fail" | "refuse":
            return f"{move['from_stage']:<14} {styled(move['to_status'], 'bad')}: {why}"
        case "defer":
            return f"{move['from_stage']:<14} waits: {why}"
    return ""


# --- at the end --------------------------------------------------------------------------------------------------------------


def _conclude(hilum: "Hilum", guests: Sequence[Guest], place: Path) -> None:
    whole, short = guests
    for line in _results(hilum, _expect(whole, "succeeded"), place / "results"):
        say(line)
    held = _expect(short, "held")
    sentence = held.sentences[0] if held.sentences else ""
    if f"lice {MISSING_SLICE} is missing" not in sentence:
        raise HilumError(f"The short study is held for another reason: {sentence}", "This is a bug: tell the authors.")
    say(f"{styled('held', 'held')}       short: {printable(sentence)}")


def _expect(guest: Guest, outcome: str) -> "Upload":
    upload = guest.upload
    if upload is None or upload.outcome != outcome:
        said = " ".join(upload.sentences) if upload else ""
        found = upload.outcome if upload else "nothing"
        raise HilumError(f"The study `{guest.label}` should have {outcome}, and it is {found}. {said}", "This is a bug: tell the authors.")
    return upload


def _results(hilum: "Hilum", upload: "Upload", folder: Path) -> Iterator[str]:
    results = hilum.results.for_upload(upload.id)
    if not results:
        raise HilumError("The whole study is delivered without a result.", "This is a bug: tell the authors.")
    yield f"{styled('delivered', 'good')}  whole: {count(len(results), 'result')} in {folder}"
    for result in results:
        path = result.download(folder)
        yield styled(f"           {path.name:<24} {path.stat().st_size:>10,} bytes", "dim")


def _tell_pages(guests: Sequence[Guest], url: str, place: Path) -> None:
    """Where the timelines are, and what lets one in."""
    for guest in guests:
        for study in guest.upload.studies if guest.upload else []:
            say(f"  {styled(guest.label, 'bold')}  {url}/studies/{study.id}")
    say(styled(f"Sign in with any user name, and as password the token in {place / 'data' / 'credentials'}", "dim"))


def _stay() -> None:
    say("The server runs until Ctrl-C.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("Stopping ...")
