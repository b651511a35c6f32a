"""The pages, behind the same sign-in as the API: HTTP Basic with a user's name and password, or any name and a token."""

from starlette.requests import Request
from starlette.routing import BaseRoute

from hilum.api.calling import Authenticator
from hilum.api.lanes import PAGES, in_lane
from hilum.model.identity import Scope
from hilum.runtime.assembling import Application
from hilum.web import routes


def page_routes(app: Application, authenticator: Authenticator) -> list[BaseRoute]:
    """The routes of `hilum.web`."""

    def scope_of(request: Request) -> Scope:
        header = request.headers.get("authorization", "")
        return (authenticator.remembered(header) or authenticator.look_up(header)).scope

    return [type(page)(page.path, in_lane(PAGES, page.endpoint), name=page.name) for page in routes(app, scope_of)]
