"""Texts beside the image in compressed frames: found wherever a decoder does not look, emptied, and the image is the same."""

import io
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_fragments, generate_frames

from hilum.dicom.blanking import Emptying, hidden_spans
from hilum.dicom.elements import PixelDataElement, Source
from hilum.dicom.pixels import PixelError, frame

TOKEN = b"Zq7Planted"
JPEG, JPEG_LS, JPEG_2000 = "SC_rgb_dcmtk_+eb+cy+np.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm"


def dataset_of(name):
    return pydicom.dcmread(Path(get_testdata_file(name, download=False)))


def codes_of(name):
    return next(generate_frames(dataset_of(name).PixelData, number_of_frames=1)).rstrip(b"\0")


def segment(marker, content):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def emptied(codes):
    content = bytearray(codes)
    for start, end in hidden_spans(codes):
        content[start:end] = bytes(end - start)
    return bytes(content)


def decoded(name, codes):
    dataset = dataset_of(name)
    dataset.PixelData = encapsulate([codes])
    return frame(dataset)


def planted(codes):
    """The same frame with a token in every place that a decoder passes over."""
    at = codes.index(b"\xff\x90") if codes.startswith(b"\xff\x4f") else 2
    kinds = [(0x64, b"\0\1" + TOKEN)] if codes.startswith(b"\xff\x4f") else [(0xFE, TOKEN), (0xE1, b"Exif\0\0" + TOKEN), (0xED, TOKEN)]
    for marker, content in kinds:
        yield codes[:at] + segment(marker, content) + codes[at:]
    yield codes + TOKEN


@pytest.mark.parametrize("name", [JPEG, JPEG_LS, JPEG_2000])
def test_a_planted_token_goes_and_the_image_stays(name):
    codes = codes_of(name)
    for with_token in planted(codes):
        clean = emptied(with_token)
        assert TOKEN in with_token
        assert TOKEN not in clean
        assert len(clean) == len(with_token)
        assert np.array_equal(decoded(name, codes), decoded(name, clean.rstrip(b"\0")))


def test_a_comment_between_scans_goes():
    codes = codes_of(JPEG)
    scan = codes.index(b"\xff\xda")
    again = codes[:-2] + segment(0xFE, TOKEN) + codes[scan:]
    assert TOKEN not in emptied(again)


def test_a_comment_in_a_tiles_header_goes():
    codes = codes_of(JPEG_2000)
    sot = codes.index(b"\xff\x90")
    comment = segment(0x64, b"\0\1" + TOKEN)
    (length,) = struct.unpack_from(">L", codes, sot + 6)
    with_comment = codes[: sot + 6] + struct.pack(">L", length + len(comment)) + codes[sot + 10 : sot + 12] + comment + codes[sot + 12 :]
    clean = emptied(with_comment)
    assert TOKEN not in clean
    assert np.array_equal(decoded(JPEG_2000, codes), decoded(JPEG_2000, clean))


def test_a_thumbnail_within_jfif_goes_and_what_tells_the_colours_stays():
    codes = codes_of(JPEG)
    with_thumbnail = codes[:2] + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\x02\x02" + TOKEN + b"xx") + codes[codes.index(b"\xff\xe0") + 18 :]
    clean = emptied(with_thumbnail)
    assert b"JFIF\0\1\1\0\0\1\0\1\x02\x02" in clean
    assert TOKEN not in clean
    adobe = b"\xff\xd8" + segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + TOKEN) + b"\xff\xd9"
    assert emptied(adobe) == b"\xff\xd8" + segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + bytes(len(TOKEN))) + b"\xff\xd9"


def test_the_encoders_own_name_stays_and_nothing_that_only_begins_like_it():
    kept = b"\xff\xd8" + segment(0xFE, b"LEAD Technologies Inc. V1.01\0") + b"\xff\xd9"
    assert hidden_spans(kept) == []
    assert TOKEN not in emptied(b"\xff\xd8" + segment(0xFE, b"Kakadu-v5.2 " + TOKEN) + b"\xff\xd9")


def test_real_frames_keep_their_bytes(shared_data):
    seen = 0
    for name in (JPEG, JPEG_LS, JPEG_2000, "examples_ybr_color.dcm", "JPEG2000.dcm", "693_J2KI.dcm", "SC_rgb_jls_lossy_line.dcm"):
        path = get_testdata_file(name, download=False)
        if path:
            dataset = pydicom.dcmread(path)
            for codes in generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)):
                assert hidden_spans(codes) == []
                seen += 1
    assert seen > 30


@pytest.mark.parametrize(
    "codes",
    [
        b"",
        b"\0\0\0\x0cjP  ",
        b"BM",
        b"\xff\xd8\xff\xfe\0",
        b"\xff\xd8\xff\xfe\0\xffxx",
        b"\xff\xd8text\xff\xd9",
        b"\xff\x4f\xff\x93",
        b"\xff\xd8\xff\xff",
    ],
)
def test_what_cannot_be_followed_is_an_error(codes):
    with pytest.raises(PixelError):
        hidden_spans(codes)


def copied(value, frames):
    copying = Emptying(frames)
    return b"".join(copying(Source.of_bytes(value), PixelDataElement(0x7FE00010, "OB", 0, None))), copying.segments


def test_only_the_segments_change_when_frames_are_copied():
    codes = codes_of(JPEG)
    with_token = codes[:2] + segment(0xFE, TOKEN) + codes[2:]
    end = b"\xfe\xff\xdd\xe0" + bytes(4)
    value = encapsulate([codes, with_token, codes], fragments_per_frame=3) + end
    made, segments = copied(value, 3)
    assert segments == 1
    assert made == value.replace(TOKEN, bytes(len(TOKEN)))
    assert copied(encapsulate([codes]) + end, 1) == (encapsulate([codes]) + end, 0)


def test_a_comment_that_goes_on_in_the_next_fragment_goes():
    codes = codes_of(JPEG)
    with_token = codes[:2] + segment(0xFE, TOKEN * 3) + codes[2:]
    parts = [with_token[:12], with_token[12:30], with_token[30:] + b"\0" * (len(with_token) % 2)]
    items = b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<L", len(part)) + part for part in (b"", *parts))
    made, segments = copied(items + b"\xfe\xff\xdd\xe0" + bytes(4), 1)
    assert segments == 1
    assert b"".join(list(generate_fragments(io.BytesIO(made)))[1:]) == emptied(b"".join(parts))


@pytest.mark.parametrize("frames", [2, 4])
def test_frames_that_are_not_as_many_as_said_are_an_error(frames):
    codes = codes_of(JPEG)
    with pytest.raises(PixelError):
        copied(encapsulate([codes] * 3) + b"\xfe\xff\xdd\xe0" + bytes(4), frames)
