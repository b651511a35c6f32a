"""What is measured of a series' pixels, image by image, so that a series of any length needs the memory of one image.

* Foreground: values above Otsu's threshold (IEEE Trans Syst Man Cybern 1979, 9:62-66) of all sampled pixels.
* Signal: the median of the foreground.
* Noise: the standard deviation from the difference of Laplacians of Immerkaer (Comput Vis Image Underst 1996, 64:300-302), taken
  robustly as 1.4826 x the median absolute response in the foreground / 6 (6 is the mask's root sum of squares), so that edges do
  not count. Images interpolated by the scanner have correlated noise and give too low a value.
* Noise in air, for MR magnitude images: air holds Rayleigh noise (Gudbjartsson and Patz, Magn Reson Med 1995, 34:910-914), whose median
  is 1.1774 standard deviations. Of the four corners, each through all images, the darkest counts: a neck or a ghost brightens the
  others. None where the scanner has set the air to zero.
"""

from dataclasses import dataclass, field
from math import ceil, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float32]

SAMPLES = 1_000_000  # pixels of a series that percentiles, threshold and noise are taken from
AIR_SHARE = 8  # a corner is an eighth of the rows by an eighth of the columns
BORDER = 2  # outermost pixels, which reconstruction and filters spoil
MEDIAN_OF_RAYLEIGH = 1.17741  # sqrt(2 ln 2)
SD_OF_MEDIAN_DEVIATION = 1.4826  # for a normal distribution

METHODS = {
    "signal": "median of the pixels above Otsu's threshold (1979)",
    "noise": "Immerkaer's difference of Laplacians (1996), by the median absolute response in the foreground",
    "noise_in_air": "median of the darkest corner / 1.1774, the noise there being Rayleigh's (Gudbjartsson and Patz 1995)",
    "snr": "signal / noise",
}


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one series, in the units of its pixel values; None: cannot be told."""

    minimum: float
    maximum: float
    mean: float
    standard_deviation: float
    percentile_1: float
    median: float
    percentile_99: float
    threshold: float
    signal: float | None
    noise: float | None
    noise_in_air: float | None
    snr: float | None


@dataclass(slots=True)
class Measuring:
    """Takes images one by one. `images`: how many will come, which says how densely to sample."""

    images: int
    _count: int = 0
    _sum: float = 0.0
    _squares: float = 0.0
    _minimum: float = float("inf")
    _maximum: float = float("-inf")
    _sampled: "list[Values]" = field(default_factory=list)
    _responses: "list[Values]" = field(default_factory=list)
    _corners: "tuple[list[Values], ...]" = field(default_factory=lambda: ([], [], [], []))

    def add(self, values: "Values", padding: "NDArray[np.bool_] | None" = None) -> None:
        """Take one image, (rows, columns); `padding` marks what is no image."""
        import numpy as np

        shown = values if padding is None else values[~padding]
        if not shown.size:
            return
        self._count += shown.size
        self._sum += float(shown.sum(dtype=np.float64))
        self._squares += float(np.square(shown, dtype=np.float64).sum())
        self._minimum, self._maximum = min(self._minimum, float(shown.min())), max(self._maximum, float(shown.max()))
        self._sample(values, padding)
        for corner, box in zip(self._corners, _corners(values), strict=False):
            corner.append(box)

    def _sample(self, values: "Values", padding: "NDArray[np.bool_] | None") -> None:
        rows, columns = values.shape
        if min(rows, columns) < 3:
            self._sampled.append(values.ravel())
            return
        step = ceil(sqrt(rows * columns * self.images / SAMPLES))
        centres = values[1:-1:step, 1:-1:step]
        kept = slice(None) if padding is None else ~padding[1:-1:step, 1:-1:step]
        self._sampled.append(centres[kept].ravel())
        self._responses.append(abs(_laplacian_difference(values, step))[kept].ravel())

    def result(self) -> Measures | None:
        """What was measured; None where no pixel came."""
        import numpy as np

        if not self._count:
            return None
        sampled = np.concatenate(self._sampled) if any(map(len, self._sampled)) else np.array([self._minimum, self._maximum], np.float32)
        mean = self._sum / self._count
        low, middle, high = (float(value) for value in np.percentile(sampled, (1, 50, 99)))
        threshold = otsu_threshold(sampled)
        signal, noise = self._signal_and_noise(sampled, threshold)
        return Measures(
            minimum=self._minimum,
            maximum=self._maximum,
            mean=mean,
            standard_deviation=sqrt(max(self._squares / self._count - mean**2, 0.0)),
            percentile_1=low,
            median=middle,
            percentile_99=high,
            threshold=threshold,
            signal=signal,
            noise=noise,
            noise_in_air=self._noise_in_air(threshold),
            # Values that go below zero (CT) have no natural zero: a ratio to them says nothing.
            snr=signal / noise if signal and noise and self._minimum >= 0 else None,
        )

    def _signal_and_noise(self, sampled: "Values", threshold: float) -> tuple[float | None, float | None]:
        import numpy as np

        foreground = sampled > threshold
        if not foreground.any():
            return None, None
        signal = float(np.median(sampled[foreground]))
        responses = np.concatenate(self._responses) if self._responses else np.empty(0, np.float32)
        if responses.size != sampled.size:
            return signal, None
        return signal, float(SD_OF_MEDIAN_DEVIATION * np.median(responses[foreground]) / 6)

    def _noise_in_air(self, threshold: float) -> float | None:
        if self._minimum < 0:
            return None
        medians = [median for corner in self._corners if (median := _median_of_air(corner, threshold)) is not None]
        return min(medians) / MEDIAN_OF_RAYLEIGH if medians else None


def _median_of_air(corner: "list[Values]", threshold: float) -> float | None:
    """None where it is no air, or the scanner has set it to zero."""
    import numpy as np

    values = np.concatenate(corner) if corner else np.empty(0, np.float32)
    air = values[values <= threshold]
    enough = air.size >= max(64, values.size // 2) and np.count_nonzero(air) * 2 >= air.size
    return float(np.median(air)) if enough else None


def _laplacian_difference(values: "Values", step: int) -> "Values":
    """Immerkaer's mask (1 -2 1, -2 4 -2, 1 -2 1) at every `step`-th inner pixel: blind to planes and curves of second order."""
    rows, columns = values.shape
    response = 0 * values[1:-1:step, 1:-1:step]
    for down, weight_down in ((-1, 1), (0, -2), (1, 1)):
        for right, weight_right in ((-1, 1), (0, -2), (1, 1)):
            shifted = values[1 + down : rows - 1 + down : step, 1 + right : columns - 1 + right : step]
            response += weight_down * weight_right * shifted
    return response


def _corners(values: "Values") -> "list[Values]":
    """The four corners, every second pixel each way; none of an image too small for them."""
    rows, columns = (size // AIR_SHARE for size in values.shape)
    if min(rows, columns) <= BORDER:
        return []
    inner = values[BORDER:-BORDER, BORDER:-BORDER]
    down, right = rows - BORDER, columns - BORDER
    boxes = (inner[:down, :right], inner[:down, -right:], inner[-down:, :right], inner[-down:, -right:])
    return [box[::2, ::2].ravel() for box in boxes]


def otsu_threshold(values: "Values") -> float:
    """The value that parts a histogram of 256 bins into two classes with the largest variance between them (Otsu 1979)."""
    import numpy as np

    counts, edges = np.histogram(values, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1 + int(np.argmax(np.nan_to_num(between)))])
