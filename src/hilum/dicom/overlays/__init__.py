"""Segmentations and structure sets made visible: on the image they belong to, or alone where that is not at hand.

    overlay = read_overlay(path)                       # its busiest plane
    uid = overlay.needs(candidates)                    # which image of the reference lies there
    png = overlay.draw_on(image_path)  or  overlay.draw_alone()

As in `pixels`: to be called in a child process with limits, and whatever is wrong is a `PixelError`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from hilum.dicom.overlays.placing import PALETTE, Candidate
from hilum.dicom.overlays.segmentations import read_segmentation
from hilum.dicom.overlays.structures import read_structures
from hilum.dicom.pixels import sentences

__all__ = ["PALETTE", "Candidate", "Overlay", "read_overlay"]


class Overlay(Protocol):
    """The busiest plane of a segmentation or a structure set."""

    def needs(self, candidates: Sequence[Candidate]) -> str:
        """SOP Instance UID of the image that lies there; empty where none does."""
        ...

    def draw_on(self, image: Path) -> bytes:
        """A PNG of the image with this over it; PixelError where it does not lie on it."""
        ...

    def draw_alone(self) -> bytes:
        """A PNG of this on black."""
        ...


def read_overlay(path: Path) -> Overlay:
    """Raises PixelError where it is neither, or shows nothing."""
    from pydicom import dcmread

    with sentences("read"):
        dataset = dcmread(path, force=True)
        return read_structures(dataset) if "ROIContourSequence" in dataset else read_segmentation(dataset)
