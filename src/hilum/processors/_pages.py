"""PDF pages of results: A4, quiet, columns aligned, the notice on every page; any text a sender wrote is drawn as inert characters.

Text never goes through markup, so nothing in it is interpreted; what the fonts lack becomes `?`. The same content gives the same bytes.
"""

import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The console's colours (tokens.css), on white because paper is.
INK, INK_2, INK_3 = "#191d20", "#454b50", "#5f656a"
LINE, ACCENT, HELD, FILM = "#e2dfd8", "#0a5870", "#754700", "#0b0d0e"

TEXT, FIRM, MONO = "Helvetica", "Helvetica-Bold", "Courier"
SIZE, SMALL, TINY = 9.0, 8.0, 7.0

WIDTH, HEIGHT = 595.28, 841.89  # A4, in points
MARGIN, TOP, BOTTOM = 48.0, 52.0, 64.0
USABLE = WIDTH - 2 * MARGIN
GUTTER, TALLEST = 12.0, 260.0  # between pictures; of a picture


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: its head, its share of the width, and whether it holds numbers (aligned right) or UIDs (monospaced)."""

    head: str
    share: float
    numbers: bool = False
    mono: bool = False


def printable(text: object, longest: int = 400) -> str:
    """One line of characters that the standard fonts have (PDF 32000-1 D.2, WinAnsiEncoding), at most `longest`."""
    drawn = "".join(map(_drawable, str(text)[: 4 * longest]))
    line = " ".join(drawn.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _drawable(character: str) -> str:
    if unicodedata.category(character)[0] in "CZ":
        return " "
    for form in (character, unicodedata.normalize("NFKD", character)[0]):
        if form.encode("cp1252", "ignore"):
            return form
    return "?"


def write_pages(path: Path, title: str, subtitle: str, notice: str, draw: Callable[["Pages"], None]) -> None:
    """Write a PDF; `draw` is called twice, first to count the pages."""
    from reportlab import rl_config

    rl_config.useA85 = 0  # binary streams are a legal PDF, a fifth smaller and made in half the time
    count = Pages(io.BytesIO(), title, subtitle, notice, 0).drawn_by(draw)
    with path.open("wb") as file:
        Pages(file, title, subtitle, notice, count).drawn_by(draw)


class Pages:
    """A cursor that goes down the pages."""

    def __init__(self, target: Any, title: str, subtitle: str, notice: str, count: int) -> None:
        from reportlab.pdfgen.canvas import Canvas

        self._canvas = Canvas(target, pagesize=(WIDTH, HEIGHT), invariant=1)
        self._title, self._notice, self._count, self._number = printable(title, 120), printable(notice, 120), count, 1
        self._canvas.setTitle(self._title)
        self._canvas.setCreator("Hilum")
        self._y = HEIGHT - TOP
        self._opening(printable(subtitle))

    def drawn_by(self, draw: Callable[["Pages"], None]) -> int:
        """Draw everything; the number of pages."""
        draw(self)
        self._footer()
        self._canvas.showPage()
        self._canvas.save()
        return self._number

    def heading(self, text: str, keep_with: float = 60.0) -> None:
        """A section's title, never alone at the foot of a page."""
        self._room(28 + keep_with)
        self._y -= 26
        self._draw(MARGIN, text, FIRM, 11, INK)
        self._y -= 8

    def sentences(self, texts: Sequence[str], size: float = SIZE, colour: str = INK_2, mark: str = "") -> None:
        """Each text as a paragraph, its lines broken at the margin."""
        from reportlab.lib.utils import simpleSplit

        inset = 10 if mark else 0
        for text in texts:
            for number, line in enumerate(simpleSplit(printable(text, 1200), TEXT, size, USABLE - inset)):
                self._room(size * 1.45)
                self._y -= size * 1.45
                if mark and number == 0:
                    self._draw(MARGIN, mark, TEXT, size, INK_3)
                self._draw(MARGIN + inset, line, TEXT, size, colour)
            self._y -= size * 0.3

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> None:
        """Rows under their heads, a hairline below each."""
        self._room(46)
        self._y -= 13
        self._row(columns, [column.head for column in columns], is_head=True)
        for row in rows:
            self._room(18)
            self._y -= 16
            self._row(columns, row)
        self._y -= 6

    def facts(self, pairs: Sequence[tuple[str, object]], across: int = 4) -> None:
        """Small labels with their values below, several side by side."""
        step = USABLE / across
        for start in range(0, len(pairs), across):
            self._room(30)
            self._y -= 28
            for place, (label, value) in enumerate(pairs[start : start + across]):
                left = MARGIN + place * step
                self._draw(left, _fitted(label, TEXT, TINY, step - 8), TEXT, TINY, INK_3, up=11)
                self._draw(left, _fitted(value, TEXT, SIZE, step - 8), TEXT, SIZE, INK)
        self._y -= 4

    def pictures(self, captioned: Sequence[tuple[str, Path]], across: int = 1) -> None:
        """PNGs on film black, `across` side by side, each below its caption."""
        wide = (USABLE - (across - 1) * GUTTER) / across
        for start in range(0, len(captioned), across):
            row = [(caption, _image(png)) for caption, png in captioned[start : start + across]]
            tall = min(TALLEST, max((wide - 8) * image.getSize()[1] / image.getSize()[0] for _, image in row)) + 8
            self._room(tall + 24)
            self._y -= 14
            for place, (caption, image) in enumerate(row):
                left = MARGIN + place * (wide + GUTTER)
                self._draw(left, _fitted(caption, TEXT, TINY, wide), TEXT, TINY, INK_3)
                self._film(image, left, self._y - 5 - tall, wide, tall)
            self._y -= tall + 8

    def _film(self, image: Any, left: float, bottom: float, wide: float, tall: float) -> None:
        self._canvas.setFillColor(FILM)
        self._canvas.roundRect(left, bottom, wide, tall, 3, stroke=0, fill=1)
        width, height = image.getSize()
        scale = min((wide - 8) / width, (tall - 8) / height)
        size = width * scale, height * scale
        if self._count:  # the first pass only counts pages, and pictures are slow
            self._canvas.drawImage(image, left + (wide - size[0]) / 2, bottom + (tall - size[1]) / 2, *size)

    def _opening(self, subtitle: str) -> None:
        self._canvas.setFillColor(ACCENT)
        self._canvas.rect(MARGIN, self._y + 6, 24, 2.5, stroke=0, fill=1)
        self._y -= 16
        self._draw(MARGIN, _fitted(self._title, FIRM, 18, USABLE), FIRM, 18, INK)
        self._y -= 15
        self._draw(MARGIN, _fitted(subtitle, TEXT, SMALL, USABLE), TEXT, SMALL, INK_3)
        self._y -= 10

    def _footer(self) -> None:
        self._canvas.setStrokeColor(LINE)
        self._canvas.setLineWidth(0.6)
        self._canvas.line(MARGIN, 44, WIDTH - MARGIN, 44)
        self._y = 31
        self._draw(MARGIN, self._notice, FIRM, SMALL, HELD)
        self._draw(WIDTH - MARGIN, f"{self._title} · {self._number} / {self._count}", TEXT, SMALL, INK_3, to_left=True)

    def _room(self, height: float) -> None:
        if self._y - height >= BOTTOM:
            return
        self._footer()
        self._canvas.showPage()
        self._number += 1
        self._y = HEIGHT - TOP

    def _row(self, columns: Sequence[Column], cells: Sequence[object], *, is_head: bool = False) -> None:
        total, left = sum(column.share for column in columns), MARGIN
        for column, cell in zip(columns, cells, strict=True):
            wide = USABLE * column.share / total
            font, size, colour = (TEXT, TINY, INK_3) if is_head else (MONO, 6.6, INK_2) if column.mono else (TEXT, SIZE, INK)
            text = _fitted(cell, font, size, wide - 8)
            self._draw(left + wide - 8 if column.numbers else left, text, font, size, colour, to_left=column.numbers)
            left += wide
        self._canvas.setStrokeColor(LINE)
        self._canvas.setLineWidth(0.6)
        self._canvas.line(MARGIN, self._y - 5, WIDTH - MARGIN, self._y - 5)

    def _draw(self, x: float, text: str, font: str, size: float, colour: str, *, up: float = 0.0, to_left: bool = False) -> None:
        self._canvas.setFillColor(colour)
        self._canvas.setFont(font, size)
        (self._canvas.drawRightString if to_left else self._canvas.drawString)(x, self._y + up, printable(text))


def _image(png: Path) -> Any:
    """The picture for the canvas; one without colours takes a third of the room."""
    from PIL import Image, ImageChops
    from reportlab.lib.utils import ImageReader

    picture = Image.open(io.BytesIO(png.read_bytes())).convert("RGB")
    red, green, blue = picture.split()
    is_grey = ImageChops.difference(red, green).getbbox() is None and ImageChops.difference(green, blue).getbbox() is None
    return ImageReader(red if is_grey else picture)


def _fitted(text: object, font: str, size: float, wide: float) -> str:
    """The text, cut to the width with an ellipsis."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    line = printable(text)
    while line and stringWidth(line, font, size) > wide:
        line = line[:-2].rstrip() + "…" if len(line) > 2 else ""
    return line
