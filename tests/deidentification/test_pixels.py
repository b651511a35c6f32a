"""Rules for pixels: what is made dark, what passes, what is held; on real images of every encoding."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml
from deidentifying import KEY, answer_of, deidentified, encoded, engine_of
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless
from unharmed import errors_of

from hilum.deidentification.engine import Answer, Dropped, Held, Rewritten
from hilum.deidentification.reports import StudyReport
from hilum.dicom.elements import Source
from hilum.dicom.pixels import frame
from hilum.model.errors import InvalidError
from hilum.model.profiles import Profile
from hilum.runtime.darkening import ChildDarkener
from hilum.runtime.deidentifying import make_engine

EXPLICIT, JPEG_LS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80"
ULTRASOUND, SECONDARY_CAPTURE, CT = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.2"
SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
TOKEN = b"Zq7Planted"

REAL = [
    "CT_small.dcm",  # signed, 16 bits
    "MR_small_bigendian.dcm",
    "examples_rgb_color.dcm",  # ultrasound
    "examples_palette.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "rtdose_1frame.dcm",  # 32 bits
    "MR_small_RLE.dcm",
    "SC_rgb_rle_2frame.dcm",
    "JPEG2000.dcm",
    "examples_jpeg2k.dcm",  # ultrasound, YBR_RCT
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_jls_lossy_line.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",  # JPEG Baseline
    "examples_ybr_color.dcm",  # ultrasound, JPEG Baseline, 30 frames
]


def path_of(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert path, name
    return Path(path)


def blanking(rows: int, columns: int, *regions: list[int], **said: object) -> dict[str, object]:
    return {"name": "banner", "where": {"Rows": rows, "Columns": columns}, "blank": regions, **said}


def through(content: bytes, scratch: Path, *rules: dict[str, object], options: tuple[str, ...] = ()) -> tuple[Answer, bytes]:
    profile = Profile.model_validate({"name": "tested", "options": options, "pixels": rules})
    out = io.BytesIO()
    return make_engine(profile, KEY, scratch).deidentify(Source.of_bytes(content), out.write), out.getvalue()


def made_of(content: bytes, scratch: Path, *rules: dict[str, object], options: tuple[str, ...] = ()) -> Dataset:
    answer, written = through(content, scratch, *rules, options=options)
    assert isinstance(answer, Rewritten), answer
    return dcmread(io.BytesIO(written))


def photograph(sop_class: str = ULTRASOUND, modality: str = "US", **said: object) -> Dataset:
    """A colour image of 8 rows and 10 columns."""
    given = dcmread(path_of("CT_small.dcm"))
    given.SOPClassUID, given.Modality = sop_class, modality
    given.file_meta.MediaStorageSOPClassUID = sop_class
    given.Rows, given.Columns, given.SamplesPerPixel, given.PlanarConfiguration = 8, 10, 3, 0
    given.BitsAllocated = given.BitsStored = 8
    given.HighBit, given.PixelRepresentation, given.PhotometricInterpretation = 7, 0, "RGB"
    given.PixelData = bytes(range(240))
    for keyword, value in said.items():
        setattr(given, keyword, value)
    return given


@pytest.mark.parametrize("name", REAL)
def test_a_region_of_a_real_image_is_dark_the_rest_is_bit_equal_and_the_object_stays_valid(name: str, tmp_path: Path) -> None:
    given = path_of(name)
    rows, columns = frame(given).shape[:2]
    left, top, width, height = columns // 8 * 2, rows // 4, max(columns // 4 * 2, 1), max(rows // 2, 1)
    answer, written = through(given.read_bytes(), tmp_path, blanking(rows, columns, [left, top, width, height]))
    assert isinstance(answer, Rewritten), answer
    made = tmp_path / "made.dcm"
    made.write_bytes(written)
    frames = int(dcmread(given).get("NumberOfFrames") or 1)
    assert (answer.pixels.rule, answer.pixels.regions, answer.pixels.frames) == ("banner", 1, frames)
    for index in range(frames):
        before, after = frame(given, index), frame(made, index)
        inside = np.zeros(before.shape[:2], bool)
        inside[top : top + height, left : left + width] = True
        assert np.array_equal(before[~inside], after[~inside])
        assert len(np.unique(after[inside].reshape(-1, *after.shape[2:]), axis=0)) == 1
    assert dcmread(made).BurnedInAnnotation == "NO"
    assert not errors_of(made) - errors_of(given)


def test_nothing_is_left_in_the_folder_of_the_child(tmp_path: Path) -> None:
    made_of(path_of("MR_small_RLE.dcm").read_bytes(), tmp_path, blanking(64, 64, [0, 0, 64, 8]))
    assert list(tmp_path.iterdir()) == []


def test_the_child_sees_no_name(tmp_path: Path) -> None:
    seen: list[bytes] = []

    class Watching(ChildDarkener):
        def __call__(self, write_image, what):  # type: ignore[no-untyped-def]
            write_image(seen.append)
            return super().__call__(write_image, what)

    given = dcmread(path_of("MR_small_RLE.dcm"))
    given.PatientName = TOKEN.decode()
    profile_rules = {"pixels": [blanking(64, 64, [0, 0, 64, 8])]}
    engine = engine_of(**profile_rules)
    engine._darken = Watching(tmp_path)
    answer, _ = answer_of(encoded(given, given.file_meta.TransferSyntaxUID), engine)
    assert isinstance(answer, Rewritten), answer
    assert seen
    assert TOKEN not in b"".join(seen)


def test_what_was_lossy_says_so_still_and_is_described_as_it_now_is(tmp_path: Path) -> None:
    given = dcmread(path_of("SC_rgb_dcmtk_+eb+cy+np.dcm"))
    given.LossyImageCompression = "01"
    made = made_of(encoded(given, given.file_meta.TransferSyntaxUID), tmp_path, blanking(100, 100, [0, 0, 100, 10]))
    assert made.file_meta.TransferSyntaxUID == JPEG_LS
    assert (made.PhotometricInterpretation, made.PlanarConfiguration, made.LossyImageCompression) == ("RGB", 0, "01")


def test_frames_that_a_rule_does_not_name_keep_their_bytes(tmp_path: Path) -> None:
    given = dcmread(path_of("CT_small.dcm"))
    image = given.pixel_array
    given.NumberOfFrames, given.PixelData = 5, b"".join(np.roll(image, index).tobytes() for index in range(5))
    native = encoded(given, EXPLICIT)
    given.compress(JPEG2000Lossless)
    rule = blanking(128, 128, [0, 0, 128, 9], frames=[2, 5])
    before, made = given.PixelData, made_of(encoded(given, JPEG2000Lossless), tmp_path, rule).PixelData
    assert changed_frames(before, made) == [1, 4]
    before, made = dcmread(io.BytesIO(native)).PixelData, made_of(native, tmp_path, rule).PixelData
    size = len(before) // 5
    assert [n for n in range(5) if before[n * size : (n + 1) * size] != made[n * size : (n + 1) * size]] == [1, 4]


def changed_frames(before: bytes, after: bytes) -> list[int]:
    both = zip(generate_frames(before, number_of_frames=5), generate_frames(after, number_of_frames=5), strict=True)
    return [index for index, (one, other) in enumerate(both) if one != other]


def test_outside_of_ultrasound_regions_is_dark(tmp_path: Path) -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0, region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 2, 3, 8, 6
    given = photograph(SequenceOfUltrasoundRegions=Sequence([region]))
    rule = {"name": "regions", "where": {"Modality": "US"}, "keep_ultrasound_regions": True}
    before, after = given.pixel_array, made_of(encoded(given, EXPLICIT), tmp_path, rule).pixel_array
    kept = np.zeros((8, 10), bool)
    kept[3:7, 2:9] = True
    assert np.array_equal(before[kept], after[kept])
    assert not after[~kept].any()


@pytest.mark.parametrize("corners", [None, (0, 0, 9, 7), (2, 3, 10, 6), (2, 3, 8, 8), (5, 3, 4, 6), (-1, 0, 4, 4), (2, 3, 8, None)])
def test_ultrasound_regions_that_are_none_hold(corners: tuple[int, ...] | None, tmp_path: Path) -> None:
    given = photograph()
    if corners:
        region = Dataset()
        for keyword, value in zip(("MinX0", "MinY0", "MaxX1", "MaxY1"), corners, strict=True):
            if value is not None and value >= 0:
                setattr(region, f"RegionLocation{keyword}", value)
        given.SequenceOfUltrasoundRegions = Sequence([region])
    rule = {"name": "regions", "where": {"Modality": "US"}, "keep_ultrasound_regions": True}
    answer, _ = through(encoded(given, EXPLICIT), tmp_path, rule)
    assert isinstance(answer, Held), answer
    assert "region" in answer.why


def test_the_first_rule_that_fits_counts(tmp_path: Path) -> None:
    content = encoded(photograph(Manufacturer="Acme Ultrasound", ManufacturerModelName="S1"), EXPLICIT)
    others = {"name": "others", "where": {"Modality": ["US", "IVUS"]}, "remove": True}
    fitting = {"name": "s1", "where": {"Manufacturer": "ACME ultrasound", "ManufacturerModelName": ["S0", "S1"]}, "clean": True}
    assert made_of(content, tmp_path, fitting, others).BurnedInAnnotation == "NO"
    answer, _ = through(content, tmp_path, others, fitting)
    assert answer == Dropped("The rule others of the profile leaves it out.")
    unfitting = {"name": "s2", "where": {"Manufacturer": "Acme", "ManufacturerModelName": "S2"}, "clean": True}
    answer, _ = through(content, tmp_path, unfitting)
    assert isinstance(answer, Held)
    assert "no rule says where" in answer.why
    answer, _ = through(content, tmp_path, {"name": "look", "where": {"Rows": 8}, "hold": True})
    assert answer == Held("The rule look of the profile holds it.")


def test_an_image_that_says_to_show_text_is_not_clean_by_a_rule_that_does_not_mean_it(tmp_path: Path) -> None:
    content = encoded(photograph(BurnedInAnnotation="YES"), EXPLICIT)
    answer, _ = through(content, tmp_path, {"name": "us", "where": {"Modality": "US"}, "clean": True})
    assert isinstance(answer, Held)
    meant = {"name": "us", "where": {"Modality": "US", "BurnedInAnnotation": "YES"}, "clean": True}
    assert made_of(content, tmp_path, meant).BurnedInAnnotation == "NO"


@pytest.mark.parametrize(
    "given",
    [
        {"sop_class": ULTRASOUND},
        {"sop_class": SECONDARY_CAPTURE, "modality": "CT"},
        {"sop_class": CT, "modality": "CT", "BurnedInAnnotation": "YES"},
        {"sop_class": CT, "modality": "CT", "ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
        {"sop_class": CT, "modality": "XC"},
        {"sop_class": CT, "modality": "CT", "BurnedInAnnotation": ["NO", "YES"]},
        {"sop_class": SLIDE, "modality": "SM", "BurnedInAnnotation": "NO", "ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]},
        {"sop_class": SLIDE, "modality": "SM", "BurnedInAnnotation": "NO", "ImageType": ["ORIGINAL", "PRIMARY", "OVERVIEW", "NONE"]},
        {"sop_class": SLIDE, "modality": "SM", "BurnedInAnnotation": "NO", "SpecimenLabelInImage": "YES"},
    ],
)
def test_without_a_rule_what_often_shows_identities_is_held(given: dict[str, str], tmp_path: Path) -> None:
    answer, written = through(encoded(photograph(**given), EXPLICIT), tmp_path)
    assert isinstance(answer, Held)
    assert answer.why.endswith("no rule says where.")
    assert written == b""


def test_the_option_clean_pixel_data_passes_no_image_that_may_show_text_without_a_rule(tmp_path: Path) -> None:
    option = ("clean-pixel-data",)
    ct, x_ray = photograph(CT, "CT"), photograph("1.2.840.10008.5.1.4.1.1.1.1", "DX")
    codes = [item.CodeValue for item in made_of(encoded(ct, EXPLICIT), tmp_path, options=option).DeidentificationMethodCodeSequence]
    assert codes == ["113100"]
    assert isinstance(through(encoded(x_ray, EXPLICIT), tmp_path)[0], Rewritten)
    assert isinstance(through(encoded(x_ray, EXPLICIT), tmp_path, options=option)[0], Held)
    made = made_of(encoded(x_ray, EXPLICIT), tmp_path, blanking(8, 10, [0, 0, 10, 2]), options=option)
    assert [item.CodeValue for item in made.DeidentificationMethodCodeSequence] == ["113100", "113101"]
    assert not made.pixel_array[:2].any()


def test_an_icon_goes_where_the_image_is_made_dark(tmp_path: Path) -> None:
    icon = Dataset()
    icon.PixelData = TOKEN
    icon["PixelData"].VR = "OW"
    given = photograph(IconImageSequence=Sequence([icon]))
    keeping = {"attribute": "IconImageSequence", "action": "keep"}
    made = deidentified(encoded(given, EXPLICIT), engine_of(pixels=[blanking(8, 10, [0, 0, 10, 2])], overrides=[keeping]))
    assert "IconImageSequence" not in made


def test_an_overlay_in_unused_bits_goes_with_its_attributes() -> None:
    given = dcmread(path_of("MR_small.dcm"))
    given.BitsStored, given.HighBit, given.PixelRepresentation = 12, 11, 0
    pixels = np.arange(64 * 64, dtype=np.uint16) & 0x0FFF
    given.PixelData = (pixels | 0x8000).tobytes()
    given.add_new(0x60000100, "US", 16)
    given.add_new(0x60000102, "US", 15)
    made = deidentified(encoded(given, EXPLICIT))
    assert made.PixelData == pixels.tobytes()
    assert 0x60000102 not in made


def test_an_overlay_in_compressed_pixels_holds() -> None:
    given = dcmread(path_of("MR_small_RLE.dcm"))
    given.add_new(0x60000102, "US", 15)
    answer, _ = answer_of(encoded(given, given.file_meta.TransferSyntaxUID))
    assert isinstance(answer, Held)
    assert "overlay" in answer.why


@pytest.mark.parametrize("name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_comments_within_compressed_frames_go_and_are_counted(name: str) -> None:
    given = dcmread(path_of(name))
    codes = next(generate_frames(given.PixelData, number_of_frames=1))
    marker, at = (b"\xff\x64", codes.index(b"\xff\x90")) if codes[:2] == b"\xff\x4f" else (b"\xff\xfe", 2)
    with_comment = codes[:at] + marker + struct.pack(">H", len(TOKEN) + 4) + b"\0\1" + TOKEN + codes[at:]
    given.PixelData = encapsulate([with_comment])
    answer, written = answer_of(encoded(given, given.file_meta.TransferSyntaxUID))
    assert isinstance(answer, Rewritten), answer
    assert answer.pixels.emptied == 1
    assert TOKEN not in written
    assert np.array_equal(frame(dcmread(io.BytesIO(written))), frame(path_of(name)))


def test_comments_go_from_frames_that_a_rule_does_not_name(tmp_path: Path) -> None:
    given = dcmread(path_of("MR_small_jpeg_ls_lossless.dcm"))
    codes = next(generate_frames(given.PixelData, number_of_frames=1))
    with_comment = codes[:2] + b"\xff\xfe" + struct.pack(">H", len(TOKEN) + 2) + TOKEN + codes[2:]
    given.PixelData, given.NumberOfFrames = encapsulate([codes, with_comment]), 2
    answer, written = through(encoded(given, JPEG_LS), tmp_path, blanking(64, 64, [0, 0, 64, 8], frames=[1]))
    assert isinstance(answer, Rewritten), answer
    assert TOKEN not in written


@pytest.mark.parametrize(
    "name", ["SC_rgb_jpeg_gdcm.dcm", "JPEG2000-embedded-sequence-delimiter.dcm", "rtdose_rle_1frame.dcm", "MR_truncated.dcm"]
)
def test_frames_that_cannot_be_decoded_or_encoded_hold(name: str, tmp_path: Path) -> None:
    given = dcmread(path_of(name))
    answer, _ = through(path_of(name).read_bytes(), tmp_path, blanking(given.Rows, given.Columns, [0, 0, 5, 5]))
    assert isinstance(answer, Held), answer
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "said",
    [
        {"Rows": 65535, "Columns": 65535},
        {"Rows": 0},
        {"NumberOfFrames": 2_000_000_000},
        {"NumberOfFrames": 2},
        {"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63},
        {"SamplesPerPixel": 4},
        {"HighBit": 3},
        {"PhotometricInterpretation": "HSV"},
    ],
)
def test_an_image_that_is_not_what_it_says_is_held(said: dict[str, object], tmp_path: Path) -> None:
    given = photograph(**said)
    by_regions = {"name": "regions", "where": {"Modality": "US"}, "keep_ultrasound_regions": True}
    rule = blanking(int(given.Rows), int(given.Columns), [0, 0, 5, 5]) if given.Rows else by_regions
    answer, _ = through(encoded(given, EXPLICIT), tmp_path, rule)
    assert isinstance(answer, Held), answer


def test_a_rule_for_frames_that_are_not_there_holds(tmp_path: Path) -> None:
    answer, _ = through(encoded(photograph(), EXPLICIT), tmp_path, blanking(8, 10, [0, 0, 10, 2], frames=[1, 2]))
    assert answer == Held("The rule banner names frames that the instance has not.")


def test_compressed_pixels_under_a_native_transfer_syntax_are_held() -> None:
    content = path_of("MR_small_jp2klossless.dcm").read_bytes()
    answer, _ = answer_of(content.replace(b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.1\0\0\0"))
    assert isinstance(answer, Held)
    assert "fragments" in answer.why


def test_a_bomb_in_a_compressed_frame_is_held(tmp_path: Path) -> None:
    given = dcmread(path_of("MR_small_jp2klossless.dcm"))
    codes = bytearray(next(generate_frames(given.PixelData, number_of_frames=1)))
    at = codes.index(b"\xff\x51")
    codes[at + 6 : at + 14] = struct.pack(">LL", 2**31, 2**31)
    given.PixelData = encapsulate([bytes(codes)])
    answer, _ = through(encoded(given, given.file_meta.TransferSyntaxUID), tmp_path, blanking(64, 64, [0, 0, 5, 5]))
    assert isinstance(answer, Held), answer


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"name": "one", "where": {"Rows": 8, "Columns": 10}, "blank": [[0, 0, 11, 2]]}, "not within an image of 10 by 8"),
        ({"name": "one", "where": {"Rows": 8, "Columns": 10}, "blank": [[-1, 0, 5, 2]]}, "not within"),
        ({"name": "one", "where": {"Modality": "US"}, "blank": [[0, 0, 5, 2]]}, "name Rows and Columns"),
        ({"name": "one", "where": {"Rows": [8, 9], "Columns": 10}, "blank": [[0, 0, 5, 2]]}, "name Rows and Columns"),
        ({"name": "one", "where": {"Modality": "US"}}, "say exactly one of"),
        ({"name": "one", "where": {"Modality": "US"}, "clean": True, "hold": True}, "say exactly one of"),
        ({"name": "one", "where": {}, "clean": True}, "where"),
        ({"name": "one", "where": {"Modality": "US"}, "clean": True, "frames": [1]}, "frames are named for what blanks"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_when_it_is_read(rule: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Profile.model_validate({"name": "tested", "pixels": [rule]})


@pytest.mark.parametrize("where", [{"NoSuchAttribute": "x"}, {"Rows": "many"}, {"Modality": ""}, {"PixelData": "x"}, {"Modality": []}])
def test_a_condition_that_nothing_can_meet_is_refused_with_a_sentence(where: dict[str, object]) -> None:
    with pytest.raises(InvalidError, match="The rule one for pixels"):
        engine_of(pixels=[{"name": "one", "where": where, "clean": True}])


def test_the_report_counts_what_was_made_dark_by_which_rule(tmp_path: Path) -> None:
    report = StudyReport()
    for _ in range(2):
        report.add(through(encoded(photograph(), EXPLICIT), tmp_path, blanking(8, 10, [0, 0, 10, 2], [0, 7, 10, 1]))[0])
    report.add(through(encoded(photograph(CT, "CT"), EXPLICIT), tmp_path)[0])
    counted = {one["rule"]: one for one in report.as_json()["pixels"]}
    assert (counted["banner"]["instances"], counted["banner"]["frames"], counted["banner"]["regions"]) == (2, 2, 4)
    assert (counted[""]["instances"], counted[""]["action"], counted[""]["frames"]) == (1, "pass", 0)


def test_the_example_in_the_documents_is_a_profile() -> None:
    text = (Path(__file__).parents[2] / "docs" / "deidentification.md").read_text(encoding="utf-8")
    (example,) = (block.split("```", 1)[0] for block in text.split("```yaml\n")[1:] if block.startswith("pixels:"))
    engine = engine_of(**yaml.safe_load(example))
    assert [rule.action for rule in engine.profile.pixels] == ["blank", "blank", "keep_ultrasound_regions", "clean", "remove", "hold"]
