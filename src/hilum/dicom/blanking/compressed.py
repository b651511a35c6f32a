"""Compressed frames made dark: decoded, changed, encoded again without loss (PS3.5 8.2, A.4). To be called in a child process."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, Any, BinaryIO

from hilum.dicom.blanking.description import IMAGE_ATTRIBUTES, Image
from hilum.dicom.blanking.regions import Blanking, darken
from hilum.dicom.elements import Source
from hilum.dicom.encoding import ITEM, SEQUENCE_DELIMITER
from hilum.dicom.pixels.decoding import decode, size_in_codes
from hilum.dicom.pixels.opening import Image as Opened
from hilum.dicom.pixels.opening import open_image
from hilum.dicom.pixels.troubles import MAX_BYTES, MAX_PIXELS, PixelError, sentences
from hilum.dicom.scanner import Wanted, scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

JPEG_LS_LOSSLESS, JPEG_2000_LOSSLESS, RLE_LOSSLESS = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"

LOSSLESS_FORM: Mapping[str, str] = {
    RLE_LOSSLESS: RLE_LOSSLESS,
    JPEG_LS_LOSSLESS: JPEG_LS_LOSSLESS,
    "1.2.840.10008.1.2.4.81": JPEG_LS_LOSSLESS,  # PS3.5 8.2.3: Near-lossless allows an error of 0
    JPEG_2000_LOSSLESS: JPEG_2000_LOSSLESS,
    "1.2.840.10008.1.2.4.91": JPEG_2000_LOSSLESS,  # PS3.5 8.2.4: reversible codestreams are allowed there, too
}
"""Transfer syntax -> the one whose encoder makes frames that both may hold."""

_STAYS_YBR = frozenset({RLE_LOSSLESS, JPEG_LS_LOSSLESS, "1.2.840.10008.1.2.4.81"})  # these code samples as they are
_OWN_COLOURS = frozenset({"RGB", "YBR_RCT"})  # decoded they are RGB, and RGB is what their encoders take


@dataclass(frozen=True, slots=True)
class Written:
    """What describes the value that was written."""

    transfer_syntax_uid: str
    photometric_interpretation: str
    is_converted: bool
    frames: int


def blank_compressed(file: Path, blanking: Blanking, write: Callable[[bytes], object]) -> Written:
    """Write the value of Pixel Data with regions of it dark: fragments, one a frame, up to the end of their sequence.

    Args:
        file: a Part 10 file.
        write: takes the value in order.

    Raises:
        PixelError: it cannot be decoded, or there is no way to write it again without loss.
    """
    with file.open("rb") as opened:
        header = scan(Source(_reader(opened), file.stat().st_size), Wanted(*IMAGE_ATTRIBUTES))
    with sentences("made dark"), open_image(file, MAX_BYTES) as read:
        work = _Work(Image.of(header), read)
        write(_item(b""))  # PS3.5 A.4: the Basic Offset Table may be empty
        for codes in work.frames(blanking):
            write(_item(codes))
        write(pack("<HHL", SEQUENCE_DELIMITER >> 16, SEQUENCE_DELIMITER & 0xFFFF, 0))
    return work.written


def _reader(file: BinaryIO) -> Callable[[int, int], bytes]:
    def read_at(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    return read_at


def _item(codes: bytes) -> bytes:
    codes += bytes(len(codes) % 2)
    return pack("<HHL", ITEM >> 16, ITEM & 0xFFFF, len(codes)) + codes


class _Work:
    """One object's frames."""

    def __init__(self, image: Image, read: Opened) -> None:
        self._image, self._read = image, read
        self._syntax = str(read.dataset.file_meta.TransferSyntaxUID)
        self._keeps_ybr = self._syntax in _STAYS_YBR and image.photometric == "YBR_FULL"
        own_form = LOSSLESS_FORM.get(self._syntax)
        stays = own_form is not None and (image.samples == 1 or image.photometric in _OWN_COLOURS or self._keeps_ybr)
        self._form = own_form if own_form is not None and stays else JPEG_LS_LOSSLESS
        self._photometric = image.photometric if stays or image.samples == 1 else "RGB"
        self.written = Written(self._syntax if stays else JPEG_LS_LOSSLESS, self._photometric, not stays, image.frames)

    def frames(self, blanking: Blanking) -> Iterator[bytes]:
        """The codes of every frame; of those that nothing changes in, as they were."""
        from pydicom.encaps import generate_frames

        there = generate_frames(self._read.value, number_of_frames=self._image.frames)
        number = 0
        for number, codes in enumerate(there, start=1):
            if blanking.concerns(number - 1) or self.written.is_converted:
                yield self._changed(codes, blanking, concerns=blanking.concerns(number - 1))
            else:
                yield codes
        if number != self._image.frames:
            raise PixelError(f"The instance says to have {self._image.frames} frames, and has {number}.")

    def _changed(self, codes: bytes, blanking: Blanking, *, concerns: bool) -> bytes:
        import numpy as np

        # Regions are places in Rows and Columns; a viewer may take the codestream's own size, and show them elsewhere.
        if size_in_codes(codes) not in ((0, 0), (self._image.rows, self._image.columns)):
            raise PixelError("A compressed frame is of another size than its header says.")
        before = self._decode(codes, self._read.dataset, keeps_ybr=self._keeps_ybr)
        after = before.copy()
        if concerns:
            decoded_as = "RGB" if self._image.samples > 1 and not self._keeps_ybr else self._image.photometric
            darken(after, blanking.regions, self._image.dark(before, decoded_as))
        if not self.written.is_converted and np.array_equal(before, after):
            return codes
        return self._encode(after)

    @staticmethod
    def _decode(codes: bytes, described: Any, *, keeps_ybr: bool) -> "NDArray[Any]":
        from pydicom.encaps import encapsulate

        described.NumberOfFrames = 1
        return decode(Opened(described, "PixelData", "OB", encapsulate([codes])), 0, MAX_PIXELS, MAX_BYTES, keeps_ybr=keeps_ybr)

    def _encode(self, pixels: "NDArray[Any]") -> bytes:
        """One frame, and the proof that nothing of it is lost."""
        import numpy as np
        from pydicom.pixels.encoders.base import get_encoder
        from pydicom.uid import UID

        image = self._image
        try:
            codes = get_encoder(UID(self._form)).encode(
                pixels,
                rows=image.rows,
                columns=image.columns,
                samples_per_pixel=image.samples,
                bits_allocated=image.bits,
                bits_stored=image.bits_stored,
                pixel_representation=int(image.is_signed),
                photometric_interpretation=self._photometric,
                number_of_frames=1,
                planar_configuration=0,
            )
        except Exception as error:  # codecs raise what they like; all of it means that this frame cannot be written
            raise PixelError("A frame could not be encoded again without loss.") from error
        if not np.array_equal(self._decode(codes, self._described_as_written(), keeps_ybr=self._keeps_ybr), pixels):
            raise PixelError("A frame that was encoded again is not what it was.")
        return codes

    def _described_as_written(self) -> Any:
        from pydicom import Dataset
        from pydicom.dataset import FileMetaDataset
        from pydicom.uid import UID

        described = Dataset()
        described.update(self._read.dataset)
        described.file_meta = FileMetaDataset()
        described.file_meta.TransferSyntaxUID = UID(self._form)
        described.add_new(0x00280004, "CS", self._photometric)  # a new element: assigning would change that of what was read
        if self._image.samples > 1:
            described.add_new(0x00280006, "US", 0)
        return described
