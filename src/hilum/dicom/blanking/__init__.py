"""Regions of an image made dark, whatever its encoding (PS3.3 C.7.6.3, PS3.5 8 and A.4). Nothing else of it changes.

    image = Image.of(header)
    for chunk in blank_native(source, pixel_data, image, Blanking((Region(0, 0, 640, 40),))):
        write(chunk)

Native pixels are changed where they stand. A compressed frame is decoded, changed and encoded again without loss, in its own transfer
syntax where that has a lossless form; the other frames keep their bytes. Where it has none (JPEG Baseline, say), all frames become
JPEG-LS Lossless: that adds no loss to what there was.

Codecs are native code and the bytes are anybody's: as with `pixels`, call `blank_compressed` in a child process with limits of its own.
"""

from hilum.dicom.blanking.codestreams import hidden_spans
from hilum.dicom.blanking.compressed import Written, blank_compressed
from hilum.dicom.blanking.copying import Emptying
from hilum.dicom.blanking.description import IMAGE_ATTRIBUTES, IMAGE_KEYWORDS, Image, declares_overlay
from hilum.dicom.blanking.native import blank_native, copy_native
from hilum.dicom.blanking.regions import Blanking, Region, outside_of

__all__ = [
    "IMAGE_ATTRIBUTES",
    "IMAGE_KEYWORDS",
    "Blanking",
    "Emptying",
    "Image",
    "Region",
    "Written",
    "blank_compressed",
    "blank_native",
    "copy_native",
    "declares_overlay",
    "hidden_spans",
    "outside_of",
]
