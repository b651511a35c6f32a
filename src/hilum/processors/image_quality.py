"""Image quality of every input series: dimensions, spacing, coverage, intensities, signal and noise, and a montage.

    {"processor": "image_quality", "settings": {"montage_tiles": 24}}

Makes `image_quality.json`, `image_quality.pdf` and `<role>_montage.png`. How signal and noise are estimated stands in `_measures.py`
and in the report itself. An image that cannot be decoded is told of in a sentence; the others count.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from hilum.dicom.geometry import Volume, spacing
from hilum.dicom.pixels import PixelError, frame, montage, window
from hilum.processors import Answer, Artifacts, LocalProcessor, Order, ProcessingInput, ProducedFile, StrictSettings, Unusable, names_of
from hilum.processors._figures import LABELS, QUALITY_COLUMNS, number, quality_row, size, title
from hilum.processors._measures import METHODS, Measures, Measuring
from hilum.processors._pages import INK_3, SMALL, Pages, write_pages
from hilum.processors._pictures import Picture, Survey, padding_of, read_header, spread, survey, values_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_IMAGES = 2_000  # of a series that are measured; of more, as many evenly spread


class Settings(StrictSettings):
    """`montage_tiles`: how many images of a series are shown."""

    montage_tiles: int = Field(default=24, ge=1, le=100)


class ImageQuality(LocalProcessor):
    """Measures every input, draws one report."""

    kind: ClassVar[str] = "image_quality"
    Settings = Settings

    @classmethod
    def run(cls, order: Order) -> Answer:
        """Measure all series; without a single image in any of them there is nothing to report."""
        tiles = Settings.model_validate(order.settings).montage_tiles
        series = [_judge(name, given, tiles, order.output) for name, given in zip(names_of(order.inputs), order.inputs, strict=True)]
        if not any(one["images_measured"] for one in series):
            return Unusable(f"No image can be measured: {' '.join(remark for one in series for remark in one['remarks'])}")
        written = order.output / "image_quality.json"
        written.write_text(json.dumps(_record(order, series), indent=2, ensure_ascii=False), encoding="utf-8")
        drawn = order.output / "image_quality.pdf"
        write_pages(drawn, "Image quality", _subtitle(order), order.notice, lambda pages: _draw(pages, order, series))
        montages = [order.output / one["montage"] for one in series if one["montage"]]
        return Artifacts(
            (
                ProducedFile(drawn, drawn.name, "application/pdf"),
                ProducedFile(written, written.name, "application/json"),
                *(ProducedFile(path, path.name, "image/png") for path in montages),
            ),
            {"tool": "hilum image_quality", "methods": METHODS},
        )


def _subtitle(order: Order) -> str:
    return f"{order.template_title or order.template} · study {order.study_instance_uid}"


def _record(order: Order, series: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "study_instance_uid": order.study_instance_uid,
        "notice": order.notice,
        "findings": list(order.findings),
        "methods": METHODS,
        "series": list(series),
    }


# --- one series ---------------------------------------------------------------------------------------------------------


def _judge(name: str, given: ProcessingInput, tiles: int, output: Path) -> dict[str, Any]:
    """What is reported of one series, as JSON; writes its montage."""
    found = survey(given.folder)
    measured = spread(found.pictures, MOST_IMAGES)
    largest = found.largest
    shown = {(picture.path, picture.index) for picture in spread(found.of(largest), tiles)} if largest else set()
    look = _Look(len(measured), shown)
    for picture in measured:
        look.at(picture)
    measures = look.measuring.result()
    if look.tiles:
        (output / f"{name}_montage.png").write_bytes(montage(look.tiles, columns=_across(len(look.tiles))))
    return {
        "name": name,
        "role": given.role,
        "series_instance_uid": given.series_instance_uid,
        "modality": given.modality,
        "description": given.description,
        "instances": found.instances,
        "images": len(found.pictures),
        "images_measured": look.measured,
        "volumes": len(found.volumes),
        **_extent(largest),
        "intensity": _intensity(measures, given.modality),
        **_signal_and_noise(measures, given.modality),
        "remarks": _remarks(found, look, measures, given),
        "montage": f"{name}_montage.png" if look.tiles else None,
    }


def _across(tiles: int) -> int:
    return min(tiles, 8)


class _Look:
    """Goes through the pictures of a series: measures each, keeps those for the montage, notes what cannot be decoded."""

    def __init__(self, images: int, shown: set[tuple[Path, int]]) -> None:
        self.measuring = Measuring(images)
        self.tiles: list[NDArray[np.uint8]] = []
        self.measured = 0
        self.has_colours = False
        self.failed: list[str] = []
        self._shown = shown
        self._last_header: tuple[Path, Any] = Path(), None

    def at(self, picture: Picture) -> None:
        """Take one picture."""
        header = self._header_of(picture.path)
        try:
            pixels = frame(picture.path, picture.index)
            values = values_of(pixels, header, picture.index)
            seen = window(pixels, header, picture.index) if (picture.path, picture.index) in self._shown else None
        except PixelError as error:
            self.failed.append(error.sentence)
            return
        self.measuring.add(values, padding_of(pixels, header))
        self.measured += 1
        self.has_colours |= pixels.ndim == 3 or header.get("PhotometricInterpretation") == "PALETTE COLOR"
        if seen is not None:
            self.tiles.append(seen)

    def _header_of(self, path: Path) -> Any:
        if self._last_header[0] != path:
            self._last_header = path, read_header(path)
        return self._last_header[1]


def _extent(volume: Volume | None) -> dict[str, Any]:
    """Dimensions, spacing and coverage of the largest volume; coverage counts whole voxels."""
    if volume is None:
        return {"dimensions": None, "spacing_mm": None, "coverage_mm": None}
    first = volume.slices[0]
    rows, columns = first.rows, first.columns
    slices = len(set(volume.positions)) or len(volume.slices)
    down, right = first.pixel_spacing if first.pixel_spacing else (None, None)  # PS3.3 10.7.1.3: between rows comes first
    apart = spacing(volume) or (first.slice_thickness if volume.positions else None)
    counts, steps = {"columns": columns, "rows": rows, "slices": slices}, {"columns": right, "rows": down, "slices": apart}
    covered = {along: counts[along] * step if counts[along] and step else None for along, step in steps.items()}  # type: ignore[operator]
    return {
        "dimensions": counts,
        "spacing_mm": {along: _rounded(step) for along, step in steps.items()},
        "coverage_mm": {along: _rounded(length) for along, length in covered.items()},
    }


def _intensity(measures: Measures | None, modality: str) -> dict[str, Any] | None:
    if measures is None:
        return None
    figures = {name: _rounded(value) for name, value in asdict(measures).items() if name not in METHODS}
    return {"unit": "HU" if modality == "CT" else "value", **figures}


def _signal_and_noise(measures: Measures | None, modality: str) -> dict[str, float | None]:
    """The estimates that `METHODS` names. Only MR has Rayleigh noise in air."""
    told = asdict(measures) if measures else {}
    return {name: _rounded(told.get(name)) if name != "noise_in_air" or modality == "MR" else None for name in METHODS}


def _rounded(value: float | None) -> float | None:
    """Six significant digits: more is noise of the arithmetic."""
    return None if value is None else float(f"{value:.6g}")


def _remarks(found: Survey, look: _Look, measures: Measures | None, given: ProcessingInput) -> list[str]:
    """What a reader must know of the figures, as sentences."""
    pictures, largest = len(found.pictures), found.largest
    said = (
        (found.instances == 0, "The series has no instances."),
        (found.unreadable, f"{found.unreadable} of {found.instances} instances have a header that cannot be read."),
        (look.failed, f"{len(look.failed)} of {pictures} images cannot be measured: {look.failed[0] if look.failed else ''}"),
        (pictures > MOST_IMAGES, f"Of {pictures} images {MOST_IMAGES}, evenly spread, were measured."),
        (len(found.volumes) > 1, f"The series holds {len(found.volumes)} volumes; dimensions and coverage are those of the largest."),
        (
            look.measured and largest and not largest.positions,
            "The images do not say where they lie, so their order may not be that of the body.",
        ),
        (look.has_colours, "The images are in colour; the figures are those of the luminance."),
        (
            measures and given.modality == "MR" and measures.noise_in_air is None,
            "The noise in air cannot be told: the corners are no air, or their values were set to zero.",
        ),
        (
            given.modality == "MR" and measures and _differ(measures.noise, measures.noise_in_air),
            "The two estimates of noise differ much: the images were interpolated, filtered, or have no plain air.",
        ),
        (measures and measures.minimum < 0 and measures.noise, "Values go below zero, so there is no ratio of signal to noise."),
    )
    return [sentence for applies, sentence in said if applies]


def _differ(one: float | None, other: float | None) -> bool:
    return bool(one and other) and not 1 / 3 < one / other < 3  # type: ignore[operator]


# --- the report ---------------------------------------------------------------------------------------------------------


def _draw(pages: Pages, order: Order, series: Sequence[dict[str, Any]]) -> None:
    pages.table(QUALITY_COLUMNS, [quality_row(one) for one in series])
    if order.findings:
        pages.heading("Findings of the checks", keep_with=20)
        pages.sentences(order.findings, mark="–")
    for one in series:
        _draw_series(pages, one, order.output)
    pages.heading("How it was measured", keep_with=40)
    pages.sentences([f"{LABELS[what]}: {how}." for what, how in METHODS.items()], SMALL, INK_3)


def _draw_series(pages: Pages, one: dict[str, Any], output: Path) -> None:
    pages.heading(title(one), keep_with=340 if one["montage"] else 60)  # with its figures
    about = f"{one['modality']} · {one['images']} images · {one['series_instance_uid']}"
    if one["montage"]:
        pages.pictures([(about, output / one["montage"])])
    else:
        pages.sentences([about], SMALL, INK_3)
    if intensity := one["intensity"]:
        pages.facts(
            [
                ("Matrix", size(one["dimensions"])),
                ("Spacing, mm", size(one["spacing_mm"])),
                ("Coverage, mm", size(one["coverage_mm"])),
                ("Volumes", one["volumes"]),
                *((label, number(one[what])) for what, label in LABELS.items()),
                (f"Lowest to highest {intensity['unit']}", f"{number(intensity['minimum'])} to {number(intensity['maximum'])}"),
                ("1st to 99th percentile", f"{number(intensity['percentile_1'])} to {number(intensity['percentile_99'])}"),
                ("Mean ± standard deviation", f"{number(intensity['mean'])} ± {number(intensity['standard_deviation'])}"),
                ("Median", number(intensity["median"])),
            ]
        )
    pages.sentences(one["remarks"], SMALL, mark="–")
