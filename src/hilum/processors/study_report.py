"""One PDF that sums a workitem up: which series took which role, findings, key figures, small montages, and the results with their SHA-256.

    {"processor": "study_report", "settings": {"montages": true}}

Comes last among a template's steps and is named after the template (`brain_ms.pdf`). Figures and montages are taken from an
earlier step `image_quality`; without one the report leaves them out.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hilum.processors import Answer, Artifacts, LocalProcessor, Order, ProcessingInput, ProducedFile, StrictSettings, names_of
from hilum.processors._figures import QUALITY_COLUMNS, caption, quality_row
from hilum.processors._pages import Column, Pages, write_pages

ROLE_COLUMNS = (
    Column("Role", 13),
    Column("Series", 27),
    Column("Modality", 12),
    Column("Instances", 12, numbers=True),
    Column("Series Instance UID", 72, mono=True),
)
RESULT_COLUMNS = (Column("Name", 34), Column("Bytes", 18, numbers=True), Column("SHA-256", 76, mono=True))


class Settings(StrictSettings):
    """`montages`: whether the montages of `image_quality` are shown again."""

    montages: bool = True


class StudyReport(LocalProcessor):
    """Draws the report; measures nothing itself."""

    kind: ClassVar[str] = "study_report"
    Settings = Settings

    @classmethod
    def run(cls, order: Order) -> Answer:
        """Draw it."""
        drawn = order.output / f"{order.template}.pdf"
        title = order.template_title or order.template
        write_pages(drawn, title, f"Study {order.study_instance_uid}", order.notice, lambda pages: _draw(pages, order))
        results = {path.name: _sha256(path) for path in order.earlier}
        return Artifacts((ProducedFile(drawn, drawn.name, "application/pdf"),), {"tool": "hilum study_report", "results": results})


def _draw(pages: Pages, order: Order) -> None:
    pages.heading("Series and their roles")
    pages.table(ROLE_COLUMNS, [_role_row(given) for given in order.inputs])
    pages.heading("Findings of the checks", keep_with=20)
    pages.sentences(order.findings or ("None.",), mark="–" if order.findings else "")
    _draw_quality(pages, order)
    if order.earlier:
        pages.heading("Results")
        pages.table(RESULT_COLUMNS, [(path.name, f"{path.stat().st_size:,}", _sha256(path)) for path in order.earlier])


def _role_row(given: ProcessingInput) -> tuple[object, ...]:
    instances = sum(1 for path in given.folder.iterdir() if path.is_file())
    return given.role.upper().replace("_", " ") or "–", given.description or "–", given.modality, instances, given.series_instance_uid


def _draw_quality(pages: Pages, order: Order) -> None:
    measured = _measured(order.earlier)
    if not measured:
        return
    pages.heading("Image quality")
    pages.table(QUALITY_COLUMNS, [quality_row(one) for one in measured])
    if Settings.model_validate(order.settings).montages:
        pages.pictures(_montages(order), across=2)


def _montages(order: Order) -> list[tuple[str, Path]]:
    by_name = {path.name: path for path in order.earlier}
    pictured = ((name, given, by_name.get(f"{name}_montage.png")) for name, given in _named(order))
    return [(caption(given.role, given.description) or name, path) for name, given, path in pictured if path is not None]


def _named(order: Order) -> Iterator[tuple[str, ProcessingInput]]:
    return zip(names_of(order.inputs), order.inputs, strict=True)


def _measured(earlier: Sequence[Path]) -> list[dict[str, Any]]:
    record = next((path for path in earlier if path.name == "image_quality.json"), None)
    return list(json.loads(record.read_text(encoding="utf-8"))["series"]) if record else []


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
