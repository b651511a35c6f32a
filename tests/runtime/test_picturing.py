"""Pictures of series: of everything there is, over what arrives later, and whatever a decoder does."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from line import Line, open_line, settings_in
from PIL import Image
from sqlalchemy import func, select

from hilum.model.identity import SYSTEM, Role, Scope
from hilum.runtime import picturing
from hilum.runtime.drawing import Job, Jobs, read_answer
from hilum.runtime.picturing import Picturing
from hilum.stores.pictures import MOST_ATTEMPTS, Picture
from hilum.stores.schema import pictures
from hilum.web.thumbnail import answer_picture, icon_png
from images import series_of


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with open_line(settings_in(tmp_path / "data")) as opened:
        opened.save_template("count", active=False)
        yield opened


def draw_all(line: Line) -> None:
    drawing = Picturing(line.app)
    while drawing.draw_wanted():
        pass


def pictures_of(line: Line, modality: str = "") -> list[Picture]:
    series = [one for one in line.app.catalogue.list_series(SYSTEM) if modality in ("", one.modality)]
    found = [line.app.pictures.find(SYSTEM, one.id) for one in series]
    assert all(found)
    return [one for one in found if one is not None]


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.dcm"))}


def child(folder: Path, jobs: list[Job], prelude: str = "") -> subprocess.CompletedProcess[bytes]:
    Jobs(tuple(jobs)).write(folder)
    program = (
        f"from pathlib import Path\nfrom hilum.runtime import drawing\n{prelude}\nraise SystemExit(drawing.main(Path({str(folder)!r})))"
    )
    return subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, timeout=120, check=False)


def every_file(shared_data: Path) -> list[Path]:
    """One image of each folder of the shared data, every segmentation, and all that comes with pydicom."""
    folders = {path.parent: path for path in sorted(shared_data.rglob("*.dcm"))}
    segmentations = [
        path for name in ("segmentations_dcmqi", "segmentations_highdicom") for path in sorted((shared_data / name).rglob("*.dcm"))
    ]
    own = Path(pydicom.__file__).parent / "data"
    of_pydicom = [path for path in sorted(own.rglob("*")) if path.is_file() and path.suffix not in (".py", ".json", ".pyc")]
    return list(dict.fromkeys([*folders.values(), *segmentations, *of_pydicom]))


def test_every_real_file_gets_a_picture_or_a_sentence_and_none_ends_the_process(shared_data: Path, tmp_path: Path) -> None:
    jobs = []
    for number, path in enumerate(every_file(shared_data)):
        (tmp_path / f"{number}.dcm").symlink_to(path)
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["Modality"])
        is_overlay = header.get("Modality") in picturing.OVERLAYS
        jobs.append(Job(overlay=f"{number}.dcm") if is_overlay else Job(images=(f"{number}.dcm",)))
    ended = child(tmp_path, jobs)
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    answers = [read_answer(tmp_path, number) for number in range(len(jobs))]
    assert all(answer is not None and (answer.has_picture or answer.why.endswith(".")) for answer in answers)
    drawn = [number for number, answer in enumerate(answers) if answer is not None and answer.has_picture]
    assert len(drawn) > 150
    assert {max(Image.open(tmp_path / f"{number}.png").size) for number in drawn} == {300}


def test_a_decoder_that_never_ends_is_ended_and_what_was_drawn_before_is_kept(shared_data: Path, tmp_path: Path) -> None:
    source = next((shared_data / "ms_dicom/patient01/flair").glob("*.dcm"))
    (tmp_path / "a.dcm").symlink_to(source)
    turning = "drawing.SECONDS = 3.0\nfirst = drawing.draw\n"
    turning += (
        "def draw(job, folder, png):\n    while not job.images:\n        pass\n    return first(job, folder, png)\ndrawing.draw = draw"
    )
    ended = child(tmp_path, [Job(images=("a.dcm",)), Job(), Job(images=("a.dcm",))], turning)
    assert ended.returncode != 0
    assert [read_answer(tmp_path, number) is not None for number in range(3)] == [True, False, False]


def test_the_middle_image_of_a_checked_study_is_drawn_by_a_worker(line: Line) -> None:
    line.send(series_of([1, 2, 3, 4, 5]), report_type="count")
    (before,) = pictures_of(line)
    assert before.is_wanted and answer_picture(before).status_code == 202
    draw_all(line)
    (picture,) = pictures_of(line)
    assert picture.png is not None and not picture.is_wanted
    assert Image.open(io.BytesIO(picture.png)).size == (300, 300)
    reply = answer_picture(picture)
    assert (reply.status_code, reply.media_type) == (200, "image/png")
    assert answer_picture(picture, reply.headers["etag"]).status_code == 304


def test_a_series_that_grew_is_drawn_again_and_one_that_did_not_is_not(line: Line) -> None:
    line.send(series_of([1, 2, 3]), report_type="count")
    draw_all(line)
    line.send(series_of([1, 2, 3]), report_type="count", force_reprocessing=True)
    assert [one.is_wanted for one in pictures_of(line)] == [False]
    line.send(series_of([1, 2, 3, 4, 5]), report_type="count")
    assert [one.is_wanted for one in pictures_of(line)] == [True]
    assert pictures_of(line)[0].png is not None  # the earlier one is shown meanwhile


def test_a_segmentation_is_drawn_again_when_its_image_arrives(line: Line, shared_data: Path) -> None:
    folder = shared_data / "segmentations_dcmqi/segmentations"
    line.send({"liver.dcm": (folder / "liver.dcm").read_bytes()}, report_type="count")
    draw_all(line)
    (alone,) = pictures_of(line, "SEG")
    assert alone.png is not None and alone.why == "What it lies on is not held." and alone.reference_uid
    line.send(files_in(folder / "ct-3slice"), report_type="count")
    draw_all(line)
    (placed,) = pictures_of(line, "SEG")
    assert placed.png is not None and placed.png != alone.png
    assert (placed.why, placed.reference_uid, placed.is_wanted) == ("", "", False)


def test_what_holds_no_image_gets_its_icon(line: Line, shared_data: Path) -> None:
    line.send({"sr.dcm": (shared_data / "segmentations_dcmqi/sr-example/sr.dcm").read_bytes()}, report_type="count")
    draw_all(line)
    (picture,) = pictures_of(line)
    assert (picture.icon, picture.png) == ("report", None)
    assert answer_picture(picture).body == icon_png("report")


def test_every_icon_is_shipped() -> None:
    for name in {*picturing.ICONS.values(), picturing.NOTHING, picturing.DAMAGED, "pending"}:
        assert Image.open(io.BytesIO(icon_png(name))).size == (300, 300)


def test_a_child_that_ends_costs_one_series_its_picture_and_no_other(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line.send(series_of([1, 2], series="1.2.826.1.1") | series_of([3, 4], series="1.2.826.1.2"), report_type="count")
    monkeypatch.setattr(picturing, "MEMORY_BYTES", 8 << 20)  # no interpreter starts in that
    for _ in range(MOST_ATTEMPTS):
        assert [one.icon for one in pictures_of(line)] == ["", ""]
        assert Picturing(line.app).draw_wanted() == 2
    monkeypatch.undo()
    assert sorted(one.icon for one in pictures_of(line)) == ["", "damaged"]
    draw_all(line)
    assert sorted((one.icon, one.png is None) for one in pictures_of(line)) == [("", False), ("damaged", True)]


def test_a_series_whose_bytes_are_damaged_costs_no_other_its_picture(line: Line) -> None:
    files = series_of([1, 2], series="1.2.826.1.1")
    line.send(files | series_of([3, 4], series="1.2.826.1.2"), report_type="count")
    for pack in line.settings.packs.glob("*.tar"):
        content = pack.read_bytes()
        for body in files.values():
            content = content.replace(body, body[:-1] + bytes([body[-1] ^ 1]))
        pack.write_bytes(content)
    for _ in range(MOST_ATTEMPTS):
        Picturing(line.app).draw_wanted()
        assert sum(one.png is not None for one in pictures_of(line)) == 1
        line.clock.advance(minutes=11)
    assert sorted(one.why for one in pictures_of(line)) == ["", "Its bytes cannot be read: run `hilum verify`."]


def test_a_wish_that_ends_its_worker_is_given_up(line: Line) -> None:
    line.send(series_of([1, 2]), report_type="count")
    for _ in range(MOST_ATTEMPTS):
        assert len(line.app.pictures.claim(8)) == 1  # and the worker is killed
        assert line.app.pictures.claim(8) == []
        line.clock.advance(minutes=11)
    draw_all(line)
    assert pictures_of(line)[0].why == "Drawing it ended the worker each time."


def test_a_wish_made_anew_while_it_is_drawn_stays(line: Line) -> None:
    line.send(series_of([1, 2]), report_type="count")
    (wish,) = line.app.pictures.claim(8)
    line.send(series_of([1, 2, 3]), report_type="count")
    line.app.pictures.keep(wish, Picture(b"png"))
    assert pictures_of(line)[0].is_wanted


def test_pictures_go_with_their_study_and_are_of_its_project(line: Line) -> None:
    study = line.study(line.send(series_of([1, 2]), report_type="count"))
    draw_all(line)
    (series,) = line.app.catalogue.list_series(SYSTEM)
    assert line.app.pictures.find(Scope("stranger", {"elsewhere": Role.ADMIN}), series.id) is None
    line.app.eraser.delete_study(SYSTEM, study.id, "A test.")
    with line.app.database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(pictures)) == 0
