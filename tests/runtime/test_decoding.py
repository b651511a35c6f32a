"""Compressed pixels are decoded in a child with limits: what is damaged is named, and the others are decoded all the same."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from checked import Memory, check_files, dicom_files, kinds, the

from hilum.dicom.scanner import Source, Wanted, scan
from hilum.model.records import Instance
from hilum.runtime.decoding import ChildDecoder

WANTED = Wanted("SOPInstanceUID")


@pytest.fixture
def decode_files(tmp_path: Path):
    def decode(files: list[bytes], seconds: float = 60):
        vault = Memory()
        instances = [Instance(str(number), {}, vault.add(body)) for number, body in enumerate(files)]
        return decoder(vault, tmp_path, seconds)(instances)

    return decode


def decoder(vault: Memory, scratch: Path, seconds: float) -> ChildDecoder:
    tools = SimpleNamespace(vault=vault, scratch=scratch, check_stop=lambda: None, until_stopped=lambda _: nullcontext())
    return ChildDecoder(tools, seconds=seconds)


def damaged(body: bytes) -> bytes:
    """With the codestreams overwritten, and everything else as it was."""
    pixels = scan(Source.of_bytes(body), WANTED).pixel_data
    start = pixels.offset + 200
    return body[:start] + bytes(len(body) - start - 64) + body[-64:]


@pytest.mark.parametrize("folder", ["generic_compressed_rle_001", "generic_compressed_jpegls_001", "generic_compressed_j2k_001"])
def test_real_compressed_images_can_be_decoded(decode_files, shared_data: Path, folder: str):
    decoded = decode_files(dicom_files(shared_data / "volumes" / folder))
    assert (decoded.failed, decoded.unread, decoded.left) == ({}, {}, ())


def test_a_damaged_image_is_named_and_those_after_it_are_decoded(decode_files, shared_data: Path):
    files = dicom_files(shared_data / "volumes" / "generic_compressed_jpegls_001")
    decoded = decode_files([files[0], damaged(files[1]), files[2]])
    assert (list(decoded.failed), decoded.left) == (["1"], ())


def test_an_encoding_that_nothing_reads_is_no_fault_of_the_image(decode_files, shared_data: Path):
    body = dicom_files(shared_data / "volumes" / "generic_compressed_jpegls_001")[0]
    lossless = body.replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.57").replace(
        b"1.2.840.10008.1.2.4.81", b"1.2.840.10008.1.2.4.57"
    )
    assert lossless != body
    decoded = decode_files([lossless])
    assert (list(decoded.failed), list(decoded.unread)) == ([], ["0"])


def test_without_time_everything_is_left(decode_files, shared_data: Path):
    decoded = decode_files(dicom_files(shared_data / "volumes" / "generic_compressed_rle_001"), seconds=0)
    assert len(decoded.left) == 4


def test_the_check_names_the_damaged_image(shared_data: Path, tmp_path: Path):
    files = dicom_files(shared_data / "volumes" / "generic_compressed_jpegls_001")
    vault = Memory()
    for body in [damaged(files[0]), *files[1:]]:
        vault.add(body)
    found = check_files(vault.files, decode=decoder(vault, tmp_path, 60))
    assert "1 image of series" in the(found, "decodable-pixels").sentence
    assert "decodable-pixels" not in kinds(check_files(files, decode=decoder(Memory(), tmp_path, 0)), "error")
