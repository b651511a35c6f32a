"""Slice geometry against every real series at hand, and against stacks made to be difficult."""

import logging
import math
import random
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
import pydicom.data
import pytest

from hilum.dicom.geometry import (
    GEOMETRY_ATTRIBUTES,
    Slice,
    duplicates,
    gantry_tilt,
    gaps,
    irregular_spacing,
    missing_slices,
    orientations,
    skipped_instance_numbers,
    slice_from,
    spacing,
    volumes,
)

COMPLETE = [
    "mr_t1_sagittal_160",
    "ms_dicom/patient01/t1",
    "ms_dicom/patient01/flair",
    "ms_dicom/patient04/t1",
    "ms_dicom/patient04/flair",
    "volumes/ge_anatomical_001",
    "volumes/siemens_anatomical_001",
    "volumes/philips_anatomical_001",
    "volumes/generic_anatomical_001",
    "volumes/generic_rgb_001",
    "volumes/generic_compressed_j2k_001",
]
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)

# pydicom keeps four of the 182 images of this CT (InstanceNumbers 18, 180, 181, 182): it *is* incomplete.
TRULY_INCOMPLETE = {"1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.2": 161}


def read_attributes(file: Path) -> dict[str, Any]:
    dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=[*GEOMETRY_ATTRIBUTES, "SeriesInstanceUID"])
    attributes = {}
    for keyword in (*GEOMETRY_ATTRIBUTES, "SeriesInstanceUID"):
        try:
            attributes[keyword] = dataset.get(keyword)
        except (ValueError, TypeError):  # pydicom refuses to make a number of it; a scanner would hand the text on
            attributes[keyword] = "malformed"
    return attributes


@cache
def read_folder(folder: Path, pattern: str = "*") -> dict[str, tuple[Slice, ...]]:
    """Every series below a folder by SeriesInstanceUID; what is not DICOM is passed over."""
    series = defaultdict(list)
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for file in sorted(file for file in folder.rglob(pattern) if file.is_file()):
            try:
                attributes = read_attributes(file)
            except (pydicom.errors.InvalidDicomError, EOFError, OSError, ValueError, KeyError, AttributeError, NotImplementedError):
                continue
            series[str(attributes["SeriesInstanceUID"])].append(slice_from(attributes, key=str(file)))
    logging.disable(logging.NOTSET)
    return {uid: tuple(slices) for uid, slices in series.items()}


def the_series(folder: Path) -> tuple[Slice, ...]:
    (slices,) = (slices for uid, slices in read_folder(folder).items() if uid != "None")
    return slices


def stack(numbers: Iterator[int] | range, orientation: tuple[float, ...] = AXIAL, step: float = 3.0, **extras: Any) -> list[Slice]:
    along = (0.0, 0.0, 1.0) if orientation == AXIAL else (1.0, 0.0, 0.0)
    return [
        Slice(n, tuple(step * n * axis for axis in along), orientation, instance_number=n, **extras)  # type: ignore[arg-type]
        for n in numbers
    ]


def without(slices: list[Slice], *keys: int) -> list[Slice]:
    return [image for image in slices if image.key not in keys]


def numbers_missing(slices: list[Slice] | tuple[Slice, ...], expected: int | None = None) -> list[int]:
    return [number for gap in missing_slices(slices, expected) for number in gap.numbers]


# --- Real series ---


@pytest.mark.parametrize(
    "folder",
    [
        "mr_t1_sagittal_160",
        "mr_pd_t2_interleaved",
        "mr_ge_siemens",
        "ms_dicom",
        "volumes",
        "segmentations_dcmqi",
        "segmentations_highdicom",
    ],
)
def test_no_slice_of_a_complete_real_series_is_called_missing(shared_data: Path, folder: str) -> None:
    found = read_folder(shared_data / folder)
    assert found
    assert {uid: missing_slices(slices) for uid, slices in found.items() if missing_slices(slices)} == {}


def test_no_slice_of_all_shared_series_together_is_called_missing(shared_data: Path) -> None:
    found = read_folder(shared_data)
    assert sum(map(len, found.values())) > 900
    assert {uid: missing_slices(slices) for uid, slices in found.items() if missing_slices(slices)} == {}
    announced = {uid: missing_slices(slices, expected=len(slices)) for uid, slices in found.items()}
    assert {uid: missing for uid, missing in announced.items() if missing} == {}


def test_of_pydicoms_files_only_the_series_that_lacks_161_slices_lacks_any() -> None:
    found = read_folder(Path(pydicom.data.__file__).parent)
    assert len(found) >= 50
    missing = {uid: sum(gap.count for gap in missing_slices(slices)) for uid, slices in found.items()}
    assert {uid: count for uid, count in missing.items() if count} == TRULY_INCOMPLETE


@pytest.mark.parametrize("folder", COMPLETE)
def test_every_interior_slice_taken_away_is_found_by_its_number(shared_data: Path, folder: str) -> None:
    slices = the_series(shared_data / folder)
    (volume,) = volumes(slices)
    assert spacing(volume) is not None
    assert irregular_spacing(volume) == []
    for k, lost in enumerate(volume.slices[1:-1], 2):
        (gap,) = missing_slices([image for image in slices if image is not lost])
        assert (gap.numbers, gap.after_number, gap.after) == ((k,), k - 1, volume.slices[k - 2])
        assert gap.instance_numbers == (lost.instance_number,)
        assert gap.position == pytest.approx(lost.image_position, abs=0.01)
        assert gap.evidence == "position and numbering"


@pytest.mark.parametrize("folder", [folder for folder in COMPLETE if folder.startswith(("mr_", "ms_"))])
def test_every_interior_slice_is_found_without_instance_numbers_too(shared_data: Path, folder: str) -> None:
    slices = [Slice(image.key, image.image_position, image.image_orientation) for image in the_series(shared_data / folder)]
    (volume,) = volumes(slices)
    for k, lost in enumerate(volume.slices[1:-1], 2):
        (gap,) = missing_slices([image for image in slices if image is not lost])
        assert (gap.numbers, gap.instance_numbers, gap.evidence) == ((k,), (), "position")


def test_two_echoes_interleaved_in_one_series_are_two_complete_volumes(shared_data: Path) -> None:
    slices = the_series(shared_data / "mr_pd_t2_interleaved")
    assert [(volume.label, len(volume.slices)) for volume in volumes(slices)] == [("echo 1", 35), ("echo 2", 35)]
    assert missing_slices(slices) == missing_slices(slices, expected=70) == []


def test_a_slice_taken_from_one_echo_is_found_in_that_echo(shared_data: Path) -> None:
    slices = the_series(shared_data / "mr_pd_t2_interleaved")
    for volume in volumes(slices):
        for k, lost in enumerate(volume.slices[1:-1], 2):
            (gap,) = missing_slices([image for image in slices if image is not lost])
            assert (gap.volume, gap.numbers, gap.instance_numbers) == (volume.label, (k,), (lost.instance_number,))


def test_a_slice_taken_from_one_time_point_is_found_in_that_time_point(shared_data: Path) -> None:
    slices = the_series(shared_data / "mr_ge_siemens" / "20180918GE" / "mr_0004")
    parts = volumes(slices)
    assert [len(volume.slices) for volume in parts] == [15] * 10
    for volume in parts:
        for k, lost in enumerate(volume.slices[1:-1], 2):
            (gap,) = missing_slices([image for image in slices if image is not lost])
            assert (gap.volume, gap.numbers, gap.instance_numbers) == (volume.label, (k,), (lost.instance_number,))


def test_mosaics_are_volumes_of_their_own(shared_data: Path) -> None:
    slices = the_series(shared_data / "mr_ge_siemens" / "20180918Si" / "mr_0003")
    assert [volume.unjudged for volume in volumes(slices)] == ["mosaic", "mosaic"]


def test_an_enhanced_instance_is_not_judged(shared_data: Path) -> None:
    for slices in read_folder(shared_data / "volumes" / "philips_enhanced_anatomical_001").values():
        assert [volume.unjudged for volume in volumes(slices)] == ["multi-frame"]


# --- Gaps ---


@pytest.mark.parametrize("numbers", [range(1, 41), range(40, 0, -1)])
def test_slice_17_taken_away_is_number_17_whichever_way_the_numbering_runs(numbers: range) -> None:
    slices = without([Slice(n, (0.0, 0.0, 3.0 * place), AXIAL, instance_number=n) for place, n in enumerate(numbers)], 17)
    random.Random(1).shuffle(slices)
    (gap,) = missing_slices(slices)
    assert (gap.numbers, gap.instance_numbers, gap.after_number) == ((17,), (17,), 16)


def test_two_holes_are_counted_in_the_volume_as_it_should_be() -> None:
    found = missing_slices(without(stack(range(1, 31)), 5, 6, 7, 20))
    assert [(gap.count, gap.numbers, gap.after_number) for gap in found] == [(3, (5, 6, 7), 4), (1, (20,), 19)]


def test_half_of_all_slices_missing_is_found() -> None:
    lost = random.Random(2).sample(range(2, 60), 30)
    assert numbers_missing(without(stack(range(1, 61)), *lost)) == sorted(lost)


def test_every_other_slice_lost_shows_by_spacing_between_slices() -> None:
    every_other = stack(range(1, 41, 2), spacing_between_slices=3.0)
    assert numbers_missing(every_other) == list(range(2, 39, 2))
    assert numbers_missing(stack(range(1, 41, 2))) == []  # a volume numbered by twos


def test_the_ends_are_missed_only_with_an_expected_count() -> None:
    slices = stack(range(2, 40))
    assert missing_slices(slices) == []
    assert numbers_missing(slices, expected=40) == [1, 40]
    assert numbers_missing(without(slices, 17), expected=40) == [1, 17, 40]


def test_where_no_numbering_shows_the_end_only_the_count_is_known() -> None:
    slices = [Slice(n, (0.0, 0.0, float(n)), AXIAL) for n in range(10)]
    (gap,) = missing_slices(slices, expected=12)
    assert (gap.count, gap.numbers, gap.evidence) == (2, (), "expected count")


LOCALISER = stack(range(1, 6)) + stack(range(6, 13), SAGITTAL)
TWO_WEIGHTS = stack(range(1, 11), diffusion_b_value=0.0) + [
    Slice(10 + n, (0.0, 0.0, 3.0 * n), AXIAL, instance_number=10 + n, diffusion_b_value=1000.0) for n in range(1, 21)
]
ONE_TWICE = [*stack(range(1, 11)), Slice("again", (0.0, 0.0, 15.0), AXIAL, instance_number=5)]
NUMBERED_ANEW = [Slice((t, n), (0.0, 0.0, 3.0 * n), AXIAL, instance_number=n) for t in range(10) for n in range(1, 16)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "slices",
    [
        pytest.param(LOCALISER, id="a localiser of 5 and 7"),
        pytest.param(TWO_WEIGHTS, id="10 images of one b-value and 20 of another"),
        pytest.param(ONE_TWICE, id="10 slices, one of them twice"),
        pytest.param(NUMBERED_ANEW, id="a time series numbered anew at each time"),
    ],
)
def test_as_many_images_as_were_announced_lack_none_however_they_divide(slices: list[Slice]) -> None:
    assert missing_slices(slices, expected=len(slices)) == []
    assert missing_slices(slices, expected=len(slices) - 1) == []
    assert [(gap.volume, gap.count, gap.numbers) for gap in missing_slices(slices, expected=len(slices) + 2)] == [("the series", 2, ())]


@pytest.mark.parametrize("lost", [(0, 1), (4, 8), (9, 15)])
def test_one_image_lost_of_a_time_series_numbered_anew_is_one_missing(lost: tuple[int, int]) -> None:
    left = without(NUMBERED_ANEW, lost)  # type: ignore[arg-type]
    assert sum(gap.count for gap in missing_slices(left, expected=150)) == 1


def test_the_first_image_of_each_of_two_echoes_is_missed_by_its_number() -> None:
    echoes = [
        Slice((echo, n), (0.0, 0.0, 3.0 * n), AXIAL, instance_number=10 * (echo - 1) + n, echo_numbers=(echo,))  # type: ignore[arg-type]
        for echo in (1, 2)
        for n in range(1, 11)
    ]
    left = without(echoes, (1, 1), (2, 1))  # type: ignore[arg-type]
    assert [(gap.volume, gap.numbers, gap.instance_numbers) for gap in missing_slices(left, expected=20)] == [
        ("echo 1", (1,), (1,)),
        ("echo 2", (1,), (11,)),
    ]


def test_images_without_a_position_are_counted_but_never_judged() -> None:
    slices = [Slice(n, instance_number=n) for n in (1, 2, 4, 5)]
    assert missing_slices(slices) == []
    assert skipped_instance_numbers(slices) == [(3, 3)]
    assert [gap.count for gap in missing_slices(slices, expected=5)] == [1]


def test_a_hole_beside_numbers_that_run_on_is_found_where_the_stack_is_even_and_says_its_spacing() -> None:
    left = without(stack(range(1, 31), spacing_between_slices=3.0), 17)
    anew = [Slice(n, i.image_position, i.image_orientation, instance_number=n, spacing_between_slices=3.0) for n, i in enumerate(left, 1)]
    (gap,) = missing_slices(anew)
    assert (gap.numbers, gap.instance_numbers, gap.evidence) == ((17,), (), "position")


# --- What is not a gap ---


def test_two_ranges_of_one_ct_are_no_gap() -> None:
    slices = [
        Slice(n, (0.0, 0.0, z), AXIAL, instance_number=n, acquisition_number=1 + (z > 50))
        for n, z in enumerate([*range(20), *range(100, 130)], 1)
    ]
    assert missing_slices(slices) == []
    assert [interval for _, interval in irregular_spacing(volumes(slices)[0])] == [81]


def test_a_head_ct_with_wider_slices_above_the_base_is_no_gap() -> None:
    positions = [2.5 * n for n in range(12)] + [30.0 + 5 * n for n in range(14)]
    slices = [Slice(n, (0.0, 0.0, z), AXIAL, instance_number=n) for n, z in enumerate(positions, 1)]
    assert missing_slices(slices) == []
    assert irregular_spacing(volumes(slices)[0])


def test_spacing_that_drifts_is_irregular_and_no_gap() -> None:
    slices = [Slice(n, (0.0, 0.0, z), AXIAL, instance_number=n) for n, z in enumerate([0, 3, 6, 10.5, 13.5, 16.5, 19.5], 1)]
    assert missing_slices(slices) == []
    assert [(image.key, interval) for image, interval in irregular_spacing(volumes(slices)[0])] == [(3, 4.5)]


def test_a_tilted_gantry_shears_the_stack_and_is_no_gap() -> None:
    angle = math.radians(15)
    tilted = (1.0, 0.0, 0.0, 0.0, math.cos(angle), -math.sin(angle))
    slices = [Slice(n, (-120.0, -100.0, 5.0 * n), tilted, instance_number=n) for n in range(1, 25)]
    (volume,) = volumes(slices)
    assert missing_slices(slices) == []
    assert gantry_tilt(volume) == pytest.approx(15)
    assert gantry_tilt(volumes(stack(range(1, 9)))[0]) == pytest.approx(0)
    assert numbers_missing(without(slices, 17)) == [17]


def test_a_localiser_of_three_orientations_is_three_volumes() -> None:
    coronal = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    slices = (
        stack(range(1, 4)) + stack(range(4, 7), SAGITTAL) + [Slice(n, (0.0, 8.0 * n, 0.0), coronal, instance_number=n) for n in (7, 8, 9)]
    )
    assert len(orientations(slices)) == 3
    assert [volume.label for volume in volumes(slices)] == [f"orientation {n} of 3" for n in (1, 2, 3)]
    assert missing_slices(slices) == []


def test_a_cine_at_one_position_is_no_stack() -> None:
    slices = [Slice(n, (0.0, 0.0, 0.0), AXIAL, instance_number=n, trigger_time=31.5 * n) for n in (1, 2, 4, 9)]
    assert missing_slices(slices) == []


@pytest.mark.parametrize("lost", [2, 24, 137, 249])
def test_a_cine_position_by_position_lacks_the_phase_taken_away(lost: int) -> None:
    phases = [
        Slice(25 * place + phase, (0.0, 0.0, 8.0 * place), AXIAL, instance_number=25 * place + phase)
        for place in range(10)
        for phase in range(1, 26)
    ]
    assert missing_slices(phases) == []
    found = missing_slices(without(phases, lost))
    place = (lost - 1) // 25 + 1
    assert [(gap.numbers, gap.instance_numbers) for gap in found] == ([((place,), (lost,))] if 1 < place < 10 else [])


def test_an_aborted_time_series_is_no_gap() -> None:
    slices = [Slice(15 * t + z, (0.0, 0.0, 5.0 * z), AXIAL, instance_number=15 * t + z) for t in range(4) for z in range(15)]
    assert missing_slices(slices[:-6]) == []


def test_diffusion_weights_part_before_repeats_do() -> None:
    slices = [
        Slice((b, r, z), (0.0, 0.0, 2.0 * z), AXIAL, diffusion_b_value=b, instance_number=n)  # type: ignore[arg-type]
        for n, (b, r, z) in enumerate(((b, r, z) for b, repeats in ((0.0, 1), (1000.0, 3)) for r in range(repeats) for z in range(12)), 1)
    ]
    assert [v.label for v in volumes(slices)] == ["b-value 0 s/mm2", *(f"b-value 1000 s/mm2, repeat {n} of 3" for n in (1, 2, 3))]
    assert numbers_missing(without(slices, (0.0, 0, 6))) == [7]  # type: ignore[arg-type]


def test_an_acquisition_number_that_changes_along_the_stack_parts_nothing() -> None:
    slices = [Slice(n, (0.0, 0.0, 2.5 * n), AXIAL, instance_number=n, acquisition_number=n // 4) for n in range(1, 41)]
    assert len(volumes(slices)) == 1
    assert numbers_missing(without(slices, 17)) == [17]


def test_an_image_sent_twice_is_a_duplicate_and_no_gap() -> None:
    slices = stack(range(1, 21))
    twice = [*slices, Slice("again", slices[4].image_position, AXIAL, instance_number=5)]
    (volume,) = volumes(twice)
    assert [[image.key for image in images] for images in duplicates(volume)] == [[5, "again"]]
    assert missing_slices(twice) == []
    assert numbers_missing(without(twice, 17)) == [17]


def test_a_decubitus_oblique_stack_is_judged_along_its_own_normal() -> None:
    row, column = (0.0, 0.8, 0.6), (-1.0, 0.0, 0.0)
    normal = (0.0, -0.6, 0.8)
    slices = [Slice(n, tuple(50 - 1.2 * n * x for x in normal), (*row, *column), instance_number=n) for n in range(1, 33)]  # type: ignore[arg-type]
    assert missing_slices(slices) == []
    assert numbers_missing(without(slices, 17)) == [17]


def test_slices_a_hundredth_of_a_millimetre_apart_keep_their_places() -> None:
    assert numbers_missing(without(stack(range(1, 41), step=0.01), 17)) == [17]


# --- Hostile and malformed headers ---


def test_values_may_be_text_numbers_or_lists() -> None:
    image = slice_from(
        {
            "SOPInstanceUID": "1.2",
            "ImagePositionPatient": "1\\2.5\\-3",
            "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
            "InstanceNumber": " 7 ",
            "EchoNumbers": 2,
            "ImageType": "ORIGINAL\\PRIMARY\\M ",
        }
    )
    assert image == Slice("1.2", (1.0, 2.5, -3.0), AXIAL, instance_number=7, echo_numbers=(2,), image_type=("ORIGINAL", "PRIMARY", "M"))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImagePositionPatient", "1\\2"),
        ("ImagePositionPatient", ["nan", 0, 0]),
        ("ImageOrientationPatient", [0, 0, 0, 0, 0, 0]),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
        ("NumberOfFrames", "1A"),
        ("InstanceNumber", "1.5"),
        ("SliceThickness", "1e999"),
        ("EchoTime", "1_0"),
        ("SpacingBetweenSlices", 1e308),
        ("AcquisitionNumber", 2**31),
        ("TriggerTime", object()),
    ],
)
def test_a_malformed_value_is_none_and_noted(keyword: str, value: Any) -> None:
    assert slice_from({keyword: value}, key=1) == Slice(1, malformed=(keyword,))


def test_absent_and_empty_values_are_none_and_not_noted() -> None:
    assert slice_from({"ImagePositionPatient": None, "InstanceNumber": "", "ImageType": []}, key=1) == Slice(1)


def test_a_position_a_thousand_kilometres_away_is_no_gap() -> None:
    far = Slice(10**9, (0.0, 0.0, 3e9), AXIAL, instance_number=10**9)
    assert missing_slices([*stack(range(1, 11)), far]) == []
    assert skipped_instance_numbers([*stack(range(1, 11)), far]) == [(11, 10**9 - 1)]


@pytest.mark.parametrize("slices", [[], stack(range(1, 2)), stack(range(1, 3))])
def test_nothing_one_slice_or_two_give_no_gap(slices: list[Slice]) -> None:
    assert missing_slices(slices) == []


def test_gaps_of_a_volume_that_is_not_judged_are_none() -> None:
    assert gaps(volumes([Slice(1), Slice(2)])[0]) == []


def test_five_thousand_instances_take_less_than_50_ms() -> None:
    headers = [
        {
            "ImagePositionPatient": [0, 0, 0.5 * z],
            "ImageOrientationPatient": list(AXIAL),
            "InstanceNumber": 500 * t + z,
            "TriggerTime": 700 * t + z / 7,
            "ImageType": ["ORIGINAL", "PRIMARY"],
        }
        for t in range(10)
        for z in range(500)
    ]
    slices = [slice_from(header, key) for key, header in enumerate(headers)]
    assert min(timed(slices) for _ in range(5)) < 0.05


def timed(slices: list[Slice]) -> float:
    start = time.process_time()  # the machine is shared: other people's time is not ours
    assert missing_slices(slices) == []
    return time.process_time() - start


def test_five_thousand_orientations_end_in_time() -> None:
    angles = [math.pi * n / 5000 for n in range(5000)]
    slices = [
        Slice(n, (0.0, 0.0, float(n)), (math.cos(a), math.sin(a), 0.0, 0.0, 0.0, -1.0), instance_number=n) for n, a in enumerate(angles)
    ]
    start = time.process_time()
    missing_slices(slices)
    assert time.process_time() - start < 6  # about one on a quiet core; each beside each other would be hundreds
