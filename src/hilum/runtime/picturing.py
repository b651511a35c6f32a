"""Pictures of series, drawn beside a worker's own work: by children with limits, several a child, never on the way of an image.

What is wanted stands in the ledger (`stores/pictures.py`), so a kill loses nothing: the wish is free again after its lease.
"""

import logging
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.model.errors import HilumError, NotFoundError, StorageError
from hilum.model.identity import SYSTEM
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Instance, Series
from hilum.processors import Limits
from hilum.runtime.assembling import Application
from hilum.runtime.children import GuardedChildren
from hilum.runtime.drawing import SECONDS, Drawn, Job, Jobs, read_answer
from hilum.stores.pictures import MOST_ATTEMPTS, Picture, Wish

_LOG = logging.getLogger(__name__)

BATCH = 8  # wishes a child: starting it takes longer than drawing
MOST_BYTES = 256 << 20  # of an instance that is looked at
MOST_SECOND_BYTES = 16 << 20  # of one that is looked at only when the first cannot be shown
MEMORY_BYTES = 4 << 30
IDLE_SECONDS = 1.0

DAMAGED = "damaged"
OVERLAYS = frozenset({"SEG", "RTSTRUCT"})
ICONS = {
    "SR": "report",
    "KO": "report",
    "DOC": "document",
    "PR": "presentation",
    "RTPLAN": "plan",
    "RTRECORD": "plan",
    "ECG": "waveform",
    "HD": "waveform",
    "EPS": "waveform",
    "AU": "waveform",
    "RESP": "waveform",
    "EEG": "waveform",
}
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Order:
    """A wish with what is known of its series."""

    wish: Wish
    series: Series
    instances: Sequence[Instance]
    reference_uid: str = ""
    reference: Sequence[Instance] = ()
    below: Instance | None = None  # the image that an overlay asked for


class Picturing:
    """A thread of a worker process that draws what is wanted."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._stop = threading.Event()
        self._running: Any = None
        self._thread = threading.Thread(target=self._run, name="picturing", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End at once: what is being drawn is given back."""
        self._stop.set()
        running = self._running
        if running is not None:
            running.kill()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def draw_wanted(self) -> int:
        """Draw some of what is wanted; how many wishes there were."""
        wishes = self._app.pictures.claim(BATCH)
        if wishes:
            orders = [order for wish in wishes if (order := self._order(wish)) is not None]
            again = list(self._draw(orders))
            if again and not self._stop.is_set():
                list(self._draw(again))
        return len(wishes)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if not self.draw_wanted():
                    self._stop.wait(IDLE_SECONDS)
            except Exception as error:  # noqa: BLE001 - disk or ledger may fail for a while; the wishes stand
                _LOG.warning("pictures cannot be drawn: %s", error if isinstance(error, HilumError) else type(error).__name__)
                self._stop.wait(10 * IDLE_SECONDS)

    def _order(self, wish: Wish) -> Order | None:
        """None where the wish is answered already, or its series is gone."""
        catalogue = self._app.catalogue
        try:
            series = catalogue.find_series(SYSTEM, wish.series_id)
        except NotFoundError:
            return None
        if wish.attempt > MOST_ATTEMPTS:
            self._keep(wish, Picture(None, DAMAGED, "Drawing it ended the worker each time."))
            return None
        instances = catalogue.instances_of(SYSTEM, series)
        if series.modality in OVERLAYS:
            return self._order_overlay(wish, series, instances)
        if _holds_no_image(series):
            self._keep(wish, Picture(None, ICONS.get(series.modality, NOTHING), "It holds no image."))
            return None
        return Order(wish, series, instances)

    def _order_overlay(self, wish: Wish, series: Series, instances: Sequence[Instance]) -> Order:
        from hilum.dicom.references import referenced_series

        uid = referenced_series(series.header)
        below = self._app.pictures.find_reference(wish, uid) if uid else None
        reference = self._app.catalogue.instances_of(SYSTEM, self._app.catalogue.find_series(SYSTEM, below)) if below else []
        return Order(wish, series, instances, uid, reference)

    def _draw(self, orders: Sequence[Order]) -> Iterator[Order]:
        """Draw in one child; gives the orders whose overlays asked for an image."""
        if not orders:
            return
        with tempfile.TemporaryDirectory(dir=self._app.settings.scratch) as name:
            folder = Path(name)
            jobs = self._lay_out_all(orders, folder)
            orders = [order for order, _ in jobs]
            Jobs(tuple(job for _, job in jobs)).write(folder)
            self._run_child(folder, len(orders))
            answers = [read_answer(folder, number) for number in range(len(orders))]
            culprit = next((number for number, answer in enumerate(answers) if answer is None), len(orders))
            for number, (order, answer) in enumerate(zip(orders, answers, strict=True)):
                if answer is not None and answer.needs:
                    below = next(one for one in order.reference if one.sop_instance_uid == answer.needs)
                    yield Order(order.wish, order.series, order.instances, order.reference_uid, (), below)
                elif answer is not None:
                    self._keep_answer(order, answer, folder / f"{number}.png")
                elif number == culprit and order.wish.attempt == MOST_ATTEMPTS and not self._stop.is_set():
                    self._keep(order.wish, Picture(None, DAMAGED, "Drawing it took too long, or ended its process."))
                else:
                    self._app.pictures.give_back(order.wish, counts=number == culprit and not self._stop.is_set())

    def _run_child(self, folder: Path, jobs: int) -> None:
        limits = Limits(wall_seconds=jobs * SECONDS + 30, memory_bytes=MEMORY_BYTES, output_bytes=MOST_BYTES)
        # -P keeps the working folder, where a sender's files lie, off the module path.
        command = [sys.executable, "-P", "-m", "hilum.runtime.drawing", str(folder)]
        self._running = GuardedChildren().start(command, cwd=folder, output=folder, limits=limits)
        try:
            if self._stop.is_set():
                self._running.kill()
            self._running.wait()
        finally:
            self._running = None

    def _lay_out_all(self, orders: Sequence[Order], folder: Path) -> list[tuple[Order, Job]]:
        """The jobs of those whose bytes can be read; the others wait until their lease ends: the disk may be away for a while."""
        jobs: list[tuple[Order, Job]] = []
        for order in orders:
            try:
                jobs.append((order, self._lay_out(order, len(jobs), folder)))
            except StorageError as error:
                _LOG.warning("series %s cannot be drawn: %s", order.series.id, error)
                if order.wish.attempt == MOST_ATTEMPTS:
                    self._keep(order.wish, Picture(None, DAMAGED, "Its bytes cannot be read: run `hilum verify`."))
        return jobs

    def _lay_out(self, order: Order, number: int, folder: Path) -> Job:
        """The files of a job. Names are ours: nothing a sender wrote becomes a path."""
        if order.series.modality not in OVERLAYS:
            shown = (one for one in _worth_showing(order.instances))
            return Job(images=tuple(self._put(one.stored, folder / f"{number}-{index}.dcm") for index, one in enumerate(shown)))
        overlay = self._put(order.instances[0].stored, folder / f"{number}.dcm") if order.instances else ""
        below = (self._put(order.below.stored, folder / f"{number}-below.dcm"),) if order.below is not None else ()
        candidates = tuple((one.sop_instance_uid, *_place(one.attributes)) for one in order.reference)
        return Job(images=below, overlay=overlay, candidates=candidates)

    def _put(self, stored: StoredBytes, path: Path) -> str:
        with path.open("wb") as file:
            for chunk in self._app.vault.stream(stored):
                file.write(chunk)
        return path.name

    def _keep_answer(self, order: Order, answer: Drawn, png: Path) -> None:
        if not answer.has_picture:
            self._keep(order.wish, Picture(None, DAMAGED, answer.why or "Nothing of it can be shown."))
            return
        lacks = order.reference_uid if order.series.modality in OVERLAYS and order.below is None else ""
        why = answer.why or ("What it lies on is not held." if lacks else "")
        self._keep(order.wish, Picture(png.read_bytes(), "", why, lacks))
        if lacks and not order.reference and self._app.pictures.find_reference(order.wish, lacks):
            self._app.pictures.want_again(order.wish)  # it arrived while this was drawn

    def _keep(self, wish: Wish, picture: Picture) -> None:
        self._app.pictures.keep(wish, picture)


def _place(attributes: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return attributes.get("ImagePositionPatient"), attributes.get("ImageOrientationPatient"), attributes.get("PixelSpacing")


def _holds_no_image(series: Series) -> bool:
    """By its first header; a header that could not be read says nothing."""
    return bool(series.header) and "Rows" not in series.header


def _worth_showing(instances: Sequence[Instance]) -> list[Instance]:
    """The middle of the sorted volume, then the first and the last where that cannot be shown; none that is too large."""
    ordered = _sorted(instances)
    if not ordered:
        return []
    middle, *others = dict.fromkeys((len(ordered) // 2, 0, len(ordered) - 1))
    shown = [ordered[middle]] if ordered[middle].stored.size <= MOST_BYTES else []
    return shown + [ordered[index] for index in others if ordered[index].stored.size <= MOST_SECOND_BYTES]


def _sorted(instances: Sequence[Instance]) -> list[Instance]:
    """The largest volume in the order of the body; by number where the images do not say where they lie."""
    from hilum.dicom.geometry import slice_from, volumes

    by_uid = {one.sop_instance_uid: one for one in instances}
    found = volumes(slice_from(one.attributes, one.sop_instance_uid) for one in instances)
    largest = max(found, key=lambda volume: len(volume.slices), default=None)
    if largest is None or not largest.positions:
        return sorted(instances, key=_number)
    return [by_uid[str(image.key)] for image in largest.slices]


def _number(instance: Instance) -> tuple[int, str]:
    """PS3.3 C.7.6.1: InstanceNumber, where it is a number; else by UID, which is at least always the same."""
    number: Any = instance.attributes.get("InstanceNumber")
    return (number if isinstance(number, int) else 0, instance.sop_instance_uid)
