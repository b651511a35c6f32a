"""/series/{id}/thumbnail.png: the picture of a series as it is kept, or the icon of what has none."""

from functools import cache
from hashlib import sha256
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

from hilum.model.identity import Scope
from hilum.runtime.assembling import Application
from hilum.stores.pictures import Picture
from hilum.web.rendering import HEADERS

PENDING = "pending"
KEPT_SECONDS = 300  # by the reader's own browser
AGAIN_SECONDS = 3


def show_thumbnail(app: Application, scope: Scope, request: Request) -> Response:
    """Always a PNG: 200 with the picture or an icon, 202 with an icon as long as it has still to be drawn."""
    series = app.catalogue.find_series(scope, request.path_params["series"])
    return answer_picture(app.pictures.find(scope, series.id), request.headers.get("if-none-match", ""))


def answer_picture(picture: Picture | None, known: str = "") -> Response:
    """The reply; `known` is the ETag of what the reader has."""
    if picture is None or (picture.is_wanted and picture.png is None):
        headers = HEADERS | {"Retry-After": str(AGAIN_SECONDS), "Hilum-Picture": PENDING}
        return Response(icon_png(PENDING), 202, headers, "image/png")
    png = picture.png or icon_png(picture.icon)
    tag = f'"{sha256(png).hexdigest()[:32]}"'
    is_still_growing = picture.is_wanted or picture.reference_uid
    headers = HEADERS | {
        "ETag": tag,
        "Cache-Control": "private, no-cache" if is_still_growing else f"private, max-age={KEPT_SECONDS}",
        "Hilum-Picture": picture.icon or "picture",
    }
    return Response(None, 304, headers) if known == tag else Response(png, 200, headers, "image/png")


@cache
def icon_png(name: str) -> bytes:
    """A shipped icon of 300 x 300 pixels."""
    return (resources.files("hilum.web") / "pictures" / f"{name}.png").read_bytes()
