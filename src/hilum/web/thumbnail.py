"""/series/{id}/thumbnail.png: the middle image of a series."""

import tempfile
import threading
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hilum.model.identity import Scope
from hilum.model.records import Instance
from hilum.runtime.assembling import Application
from hilum.web.rendering import HEADERS

MOST_BYTES = 256 << 20  # of a file that is looked at, and of its decoded frame
MOST_AT_ONCE = threading.BoundedSemaphore(2)  # each may hold a whole decoded frame
NONE = "/static/no-image.svg"


def show_thumbnail(app: Application, scope: Scope, request: Request) -> Response:
    """A PNG, or the way to the picture of no picture: structured reports, damaged pixels, syntaxes without a decoder."""
    series = app.catalogue.find_series(scope, request.path_params["series"])
    instances = sorted(app.catalogue.instances_of(scope, series), key=_number)
    middle = instances[len(instances) // 2] if instances else None
    if middle is None or middle.stored.size > MOST_BYTES:
        return RedirectResponse(NONE)
    from hilum.dicom.pixels import PixelError

    try:
        with MOST_AT_ONCE:
            png = _draw(app, middle)
    except PixelError:
        return RedirectResponse(NONE)
    return Response(png, media_type="image/png", headers=HEADERS | {"Cache-Control": "private, max-age=300"})


def _draw(app: Application, instance: Instance) -> bytes:
    from hilum.dicom.pixels import thumbnail

    # In a file: the decoder reads of it what it needs, and it is never whole in memory.
    with tempfile.NamedTemporaryFile(dir=app.settings.scratch) as file:
        for chunk in app.vault.stream(instance.stored):
            file.write(chunk)
        file.flush()
        return thumbnail(file.name, max_bytes=MOST_BYTES)


def _number(instance: Instance) -> tuple[int, str]:
    """PS3.3 C.7.6.1: InstanceNumber, where it is a number; else by UID, which is at least always the same."""
    number: Any = instance.attributes.get("InstanceNumber")
    return (number if isinstance(number, int) else 0, instance.sop_instance_uid)
