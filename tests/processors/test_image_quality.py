"""Image quality tells the truth about images whose truth is known, and tells in a sentence what it cannot measure."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pypdf import PdfReader

from hilum.phantoms import NOISE, WHITE_MATTER
from hilum.processors import Artifacts, Unusable
from hilum.processors.image_quality import ImageQuality

NOTICE = "Research use, not for diagnosis."


def record_in(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "image_quality.json").read_text(encoding="utf-8"))["series"]


def pages_of(folder: Path) -> list[str]:
    return [page.extract_text() for page in PdfReader(folder / "image_quality.pdf").pages]


@pytest.fixture
def measured(order_for):
    """Measure a series in this process: the figures of its record."""

    def measure(*inputs) -> list[dict[str, Any]]:
        order = order_for(ImageQuality, *inputs)
        answer = ImageQuality.run(order)
        assert isinstance(answer, Artifacts), answer
        return record_in(order.output)

    return measure


def test_both_series_of_a_study_are_in_one_report(shared_data: Path, order_for, answer_to, series):
    study = shared_data / "ms_dicom" / "patient01"
    order = order_for(
        ImageQuality,
        series(study / "t1", "t1", "T1W 3D"),
        series(study / "flair", "flair", "FLAIR"),
        findings=("FLAIR: the spacing varies.",),
    )

    answer = answer_to(ImageQuality, order)

    assert isinstance(answer, Artifacts)
    assert [file.name for file in answer.files] == ["image_quality.pdf", "image_quality.json", "t1_montage.png", "flair_montage.png"]
    assert answer.provenance["processor"] == "image_quality"
    t1, flair = record_in(order.output)
    assert t1["dimensions"] == {"columns": 320, "rows": 320, "slices": 39}
    assert flair["coverage_mm"] == {"columns": 230.0, "rows": 230.0, "slices": 144.0}
    pages = pages_of(order.output)
    assert all(NOTICE in page for page in pages)
    assert "T1 · T1W 3D" in pages[0]
    assert "FLAIR: the spacing varies." in pages[0]
    assert Image.open(order.output / "t1_montage.png").size == (1200, 450)


def test_figures_are_those_of_the_pixels(shared_data: Path, measured, series):
    folder = shared_data / "ms_dicom" / "patient01" / "flair"
    pixels = np.stack([pydicom.dcmread(path).pixel_array for path in folder.iterdir()]).astype(float)

    (one,) = measured(series(folder, "flair"))

    intensity = one["intensity"]
    assert (intensity["minimum"], intensity["maximum"]) == (pixels.min(), pixels.max())
    assert intensity["mean"] == pytest.approx(pixels.mean(), rel=1e-4)
    assert intensity["standard_deviation"] == pytest.approx(pixels.std(), rel=1e-4)
    assert intensity["percentile_99"] == pytest.approx(np.percentile(pixels, 99), rel=0.02)


def test_signal_and_noise_of_the_phantom_are_what_was_put_in(phantom_study: Path, measured, series):
    (one,) = measured(series(phantom_study / "t1", "t1"))

    assert one["noise_in_air"] == pytest.approx(NOISE, rel=0.03)
    assert one["noise"] == pytest.approx(NOISE, rel=0.15)
    assert one["signal"] == pytest.approx(WHITE_MATTER.t1, rel=0.05)
    assert one["snr"] == pytest.approx(one["signal"] / one["noise"], rel=1e-4)
    assert one["spacing_mm"] == {"columns": 1.4, "rows": 1.4, "slices": 4.0}
    assert one["remarks"] == []


def test_slices_are_shown_in_the_order_of_the_body(phantom_study: Path, tmp_path: Path, series, order_for):
    (tmp_path / "shuffled").mkdir()
    for number, path in enumerate(sorted((phantom_study / "t1").iterdir())):
        shutil.copy(path, tmp_path / "shuffled" / f"{number * 7 % 40:02d}.dcm")
    montages = []
    for folder in (phantom_study / "t1", tmp_path / "shuffled"):
        order = order_for(ImageQuality, series(folder, "t1"))
        ImageQuality.run(order)
        montages.append((order.output / "t1_montage.png").read_bytes())

    assert montages[0] == montages[1]


@pytest.mark.parametrize(
    ("volume", "size", "said"),
    [
        ("generic_rgb_001", [52, 77, 4], "in colour"),
        ("philips_enhanced_anatomical_001", [256, 256, 8], ""),
        ("generic_compressed_j2k_001", [256, 256, 4], ""),
        ("generic_compressed_jpegls_001", [256, 256, 4], ""),
        ("generic_compressed_rle_001", [256, 256, 4], ""),
    ],
)
def test_colour_multi_frame_and_compressed_series_are_measured(volume: str, size: list[int], said: str, shared_data, measured, series):
    (one,) = measured(series(shared_data / "volumes" / volume))

    assert list(one["dimensions"].values()) == size
    assert one["noise"] > 0
    assert said in " ".join(one["remarks"])


def test_series_of_the_same_pixels_in_two_compressions_have_the_same_figures(shared_data: Path, measured, series):
    one, other = measured(
        *(series(shared_data / "volumes" / name) for name in ("generic_compressed_jpegls_001", "generic_compressed_rle_001"))
    )

    assert one["intensity"] == other["intensity"]
    assert one["noise"] == other["noise"]


def test_two_volumes_in_one_series_are_told(shared_data: Path, measured, series):
    (one,) = measured(series(shared_data / "mr_pd_t2_interleaved" / "Siemens" / "VE11"))

    assert (one["volumes"], one["dimensions"]["slices"]) == (2, 35)
    assert any("2 volumes" in remark for remark in one["remarks"])


def test_ct_has_noise_in_hounsfield_units_and_no_ratio(shared_data: Path, measured, series):
    (one,) = measured(series(shared_data / "segmentations_dcmqi" / "segmentations" / "ct-3slice", modality="CT"))

    assert one["intensity"]["unit"] == "HU"
    assert one["noise"] > 0
    assert one["snr"] is None


def test_a_single_slice_is_measured(shared_data: Path, tmp_path: Path, measured, series):
    first = min((shared_data / "ms_dicom" / "patient01" / "t1").iterdir())
    (tmp_path / "one").mkdir()
    shutil.copy(first, tmp_path / "one" / "1.dcm")

    (one,) = measured(series(tmp_path / "one", "t1"))

    assert one["dimensions"]["slices"] == 1
    assert one["coverage_mm"]["slices"] == pytest.approx(3.0, abs=0.01)
    assert one["noise"] > 0


def test_an_image_that_cannot_be_decoded_is_told_and_the_others_count(shared_data: Path, tmp_path: Path, measured, series):
    folder = tmp_path / "cut"
    shutil.copytree(shared_data / "ms_dicom" / "patient01" / "t1", folder)
    first = min(folder.iterdir())
    first.write_bytes(first.read_bytes()[:-150_000])
    (folder / "junk.dcm").write_bytes(b"DICM" * 100)

    (one,) = measured(series(folder, "t1"))

    assert one["images_measured"] == 38
    assert any("cannot be measured" in remark for remark in one["remarks"])


def test_a_series_without_any_image_cannot_be_used(shared_data: Path, tmp_path: Path, order_for, answer_to, series):
    (tmp_path / "report").mkdir()
    shutil.copy(shared_data / "segmentations_dcmqi" / "sr-example" / "sr.dcm", tmp_path / "report" / "1.dcm")

    answer = answer_to(ImageQuality, order_for(ImageQuality, series(tmp_path / "report", modality="SR")))

    assert isinstance(answer, Unusable)
    assert "no pixel data" in answer.why


def test_a_second_run_gives_equal_bytes(shared_data: Path, order_for, series):
    given = series(shared_data / "volumes" / "ge_anatomical_001", "t1", "T1")
    folders = []
    for _ in range(2):
        order = order_for(ImageQuality, given)
        ImageQuality.run(order)
        folders.append(order.output)

    for name in ("image_quality.pdf", "image_quality.json", "t1_montage.png"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


@pytest.mark.parametrize(
    "sent", ["<img src=x onerror=alert(1)>", "<para><b>&amp;</b>", "脳 Ωmega é", "\x1b[31mred\x00\u202egnp", "a" * 20_000, "'; DROP", ""]
)
def test_whatever_a_sender_wrote_is_inert_text(sent: str, shared_data: Path, order_for, series):
    order = order_for(ImageQuality, series(shared_data / "volumes" / "ge_anatomical_001", "t1", sent), findings=(sent,))

    assert isinstance(ImageQuality.run(order), Artifacts)

    text = " ".join(pages_of(order.output))
    assert NOTICE in text
    assert not {"\x1b", "\x00", "\u202e"} & set(text)
    if sent.startswith("<img"):
        assert sent in text
