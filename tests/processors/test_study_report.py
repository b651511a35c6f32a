"""The study report says which series took which role, and what came of them."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from hilum.processors import Artifacts
from hilum.processors.image_quality import ImageQuality
from hilum.processors.study_report import StudyReport


@pytest.fixture
def inputs(phantom_study: Path, series):
    return series(phantom_study / "t1", "t1", "T1W 3D"), series(phantom_study / "flair", "flair", "FLAIR")


def text_of(path: Path) -> str:
    pages = [page.extract_text() for page in PdfReader(path).pages]
    assert all("Research use, not for diagnosis." in page for page in pages)
    return "\n".join(pages)


def test_a_report_sums_up_the_steps_before_it(inputs, order_for, answer_to):
    quality = order_for(ImageQuality, *inputs)
    ImageQuality.run(quality)
    results = tuple(sorted(quality.output.iterdir()))
    order = order_for(StudyReport, *inputs, earlier=results, findings=("FLAIR: slice 17 of 40 is missing.",))

    answer = answer_to(StudyReport, order)

    assert isinstance(answer, Artifacts)
    assert [file.name for file in answer.files] == ["brain_ms.pdf"]
    text = text_of(order.output / "brain_ms.pdf")
    assert "Brain MS" in text
    assert "T1W 3D" in text
    assert inputs[0].series_instance_uid in text
    assert "FLAIR: slice 17 of 40 is missing." in text
    assert "160 × 160 × 40" in text
    for path in results:
        assert hashlib.sha256(path.read_bytes()).hexdigest() in text
        assert answer.provenance["results"][path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(PdfReader(order.output / "brain_ms.pdf").pages[0].images) == 2


def test_a_report_without_image_quality_leaves_it_out(inputs, order_for):
    order = order_for(StudyReport, *inputs)
    StudyReport.run(order)
    text = text_of(order.output / "brain_ms.pdf")

    assert "Series and their roles" in text
    assert "Image quality" not in text


def test_a_long_report_goes_on_on_further_pages(inputs, order_for):
    findings = tuple(f"Finding {number}: {'something to read ' * 12}" for number in range(80))
    order = order_for(StudyReport, *inputs, findings=findings)
    StudyReport.run(order)

    count = len(PdfReader(order.output / "brain_ms.pdf").pages)
    text = text_of(order.output / "brain_ms.pdf")
    assert count >= 3
    assert f"1 / {count}" in text
    assert "Finding 79" in text


def test_a_uid_of_64_characters_is_shown_whole(inputs, order_for):
    uid = "2.25." + "7" * 59
    order = order_for(StudyReport, replace(inputs[0], series_instance_uid=uid))
    StudyReport.run(order)

    assert uid in text_of(order.output / "brain_ms.pdf")


def test_a_second_run_gives_equal_bytes(inputs, order_for):
    reports = []
    for _ in range(2):
        order = order_for(StudyReport, *inputs)
        StudyReport.run(order)
        reports.append((order.output / "brain_ms.pdf").read_bytes())

    assert reports[0] == reports[1]
