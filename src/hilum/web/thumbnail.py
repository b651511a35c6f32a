"""/series/{id}/thumbnail.png: the middle image of a series."""

import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hilum.model.identity import Scope
from hilum.model.records import Instance
from hilum.processors import Limits
from hilum.runtime.assembling import Application
from hilum.runtime.children import GuardedChildren
from hilum.web.rendering import HEADERS

MOST_BYTES = 256 << 20  # of an instance that is looked at
LIMITS = Limits(wall_seconds=10, memory_bytes=4 << 30, output_bytes=MOST_BYTES + (8 << 20))
MOST_AT_ONCE = threading.BoundedSemaphore(2)  # each may hold a whole decoded frame
MOST_WAITING = threading.BoundedSemaphore(12)  # they wait in threads that all requests share; a browser asks for six at once
NONE = "/static/no-image.svg"


def show_thumbnail(app: Application, scope: Scope, request: Request) -> Response:
    """A PNG, or the way to the picture of no picture: structured reports, damaged pixels, syntaxes without a decoder."""
    series = app.catalogue.find_series(scope, request.path_params["series"])
    instances = sorted(app.catalogue.instances_of(scope, series), key=_number)
    middle = instances[len(instances) // 2] if instances else None
    if middle is None or middle.stored.size > MOST_BYTES:
        return RedirectResponse(NONE)
    if not MOST_WAITING.acquire(blocking=False):
        return Response("Too many pictures are being drawn.", 503, HEADERS | {"Retry-After": "1"}, "text/plain")
    try:
        with MOST_AT_ONCE:
            png = _draw(app, middle)
    finally:
        MOST_WAITING.release()
    if png is None:
        return RedirectResponse(NONE)
    return Response(png, media_type="image/png", headers=HEADERS | {"Cache-Control": "private, max-age=300"})


def _draw(app: Application, instance: Instance) -> bytes | None:
    """Drawn by a child process within limits; None where there is no picture."""
    with tempfile.TemporaryDirectory(dir=app.settings.scratch) as folder:
        source, png = Path(folder, "instance.dcm"), Path(folder, "thumbnail.png")
        with source.open("wb") as file:
            for chunk in app.vault.stream(instance.stored):
                file.write(chunk)
        command = [sys.executable, "-P", "-m", "hilum.web.drawing", str(source), str(png)]
        ended = GuardedChildren().start(command, cwd=Path(folder), output=Path(folder), limits=LIMITS).wait()
        return png.read_bytes() if ended is not None and ended.exit_status == 0 and png.is_file() else None


def _number(instance: Instance) -> tuple[int, str]:
    """PS3.3 C.7.6.1: InstanceNumber, where it is a number; else by UID, which is at least always the same."""
    number: Any = instance.attributes.get("InstanceNumber")
    return (number if isinstance(number, int) else 0, instance.sop_instance_uid)
