"""Two writers of one data set: what PS3.5 leaves to them makes no other object; one bit of a value does."""

import io
import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from hilum.dicom.elements import Source
from hilum.dicom.part10 import recognise
from hilum.dicom.sameness import is_same_data_set

NESTED = ["reportsi.dcm", "rtplan.dcm", "rtdose_expb.dcm", "nested_priv_SQ.dcm", "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm"]


def read(name: str) -> bytes:
    return Path(get_testdata_file(name, download=False)).read_bytes()


def data_set(content: bytes) -> tuple[Source, str]:
    found = recognise(content)
    assert found is not None
    return Source.of_bytes(content[found.data_set_offset :]), found.transfer_syntax_uid


def is_same(one: bytes, other: bytes) -> bool:
    (first, syntax), (second, _) = data_set(one), data_set(other)
    return is_same_data_set(first, second, syntax)


def written(content: bytes, *, undefined: bool) -> bytes:
    """As another writer would: every sequence and item with, or without, a length."""
    read_again = pydicom.dcmread(io.BytesIO(content))

    def mark(dataset: pydicom.Dataset) -> None:
        for each in dataset:
            if each.VR == "SQ":
                each.is_undefined_length = undefined
                for item in each.value:
                    item.is_undefined_length_sequence_item = undefined
                    mark(item)

    mark(read_again)
    file = io.BytesIO()
    read_again.save_as(file)
    return file.getvalue()


@pytest.mark.parametrize("name", NESTED)
def test_lengths_of_sequences_are_the_writer_s(name: str) -> None:
    content = read(name)
    short, long = written(content, undefined=True), written(content, undefined=False)
    if name in ("reportsi.dcm", "rtplan.dcm", "nested_priv_SQ.dcm"):
        assert short != long
    assert is_same(short, long)
    assert is_same(long, short)


@pytest.mark.parametrize("name", ["reportsi.dcm", "rtplan.dcm", "MR_small_RLE.dcm", "CT_small.dcm"])
def test_dcmtk_s_writing_makes_no_other_object(name: str, tmp_path: Path) -> None:
    if shutil.which("dcmconv") is None:
        pytest.skip("dcmconv is not installed")
    source = written(read(name), undefined=True)
    (tmp_path / "in.dcm").write_bytes(source)
    subprocess.run(["dcmconv", "+e", "+g", str(tmp_path / "in.dcm"), str(tmp_path / "out.dcm")], check=True)
    assert is_same(source, (tmp_path / "out.dcm").read_bytes())


@pytest.mark.parametrize("name", NESTED)
def test_one_bit_makes_another_object(name: str) -> None:
    content = read(name)
    for at in (len(content) // 2, len(content) * 2 // 3):
        changed = bytearray(content)
        changed[at] ^= 1
        if recognise(bytes(changed)) is not None:
            assert not is_same(content, bytes(changed))


def test_an_item_more_is_another_object() -> None:
    content = read("rtplan.dcm")
    more = pydicom.dcmread(io.BytesIO(content))
    more.BeamSequence.append(pydicom.Dataset())
    file = io.BytesIO()
    more.save_as(file)
    assert not is_same(written(content, undefined=False), file.getvalue())


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_half_of_an_object_is_another(cut: int) -> None:
    content = read("rtplan.dcm")
    assert not is_same(content, content[:-cut])
    assert not is_same(content[:-cut], content)
