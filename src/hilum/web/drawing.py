"""python -m hilum.web.drawing INSTANCE PNG: the thumbnail of one instance, in a process of its own.

Pixel data is a sender's, and decoders have crashed and hung on less: whatever happens here, the web process goes on.
"""

import sys
from pathlib import Path

from hilum.dicom.pixels import PixelError, thumbnail

NO_PICTURE = 3  # exit status: there is nothing that could be drawn


def main() -> int:
    """Draw it."""
    instance, png = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        png.write_bytes(thumbnail(instance, max_bytes=instance.stat().st_size + (256 << 20)))
    except PixelError:
        return NO_PICTURE
    return 0


if __name__ == "__main__":
    sys.exit(main())
