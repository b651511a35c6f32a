"""The contract of processors: orders and answers cross a process border, failures are sentences, names of results are safe."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from hilum.processors import (
    Artifacts,
    Host,
    Limits,
    LocalProcessor,
    Order,
    ProcessingFailedError,
    ProcessingInput,
    ProducedFile,
    Ticket,
    Unusable,
    names_of,
    read_answer,
    read_order,
    write_answer,
    write_order,
)
from hilum.processors.__main__ import member
from hilum.processors.dcm2niix import Dcm2niix
from hilum.processors.image_quality import ImageQuality
from hilum.processors.study_report import StudyReport
from hilum.runtime.children import GuardedChildren


@pytest.fixture
def phantom(phantom_study: Path, series) -> ProcessingInput:
    return series(phantom_study / "t1", "t1")


@pytest.mark.parametrize("processor", [Dcm2niix, ImageQuality, StudyReport])
def test_a_member_is_found_by_its_kind_which_is_its_file(processor: type[LocalProcessor]):
    assert processor.__module__ == f"hilum.processors.{processor.kind}"
    assert member(processor.__module__) is processor


def test_an_order_is_the_same_after_crossing_a_process_border(phantom: ProcessingInput, order_for):
    order = order_for(Dcm2niix, phantom, findings=("Ω \x00 脳",), earlier=(Path("a"),), crop=True)

    assert read_order(write_order(order), Dcm2niix.Settings) == order


@pytest.mark.parametrize("answer", [Unusable("It is a report."), Artifacts((ProducedFile(Path("a"), "a", "b/c"),), {"tool": {"x": [1]}})])
def test_an_answer_is_the_same_after_crossing_a_process_border(answer: Artifacts | Unusable):
    assert read_answer(write_answer(answer)) == answer


def test_settings_of_another_member_are_refused(phantom: ProcessingInput, order_for):
    with pytest.raises(ValidationError, match="crop"):
        read_order(write_order(order_for(Dcm2niix, phantom)), ImageQuality.Settings)


def failure(processor: type[LocalProcessor], order: Order) -> ProcessingFailedError:
    local = processor(Host(GuardedChildren()))
    with pytest.raises(ProcessingFailedError) as raised:
        local.collect(local.submit(order))
    return raised.value


def test_an_exception_in_the_child_fails_the_order_and_its_words_are_kept(phantom: ProcessingInput, order_for):
    failed = failure(ImageQuality, order_for(ImageQuality, replace(phantom, folder=Path("/nowhere"))))

    assert failed.sentence == "image_quality ended with exit status 1."
    assert "/nowhere" in failed.last_words
    assert "/nowhere" not in str(failed)


def test_an_order_that_takes_too_long_fails_with_its_limit(phantom: ProcessingInput, order_for):
    failed = failure(Dcm2niix, order_for(Dcm2niix, phantom, limits=Limits(wall_seconds=0.05)))

    assert failed.sentence == "dcm2niix took longer than its limit of 0.05 s."


def test_an_order_that_writes_too_much_fails(phantom: ProcessingInput, order_for):
    order = order_for(ImageQuality, phantom, limits=Limits(wall_seconds=60, output_bytes=20_000))

    assert isinstance(failure(ImageQuality, order), ProcessingFailedError)


def test_a_cancelled_order_fails_and_can_be_cancelled_again(phantom: ProcessingInput, order_for):
    local = ImageQuality(Host(GuardedChildren()))
    ticket = local.submit(order_for(ImageQuality, phantom))
    caught: list[ProcessingFailedError] = []

    def collect() -> None:
        try:
            local.collect(ticket)
        except ProcessingFailedError as error:
            caught.append(error)

    waiting = threading.Thread(target=collect)
    waiting.start()
    local.cancel(ticket)
    waiting.join(20)
    local.cancel(ticket)

    assert [error.sentence for error in caught] == ["image_quality was cancelled."]


def test_a_ticket_of_a_worker_that_is_gone_fails_instead_of_waiting():
    local = Dcm2niix(Host(GuardedChildren()))

    with pytest.raises(ProcessingFailedError, match="worker that is gone"):
        local.collect(Ticket("dcm2niix", {"process": 1}))


@pytest.mark.parametrize("kind_of_file", ["outside", "link", "absent"])
def test_a_result_that_is_no_file_of_the_output_is_refused(kind_of_file: str, tmp_path: Path, phantom: ProcessingInput, order_for):
    order = order_for(Dcm2niix, phantom)
    outside = tmp_path / "outside"
    outside.write_text("secret")
    (order.output / "link").symlink_to(outside)
    path = {"outside": outside, "link": order.output / "link", "absent": order.output / "absent"}[kind_of_file]
    local = Dcm2niix(Host(GuardedChildren()))

    with pytest.raises(ProcessingFailedError, match="not a regular file"):
        local.take(order, Artifacts((ProducedFile(path, "x", "text/plain"),), {}))


def test_names_are_safe_and_distinct(phantom: ProcessingInput):
    described = ["T1W 3D", "t1w/3d", "../../etc", "", "Ω", "x" * 100, "t1w 3d 2"]
    names = names_of([replace(phantom, role="", description=text) for text in described])

    assert names == ("t1w_3d", "t1w_3d_2", "etc", "series", "series_2", "x" * 40, "t1w_3d_2_2")


def test_a_role_names_its_results(phantom: ProcessingInput):
    assert names_of([phantom, replace(phantom, role="flair", description="T1")]) == ("t1", "flair")
