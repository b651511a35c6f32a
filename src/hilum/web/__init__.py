"""HOW PEOPLE SEE IT: plain server-rendered pages, one file a page, without a line of JavaScript.

    api.router.routes.extend(routes(application, scope_of))

`/studies` lists, `/studies/{id}` tells one study's way from door to delivery. The API's own addresses serve results.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hilum.model.errors import HilumError
from hilum.model.identity import Right, Scope
from hilum.runtime.assembling import Application
from hilum.web.findings import show_findings
from hilum.web.inlining import inlined
from hilum.web.rendering import render
from hilum.web.statics import show_static
from hilum.web.studies import show_studies
from hilum.web.study import show_study
from hilum.web.thumbnail import show_thumbnail

ScopeOf = Callable[[Request], Scope]
"""Who asks; a HilumError of kind "unauthenticated" where nobody is known. May block: pages run in threads."""

Page = Callable[[Application, Scope, Request], Response]

STATUS_OF_KIND = {"unauthenticated": 401, "forbidden": 403, "not-found": 404, "invalid": 422}
# Basic alone, in a header of its own: Chromium looks at the first challenge of a header only, and asks no one for a Bearer token.
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Hilum", charset="UTF-8"'}


class PageRoute(Route):
    """A page; `right` is what its reader needs."""

    right = Right.READ


def routes(app: Application, scope_of: ScopeOf) -> list[PageRoute]:
    """The pages, to be mounted at the root beside the API."""
    return [
        PageRoute("/", _page(_to_studies, app, scope_of), name="home page"),
        PageRoute("/studies", _page(show_studies, app, scope_of), name="studies page"),
        PageRoute("/studies/{study}", _page(show_study, app, scope_of), name="study page"),
        PageRoute("/studies/{study}/findings.html", _page(show_findings, app, scope_of), name="findings report"),
        PageRoute("/series/{series}/thumbnail.png", _page(show_thumbnail, app, scope_of), name="thumbnail"),
        PageRoute("/static/{name}", _page(show_static, app, scope_of), name="static file"),
    ]


def _to_studies(_app: Application, _scope: Scope, _request: Request) -> Response:
    return RedirectResponse("/studies")


def _page(page: Page, app: Application, scope_of: ScopeOf) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            return page(app, scope_of(request), request)
        except HilumError as error:
            return _trouble(error)

    return answer


def _trouble(error: HilumError) -> Response:
    status = STATUS_OF_KIND.get(error.kind, 500)
    if status == 401:
        style = inlined("sign_in.css")
        response = render("sign_in.html", status, style=style.text)
        policy = f"default-src 'none'; style-src {style.source}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        response.headers.update(CHALLENGE | {"Content-Security-Policy": policy})
        return response
    return render("trouble.html", status, sentence=error.sentence, mend=error.mend, here="", text="")
