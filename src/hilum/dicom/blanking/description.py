"""How the pixels of an image are to be read (PS3.3 C.7.6.3), and what is dark in it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hilum.dicom.elements import Element
from hilum.dicom.pixels.troubles import PixelError
from hilum.dicom.scanner import Header

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DESCRIBING = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
_PALETTES = tuple(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue"))
_PALETTE_DESCRIPTORS = tuple(f"{colour}PaletteColorLookupTableDescriptor" for colour in ("Red", "Green", "Blue"))
_OVERLAYS = range(0x6000, 0x6020, 2)  # PS3.3 C.9.2: repeating groups
# Of each: Bits Allocated, Bit Position, Overlay Data.
_OVERLAY_ATTRIBUTES = tuple(f"({group:04X},{element})" for group in _OVERLAYS for element in ("0100", "0102", "3000"))
_PLACES = {group << 16 | element: most for group in _OVERLAYS for element, most in ((0x0100, 1), (0x0102, 0))}

IMAGE_KEYWORDS = (*_DESCRIBING, *_PALETTE_DESCRIPTORS, *_PALETTES)
"""What tells how pixels are to be read."""

IMAGE_ATTRIBUTES = (*IMAGE_KEYWORDS, *_OVERLAY_ATTRIBUTES)
"""What `Image.of` asks of a header."""

SUBSAMPLED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
_LARGEST = 65_535  # PS3.3 C.7.6.3: Rows and Columns are US


@dataclass(frozen=True, slots=True)
class Image:
    """An image's description.

    Args:
        by_plane: all of one colour, then all of the next (PS3.3 C.7.6.3.1.3).
        has_overlay: a plane of an overlay is declared to lie in the bits of Pixel Data that no pixel uses (retired, PS3.3 C.9.2 of 2004).
        has_overlay_data: overlays stand in Overlay Data, where they belong.
        darkest: the index of a palette's darkest colour; None where there is no palette, or one that cannot be read.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    by_plane: bool
    bits: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    big_endian: bool = False
    has_overlay: bool = False
    has_overlay_data: bool = False
    darkest: int | None = None

    @classmethod
    def of(cls, header: Header) -> "Image":
        """By its header, scanned for `IMAGE_ATTRIBUTES`.

        Raises:
            PixelError: it describes no image.
        """

        def whole(keyword: str, default: int = 0) -> int:
            number = header.number(keyword)
            return default if number is None else int(number)

        bits = whole("BitsAllocated")
        bits_stored = whole("BitsStored", bits)
        image = cls(
            rows=whole("Rows"),
            columns=whole("Columns"),
            frames=max(whole("NumberOfFrames", 1), 1),
            samples=whole("SamplesPerPixel", 1),
            photometric=(header.text("PhotometricInterpretation") or "").strip(),
            by_plane=whole("PlanarConfiguration") == 1,
            bits=bits,
            bits_stored=bits_stored,
            high_bit=whole("HighBit", bits_stored - 1),
            is_signed=whole("PixelRepresentation") == 1,
            big_endian=header.big_endian,
            has_overlay=declares_overlay(header),
            has_overlay_data=any(group << 16 | 0x3000 in header.item for group in _OVERLAYS),
            darkest=_darkest_entry(header),
        )
        image._check()
        return image

    def _check(self) -> None:
        if not (0 < self.rows <= _LARGEST and 0 < self.columns <= _LARGEST):
            raise PixelError(f"The image says to have {self.rows} rows and {self.columns} columns; each may be from 1 to 65535.")
        if self.samples not in (1, 3) or not 0 < self.bits_stored <= self.bits or not self.bits_stored <= self.high_bit + 1 <= self.bits:
            raise PixelError("The image's samples a pixel, its bits allocated and stored, and its high bit do not fit each other.")

    def dark(self, pixels: "NDArray[Any]", photometric: str = "") -> Any:
        """The stored value of the darkest pixel of a frame: no window changes because of it.

        Args:
            photometric: as what the pixels are read, where decoding changed it.
        """
        photometric = photometric or self.photometric
        if photometric == "MONOCHROME1":
            return pixels.max()
        if photometric == "MONOCHROME2":
            return pixels.min()
        if photometric == "PALETTE COLOR":
            if self.darkest is None:
                raise PixelError("The palette is segmented or missing: what is dark in it is not known.")
            return self.darkest
        if photometric.startswith("YBR_FULL"):  # PS3.3 C.7.6.3.1.2: without colour, Cb and Cr are half of what there is
            return (0, 1 << (self.bits - 1), 1 << (self.bits - 1))
        if photometric == "RGB" or photometric.startswith("YBR_"):
            return 0
        raise PixelError("What is dark in its photometric interpretation is not known.")


def declares_overlay(header: Header) -> bool:
    """Whether an overlay may lie in Pixel Data. PS3.3 C.9.2: one of Overlay Data has one bit allocated, at position 0."""
    if header.item.keys().isdisjoint(_PLACES):
        return False
    order: Literal["big", "little"] = "big" if header.big_endian else "little"
    contents = ((tag, header.item[tag][2]) for tag in _PLACES if tag in header.item)
    return any(isinstance(content, bytes) and int.from_bytes(content, order) > _PLACES[tag] for tag, content in contents)


def _darkest_entry(header: Header) -> int | None:
    """PS3.3 C.7.6.3.1.5: the pixel value whose red, green and blue are least together."""
    described = header.numbers(_PALETTE_DESCRIPTORS[0])
    elements: list[Element | None] = [header.item.get(tag) for tag in (0x00281201, 0x00281202, 0x00281203)]
    tables = [element[2] for element in elements if element is not None and isinstance(element[2], bytes)]
    if described is None or len(described) != 3 or len(tables) != 3 or len({len(table) for table in tables}) != 1:
        return None
    import numpy as np

    number, first, entry_bits = (int(part) for part in described)
    number = number or 65_536  # PS3.3 C.7.6.3.1.5: 65536 does not fit
    order = ">" if header.big_endian else "<"
    kind = f"{order}u2" if entry_bits == 16 or len(tables[0]) >= 2 * number else "u1"
    light = sum(np.frombuffer(table, kind)[:number].astype(np.int64) for table in tables if isinstance(table, bytes))
    return first + int(np.argmin(light)) if np.size(light) else None
