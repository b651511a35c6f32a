"""What is wrong with an image, as a sentence; and how much of it is looked at."""

from collections.abc import Iterator
from contextlib import contextmanager

MAX_PIXELS = 100_000_000  # rows x columns of one frame; a mammogram has 13 million, a stitched X-ray 40 million
MAX_BYTES = 512 * 2**20  # of one decoded frame, of one compressed frame, and of an inflated data set


class PixelError(ValueError):
    """An image that cannot be shown: its one argument is a sentence for a person, without patient data."""

    @property
    def sentence(self) -> str:
        return str(self.args[0])


class NoDecoderError(PixelError):
    """Nothing here reads the image's encoding: that says nothing about the image."""


@contextmanager
def sentences(verb: str) -> Iterator[None]:
    try:
        yield
    except PixelError:
        raise
    except OSError as error:
        raise PixelError(f"The file cannot be read, or ends too early ({type(error).__name__}).") from error
    # Header values of any type and codecs of five makers: struct.error, RecursionError, KeyError, zlib.error, MemoryError and more.
    # The texts of these may quote header values, so only the kind is told; the cause stays in the traceback.
    except Exception as error:
        raise PixelError(f"The image cannot be {verb}: its header or pixel data is damaged or unusual ({type(error).__name__}).") from error
