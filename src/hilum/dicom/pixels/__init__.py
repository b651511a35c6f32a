"""PS3.3 C.7.6.3 Image Pixel: frames out of an instance, made visible as PS3.4 N.2 says, thumbnails and montages of them.

Codecs are native code and the bytes are anybody's: call these functions in a child process with limits of its own. Whatever is
wrong with an image is a `PixelError` with a sentence; sizes are judged before anything is allocated for them.

    >>> png = thumbnail(path)
    >>> grey = window(frame(dataset, 0), dataset)
"""

from hilum.dicom.pixels.decoding import decode_all, frame
from hilum.dicom.pixels.pictures import THUMBNAIL, as_png, aspect_of, fitted, montage, thumbnail
from hilum.dicom.pixels.showing import functional_group, window
from hilum.dicom.pixels.troubles import MAX_BYTES, MAX_PIXELS, NoDecoderError, PixelError, sentences

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "THUMBNAIL",
    "NoDecoderError",
    "PixelError",
    "as_png",
    "aspect_of",
    "decode_all",
    "fitted",
    "frame",
    "functional_group",
    "montage",
    "sentences",
    "thumbnail",
    "window",
]
