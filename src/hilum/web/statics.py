"""/static/{name}: style sheets and icons, from the package. Names are looked up, never joined to a path."""

from functools import cache
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

from hilum.model.errors import NotFoundError
from hilum.model.identity import Scope
from hilum.runtime.assembling import Application

MEDIA_TYPES = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


@cache
def _files() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (resources.files("hilum.web") / "static").iterdir() if file.is_file()}


def show_static(_app: Application, _scope: Scope, request: Request) -> Response:
    """One file."""
    name = request.path_params["name"]
    content = _files().get(name)
    if content is None:
        raise NotFoundError(f"There is no file {name!r}.")
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]
    return Response(content, media_type=media_type, headers={"Cache-Control": "private, max-age=3600"})
